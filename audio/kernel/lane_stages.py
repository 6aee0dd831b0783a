"""Stages: a chain of filter sections of which each works on a frame of its own, so that none waits for another.

    turn n:   frame n --> stage 0    frame n - 1 --> stage 1    frame n - 2 --> stage 2

A section's output on a frame needs that of the section before it on the same frame; one after the other, a processor
waits for each. Here a stage is given what the stage before it has handed on in the turn before, so all stages of a turn
are independent. A frame goes through the same arithmetic whatever run it is in, and whether it is among the first, in
the middle or among the last of it: the bits do not depend on where a run begins or ends.

Owner: whoever emits filters in LLVM (`lane_filters.py`, `lane_isolator.py`). Units: offsets in floats, LANES a frame.
"""

from collections.abc import Callable
from typing import Any

from audio.kernel.lanes import LANES, WORD, Loop

Stage = Callable[[Any, list[Any], list[Any]], tuple[list[Any], list[Any]]]
"""Emits one stage for the frame at an offset: takes what it is handed and its states, returns what it hands on and its
states after the frame."""


class _Chain:
    """The values of all stages while code is emitted: what each keeps and what each hands on."""

    def __init__(self, stages: list[Stage], states: list[list[Any]]) -> None:
        self._stages = stages
        self.states = [list(own) for own in states]
        self.handed: list[list[Any]] = [[] for _ in stages]

    def run(self, stage: int, offset: Any) -> None:
        """Emit one stage for the frame at `offset`."""
        given = self.handed[stage - 1] if stage else []
        self.handed[stage], self.states[stage] = self._stages[stage](offset, given, self.states[stage])

    def kept(self) -> list[Any]:
        """Return all states in a row."""
        return [value for own in self.states for value in own]

    def carried(self) -> list[Any]:
        """Return all that the next turn needs in a row."""
        return self.kept() + [value for given in self.handed[:-1] for value in given]

    def take(self, values: list[Any]) -> None:
        """Put new values in the place of those that `kept`, or `carried`, has returned."""
        values = list(values)
        for row in (self.states, self.handed[:-1]):
            for own in row:
                if values:
                    own[:] = [values.pop(0) for _ in own]


def run_stages(builder: Any, count: Any, stages: list[Stage], states: list[list[Any]]) -> list[list[Any]]:
    """Emit a run of `count` (at least 1) frames through `stages`; `states`: those of each. Return them after it."""
    depth = len(stages) - 1
    short, long, done = (builder.append_basic_block(name) for name in ("short", "long", "done"))
    builder.cbranch(builder.icmp_signed("<=", count, WORD(depth)), short, long)

    builder.position_at_end(short)
    chain = _Chain(stages, states)
    loop = Loop(builder, count, chain.kept())
    chain.take(loop.carried)
    for stage in range(depth + 1):
        chain.run(stage, loop.offset)
    after_short = loop.end(chain.kept())
    short = builder.block
    builder.branch(done)

    builder.position_at_end(long)
    chain = _Chain(stages, states)
    for turn in range(depth):
        for stage in range(turn, -1, -1):
            chain.run(stage, WORD(LANES * (turn - stage)))
    loop = Loop(builder, builder.sub(count, WORD(depth)), chain.carried())
    chain.take(loop.carried)
    for stage in range(depth, -1, -1):
        chain.run(stage, builder.add(loop.offset, WORD(LANES * (depth - stage))))
    chain.take(loop.end(chain.carried()))
    last = builder.mul(builder.sub(count, WORD(1)), WORD(LANES))
    for turn in range(1, depth + 1):
        for stage in range(depth, turn - 1, -1):
            chain.run(stage, builder.sub(last, WORD(LANES * (stage - turn))))
    long = builder.block
    builder.branch(done)

    builder.position_at_end(done)
    after = []
    for one, other in zip(after_short, chain.kept(), strict=True):
        either = builder.phi(one.type)
        either.add_incoming(one, short)
        either.add_incoming(other, long)
        after.append(either)
    chain.take(after)
    return chain.states
