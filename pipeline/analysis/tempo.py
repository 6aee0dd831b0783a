"""The tempo of a track: what it may be over all, and how it moves.

Owner: pure functions. How: the autocorrelation of what begins, summed over one, two, four and eight beats, under a
prior around 118 BPM; for the movement the same in windows of twelve seconds, and the best path through them.
Units: BPM, seconds, steps of the onset curve; scores have no unit.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]

SLOWEST: Final = 40.0
FASTEST: Final = 240.0
PER_OCTAVE: Final = 240
_PRIOR_BPM: Final = 118.0
_PRIOR_OCTAVES: Final = 0.65
_CANDIDATES: Final = 3
_COMB: Final = ((1, 1.0), (2, 0.8), (4, 0.8), (8, 0.6))
_LOCAL_COMB: Final = ((1, 1.0), (2, 0.8), (4, 0.6))
_WINDOW_S: Final = 12.0
_EVERY_S: Final = 2.0
_REACH_OCTAVES: Final = 0.3
_STIFFNESS: Final = 0.02
_HEAVY: Final = 4.0


def onset_curve(flux: npt.NDArray[np.float32]) -> Curve:
    """How much begins at each step: all bands with the low ones, where the kick is, counted twice."""
    return _levelled(flux[0].astype(np.float64)) + _levelled(flux[1].astype(np.float64))


def weight_curve(onsets: Curve, rms: npt.NDArray[np.float32]) -> Curve:
    """How heavily something begins at each step: onsets, and how much louder it grows.

    Decibels do not tell a kick from the bass note or the hat between two kicks; loudness does.
    """
    level = rms.astype(np.float64)
    grown = np.maximum(level - np.concatenate([np.zeros(2), level[:-2]]), 0.0)
    return onsets + _HEAVY * _levelled(grown)


def _levelled(curve: Curve) -> Curve:
    spread = float(curve.std())
    return np.asarray(curve / spread) if spread > 1e-9 else curve


def tempi(onsets: Curve, step_s: float) -> list[tuple[float, float]]:
    """Likely tempi with their scores, the best first; the other octaves of the best are always among them."""
    longest = min(len(onsets) - 1, int(8.4 * 60.0 / SLOWEST / step_s))
    alike = _autocorrelation(onsets, longest)
    if alike is None:
        return []
    bpm = SLOWEST * 2.0 ** np.arange(0.0, np.log2(FASTEST / SLOWEST), 1.0 / PER_OCTAVE)
    score = _comb(alike, 60.0 / bpm / step_s, _COMB)
    score *= np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
    peaks = np.flatnonzero((score[1:-1] >= score[:-2]) & (score[1:-1] > score[2:])) + 1
    found: list[tuple[float, float]] = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        if score[peak] > 0.0 and all(abs(np.log2(bpm[peak] / other)) > 0.05 for other, _ in found):
            found.append((float(bpm[peak]), float(score[peak])))
        if len(found) == _CANDIDATES:
            break
    for octave in (2.0, 0.5):
        if not found:
            break
        other = found[0][0] * octave
        if SLOWEST <= other <= FASTEST and all(abs(np.log2(other / known)) > 0.05 for known, _ in found):
            found.append((other, float(np.interp(other, bpm, score))))
    return found


def finer(onsets: Curve, step_s: float, guess: float) -> float:
    """The tempo within 2 % of the guess at which the whole curve swings most, beat and half-beat together."""
    size = 1 << (8 * len(onsets) - 1).bit_length()
    swing = np.abs(np.fft.rfft(onsets - onsets.mean(), size))
    bpm = guess * np.linspace(0.98, 1.02, 161)
    at = bpm / 60.0 * step_s * size
    both = np.interp(at, np.arange(len(swing)), swing) + 0.7 * np.interp(2.0 * at, np.arange(len(swing)), swing)
    return float(bpm[int(np.argmax(both))])


def movement(onsets: Curve, step_s: float, guess: float) -> tuple[Curve, float]:
    """The tempo in BPM at each step of the curve, never further than 0.3 octaves from the guess, and its score."""
    from pipeline.analysis import pulse

    size, every = round(_WINDOW_S / step_s), round(_EVERY_S / step_s)
    if len(onsets) < size + every:
        return np.full(len(onsets), guess), _local(onsets, step_s, guess)
    bpm = guess * 2.0 ** np.arange(-_REACH_OCTAVES, _REACH_OCTAVES + 1e-9, 1.0 / PER_OCTAVE)
    lags = 60.0 / bpm / step_s
    starts = np.arange(0, len(onsets) - size + 1, every)
    window = np.hanning(size)
    scores = np.zeros((len(starts), len(bpm)))
    for n, start in enumerate(starts):
        part = onsets[start : start + size]
        alike = _autocorrelation((part - part.mean()) * window, min(size - 1, int(4.2 * lags.max())))
        if alike is not None:
            scores[n] = _comb(alike, lags, _LOCAL_COMB)
    best = pulse.path(scores, _STIFFNESS)
    curve = np.interp(np.arange(len(onsets)), starts + size / 2.0, bpm[best])
    return curve, float(scores[np.arange(len(starts)), best].mean()) * prior(guess)


def _local(onsets: Curve, step_s: float, guess: float) -> float:
    lags = np.array([60.0 / guess / step_s])
    alike = _autocorrelation(onsets, min(len(onsets) - 1, int(4.2 * lags[0])))
    return 0.0 if alike is None else float(_comb(alike, lags, _LOCAL_COMB)[0]) * prior(guess)


def prior(bpm: float) -> float:
    """How usual a tempo is, up to 1."""
    return float(np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2))


def _autocorrelation(curve: Curve, longest: int) -> Curve | None:
    """Likeness of the curve to itself at lags 0..longest, 1 at lag 0; None where there is nothing to tell."""
    if longest < 8:
        return None
    steady = curve - curve.mean()
    size = 1 << (len(steady) + longest).bit_length()
    spectrum = np.fft.rfft(steady, size)
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 1]
    alike = alike / np.maximum(len(steady) - np.arange(longest + 1), 1)
    return None if alike[0] <= 1e-12 else np.asarray(alike / alike[0])


def _comb(alike: Curve, lags: Curve, comb: tuple[tuple[int, float], ...]) -> Curve:
    """Mean likeness at multiples of each lag, as far as they were measured."""
    longest = len(alike) - 1
    score, weight = np.zeros(len(lags)), np.zeros(len(lags))
    for beats, share in comb:
        inside = lags * beats <= longest
        score += np.where(inside, share * np.interp(lags * beats, np.arange(longest + 1), alike), 0.0)
        weight += inside * share
    return np.asarray(np.maximum(score / np.maximum(weight, 1e-9), 0.0) * (weight > 0))
