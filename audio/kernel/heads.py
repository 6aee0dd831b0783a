"""Heads: places on a tape that move, and what they decide.

A head plays its tape's stems where every one of them is ready for the coming fade in the direction of travel, else the
mix; `blend` moves between the two by equal gain, and only inside the ready stretch. `presence` falls before the mix
itself runs out of memory, `tail` before the track ends, `fade` when the head is started or left behind.

Owner: the kernel. What a head decides on a frame depends on the state of that frame alone, never on where a block
begins; `steady_run` says for how many frames nothing can change.
Units: frames at the engine rate; speeds as ratio; a place between two frames in 2^-56 frames.
"""

from math import ceil
from typing import Any, Final

from audio.commands import CHUNK_FRAMES
from audio.kernel.compiled import compiled
from audio.kernel.memory import is_ready, ready_ahead
from audio.kernel.ramps import approach
from audio.kernel.sinc import FRACTION_BITS, width_of
from audio.kernel.stretched import decide_stretch, stems_fit
from audio.units import STEM_SLOTS

_SLOWEST: Final = 1e-6
STILL: Final = 1.0 / 32.0
"""Below this speed a record under a hand, or one that stops, falls silent instead of holding one level."""
_FRACTION_ONE: Final = float(1 << FRACTION_BITS)
_FRACTION_UNIT: Final = 1.0 / _FRACTION_ONE


@compiled
def top_speed(deck: Any) -> float:
    """Return the fastest the deck will move until its speed is steady."""
    return max(abs(deck.rate.value), abs(deck.rate.target))


@compiled
def is_copy(deck: Any, head: Any) -> bool:
    """Say whether output frames are track frames, one for one."""
    return deck.rate.left == 0 and abs(deck.rate.value) == 1.0 and head.fraction == 0


@compiled
def reach_of(deck: Any, head: Any) -> int:
    """Return how many frames to either side of the head one output frame is made of."""
    if is_copy(deck, head):
        return 0
    return width_of(top_speed(deck)) // 2


@compiled
def fade_travel(k: Any, deck: Any, head: Any) -> int:
    """Return how far the head moves, with what it reaches for, while a fade lasts."""
    return ceil(top_speed(deck) * k.fade_frames) + reach_of(deck, head) + 1


@compiled
def _is_clear(deck: Any, head: Any, slot: Any, reach: int, travel: int) -> bool:
    """Say whether `slot` is ready from the head on for `travel` frames in its direction, and for `reach` behind it."""
    back = reach
    front = travel
    if deck.rate.value < 0.0:
        back, front = travel, reach
    if deck.rate.value * deck.rate.target < 0.0:
        back, front = travel, travel
    return is_ready(slot, head.index - back, head.index + front)


@compiled
def stems_clear(k: Any, deck: Any, head: Any, travel: int) -> bool:
    """Say whether the deck asks for stems and all that are bound are ready for `travel` frames."""
    tape = deck.tapes[head.tape]
    if deck.source != 1 or tape.mask == 0:
        return False
    reach = reach_of(deck, head)
    for slot in range(STEM_SLOTS):
        if tape.mask >> slot & 1 and not _is_clear(deck, head, tape.stems[slot], reach, travel):
            return False
    return True


@compiled
def decide(k: Any, deck: Any, head: Any) -> None:
    """Decide what the head moves towards: stems or mix, sound or silence.

    Stems are entered where two fades fit, and left where one still does, so a short stretch makes no flutter.
    """
    travel = fade_travel(k, deck, head)
    wanted = travel if head.blend_to > 0.5 else 2 * travel
    head.blend_to = 1.0 if stems_clear(k, deck, head, wanted) and stems_fit(deck, head) else 0.0
    tape = deck.tapes[head.tape]
    wanted = travel if head.presence_to > 0.5 else 2 * travel
    head.presence_to = 1.0 if _is_clear(deck, head, tape.mix, reach_of(deck, head), wanted) else 0.0
    decide_stretch(deck, head)


@compiled
def settle(k: Any, deck: Any, head: Any) -> None:
    """Bring a head that is not heard to where its decisions lead, at once."""
    head.blend_to = 1.0
    head.presence_to = 1.0
    decide(k, deck, head)
    head.blend = head.blend_to
    head.presence = head.presence_to
    head.stretch = head.stretch_to
    head.tail = min(tail_gain(k, deck, head), still_gain(deck))


@compiled
def still_gain(deck: Any) -> float:
    """Return the gain that goes with the speed: 1 but for a record that hardly moves."""
    return min(1.0, abs(deck.rate.value) / STILL)


@compiled
def tail_gain(k: Any, deck: Any, head: Any) -> float:
    """Return the gain that brings the end of the track (the start, backwards) to silence over one fade."""
    speed = deck.rate.value
    if speed > 0.0:  # noqa: SIM108 - the two ways read better one below the other
        remaining = deck.tapes[head.tape].mix.frames - place_of(head)
    else:
        remaining = place_of(head) + 1.0
    frames = max(abs(speed), _SLOWEST) * k.fade_frames
    return max(0.0, min(1.0, remaining / frames))


@compiled
def _hurry(slot: Any, deck: Any, head: Any, level: float, step: float, reach: int, travel: int) -> float:
    """Return a step that brings `level` to 0 before `slot` runs out, never smaller than `step`."""
    left = ready_ahead(slot, head.index, deck.rate.value >= 0.0, travel) - reach
    if left >= travel - reach:
        return step
    frames = max(1.0, left / max(top_speed(deck), _SLOWEST))
    return max(step, level / frames)


@compiled
def slew(k: Any, deck: Any, head: Any) -> None:
    """Move blend, presence, stretch and tail by one frame."""
    step = 1.0 / k.fade_frames
    head.stretch = approach(head.stretch, head.stretch_to, step)
    tape = deck.tapes[head.tape]
    if head.blend != head.blend_to:
        pace = step
        if head.blend_to == 0.0:
            reach, travel = reach_of(deck, head), fade_travel(k, deck, head)
            for slot in range(STEM_SLOTS):
                if tape.mask >> slot & 1:
                    pace = max(pace, _hurry(tape.stems[slot], deck, head, head.blend, step, reach, travel))
        head.blend = approach(head.blend, head.blend_to, pace)
    if head.presence != head.presence_to:
        pace = step
        if head.presence_to == 0.0:
            reach, travel = reach_of(deck, head), fade_travel(k, deck, head)
            pace = _hurry(tape.mix, deck, head, head.presence, step, reach, travel)
        head.presence = approach(head.presence, head.presence_to, pace)
    head.tail = min(tail_gain(k, deck, head), approach(head.tail, still_gain(deck), step))


@compiled
def place_of(head: Any) -> float:
    """Return where the head is, in track frames."""
    return head.index + head.fraction * _FRACTION_UNIT


@compiled
def pace_of(speed: float) -> int:
    """Return `speed` in 2^-56 frames, exactly."""
    return int(speed * _FRACTION_ONE)


@compiled
def is_over(deck: Any, head: Any) -> bool:
    """Say whether the head has come to the end of its track; a hand on the record keeps it from ending."""
    if deck.hand:
        return False
    if deck.rate.value < 0.0:
        return head.index < 0
    return head.index >= deck.tapes[head.tape].mix.frames


@compiled
def steady_run(k: Any, deck: Any, head: Any, limit: int) -> int:
    """Return how many frames, at most `limit`, can be rendered without deciding again; 0 while anything moves.

    A decision depends on which chunks the edges of what it looks at lie in, so it holds until one of them leaves its
    chunk.
    """
    if head.fade.left > 0 or head.blend != head.blend_to or head.presence != head.presence_to or head.tail != 1.0:
        return 0
    if deck.rate.left > 0 or abs(deck.rate.value) < STILL or head.stretch != head.stretch_to:
        return 0
    travel, reach = fade_travel(k, deck, head), reach_of(deck, head)
    speed = abs(deck.rate.value)
    if deck.rate.value > 0.0:
        room = deck.tapes[head.tape].mix.frames - head.index - travel - 1
        room = min(room, CHUNK_FRAMES - ((head.index - reach) & (CHUNK_FRAMES - 1)))
        room = min(room, CHUNK_FRAMES - ((head.index + travel) & (CHUNK_FRAMES - 1)))
        room = min(room, CHUNK_FRAMES - ((head.index + 2 * travel) & (CHUNK_FRAMES - 1)))
    else:
        room = head.index - travel - 1
        room = min(room, ((head.index + reach) & (CHUNK_FRAMES - 1)) + 1)
        room = min(room, ((head.index - travel) & (CHUNK_FRAMES - 1)) + 1)
        room = min(room, ((head.index - 2 * travel) & (CHUNK_FRAMES - 1)) + 1)
    if room <= 1:
        return 0
    return min(limit, int((room - 1) / speed))
