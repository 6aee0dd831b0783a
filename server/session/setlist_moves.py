"""Transitions of a setlist, worked out: which control moves where, at which frame. Nothing here is sent.

    cut        |out||in|             fade       \\out/ in, equal power, faders or crossfader
    stem-swap  one group of stems after another goes from out to in; without stems it is a fade
    echo-out   out gets an echo, stops at the swap and rings out under in
    lanes      whatever the file says; lanes may stand beside any other transition, and win over it

Owner: the caller. Pure.
Units: engine frames; levels 0 to 1; decks count from 1.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from audio.units import STEMS
from control.control import Kind, Value
from control.registry import REGISTRY
from server.session.setlist import Entry, Lane
from server.session.setlist_state import STEP_S, Move, Passage, Ramp

ECHO_TAIL_S: Final = 6.0
"""How long an echo rings out before its deck is put back as it was."""

ECHO: Final[tuple[tuple[str, Value], ...]] = (
    ("type", "echo"), ("param/1", 0.5), ("param/2", 0.6), ("param/3", 0.8),
)  # fmt: skip
"""Repeats on three quarters of a beat, each at 0.57 of the one before, a little darker."""

SETTLE_S: Final = 0.02
"""After the end, until the deck that has stopped is silent and its controls can be put back unheard."""

SHORTEST_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a transition takes place: the controls as they are, which deck goes out (0: none) and which comes in, when
    it begins, how long it takes and how long a beat of it is, all in frames; `rate` is the speed at which the new deck
    follows the old one, 0 where it does not."""

    controls: Mapping[str, Value]
    out: int
    into: int
    start: int
    frames: int
    beat: float
    engine_rate: int
    rate: float = 0.0
    crossfader: bool = False


def passage(entry: Entry, ground: Ground) -> Passage:
    """Return the transition into an entry."""
    transition = entry.transition if ground.out and ground.frames else "cut"
    if transition == "stem-swap" and not _has_stems(ground):
        transition = "fade"
    swap = ground.start + (ground.frames if transition != "cut" else 0)
    starts = swap if transition == "echo-out" else ground.start
    ramps = {ramp.path: ramp for ramp in _RAMPS[transition](entry, ground)}
    ramps |= {ramp.path: ramp for ramp in (_lane(lane, ground) for lane in entry.lanes if ground.out)}
    moves = [*_first(ramps.values())]
    if transition == "echo-out":
        moves += _echo(ground, swap)
    if ground.rate:
        moves += [
            Move(starts, f"/deck/{ground.into}/rate", ground.rate),
            Move(starts, f"/deck/{ground.into}/sync", 1),
            Move(swap, f"/deck/{ground.into}/sync", 0),
        ]
    moves.append(Move(starts, f"/deck/{ground.into}/play", 1))
    if ground.out:
        moves.append(Move(swap, f"/deck/{ground.out}/play", 0))
    tail = round(ECHO_TAIL_S * ground.engine_rate) if transition == "echo-out" else 0
    last = max([swap + tail, *(int(ramp.points[-1][0]) for ramp in ramps.values())])
    end = last + round(SETTLE_S * ground.engine_rate)
    moves += _back(ground, [*ramps, *(move.path for move in moves)], end)
    steady = tuple(ramp for ramp in ramps.values() if len(ramp.points) > 1)
    ordered = tuple(sorted(moves, key=lambda move: move.frame))
    return Passage(ground.start, swap, end, steady, ordered, ground.start - 1, ground.rate)


def _first(ramps: Iterable[Ramp]) -> Iterator[Move]:
    """Yield where each ramp begins, so that it is there before anything plays."""
    for ramp in ramps:
        frame, value = ramp.points[0]
        yield Move(frame, ramp.path, value)


def _has_stems(ground: Ground) -> bool:
    """Say whether both decks have stems all through: a part of one would leave a hole."""
    return all(
        max(float(ground.controls[f"/deck/{deck}/stem/{stem}/ready"]) for stem in STEMS) >= 0.999
        for deck in (ground.out, ground.into)
    )


def _cut(entry: Entry, ground: Ground) -> Iterator[Ramp]:
    if ground.crossfader:
        yield Ramp("/mixer/crossfader", ((ground.start, _side(ground.into)),))


def _fade(entry: Entry, ground: Ground) -> Iterator[Ramp]:
    if ground.crossfader and ground.into % 2 != ground.out % 2:
        yield _ramp(ground, "/mixer/crossfader", ground.controls["/mixer/crossfader"], _side(ground.into), "line")
        return
    yield _ramp(ground, f"/deck/{ground.into}/volume", 0.0, entry.volume)
    yield _ramp(ground, f"/deck/{ground.out}/volume", ground.controls[f"/deck/{ground.out}/volume"], 0.0)


def _stem_swap(entry: Entry, ground: Ground) -> Iterator[Ramp]:
    """One group of stems after another; what the order does not name goes with `other`, or with the last."""
    rest = [stem for stem in STEMS if stem not in entry.order]
    home = "other" if "other" in entry.order else entry.order[-1]
    part = ground.frames / len(entry.order)
    for nth, leading in enumerate(entry.order):
        at = replace(ground, start=round(ground.start + nth * part), frames=round(part))
        for stem in (leading, *(rest if leading == home else ())):
            here = f"/deck/{ground.into}/stem/{stem}/volume"
            there = f"/deck/{ground.out}/stem/{stem}/volume"
            into = _ramp(at, here, 0.0, entry.stems.get(stem, 1.0))
            yield replace(into, points=((ground.start, 0.0), *into.points)) if nth else into
            yield _ramp(at, there, ground.controls[there], 0.0)


def _echo_out(entry: Entry, ground: Ground) -> Iterator[Ramp]:
    swap = ground.start + ground.frames
    deck = f"/deck/{ground.out}"
    yield Ramp(f"{deck}/fx/1/wet", ((ground.start, 0.0), (swap, 0.5)))
    level = ground.controls[f"{deck}/volume"]
    tail = round(ECHO_TAIL_S * ground.engine_rate)
    yield Ramp(f"{deck}/volume", ((ground.start, level), (swap + tail // 2, level), (swap + tail, 0.0)))


def _echo(ground: Ground, swap: int) -> Iterator[Move]:
    unit = f"/deck/{ground.out}/fx/1"
    for name, value in (*ECHO, ("on", 1)):
        yield Move(ground.start, f"{unit}/{name}", value)
    yield Move(swap, f"{unit}/on", 0)


def _lanes(entry: Entry, ground: Ground) -> Iterator[Ramp]:
    yield from ()


_RAMPS: Final = {"cut": _cut, "fade": _fade, "stem-swap": _stem_swap, "echo-out": _echo_out, "lanes": _lanes}


def _side(deck: int) -> float:
    return -1.0 if deck % 2 else 1.0


def _ramp(ground: Ground, path: str, first: Value, last: Value, shape: str = "power") -> Ramp:
    return Ramp(path, ((ground.start, first), (ground.start + ground.frames, last)), shape)


def _lane(lane: Lane, ground: Ground) -> Ramp:
    path = lane.control.replace("/deck/out/", f"/deck/{ground.out}/").replace("/deck/in/", f"/deck/{ground.into}/")
    unit = {"seconds": float(ground.engine_rate), "beats": ground.beat, "bars": 4.0 * ground.beat}[lane.unit]
    points = tuple((ground.start + round(at * unit), value) for at, value in lane.points)
    numbers = REGISTRY[path].kind is Kind.CONTINUOUS and REGISTRY[path].is_state
    return Ramp(path, points, lane.shape if numbers else "step")


def _back(ground: Ground, paths: list[str], end: int) -> Iterator[Move]:
    """Yield what puts the controls of the deck that has stopped back as they were."""
    if not ground.out or ground.out == ground.into:
        return
    for path in dict.fromkeys(paths):
        theirs = path.startswith(f"/deck/{ground.out}/") and not path.endswith(("/play", "/position"))
        if theirs and REGISTRY[path].is_state:
            yield Move(end, path, ground.controls[path])


def events(ramp: Ramp, after: int, upto: int, engine_rate: int) -> Iterator[tuple[int, Value]]:
    """Yield the (frame, value) of a ramp in the frames after `after` up to `upto`: its points, and steps between."""
    step = max(1, round(STEP_S * engine_rate))
    for (start, first), (stop, last) in zip(ramp.points, ramp.points[1:], strict=False):
        if stop <= after or start > upto:
            continue
        if ramp.shape != "step" and first != last:
            skip = max(1, (after - start) // step + 1)
            for frame in range(start + skip * step, min(stop, upto + 1), step):
                yield frame, _between(float(first), float(last), (frame - start) / (stop - start), ramp.shape)
        if after < stop <= upto:
            yield stop, last


def _between(first: float, last: float, share: float, shape: str) -> float:
    if shape == "power":
        # Levels whose squares add up to what they were: a rise is a sine, a fall a cosine.
        if last > first:
            return first + (last - first) * math.sin(math.pi / 2 * share)
        return last + (first - last) * math.cos(math.pi / 2 * share)
    if shape == "smooth":
        share = share * share * (3.0 - 2.0 * share)
    return first + (last - first) * share
