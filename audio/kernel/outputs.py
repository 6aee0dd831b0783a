"""Outputs beyond the master: headphones, booth, and how all of them lie in the channels of the device.

    cue bus --------> x (1 - cue mix) --.
    master ---------> x cue mix --------+--> x level --> headphones       (split: cue left, master right, both mono)
    master before its level ------------> x level --> booth

    channels 0, 1: master     2 to 7: outputs of decks and stems, headphones and booth where they are sent
    channels 8 on, without a device: headphones, booth, deck 1 to 4, pads

Owner: the kernel. Headphones and booth end at full scale: what is beyond is cut off.
Units: samples linear, gains linear.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.atomics import put_float
from audio.kernel.compiled import Single, compiled
from audio.kernel.layout import BUS_PAIRS, LOOK_AHEAD, OUTPUT_PAIRS
from audio.kernel.limiter import delay
from audio.kernel.ramps import advance, snap
from audio.kernel.strip import follow_route, pair_of
from audio.units import BUS_CHANNELS, DECKS

_PHONES: Final = OUTPUT_PAIRS
_BOOTH: Final = OUTPUT_PAIRS + 1
FIRST_DECK_PAIR: Final = OUTPUT_PAIRS + 2
PADS_PAIR: Final = FIRST_DECK_PAIR + DECKS
_FULL: Final = np.float32(1.0)
_HALF: Final = np.float32(0.5)


@compiled
def has_phones(k: Any) -> bool:
    """Say whether headphones and booth are made: for a device that may have them, or for a recorder."""
    return k.channels > 2 or k.recorded != 0


@compiled
def has_buses(k: Any) -> bool:
    """Say whether every bus is wanted by itself."""
    return k.channels == BUS_CHANNELS or k.recorded != 0


@compiled
def empty_outputs(k: Any, count: int) -> None:
    """Begin a segment of `count` frames."""
    for channel in range(2):
        for n in range(count):
            k.master_bus[channel, n] = np.float32(0.0)
    if not has_phones(k):
        return
    pairs = BUS_PAIRS if has_buses(k) else k.channels // 2
    for channel in range(2):
        for n in range(count):
            k.cue_bus[channel, n] = np.float32(0.0)
        for pair in range(pairs):
            for n in range(count):
                k.outputs[pair, channel, n] = np.float32(0.0)


@compiled
def keep_booth(k: Any, count: int) -> None:
    """Take the booth's part of the master, before the master's level."""
    booth = k.outputs[_BOOTH]
    for n in range(count):
        level = np.float32(advance(k.booth_level))
        booth[0, n] = _cut(k.master_bus[0, n] * level)
        booth[1, n] = _cut(k.master_bus[1, n] * level)


@compiled
def _cut(value: Single) -> Single:
    return min(_FULL, max(-_FULL, value))


@compiled
def _mix_phones(k: Any, count: int) -> None:
    if k.look_ahead:
        # What is cued comes as late as the master does, or a deck in both would comb.
        delay(k.cue_ahead, k.cue_bus[0], k.cue_bus[1], k.cue_place, count)
        k.cue_place = (k.cue_place + count) % LOOK_AHEAD
    phones, cue, master = k.outputs[_PHONES], k.cue_bus, k.master_bus
    for n in range(count):
        level = np.float32(advance(k.phones_level))
        mix = np.float32(advance(k.cue_mix))
        split = np.float32(advance(k.split_cue))
        left = cue[0, n] * (_FULL - mix) + master[0, n] * mix
        right = cue[1, n] * (_FULL - mix) + master[1, n] * mix
        if split > 0.0:
            left += (_HALF * (cue[0, n] + cue[1, n]) - left) * split
            right += (_HALF * (master[0, n] + master[1, n]) - right) * split
        phones[0, n] = _cut(left * level)
        phones[1, n] = _cut(right * level)


@compiled
def _lay_out(k: Any, route: Any, bus: Any, count: int) -> None:
    """Add a bus to the pair of device channels that it is sent to, if the device has it."""
    for n in range(count):
        pair = pair_of(k, route)
        level = np.float32(follow_route(k, route))
        if pair > 0:
            k.outputs[pair, 0, n] += bus[0, n] * level
            k.outputs[pair, 1, n] += bus[1, n] * level


@compiled
def mix_outputs(k: Any, count: int) -> None:
    """Make headphones and booth, once the master stands."""
    if not has_phones(k):
        snap(k.phones_level, k.phones_level.target)
        snap(k.cue_mix, k.cue_mix.target)
        snap(k.split_cue, k.split_cue.target)
        snap(k.booth_level, k.booth_level.target)
        return
    _mix_phones(k, count)
    _lay_out(k, k.phones, k.outputs[_PHONES], count)
    _lay_out(k, k.booth, k.outputs[_BOOTH], count)


@compiled
def _write_pair(rows: Any, out: int, channels: int, pair: int, count: int) -> None:
    left, right = rows[0], rows[1]
    for n in range(count):
        put_float(out, n * channels + 2 * pair, left[n])
        put_float(out, n * channels + 2 * pair + 1, right[n])


@compiled
def write_outputs(k: Any, out: int, count: int) -> None:
    """Write `count` frames of all channels, interleaved, to address `out`."""
    channels = k.channels
    _write_pair(k.master_bus[:], out, channels, 0, count)
    for pair in range(1, channels // 2):
        _write_pair(k.outputs[pair], out, channels, pair, count)
