"""Master limiter: nothing leaves above the ceiling, and below it nothing is touched.

    x --+--> peaks between the samples --> gain that holds the ceiling, held, let go slowly --> mean of WINDOW --.
        '--> delayed by LOOK_AHEAD --------------------------------------------------------------------------- x --> y

With look-ahead the true peak is held at CEILING: the wave between the samples, found at four times the rate (ITU-R
BS.1770, annex 2), and the gain has gone down before the peak comes. That costs LOOK_AHEAD frames, a quarter of a
millisecond, since a hand on a fader waits for them too. Two things keep it so short. The wave between two samples is
found from the eight before that place and the two after it: music has little in the uppermost quarter of the band, so
those are enough. And the gain goes down within WINDOW frames: as it is held, it does so once for a peak and not in
every period, and what that adds to a tone that comes in 12 dB too loud is 60 dB below it. Without look-ahead nothing is
delayed, the samples are held at full scale, and the wave's first rise above it is flattened.

Owner: the kernel. Units: linear gain, both channels together; the gain's memory is in whole 2^-30, so that its mean is
exact and a gain of 1 is 1.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.kernel.atomics import copy_bytes
from audio.kernel.compiled import Single, compiled
from audio.kernel.lanes import LANES, PEAK_AHEAD, PEAK_PHASES, PEAK_TAPS, level_groups, peak_groups
from audio.kernel.layout import LOOK_AHEAD, LOOK_BACK, WINDOW

CEILING: Final = np.float32(10.0 ** (-1.0 / 20.0))
"""Of the true peak: -1 dBTP."""
FULL: Final = np.float32(1.0)
"""Ceiling of the samples where there is no look-ahead."""
HOLD_S: Final = 0.010
RELEASE_S: Final = 0.120
_LEAST: Final = np.float32(2.0**-23)
"""Least step of the gain on its way up: less would not change a float32 near 1, and it would never arrive."""
_UNIT: Final = 1 << 30
_MEAN: Final = np.float32(1.0 / (WINDOW * _UNIT))
_WAY: Final = LOOK_BACK - 1
_BAND: Final = 0.75
"""Part of the band in which the wave between two samples is found exactly; above it is rather found too high."""
_TRUST: Final = 1e-3
"""What is above that band counts so much: the more, the less is found too high there, and the less exact the rest."""


def peak_weights() -> npt.NDArray[np.float32]:
    """Return the weights of the wave 1/4, 1/2 and 3/4 of the way between two samples, float32 (3, PEAK_TAPS).

    Least squares over _BAND, with PEAK_AHEAD samples after the place.
    """
    taps = np.arange(PEAK_TAPS) - (PEAK_TAPS - PEAK_AHEAD - 1)
    likeness = _BAND * np.sinc(_BAND * (taps[:, None] - taps)) + _TRUST * np.eye(PEAK_TAPS)
    rows = []
    for phase in range(1, PEAK_PHASES + 1):
        distance = taps - phase / (PEAK_PHASES + 1)
        row = np.linalg.solve(likeness, _BAND * np.sinc(_BAND * distance) + _TRUST * np.sinc(distance))
        rows.append(row / row.sum())
    return np.array(rows, np.float32)


LARGEST: Final = np.float32(np.abs(peak_weights()).sum(axis=1).max() * 1.001)
"""How far the wave may rise above the largest sample."""


@compiled
def _follow(k: Any, gain: Single, peak: Single, ceiling: Single) -> Single:
    """Return the gain after a frame whose peak is `peak`: down at once, held, then slowly up."""
    if k.limiter_hold > 0:
        k.limiter_hold -= 1
    elif gain < FULL:
        gain = min(FULL, gain + max((FULL - gain) * np.float32(1.0 / (RELEASE_S * k.rate)), _LEAST))
    if peak * gain > ceiling:
        gain = ceiling / peak
        k.limiter_hold = int(k.rate * HOLD_S)
    if gain < k.limiter_low:
        k.limiter_low = gain
    return gain


@compiled
def _limit_samples(k: Any, left: Any, right: Any, count: int) -> None:
    gain = k.limiter_gain
    for n in range(count):
        gain = np.float32(_follow(k, gain, max(abs(left[n]), abs(right[n])), FULL))
        if gain != FULL:
            left[n] = min(FULL, max(-FULL, left[n] * gain))
            right[n] = min(FULL, max(-FULL, right[n] * gain))
    k.limiter_gain = gain


@compiled
def _find_peaks(k: Any, left: Any, right: Any, count: int) -> bool:
    """Lay the true peak of each frame into `k.peaks`; return False where none can reach the ceiling."""
    history = k.peak_history
    high = np.float32(0.0)
    for channel in range(2):
        row = left if channel == 0 else right
        copy_bytes(history[channel].ctypes.data + 4 * _WAY, row.ctypes.data, 4 * count)
        groups = (_WAY + count) // LANES
        if groups:
            high = max(high, level_groups(history[channel].ctypes.data, groups)[0])
        for n in range(groups * LANES, _WAY + count):
            high = max(high, abs(history[channel, n]))
    if high * LARGEST <= CEILING:
        return False
    peak_groups(
        history[0].ctypes.data, history[1].ctypes.data, k.peak_weights.ctypes.data, k.peaks.ctypes.data,
        (count + LANES - 1) // LANES,
    )  # fmt: skip
    return True


@compiled
def delay(ring: Any, left: Any, right: Any, place: int, count: int) -> None:
    """Delay two channels by LOOK_AHEAD frames, in place, by way of `ring`, from its place `place` on."""
    at = place - 1
    for n in range(count):
        at += 1
        if at == LOOK_AHEAD:
            at = 0
        a, b = ring[0, at], ring[1, at]
        ring[0, at] = left[n]
        ring[1, at] = right[n]
        left[n] = a
        right[n] = b


@compiled
def _limit_true_peak(k: Any, left: Any, right: Any, count: int) -> None:
    loud = _find_peaks(k, left, right, count)
    for channel in range(2):
        for n in range(_WAY):
            k.peak_history[channel, n] = k.peak_history[channel, n + count]
    delay(k.ahead, left, right, k.ahead_place, count)
    k.ahead_place = (k.ahead_place + count) % LOOK_AHEAD
    gain = k.limiter_gain
    if not loud and gain == FULL and k.gain_sum == WINDOW * _UNIT:
        k.limiter_hold = max(0, k.limiter_hold - count)
        return
    place = k.gain_place
    total = k.gain_sum
    for n in range(count):
        gain = np.float32(_follow(k, gain, k.peaks[n] if loud else np.float32(0.0), CEILING))
        whole = int(np.float64(gain) * _UNIT)
        total += whole - k.gains[place]
        k.gains[place] = whole
        place += 1
        if place == WINDOW:
            place = 0
        if total != WINDOW * _UNIT:
            mean = np.float32(np.float32(total) * _MEAN)
            left[n] *= mean
            right[n] *= mean
    k.gain_place = place
    k.gain_sum = total
    k.limiter_gain = gain


@compiled
def limit(k: Any, left: Any, right: Any, count: int) -> None:
    """Limit `count` frames in place."""
    if k.look_ahead:
        _limit_true_peak(k, left, right, count)
    else:
        _limit_samples(k, left, right, count)
