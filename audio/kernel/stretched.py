"""Stretched sound: what a deck asks its stretcher for, and how heads play what comes.

    deck --> plan --> stretcher --> ring --> fits the playhead? --> head.stretch: 0 from the tape ... 1 from the ring

The playhead is where the speed has brought it, stretched or not. A head plays from the ring where the ring's frames are
there for a fade to come, were made since the last jump, sound like the place where the playhead is, and hold the slots
that the head plays; otherwise it reads its tape, so that a jump is heard at once and a stretcher that has stopped is
heard as a change of pitch, never as silence.

Owner: the kernel. What is decided on a frame depends on the state of that frame alone: the ring is looked at on every
multiple of SEGMENT and after a jump.
Units: frames at the engine rate; pitch in semitones, tuning in Hz, as ratio in `factor`.
"""

from math import floor
from typing import Any, Final

from audio.commands import PITCH_LIMITS, TUNING_HZ, TUNING_LIMITS, CommandKind, EventKind
from audio.kernel.atomics import fence, load_acquire, record_at, store_release
from audio.kernel.compiled import Single, compiled
from audio.kernel.events import report
from audio.kernel.layout import MIX_BUS, NONE, SEGMENT, TAKE_BUS
from audio.kernel.memory import put_slot
from audio.kernel.sinc import FRACTION_BITS
from audio.kernel.stretch_layout import CAPACITY, HOP, HOPS, OFFSET, SLOTS, STRAY_FRAMES, Line
from audio.units import DECKS, STEM_SLOTS

_KEYLOCK: Final = int(CommandKind.DECK_KEYLOCK)
_PITCH: Final = int(CommandKind.DECK_PITCH)
_TUNING: Final = int(CommandKind.DECK_TUNING)
PITCH_KINDS: Final = (80, 95)
"""First and last kind of command of the family keylock and pitch."""
_LOST: Final = int(EventKind.STRETCH_LOST)
_LOWEST: Final = PITCH_LIMITS[0]
_HIGHEST: Final = PITCH_LIMITS[1]
_TUNING_LOW: Final = TUNING_LIMITS[0]
_TUNING_HIGH: Final = TUNING_LIMITS[1]
_CONCERT: Final = TUNING_HZ
_SLOWEST: Final = 0.2
_FASTEST: Final = 4.2
"""Beyond these speeds, which only a hand reaches, a deck sounds like a record under that hand."""
_UNIT: Final = 2.0**-FRACTION_BITS
_NOWHERE: Final = -(1 << 62)
_END: Final = OFFSET["end"]


@compiled
def apply_pitch(deck: Any, kind: int, a: float) -> bool:
    """Take a command of the family keylock and pitch; False for one that it does not know."""
    s = deck.stretch
    if kind == _KEYLOCK:
        s.keylock = 1 if a >= 0.5 else 0
    elif kind == _PITCH:
        s.pitch = min(_HIGHEST, max(_LOWEST, a))
    elif kind == _TUNING:
        s.tuning = min(_TUNING_HIGH, max(_TUNING_LOW, a))
    else:
        return False
    s.factor = 2.0 ** (s.pitch / 12.0) * (s.tuning / _CONCERT)
    return True


@compiled
def _is_layered(deck: Any) -> bool:
    """Say whether a stem is somewhere else than the playhead, where the ring has nothing of it."""
    for slot in range(STEM_SLOTS):  # noqa: SIM110 - compiled code has no generators
        if deck.layers[slot].shift != 0 or deck.layers[slot].fade.left > 0:
            return True
    return False


@compiled
def nearest_pass(gap: float, length: float) -> float:
    """Return `gap` less the whole passes of a loop of `length` frames that are in it; `gap` itself without one."""
    return gap - length * floor(gap / length + 0.5) if length > 0.0 else gap


@compiled
def foreseen_loop(deck: Any) -> float:
    """Return the length of the loop whose seam the stretcher foresees, 0 for none. A loop so short that another pass
    of it cannot be told from a playhead that strays is heard from the tape after each seam."""
    if deck.loop_active and deck.loop_inside and deck.loop_length > STRAY_FRAMES:
        return deck.loop_length
    return 0.0


@compiled
def crosses_in_ring(deck: Any) -> bool:
    """Say whether the ring takes the playhead over the seam of its loop: what it holds has gone round already."""
    main = deck.heads[0]
    return main.stretch == 1.0 and main.stretch_to == 1.0 and foreseen_loop(deck) > 0.0


@compiled
def wants_stretch(deck: Any) -> bool:
    """Say whether what the deck shall sound like is not what its tape sounds like at its speed.

    Under a hand, a brake or a spin-back a deck sounds like a record, and with a stem loop from its tape.
    """
    speed = deck.rate.value
    if deck.hand or speed * deck.rate.target <= 0.0:
        return False
    return _is_stretched_at(deck, speed, deck.rate.left > 0)


@compiled
def _is_stretched_at(deck: Any, speed: float, moves: bool) -> bool:
    """Say whether the deck would not sound like its tape at `speed`, which `moves` or stands."""
    s = deck.stretch
    if s.line == 0 or (s.keylock == 0 and s.factor == 1.0):
        return False
    fast = abs(speed)
    if s.factor == 1.0 and not moves and fast == 1.0:
        return False
    if deck.winding or _is_layered(deck):
        return False
    return fast >= _SLOWEST and fast <= _FASTEST


@compiled
def decide_stretch(deck: Any, head: Any) -> None:
    """Decide whether the head goes to the ring or to its tape. One that was left behind ends as it began."""
    if head.held:
        return
    s = deck.stretch
    fits = wants_stretch(deck)
    # What a stretched head is leaving is there for another fade: the last look was that far ahead.
    enters = head.stretch_to < 0.5
    if head.blend_to > 0.0 or (enters and head.blend > 0.0):
        fits = fits and s.stems_here != 0
    if head.blend_to < 1.0 or (enters and head.blend < 1.0):
        fits = fits and s.mix_here != 0
    head.stretch_to = 1.0 if fits else 0.0


@compiled
def stems_fit(deck: Any, head: Any) -> bool:
    """Say whether a stretched head may go to the stems, or stay with them: not where the ring has the mix alone."""
    s = deck.stretch
    return head.stretch_to == 0.0 or s.mix_here == 0 or s.stems_here != 0


@compiled
def _look(k: Any, deck: Any, frame: int) -> None:
    """See what the ring holds for the playhead from `frame` on, until the next look and a fade after it."""
    s = deck.stretch
    main = deck.heads[0]
    s.mix_here = 0
    s.stems_here = 0
    s.take_here = 0
    s.late = 0
    reach = SEGMENT + k.fade_frames + 1
    if main.stretch_to < 0.5:
        reach += k.fade_frames
    line = record_at(s.line, Line)
    if load_acquire(s.line + _END) <= frame + reach:
        s.late = 1
        return
    first = frame // HOP
    mask = (1 << SLOTS) - 1
    for hop in range(first, (frame + reach) // HOP + 1):
        place = hop % HOPS
        if line.numbers[place] != hop or line.tags[place] != s.tag:
            return
        mask &= line.masks[place]
    begin, end = line.places[first % HOPS], line.places[(first + 1) % HOPS]
    loop = foreseen_loop(deck)
    pace = deck.rate.value * HOP
    step = pace + nearest_pass(end - begin - pace, loop)
    heard = begin + step * (frame - first * HOP) / HOP
    if abs(nearest_pass(heard - main.index - main.fraction * _UNIT, loop)) > STRAY_FRAMES:
        return
    s.mix_here = mask >> MIX_BUS & 1
    s.take_here = mask >> TAKE_BUS & 1
    stems = deck.tapes[main.tape].mask
    s.stems_here = 1 if stems != 0 and mask & stems == stems else 0


@compiled
def _is_counted_start(deck: Any, frame: int) -> bool:
    """Say whether a deck that comes in on engine frame `frame` was counted in to where it does: the ring is there
    already. Pre: the playhead did not sound before."""
    count, main = deck.count, deck.heads[0]
    there = abs(main.index + main.fraction * _UNIT - count.place) < 1.0
    return deck.stretch.index == _NOWHERE and count.starts == frame and there


@compiled
def follow_stretch(k: Any, address: int, number: int, deck: Any) -> None:
    """Notice a jump of the playhead, and look at the ring where it is time to.

    Pre: `k.cursor` is the place in the segment.
    """
    s = deck.stretch
    if s.line == 0:
        return
    main = deck.heads[0]
    if not main.sounding:
        if s.index != _NOWHERE:
            # What the ring holds from here on is for a start that is counted in.
            s.tag += 1
        s.index = _NOWHERE
        s.mix_here = 0
        s.stems_here = 0
        s.take_here = 0
        return
    frame = k.frame + k.cursor
    forwards = 1 if deck.rate.value >= 0.0 else 0
    token = deck.tapes[main.tape].token
    if main.index != s.index or main.fraction != s.fraction or forwards != s.forwards or token != s.token:
        if not _is_counted_start(deck, frame):
            s.tag += 1
        s.forwards = forwards
        s.token = token
        _look(k, deck, frame)
        if main.fade.value == 0.0:
            decide_stretch(deck, main)
            main.stretch = main.stretch_to
    elif frame & (SEGMENT - 1) == 0:
        had = s.mix_here != 0 or s.stems_here != 0
        _look(k, deck, frame)
        if had and s.late and wants_stretch(deck):
            k.stretch_lost += 1
            report(k, address, _LOST, number, 0, main.index + main.fraction * _UNIT, 0.0, deck.token)


@compiled
def remember_place(deck: Any) -> None:
    """Keep where the playhead goes on."""
    s = deck.stretch
    s.index = deck.heads[0].index
    s.fraction = deck.heads[0].fraction


@compiled
def _add(to: Any, row: Any, at: int, count: int, gain: Single) -> None:
    for n in range(count):
        to[n] += row[at + n] * gain


@compiled
def lay_stretched(
    k: Any, deck: Any, mask: int, count: int, stem_gain: Single, mix_gain: Single, take_gain: Single
) -> None:
    """Add `count` frames of the ring to the buses in `mask`.

    Pre: they do not cross a multiple of SEGMENT.
    """
    line = record_at(deck.stretch.line, Line)
    at = (k.frame + k.cursor) & (CAPACITY - 1)
    for slot in range(STEM_SLOTS):
        if mask >> slot & 1:
            _add(k.bus[slot, 0], line.ring[slot, 0], at, count, stem_gain)
            _add(k.bus[slot, 1], line.ring[slot, 1], at, count, stem_gain)
    if mask >> MIX_BUS & 1:
        _add(k.bus[MIX_BUS, 0], line.ring[MIX_BUS, 0], at, count, mix_gain)
        _add(k.bus[MIX_BUS, 1], line.ring[MIX_BUS, 1], at, count, mix_gain)
    if mask >> TAKE_BUS & 1:
        _add(k.bus[TAKE_BUS, 0], line.ring[TAKE_BUS, 0], at, count, take_gain)
        _add(k.bus[TAKE_BUS, 1], line.ring[TAKE_BUS, 1], at, count, take_gain)


@compiled
def _put_plan(k: Any, deck: Any) -> None:
    s = deck.stretch
    line = record_at(s.line, Line)
    plan = line.plan
    sequence = load_acquire(s.line)
    asked = 1 if s.keylock != 0 or s.factor != 1.0 else 0
    if asked == 0 and plan.asked == 0:
        return
    store_release(s.line, sequence | 1)
    fence()
    main = deck.heads[0]
    plan.asked = asked
    plan.wanted = 0
    plan.mask = 0
    counted = deck.count.active != 0 and not main.sounding
    speed = deck.count.speed if counted else deck.rate.target
    wanted = _is_stretched_at(deck, speed, False) if counted else main.sounding != 0 and wants_stretch(deck)
    if asked and main.tape != NONE and wanted:
        tape = deck.tapes[main.tape]
        plan.wanted = 1
        plan.frame = k.frame
        plan.place = main.index + main.fraction * _UNIT
        if counted:
            # As if the playhead were on its way, to arrive when the count ends.
            plan.place = deck.count.place - speed * (deck.count.starts - k.frame)
        plan.speed = speed
        plan.loop_start = deck.loop_in
        plan.loop_length = foreseen_loop(deck)
        plan.pitch = s.factor if s.keylock else s.factor * abs(speed)
        plan.tag = s.tag
        plan.mask = tape.mask | 1 << MIX_BUS
        if tape.take.audio != 0:
            plan.mask |= 1 << TAKE_BUS
        for slot in range(STEM_SLOTS):
            put_slot(plan.slots[slot], tape.stems[slot])
        put_slot(plan.slots[MIX_BUS], tape.mix)
        put_slot(plan.slots[TAKE_BUS], tape.take)
    store_release(s.line, (sequence | 1) + 1)


@compiled
def publish_plans(k: Any) -> None:
    """Tell every stretcher where its deck is. Pre: the frame is a multiple of SEGMENT."""
    for number in range(DECKS):
        deck = k.decks[number]
        if deck.stretch.line != 0:
            _put_plan(k, deck)
