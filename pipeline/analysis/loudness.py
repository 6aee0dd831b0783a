"""How loud a track is: integrated loudness after ITU-R BS.1770-4 / EBU R 128, and a curve of its energy.

Owner: pure functions. Units: LUFS; the curve is 0..1 per half second.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

CURVE_S: Final = 0.5
"""Seconds a value of the energy curve stands for."""

QUIETEST_DB: Final = -48.0
"""RMS level in dBFS that counts as energy 0; 0 dBFS counts as 1."""

_BLOCK_S: Final = 30


def integrated_lufs(pcm: Field, rate: int) -> float | None:
    """Loudness of float32 (2, frames) over blocks of 400 ms with both gates; None for silence or under 400 ms."""
    from scipy import signal

    sos = k_weighting(rate).astype(np.float32)
    step = rate // 10
    state = np.zeros((len(sos), pcm.shape[0], 2), np.float32)
    powers: list[npt.NDArray[np.float64]] = []
    for start in range(0, pcm.shape[1], _BLOCK_S * 10 * step):
        part = pcm[:, start : start + _BLOCK_S * 10 * step]
        weighted, state = signal.sosfilt(sos, np.asarray(part, np.float32), axis=1, zi=state)
        whole = weighted.shape[1] // step
        if whole:
            squares = (weighted[:, : whole * step] ** 2).reshape(pcm.shape[0], whole, step)
            powers.append(squares.mean(axis=2, dtype=np.float64).sum(axis=0))
    tenths = np.concatenate(powers) if powers else np.zeros(0)
    if len(tenths) < 4:
        return None
    blocks = np.convolve(tenths, np.full(4, 0.25), "valid")
    heard = blocks[blocks > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not len(heard):
        return None
    loud = heard[heard > heard.mean() / 10.0]
    return float(-0.691 + 10.0 * np.log10(loud.mean()))


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
