"""How loud a track is: integrated loudness, range and true peak after ITU-R BS.1770 / EBU R 128, and its energy.

Owner: pure functions over what the shared pass measured. Units: LUFS, LU, dBTP; energy is 0..1, its curve per half
second. Sources: BS.1770-4 (gates, true peak by four-fold oversampling), EBU Tech 3342 (loudness range).
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]

CURVE_S: Final = 0.5
"""Seconds a value of the energy curve stands for."""

PEAK_FRAMES: Final = 1024
"""Frames of which `block_peaks` holds the largest magnitude."""

QUIETEST_DB: Final = -48.0
"""RMS level in dBFS that counts as energy 0; 0 dBFS counts as 1."""

_OFFSET: Final = -0.691
_PHASES: Final = 4
_TAPS: Final = 32
_TOGETHER: Final = 256


def integrated_lufs(tenths: Curve) -> float | None:
    """Loudness from K-weighted mean squares of 100 ms, over blocks of 400 ms with both gates; None for silence."""
    blocks = _blocks(tenths, 4)
    heard = blocks[blocks > _power(-70.0)]
    if not len(heard):
        return None
    loud = heard[heard > heard.mean() / 10.0]
    return _lufs(float(loud.mean()))


def lufs_of(pcm: Field, rate: int) -> float | None:
    """Integrated loudness of float32 (channels, frames) at `rate` Hz by itself, without the shared pass."""
    from pipeline.analysis import measure

    size = rate // 10
    tenths = np.zeros(pcm.shape[1] // size)
    whole = np.ascontiguousarray(pcm[:, : len(tenths) * size], np.float32)
    measure.weighted(whole, k_weighting(rate), np.zeros((pcm.shape[0], 2, 2)), size, tenths)
    return integrated_lufs(tenths)


def range_lu(tenths: Curve) -> float | None:
    """Loudness range: from the 10th to the 95th percentile of blocks of three seconds; None under three seconds."""
    blocks = _blocks(tenths, 30)
    heard = blocks[blocks > _power(-70.0)]
    if not len(heard):
        return None
    loud = np.sort(heard[heard > heard.mean() / 100.0])
    low, high = loud[[round(0.10 * (len(loud) - 1)), round(0.95 * (len(loud) - 1))]]
    return float(10.0 * np.log10(high / low))


def true_peak_db(pcm: Field, block_peaks: Field) -> float | None:
    """Peak in dBTP of float32 (channels, frames), between the samples too; None for silence.

    Only blocks are looked into whose samples could, by the gain of the interpolator, beat what was found before.
    """
    from pipeline.analysis import measure

    best = float(block_peaks.max(initial=0.0))
    if best <= 0.0:
        return None
    taps = _interpolator()
    gain = float(np.abs(taps).sum(axis=1).max())
    around = np.pad(block_peaks, 1)
    bound = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:]) * gain
    loudest = int(np.argmax(bound))
    for first in (loudest, *range(0, len(bound), _TOGETHER)):
        if bound[first : first + _TOGETHER].max() <= best:
            continue
        start, stop = first * PEAK_FRAMES - _TAPS, (first + _TOGETHER) * PEAK_FRAMES + _TAPS
        low, high = max(start, 0), min(stop, pcm.shape[1])
        part = np.pad(np.asarray(pcm[:, low:high], np.float32), ((0, 0), (low - start, _TAPS)))
        best = float(measure.between(part, taps, best))
    return float(20.0 * np.log10(best))


@lru_cache(maxsize=1)
def _interpolator() -> Field:
    """A windowed sinc for the three places between two samples, (phases, taps)."""
    n = np.arange(_TAPS) - _TAPS / 2 + 1
    window = np.kaiser(_TAPS + 1, 7.0)
    grid = np.arange(_TAPS + 1) - _TAPS / 2
    taps = []
    for phase in range(1, _PHASES):
        at = n - phase / _PHASES
        row = np.sinc(at) * np.interp(at, grid, window)
        taps.append(row / row.sum())
    return np.array(taps, np.float32)


def _blocks(tenths: Curve, size: int) -> Curve:
    return np.convolve(tenths, np.full(size, 1.0 / size), "valid") if len(tenths) >= size else np.zeros(0)


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET) / 10.0))


def _lufs(power: float) -> float:
    return float(_OFFSET + 10.0 * np.log10(power))


def k_weighting(rate: int) -> npt.NDArray[np.float64]:
    """The two filters of BS.1770 at any rate, as second-order sections: head shelf, then high-pass.

    The standard gives coefficients for 48 kHz; these are the analogue prototypes behind them (De Man, "Evaluation of
    Implementations of the EBU R128 Loudness Measurement", 2018), bilinear-transformed.
    """
    shelf_hz, shelf_q, gain_db = 1681.974450955533, 0.7071752369554196, 3.999843853973347
    k = np.tan(np.pi * shelf_hz / rate)
    high = 10.0 ** (gain_db / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / shelf_q + k * k
    shelf = [
        (high + band * k / shelf_q + k * k) / a0,
        2.0 * (k * k - high) / a0,
        (high - band * k / shelf_q + k * k) / a0,
        1.0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / shelf_q + k * k) / a0,
    ]
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * pass_hz / rate)
    a0 = 1.0 + k / pass_q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / pass_q + k * k) / a0]
    return np.array([shelf, high_pass])


def energy(rms: Field) -> float:
    """Energy 0..1 of a track: its RMS over the part that sounds, on a decibel scale from `QUIETEST_DB` to 0."""
    sounding = rms[rms > 1e-4]
    if not len(sounding):
        return 0.0
    return _scaled(float(np.sqrt(np.mean(sounding.astype(np.float64) ** 2))))


def curve(rms: Field, step_s: float) -> list[float]:
    """Energy 0..1 for each `CURVE_S` seconds."""
    steps = max(1, round(CURVE_S / step_s))
    starts = range(0, len(rms), steps)
    return [round(_scaled(float(np.sqrt(np.mean(rms[n : n + steps].astype(np.float64) ** 2)))), 4) for n in starts]


def _scaled(rms: float) -> float:
    return float(np.clip(1.0 - 20.0 * np.log10(max(rms, 1e-9)) / QUIETEST_DB, 0.0, 1.0))
