"""The stretcher: tempo without pitch and pitch without tempo, for a deck's mix and all its stems at once.

    plan --> place of the next grain --> grains of all slots --> spectra --> x one rotation --> grains --> ring

A phase vocoder with locked phases (Laroche, Dolson, "Improved phase vocoder time-scale modification of audio", 1999).
Grains are read around the place where the playhead will be, and laid HOP frames apart. So that each goes on where the
one before it left off, every spectral peak is rotated, with the bins around it: by the phase that the track itself
gains in HOP frames there, which a second grain read that far before tells. A peak that is four times as strong as it
was begins afresh with its own phase, so that attacks stay together. Pitch comes from reading the grains faster or
slower. In a loop the next grain may lie a pass back: the peaks go on over the seam as they do over a hop. Where a loop
is changed, so that what lies in the ring will not be played, the stretcher starts again inside it, in a cross-fade over
the last hop that stands.

Rotations are found once, from the mix (the sum of the stems where it is not there) and the take, left and right
together, and are the same for every slot: all that happens to a slot is linear, so the stems add up to the mix as they
did before.

Owner: one caller of `step` at a time for each line. Deterministic: the same plans at the same frames give the same
bits.
Units: frames at the engine rate; places in track frames; samples float32.
"""

from math import floor
from typing import Any, Final

import numpy as np
from numba.core import types

from audio.kernel.atomics import copy_bytes, fence, load_acquire, record_at, store_release
from audio.kernel.compiled import compiled, compiled_as
from audio.kernel.denormals import FLUSH, float_mode, set_float_mode
from audio.kernel.fourier import transform
from audio.kernel.layout import TAKE_BUS
from audio.kernel.sleeping import sleep_ns
from audio.kernel.stretch_grain import clear, read_grains, there_of
from audio.kernel.stretch_layout import BINS, GRAIN, HOP, HOPS, OFFSET, OVERLAP, PLAN, SLOTS, STRAY_FRAMES, Line
from audio.kernel.stretch_turn import rotate_all, unpack
from audio.kernel.stretched import nearest_pass
from audio.units import STEM_SLOTS

_AT_BUSY: Final = OFFSET["busy"]
_AT_END: Final = OFFSET["end"]
_AT_MINE: Final = OFFSET["mine"]
_AT_PLAN: Final = OFFSET["plan"]
_AT_STOP: Final = OFFSET["stop"]
_AT_TIMESPEC: Final = OFFSET["timespec"]
_MIX: Final = STEM_SLOTS
_TAKE: Final = TAKE_BUS
_CATCH: Final = 0.25
"""Most by which a grain's step may differ from the speed's own, as part of it, to meet the playhead again."""
_SCALE: Final = np.float32(1.0 / (1.5 * GRAIN))
"""Undoes the sum of four squared Hann windows and the transform's length."""
_HOP_SHARE: Final = np.float32(1.0 / HOP)
_PLAN_TRIES: Final = 100
_PLAN_BYTES: Final = PLAN.itemsize
_BURST: Final = 12
"""Most grains of one step: a ring from nothing, and no more."""
_REST_NS: Final = 2_000_000
_IDLE_NS: Final = 10_000_000


@compiled
def _take_plan(line: Any, address: int) -> bool:
    """Copy the plan as a whole; False when the kernel would not let us."""
    source, target = address + _AT_PLAN, address + _AT_MINE
    for _ in range(_PLAN_TRIES):
        before = load_acquire(source)
        if before & 1:
            continue
        copy_bytes(target, source, _PLAN_BYTES)
        fence()
        if load_acquire(source) == before:
            return before > 0
    return False


@compiled
def _lay(line: Any, slot: int, number: int) -> None:
    """Rotate the spectrum of `slot`, bring it back to time and add it to the grains that are on their way."""
    real, imaginary, rotation = line.real[slot], line.imaginary[slot], line.rotation
    for k in range(1, BINS - 1):
        m = GRAIN - k
        cr, ci = rotation[0, k], rotation[1, k]
        ar, ai, br, bi = real[k], imaginary[k], real[m], imaginary[m]
        real[k], imaginary[k] = ar * cr - ai * ci, ar * ci + ai * cr
        real[m], imaginary[m] = br * cr + bi * ci, bi * cr - br * ci
    transform(imaginary, real, line.room[0], line.room[1], line.turn)
    window = line.window
    for channel in range(2):
        row = real if channel == 0 else imaginary
        for part in range(OVERLAP):
            # Part 0 belongs to hop number - 2, which this grain completes; part 3 to number + 1, which it begins.
            total = line.sum[slot, channel]
            at = ((number + part + OVERLAP - 2) & (OVERLAP - 1)) * HOP
            begin = part * HOP
            if part == OVERLAP - 1:
                for n in range(HOP):
                    total[at + n] = row[begin + n] * window[begin + n] * _SCALE
            else:
                for n in range(HOP):
                    total[at + n] += row[begin + n] * window[begin + n] * _SCALE


@compiled
def _skip(line: Any, slot: int, number: int) -> None:
    """Let a slot that has nothing to say begin its next hop in silence."""
    at = ((number + 1) & (OVERLAP - 1)) * HOP
    for channel in range(2):
        total = line.sum[slot, channel]
        for n in range(HOP):
            total[at + n] = np.float32(0.0)


@compiled
def _analyse(line: Any, address: int, place: float, pace: float) -> int:
    """Write the spectra of all slots around `place`, and the reference's; return a bit for each slot that is there."""
    there = there_of(line, place, pace)
    if there & ~(1 << _TAKE) == 0:
        line.fresh = 1
        return 0
    read_grains(line, address, there, place, pace, False)
    for slot in range(SLOTS):
        if there >> slot & 1:
            transform(line.real[slot], line.imaginary[slot], line.room[0], line.room[1], line.turn)
    reference = there & (1 << _MIX | 1 << _TAKE) if there >> _MIX & 1 else there
    for row in range(4):
        for k in range(BINS):
            line.old[row, k] = line.now[row, k]
    past = place - pace * HOP
    known = line.fresh == 0 and there_of(line, past, pace) & reference == reference
    if known:
        read_grains(line, address, reference, past, pace, True)
        transform(line.past[0], line.past[1], line.room[0], line.room[1], line.turn)
        unpack(line.past[0], line.past[1], line.before)
    if reference == 1 << _MIX:
        unpack(line.real[_MIX], line.imaginary[_MIX], line.now)
    else:
        clear(line.past[0])
        clear(line.past[1])
        for slot in range(SLOTS):
            if reference >> slot & 1:
                for n in range(GRAIN):
                    line.past[0, n] += line.real[slot, n]
                    line.past[1, n] += line.imaginary[slot, n]
        unpack(line.past[0], line.past[1], line.now)
    if known:
        rotate_all(line)
    else:
        for k in range(BINS):
            line.rotation[0, k], line.rotation[1, k] = np.float32(1.0), np.float32(0.0)
    line.fresh = 0
    return there


@compiled
def _finish(line: Any, address: int, hop: int) -> None:
    """Move a hop that is complete to the ring and publish it."""
    place = hop % HOPS
    start, source = place * HOP, (hop & (OVERLAP - 1)) * HOP
    mask = line.grains[0]
    for n in range(1, OVERLAP):
        mask &= line.grains[n]
    joint = hop == line.joint
    for slot in range(SLOTS):
        if mask >> slot & 1:
            if joint and not line.masks[place] >> slot & 1:
                clear(line.ring[slot, 0, start : start + HOP])
                clear(line.ring[slot, 1, start : start + HOP])
            for channel in range(2):
                ring, total = line.ring[slot, channel], line.sum[slot, channel]
                if joint:
                    for n in range(HOP):
                        share = np.float32(n) * _HOP_SHARE
                        ring[start + n] += (total[source + n] - ring[start + n]) * share
                else:
                    for n in range(HOP):
                        ring[start + n] = total[source + n]
    line.numbers[place] = hop
    line.tags[place] = line.tag
    line.masks[place] = mask
    store_release(address + _AT_END, (hop + 1) * HOP)


@compiled
def _around(plan: Any, place: float) -> float:
    """Return where the playhead is when it would be at `place` without the loop."""
    length = plan.loop_length
    if length > 0.0:
        if plan.speed >= 0.0 and place >= plan.loop_start + length:
            return place - length * floor((place - plan.loop_start) / length)
        if plan.speed < 0.0 and place < plan.loop_start:
            return place + length * floor((plan.loop_start - place) / length + 1.0)
    return place


@compiled
def _gap(line: Any, number: int) -> float:
    """Return how far from the last grain and a hop on, at the speed, the playhead will be at hop `number`; the same
    place one pass later or earlier is the same place."""
    plan = line.mine
    gap = plan.place + plan.speed * (number * HOP - plan.frame) - line.place - plan.speed * HOP
    return nearest_pass(gap, plan.loop_length)


@compiled
def _grain(line: Any, address: int) -> None:
    """Make the next grain, and finish the hop that it completes."""
    plan = line.mine
    number = line.next
    line.next += 1
    if line.fresh:
        line.place = _around(plan, plan.place + plan.speed * (number * HOP - plan.frame))
    else:
        step = plan.speed * HOP
        most = _CATCH * abs(step)
        line.place = _around(plan, line.place + step + max(-most, min(most, _gap(line, number))))
    line.places[number % HOPS] = line.place
    pace = plan.pitch if plan.speed >= 0.0 else -plan.pitch
    there = _analyse(line, address, line.place, pace)
    line.grains[number & (OVERLAP - 1)] = there
    for slot in range(SLOTS):
        if there >> slot & 1:
            _lay(line, slot, number)
            line.live[slot] = OVERLAP
        elif line.live[slot] > 0:
            _skip(line, slot, number)
            line.live[slot] -= 1
    if number - 2 >= line.first:
        _finish(line, address, number - 2)


@compiled
def _begin(line: Any, address: int) -> None:
    """Start afresh: over the last hop that stands, if the playhead has not jumped and is not near it, else at the next
    hop that nobody reads yet, with a hole before it that keeps the kernel from playing on into it."""
    plan = line.mine
    line.first = (plan.frame + line.margin + HOP - 1) // HOP
    last = line.end // HOP - 1
    if line.running and line.tag == plan.tag and last >= line.first:
        line.first = last
        line.joint = last
    else:
        line.joint = -1
        line.numbers[(line.first - 1) % HOPS] = -1
    store_release(address + _AT_END, min(line.end, line.first * HOP))
    fence()
    line.next = line.first - 1
    line.tag = plan.tag
    line.fresh = 1
    line.running = 1
    for slot in range(SLOTS):
        line.live[slot] = 0
        clear(line.sum[slot, 0])
        clear(line.sum[slot, 1])
    for n in range(OVERLAP):
        line.grains[n] = 0


@compiled
def _strays(line: Any) -> bool:
    """Say whether the grain to come would lie too far from where the playhead will be."""
    return line.fresh == 0 and abs(_gap(line, line.next)) > STRAY_FRAMES


@compiled
def _step(line: Any, address: int) -> int:
    if not _take_plan(line, address):
        return 0
    plan = line.mine
    if not plan.wanted:
        line.running = 0
        return 0
    if not line.running or line.tag != plan.tag or line.end < plan.frame or _strays(line):
        _begin(line, address)
    made = 0
    while line.end < plan.frame + line.ahead and made < _BURST:
        _grain(line, address)
        made += 1
    return made


@compiled_as(types.int64(types.intp))
def step(address: int) -> int:
    """Make what the plan of the LINE at `address` asks for, as far ahead as it shall be; return the grains made.

    Thread-safe: one caller at a time. Realtime-safe: yes, but it takes milliseconds.
    """
    line = record_at(address, Line)
    mode = float_mode()
    set_float_mode(mode | FLUSH)
    store_release(address + _AT_BUSY, load_acquire(address + _AT_BUSY) + 1)
    made = _step(line, address)
    store_release(address + _AT_BUSY, load_acquire(address + _AT_BUSY) + 1)
    set_float_mode(mode)
    return made


@compiled_as(types.int64(types.intp))
def stretch_loop(address: int) -> int:
    """Make steps until the line's `stop` is set, or until neither keylock nor pitch is asked for; return the grains."""
    line = record_at(address, Line)
    made = 0
    while load_acquire(address + _AT_STOP) == 0:
        grains = step(address)
        made += grains
        if not line.mine.asked:
            break
        if grains == 0:
            sleep_ns(address + _AT_TIMESPEC, _REST_NS if line.mine.wanted else _IDLE_NS)
    return made
