"""Strip: what a deck's buses go through on their way to the master.

    mix bus ---> x stand-in ----------------------------.
    stem buses > energy > x level, pan, mute, solo ------+--> deck bus --> x trim, fader --> x crossfader --> master bus
                             |                                   |             |
                             peak                                |             peak, rms
        (stem filter, EQ, send: here)      (EQ, filter, effects: here)         (headphones: here)

Owner: the kernel. Peaks fall by `PEAK_FALL_DB_S`, rms follows in `POWER_S` (audio/host.py).
Units: frames at the engine rate; gains linear, float32.
"""

from math import pi, sin
from typing import Any, Final

import numpy as np

from audio.kernel.compiled import Single, compiled
from audio.kernel.lanes import LANES, level_groups, stem_groups
from audio.kernel.layout import MIX_BUS
from audio.kernel.ramps import advance, advance_rate, snap
from audio.units import STEM_SLOTS

_ENERGY_FRAMES: Final = 4096
_ENERGY_SHARE: Final = np.float32(0.2)
_CUT_WIDTH: Final = 0.05
_TOO_LOUD: Final = np.float32(1e6)


@compiled
def cross_gain(curve: int, position: float, side: int) -> float:
    """Return what the crossfader at `position` (-1 to 1) leaves of side 0 left, 1 thru, 2 right.

    Curves: 0 linear, 1 constant power (the squares of both sides add up to 1), 2 cut (both full but for the ends).
    """
    if side == 1:
        return 1.0
    place = (position + 1.0) / 2.0
    if side == 0:
        place = 1.0 - place
    if curve == 0:
        return place
    if curve == 1:
        if place <= 0.0:
            return 0.0
        if place >= 1.0:
            return 1.0
        return sin(place * pi / 2.0)
    return min(1.0, place / _CUT_WIDTH)


@compiled
def _gain(row: Any, ramp: Any, count: int) -> None:
    """Multiply `count` numbers of `row` by the ramp."""
    n = 0
    while n < count and ramp.left > 0:
        row[n] *= np.float32(advance(ramp))
        n += 1
    value = ramp.value
    if value != 1.0:
        for m in range(n, count):
            row[m] *= value


@compiled
def gain_both(left: Any, right: Any, ramp: Any, count: int) -> None:
    """Multiply `count` frames by one ramp."""
    n = 0
    while n < count and ramp.left > 0:
        value = np.float32(advance(ramp))
        left[n] *= value
        right[n] *= value
        n += 1
    value = ramp.value
    if value != 1.0:
        for m in range(n, count):
            left[m] *= value
            right[m] *= value


@compiled
def _pass(ramp: Any, count: int) -> None:
    """Move the ramp by `count` frames that nobody hears."""
    for _ in range(count):
        if ramp.left == 0:
            break
        advance(ramp)


@compiled
def meter(k: Any, left: Any, right: Any, count: int, peak: Any, power: Any) -> None:
    """Let peak and power of both channels follow `count` frames."""
    fall = k.peak_fall ** np.float32(count)
    share = np.float32(count) * k.power_rise
    share = share / (np.float32(1.0) + share)
    for channel in range(2):
        row = left if channel == 0 else right
        high, total = np.float32(0.0), np.float32(0.0)
        done = count // LANES * LANES
        if done:
            high, total = level_groups(row.ctypes.data, count // LANES)
        for n in range(done, count):
            high = max(high, abs(row[n]))
            total += row[n] * row[n]
        peak[channel] = max(high, peak[channel] * fall)
        power[channel] += (total / np.float32(count) - power[channel]) * share


@compiled
def _stem_frames(deck: Any, slot: int, bus: Any, to_left: Any, to_right: Any, at: int, start: int, end: int) -> Single:
    """Take frames `start` to `end` of a stem's bus through its gains, one by one; return the peak after them.

    `at`: the number of frame 0 of the bus. What is not a number does not count in the peak.
    """
    left, right = bus[slot, 0], bus[slot, 1]
    gain_left, gain_right = deck.left[slot], deck.right[slot]
    high = np.float32(0.0)
    for n in range(start, end):
        a, b = left[n], right[n]
        deck.energy_sum[slot, (at + n) & (LANES - 1)] += a * a + b * b
        left[n] = np.float32(0.0)
        right[n] = np.float32(0.0)
        a *= np.float32(advance(gain_left))
        b *= np.float32(advance(gain_right))
        if abs(a) > high:
            high = abs(a)
        if abs(b) > high:
            high = abs(b)
        to_left[n] += a
        to_right[n] += b
    return high


@compiled
def _stem_strip(deck: Any, slot: int, bus: Any, to_left: Any, to_right: Any, at: int, count: int) -> Single:
    """Take `count` frames of a stem's bus through its gains, in groups where nothing moves; return the peak after
    them."""
    steady = deck.left[slot].left == 0 and deck.right[slot].left == 0
    if not steady or at & (LANES - 1) or count < LANES:
        return _stem_frames(deck, slot, bus, to_left, to_right, at, 0, count)
    groups = count // LANES
    high = stem_groups(
        bus[slot, 0].ctypes.data, bus[slot, 1].ctypes.data, to_left.ctypes.data, to_right.ctypes.data,
        deck.energy_sum[slot].ctypes.data, deck.left[slot].value, deck.right[slot].value, groups,
    )  # fmt: skip
    if groups * LANES < count:
        high = max(high, _stem_frames(deck, slot, bus, to_left, to_right, at, groups * LANES, count))
    return high


@compiled
def strip(k: Any, deck: Any, at: int, count: int) -> None:
    """Take `count` frames from the deck's buses through its strip to the master bus, from frame `at` of it on."""
    bus = k.bus
    deck_left, deck_right = k.deck_bus[0], k.deck_bus[1]
    mix_left, mix_right = bus[MIX_BUS, 0], bus[MIX_BUS, 1]
    gain_both(mix_left, mix_right, deck.stand_in, count)
    for n in range(count):
        deck_left[n] = mix_left[n]
        deck_right[n] = mix_right[n]
        mix_left[n] = np.float32(0.0)
        mix_right[n] = np.float32(0.0)
    fall = k.peak_fall ** np.float32(count)
    fold = (k.frame + at + count) % _ENERGY_FRAMES == 0
    for slot in range(STEM_SLOTS):
        level = np.float32(0.0)
        if deck.touched >> slot & 1:
            level = _stem_strip(deck, slot, bus, deck_left, deck_right, k.frame + at, count)
        else:
            _pass(deck.left[slot], count)
            _pass(deck.right[slot], count)
        deck.stem_peak[slot] = max(level, deck.stem_peak[slot] * fall)
        if fold:
            total = np.float32(0.0)
            for lane in range(LANES):
                total += deck.energy_sum[slot, lane]
                deck.energy_sum[slot, lane] = np.float32(0.0)
            if total > 0.0 and total < _TOO_LOUD:
                deck.energy[slot] += (total - deck.energy[slot]) * _ENERGY_SHARE
    deck.touched = 0
    for n in range(count):
        if not abs(deck_left[n]) < _TOO_LOUD:
            deck_left[n] = np.float32(0.0)
        if not abs(deck_right[n]) < _TOO_LOUD:
            deck_right[n] = np.float32(0.0)
    gain_both(deck_left, deck_right, deck.gain, count)
    meter(k, deck_left, deck_right, count, deck.peak, deck.power)
    gain_both(deck_left, deck_right, deck.cross, count)
    master_left, master_right = k.master_bus[0], k.master_bus[1]
    for n in range(count):
        master_left[at + n] += deck_left[n]
        master_right[at + n] += deck_right[n]


@compiled
def rest(k: Any, deck: Any, count: int) -> None:
    """Let `count` frames pass on a deck that is silent."""
    for _ in range(count):
        if deck.rate.left == 0:
            break
        advance_rate(deck.rate)
    _pass(deck.gain, count)
    _pass(deck.cross, count)
    _pass(deck.stand_in, count)
    fall = k.peak_fall ** np.float32(count)
    for channel in range(2):
        deck.peak[channel] *= fall
        deck.power[channel] *= fall
    for slot in range(STEM_SLOTS):
        snap(deck.left[slot], deck.left[slot].target)
        snap(deck.right[slot], deck.right[slot].target)
        deck.stem_peak[slot] *= fall
