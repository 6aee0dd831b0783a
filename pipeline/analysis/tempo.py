"""Tempo, beats and bars of a track.

Owner: pure functions. How: spectral flux of mel bands (all of them, and the lowest alone, where the kick is); its
autocorrelation summed over one, two, four and eight beats under a prior around 118 BPM; beats by dynamic programming
(Ellis, "Beat Tracking by Dynamic Programming", 2007, as librosa has it) at the likeliest tempi; then a straight line
through the beats, whose slope is the tempo to a few thousandths where the music is steady.
Units: BPM, seconds, steps of the onset curve; confidence 0..1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.frames import HOP, Frames

Curve = npt.NDArray[np.float64]

SLOWEST: Final = 40.0
FASTEST: Final = 240.0
_PRIOR_BPM: Final = 118.0
_PRIOR_OCTAVES: Final = 0.65
_CANDIDATES: Final = 3
_STEADY_S: Final = 0.022
"""Beats that lie this close (RMS) to a straight line are a machine's or a click's: the grid is the line."""

_STUMBLING: Final = 0.5

_LOW_BANDS: Final = 6
"""Mel bands that hold the kick and the bass: up to about 170 Hz."""

_LATE_S: Final = 0.0075
"""The flux of a window this long rises before its centre reaches the attack: measured on synthesised songs."""

_LEAST_S: Final = 2.0
_EDGE_S: Final = 0.03
"""A beat this little before frame 0 is the first one, on frame 0."""


@dataclass(frozen=True, slots=True)
class Beats:
    """The pulse of a track. `steady` says that `beats` lie on one line, so that one tempo and one offset say it all."""

    tempo: float
    confidence: float
    alternatives: tuple[tuple[float, float], ...]
    beats: tuple[float, ...]
    downbeats: tuple[float, ...]
    downbeat_confidence: float
    steady: bool
    deviation_s: float


def track(frames: Frames) -> Beats | None:
    """Find tempo, beats and bars; None where there is no pulse (silence, or less than two seconds)."""
    if frames.frames < _LEAST_S * frames.rate:
        return None
    onsets, low = onset_curves(frames.mel)
    if not onsets.any():
        return None
    candidates = tempi(onsets, frames.step_s)
    if not candidates:
        return None
    tried = [line for bpm, score in candidates if (line := _line(onsets, frames, bpm, score)) is not None]
    if not tried:
        return None
    tried.sort(key=lambda line: -line.score)
    line = tried[0]
    first, sure = _bar(line.beats, low, frames)
    total = sum(other.score for other in tried)
    return Beats(
        tempo=line.tempo,
        confidence=line.score / total,
        alternatives=tuple(
            (other.tempo, other.score / total) for other in tried[1:] if abs(np.log2(other.tempo / line.tempo)) > 0.05
        ),
        beats=tuple(float(t) for t in line.beats),
        downbeats=tuple(float(t) for t in line.beats[first::4]),
        downbeat_confidence=sure,
        steady=line.steady,
        deviation_s=line.deviation_s,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """Beats at one of the likely tempi. `score` is lower where they had to stumble to meet the music."""

    tempo: float
    beats: Curve
    steady: bool
    deviation_s: float
    score: float


def _line(onsets: Curve, frames: Frames, bpm: float, score: float) -> _Line | None:
    """Lay beats at about this tempo through the onsets."""
    import librosa

    guess = _finer(onsets, frames.step_s, bpm)
    _, steps = librosa.beat.beat_track(
        onset_envelope=onsets, sr=frames.rate, hop_length=HOP, bpm=guess, trim=False, tightness=100
    )
    if len(steps) < 4:
        return None
    times = _between_steps(onsets, np.asarray(steps)) * frames.step_s + _LATE_S
    tempo, beats, steady, deviation = _straighten(times, guess, onsets, frames)
    return _Line(tempo, beats, steady, deviation, score if steady else _STUMBLING * score)


def onset_curves(mel: npt.NDArray[np.float32]) -> tuple[Curve, Curve]:
    """How much begins at each step, over all bands with the low ones counted twice, and in the low bands alone."""
    peak = float(mel.max(initial=0.0))
    if peak < 1e-10:
        return np.zeros(mel.shape[1]), np.zeros(mel.shape[1])
    level = 10.0 * np.log10(np.maximum(mel, peak * 1e-8))
    rise = np.maximum(np.diff(level, axis=1, prepend=level[:, :1]), 0.0)
    every = rise.mean(axis=0).astype(np.float64)
    low = rise[:_LOW_BANDS].mean(axis=0).astype(np.float64)
    return _levelled(every) + _levelled(low), low


def _levelled(curve: Curve) -> Curve:
    spread = float(curve.std())
    return np.asarray(curve / spread) if spread > 1e-9 else curve


def tempi(onsets: Curve, step_s: float) -> list[tuple[float, float]]:
    """Likely tempi with their scores, the best first."""
    steady = onsets - onsets.mean()
    size = 1 << (2 * len(steady) - 1).bit_length()
    spectrum = np.fft.rfft(steady, size)
    longest = min(len(steady) - 1, int(8.4 * 60.0 / SLOWEST / step_s))
    if longest < 8:
        return []
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 1]
    alike = alike / np.maximum(len(steady) - np.arange(longest + 1), 1)
    if alike[0] <= 0.0:
        return []
    alike = alike / alike[0]
    bpm = SLOWEST * 2.0 ** np.arange(0.0, np.log2(FASTEST / SLOWEST), 1.0 / 240.0)
    lags = 60.0 / bpm / step_s
    score = np.zeros(len(bpm))
    weight = np.zeros(len(bpm))
    for beats, share in ((1, 1.0), (2, 0.8), (4, 0.8), (8, 0.6)):
        inside = lags * beats <= longest
        score += np.where(inside, share * np.interp(lags * beats, np.arange(longest + 1), alike), 0.0)
        weight += inside * share
    score = np.maximum(score / np.maximum(weight, 1e-9), 0.0) * (weight > 0)
    score *= np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
    peaks = np.flatnonzero((score[1:-1] >= score[:-2]) & (score[1:-1] > score[2:])) + 1
    found: list[tuple[float, float]] = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        if score[peak] > 0.0 and all(abs(np.log2(bpm[peak] / other)) > 0.05 for other, _ in found):
            found.append((float(bpm[peak]), float(score[peak])))
        if len(found) == _CANDIDATES:
            break
    return found


def _finer(onsets: Curve, step_s: float, guess: float) -> float:
    """The tempo within 2 % of the guess at which the whole curve swings most, beat and half-beat together."""
    size = 1 << (8 * len(onsets) - 1).bit_length()
    swing = np.abs(np.fft.rfft(onsets - onsets.mean(), size))
    bpm = guess * np.linspace(0.98, 1.02, 161)
    at = bpm / 60.0 * step_s * size
    both = np.interp(at, np.arange(len(swing)), swing) + 0.7 * np.interp(2.0 * at, np.arange(len(swing)), swing)
    return float(bpm[int(np.argmax(both))])


def _between_steps(onsets: Curve, steps: npt.NDArray[np.integer]) -> Curve:
    """Places of the peaks of the curve at the given steps, to a fraction of a step."""
    inside = np.clip(steps, 1, len(onsets) - 2)
    before, at, after = onsets[inside - 1], onsets[inside], onsets[inside + 1]
    bend = before - 2.0 * at + after
    shift = np.where(
        (bend < -1e-9) & (at >= before) & (at >= after), 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0
    )
    return np.asarray(inside + np.clip(shift, -0.5, 0.5))


def _straighten(times: Curve, guess: float, onsets: Curve, frames: Frames) -> tuple[float, Curve, bool, float]:
    """Fit a line through the beats; give tempo, beats, whether the line holds, and how far the beats lie from it."""
    number = np.concatenate([[0], np.cumsum(np.maximum(1, np.rint(np.diff(times) * guess / 60.0)))])
    strength = np.interp(times / frames.step_s, np.arange(len(onsets)), onsets)
    kept = strength >= np.quantile(strength, 0.3)  # beats that only the interpolation of a pause put there do not count
    if kept.sum() < 4:
        kept[:] = True
    for _ in range(4):
        slope, start = np.polyfit(number[kept], times[kept], 1)
        off = np.abs(times - (start + slope * number))
        closer = kept & (off <= max(0.03, 2.0 * float(np.sqrt(np.mean(off[kept] ** 2)))))
        if closer.sum() < max(4, 0.5 * len(times)) or (closer == kept).all():
            break
        kept = closer
    deviation = float(np.sqrt(np.mean((times[kept] - (start + slope * number[kept])) ** 2)))
    if deviation > _STEADY_S or not SLOWEST / 2 < 60.0 / slope < FASTEST * 2:
        return float(60.0 / np.median(np.diff(times))), times, False, deviation
    duration = frames.frames / frames.rate
    first = int(np.ceil((-start - _EDGE_S) / slope))
    beats = np.maximum(start + slope * np.arange(first, int(np.floor((duration - start) / slope)) + 1), 0.0)
    return float(60.0 / slope), beats, True, deviation


def _bar(beats: Curve, low: Curve, frames: Frames) -> tuple[int, float]:
    """Which of the first four beats begins a bar of four, and how sure: harmony changes and kicks fall there."""
    if len(beats) < 8:
        return 0, 0.0
    weights = _standing(_changes(beats, frames)) + 0.5 * _standing(_kicks(beats, low, frames))
    sums = np.array([weights[phase::4].mean() for phase in range(4)])
    order = np.argsort(-sums, kind="stable")
    spread = float(weights.std())
    margin = float(sums[order[0]] - sums[order[1]]) / spread if spread > 1e-9 else 0.0
    return int(order[0]), float(np.clip(margin, 0.0, 1.0))


def _standing(values: Curve) -> Curve:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / spread) if spread > 1e-9 else np.zeros_like(values)


def _changes(beats: Curve, frames: Frames) -> Curve:
    """How much the harmony changes at each beat: one minus the likeness of the chroma before and after."""
    chroma, step = frames.chroma.astype(np.float64), frames.chroma_step_s
    if not chroma.shape[1]:
        return np.zeros(len(beats))
    edges = np.clip(np.rint(np.append(beats, beats[-1] + (beats[-1] - beats[-2])) / step), 0, chroma.shape[1])
    summed = np.concatenate([np.zeros((12, 1)), np.cumsum(chroma, axis=1)], axis=1)
    at = edges.astype(int)
    held = summed[:, at[1:]] - summed[:, at[:-1]]
    held /= np.maximum(np.linalg.norm(held, axis=0), 1e-9)
    change = np.zeros(len(beats))
    change[1:] = 1.0 - np.sum(held[:, 1:] * held[:, :-1], axis=0)
    return change


def _kicks(beats: Curve, low: Curve, frames: Frames) -> Curve:
    """Strength of what begins in the low bands at each beat."""
    at = np.clip(np.rint(beats / frames.step_s).astype(int), 1, len(low) - 2)
    return np.asarray(np.maximum(np.maximum(low[at - 1], low[at]), low[at + 1]))
