"""Strip: what a deck's stems go through on their way to the deck's bus.

    mix bus --> x stand-in; take bus --> x level, pan, mute --------.
    sum bus, stems with their levels already ----------------------|
    stem buses --> filter, EQ --> energy --> x level, pan, mute, solo --+-- x send ------> deck bus, first
                                                      |                 |-- x 1 - send --> deck bus, second
                                                      peak              '-- own output --> stem bus of that pair

Owner: the kernel. Peaks fall by `PEAK_FALL_DB_S`, rms follows in `POWER_S` (audio/host.py). What the mixer makes of the
deck bus is in `mixer.py`.
Units: frames at the engine rate; gains linear, float32.
"""

from math import pi, sin
from typing import Any, Final

import numpy as np

from audio.kernel.bank import PAIRS, bus_pair, forget_pair, gather, is_on, run_bank, scatter
from audio.kernel.beside import lay_take
from audio.kernel.compiled import Single, compiled
from audio.kernel.lane_rows import TOO_LOUD
from audio.kernel.lanes import LANES, level_groups, stem_groups
from audio.kernel.layout import AROUND, MIX_BUS, SEGMENT, SUM_BUS, TAKE_BUS, THROUGH
from audio.kernel.ramps import advance, advance_rate, glide, snap
from audio.units import STEM_SLOTS

_ENERGY_FRAMES: Final = 4096
_ENERGY_SHARE: Final = np.float32(0.2)
_CUT_WIDTH: Final = 0.05
_RING_S: Final = 0.5
"""Seconds after which nothing is left of what a filter heard."""


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
def pass_by(ramp: Any, count: int) -> None:
    """Move the ramp by `count` frames that nobody hears."""
    for _ in range(count):
        if ramp.left == 0:
            break
        advance(ramp)


@compiled
def meter(k: Any, left: Any, right: Any, count: int, peak: Any, power: Any) -> None:
    """Let peak and power of both channels follow `count` frames."""
    fall = k.peak_fall[count]
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
def is_awake(k: Any, deck: Any) -> bool:
    """Say whether the deck sounds, or something it played still dies away in its filters or effects."""
    return max(deck.heard_until, deck.effects_until) > k.frame


@compiled
def was_heard(k: Any, deck: Any) -> bool:
    """Say whether the deck sounded up to the frame that comes next: what moves then has to glide."""
    return max(deck.heard_until, deck.effects_until) >= k.frame


@compiled
def pair_of(k: Any, route: Any) -> int:
    """Return the output pair a route leads to: the master where the device has no such pair."""
    return route.pair if 2 * route.pair < k.channels else 0


@compiled
def follow_route(k: Any, route: Any) -> float:
    """Move a route one frame and return its level; at silence it changes to the pair that is wanted."""
    level = advance(route.level)
    if route.pair != route.wanted and route.level.left == 0:
        route.pair = route.wanted
        glide(route.level, 1.0, k.fade_frames)
    return level


@compiled
def is_steady(route: Any) -> bool:
    """Say whether a route is where it is wanted, at full level."""
    return route.pair == route.wanted and route.level.left == 0


@compiled
def _stem_split(k: Any, deck: Any, slot: int, at: int, count: int) -> Single:
    """Take `count` frames of a stem that is sent past the first bus, or to an output of its own; return its peak."""
    left, right = k.bus[slot, 0], k.bus[slot, 1]
    through, around = k.deck_bus[deck.number, THROUGH], k.deck_bus[deck.number, AROUND]
    gain_left, gain_right, send, route = deck.left[slot], deck.right[slot], deck.send[slot], deck.stem_output[slot]
    high = np.float32(0.0)
    for n in range(count):
        a, b = left[n], right[n]
        deck.energy_sum[slot, (k.frame + at + n) & (LANES - 1)] += a * a + b * b
        left[n] = np.float32(0.0)
        right[n] = np.float32(0.0)
        a *= np.float32(advance(gain_left))
        b *= np.float32(advance(gain_right))
        high = max(high, max(abs(a), abs(b)))
        pair = pair_of(k, route)
        level = np.float32(follow_route(k, route))
        share = np.float32(advance(send))
        a *= level
        b *= level
        if pair > 0:
            k.stem_pairs[deck.number, pair, 0, at + n] += a
            k.stem_pairs[deck.number, pair, 1, at + n] += b
            deck.pairs |= 1 << pair
            continue
        through[0, at + n] += a * share
        through[1, at + n] += b * share
        if share != 1.0:
            deck.aside = 1
            around[0, at + n] += a - a * share
            around[1, at + n] += b - b * share
    if is_steady(route) and route.pair == 0 and send.left == 0 and send.value == 1.0:
        deck.splits &= ~(1 << slot)
    return high


@compiled
def _filter_stems(k: Any, deck: Any, count: int) -> None:
    """Take the first `count` frames of the stems' buses through their bank, and mark those that may sound now."""
    bank = deck.stem_bank
    pairs = bank.eq_pairs | bank.filter_pairs
    buses = k.bus[0].ctypes.data
    gather(bank, k.lanes, buses, PAIRS * SEGMENT, 2 * SEGMENT, SEGMENT, pairs, count)
    run_bank(k, bank, k.lanes, pairs, count)
    scatter(k.lanes, buses, PAIRS * SEGMENT, 2 * SEGMENT, SEGMENT, pairs, count)
    deck.touched |= pairs


@compiled
def _stems(k: Any, deck: Any, at: int, count: int) -> None:
    """Take `count` frames from the deck's buses to the deck bus, from frame `at` of it on."""
    bus = k.bus
    number = deck.number
    deck_left, deck_right = k.deck_bus[number, THROUGH, 0], k.deck_bus[number, THROUGH, 1]
    to_left, to_right = deck_left[at : at + count], deck_right[at : at + count]
    if is_on(deck.stem_bank):
        _filter_stems(k, deck, count)
    if deck.touched >> SUM_BUS & 1:
        pass_by(deck.stand_in, count)
        sum_left, sum_right = bus[SUM_BUS, 0], bus[SUM_BUS, 1]
        for n in range(count):
            to_left[n] = sum_left[n]
            to_right[n] = sum_right[n]
            sum_left[n] = np.float32(0.0)
            sum_right[n] = np.float32(0.0)
    elif deck.touched >> MIX_BUS & 1:
        mix_left, mix_right = bus[MIX_BUS, 0], bus[MIX_BUS, 1]
        gain_both(mix_left, mix_right, deck.stand_in, count)
        for n in range(count):
            to_left[n] = mix_left[n]
            to_right[n] = mix_right[n]
            mix_left[n] = np.float32(0.0)
            mix_right[n] = np.float32(0.0)
    else:
        pass_by(deck.stand_in, count)
        for n in range(count):
            to_left[n] = np.float32(0.0)
            to_right[n] = np.float32(0.0)
    if deck.touched >> TAKE_BUS & 1:
        lay_take(deck, bus[TAKE_BUS, 0], bus[TAKE_BUS, 1], to_left, to_right, count)
    else:
        pass_by(deck.take_left, count)
        pass_by(deck.take_right, count)
    fall = k.peak_fall[count]
    fold = (k.frame + at + count) % _ENERGY_FRAMES == 0
    for slot in range(STEM_SLOTS):
        level = deck.sum_peak[slot]
        deck.sum_peak[slot] = np.float32(0.0)
        if not deck.touched >> slot & 1:
            pass_by(deck.left[slot], count)
            pass_by(deck.right[slot], count)
            if deck.splits >> slot & 1:
                pass_by(deck.send[slot], count)
        elif deck.splits >> slot & 1:
            level = _stem_split(k, deck, slot, at, count)
        else:
            level = _stem_strip(deck, slot, bus, to_left, to_right, k.frame + at, count)
        deck.stem_peak[slot] = max(level, deck.stem_peak[slot] * fall)
        if fold:
            total = np.float32(0.0)
            for lane in range(LANES):
                total += deck.energy_sum[slot, lane]
                deck.energy_sum[slot, lane] = np.float32(0.0)
            if total > 0.0 and total < TOO_LOUD:
                deck.energy[slot] += (total - deck.energy[slot]) * _ENERGY_SHARE
    deck.touched = 0


@compiled
def strip(k: Any, deck: Any, at: int, count: int) -> None:
    """Take `count` frames that the deck's heads have played to the deck bus, from frame `at` of it on."""
    _stems(k, deck, at, count)
    tail = 0
    pairs = k.deck_bank.eq_pairs | k.deck_bank.filter_pairs
    if is_on(deck.stem_bank):
        deck.stems_ring = int(_RING_S * k.rate)
        tail = deck.stems_ring
    if pairs >> bus_pair(deck.number, THROUGH) & 1:
        tail += int(_RING_S * k.rate)
    deck.heard_until = max(deck.heard_until, k.frame + at + count + tail)


@compiled
def rest(k: Any, deck: Any, at: int, count: int) -> None:
    """Let `count` frames pass, from frame `at` of the deck bus on, in which no head of the deck plays."""
    ringing = min(deck.stems_ring, count)
    if ringing > 0:
        _stems(k, deck, at, ringing)
        deck.stems_ring -= ringing
        if deck.stems_ring == 0:
            for pair in range(PAIRS):
                forget_pair(deck.stem_bank, pair)
    for _ in range(count):
        if deck.rate.left == 0:
            break
        advance_rate(deck.rate)
    silent = count - ringing
    if silent == 0:
        return
    pass_by(deck.stand_in, silent)
    snap(deck.take_left, deck.take_left.target)
    snap(deck.take_right, deck.take_right.target)
    fall = k.peak_fall[silent]
    for slot in range(STEM_SLOTS):
        snap(deck.left[slot], deck.left[slot].target)
        snap(deck.right[slot], deck.right[slot].target)
        deck.stem_peak[slot] *= fall
