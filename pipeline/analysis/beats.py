"""Beats of a track: a rigid grid where a machine or a click kept time, pieces where it changed, a following one else.

Owner: pure functions. How: a row of beats by dynamic programming along each likely tempo; a straight line through
them, whose slope is the tempo to a few thousandths where the music is steady; else straight pieces; else the beats
themselves, smoothed. At last all are moved to where the attacks are, which are known to 1.5 ms.
Units: BPM, seconds; confidence 0..1.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import bars, tempo
from pipeline.analysis.frames import FINE, Frames

Curve = npt.NDArray[np.float64]

STEADY_S: Final = 0.022
"""Beats that lie this close (RMS) to a straight line are a machine's or a click's: the grid is the line."""

_TIGHTNESS: Final = 100.0
_TEMPO_SLACK: Final = 0.0015
_CLEARNESS: Final = 0.3
"""How much a tempo whose beats meet stronger onsets is preferred: a power."""

_WANDERING: Final = 0.8
_FREER: Final = 1.25
"""A row that may wander and meets this much more than the best grid tells that there is no grid."""

_DRIFT_S: Final = 0.012
"""A line that the middle of any stretch leaves by this much is no line: tempo drifts slowly."""

_ON_LINE: Final = 0.7
"""Share of the clear beats that must lie on a line."""

_WILD: Final = 0.15
_PIECE: Final = 16
_PIECE_S: Final = 0.014
_LEAST_PIECE: Final = 24
_LATE_S: Final = 0.0075
"""The flux of a window this long rises before its centre reaches the attack: measured on synthesised songs."""

_LEAST_S: Final = 2.0
_EDGE_S: Final = 0.03
"""A beat this little before frame 0 is the first one, on frame 0."""

_LOOK_S: Final = 0.035
_SMOOTH: Final = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a tempo begins: seconds, BPM, and how many beats it holds."""

    start: float
    tempo: float
    beats: int


@dataclass(frozen=True, slots=True)
class Beats:
    """The pulse of a track. `kind` is steady (one line), pieces (some lines) or following (as it was played)."""

    tempo: float
    confidence: float
    alternatives: tuple[tuple[float, float], ...]
    other_octave: tuple[float, float] | None
    beats: Curve
    downbeats: Curve
    beats_per_bar: int
    downbeat_confidence: float
    kind: str
    deviation_s: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """Beats at one of the likely tempi."""

    tempo: float
    beats: Curve
    kind: str
    deviation_s: float
    segments: tuple[Segment, ...]
    score: float


def track(frames: Frames, harmony: Frames | None = None) -> Beats | None:
    """Find tempo, beats and bars; None where there is no pulse (silence, or less than two seconds).

    `harmony` is what bars are told by, where it was measured apart (the stems without the drums).
    """
    if frames.frames < _LEAST_S * frames.rate:
        return None
    onsets = tempo.onset_curve(frames.flux)
    if not onsets.any():
        return None
    rows = [_row(onsets, frames, bpm) for bpm, _ in tempo.tempi(onsets, frames.step_s)]
    tried = sorted((row for row in rows if row is not None and row.score > 0.0), key=lambda row: -row.score)
    if not tried:
        return None
    row = tried[0]
    if row.kind != "steady":
        row = _moving(_to_attacks(row.beats, frames), frames, row.score)
    total = sum(other.score for other in tried)
    others = [other for other in tried[1:] if abs(np.log2(other.tempo / row.tempo)) > 0.05]
    octaves = [other for other in others if abs(abs(np.log2(other.tempo / row.tempo)) - 1.0) < 0.03]
    found = bars.find(row.beats, frames, harmony or frames)
    return Beats(
        tempo=row.tempo,
        confidence=row.score / total,
        alternatives=tuple((other.tempo, other.score / total) for other in others),
        other_octave=(octaves[0].tempo, octaves[0].score / total) if octaves else None,
        beats=row.beats,
        downbeats=row.beats[found.first :: found.beats],
        beats_per_bar=found.beats,
        downbeat_confidence=found.confidence,
        kind=row.kind,
        deviation_s=row.deviation_s,
        segments=row.segments,
    )


def told(times: Curve, downbeats: Curve, frames: Frames) -> Beats | None:
    """Make of beats and downbeats that a model heard what `track` makes of its own; None of fewer than four."""
    times = np.unique(times[np.isfinite(times) & (times >= 0.0) & (times <= frames.duration)])
    onsets = tempo.onset_curve(frames.flux)
    if len(times) < 4 or not onsets.any():
        return None
    row = _line(times, float(60.0 / np.median(np.diff(times))), onsets, frames) or _moving(times, frames, 1.0)
    places = np.unique([int(np.argmin(np.abs(row.beats - at))) for at in downbeats[np.isfinite(downbeats)]])
    bar = int(np.median(np.diff(places))) if len(places) > 1 else 4
    bar = bar if bar in (3, 4) else 4
    votes = np.bincount(places % bar, minlength=bar) if len(places) else np.array([1, *[0] * (bar - 1)])
    first = int(np.argmax(votes))
    return Beats(
        tempo=row.tempo,
        confidence=1.0,
        alternatives=(),
        other_octave=None,
        beats=row.beats,
        downbeats=row.beats[first::bar],
        beats_per_bar=bar,
        downbeat_confidence=float(votes[first] / votes.sum()),
        kind=row.kind,
        deviation_s=row.deviation_s,
        segments=row.segments,
    )


def _row(onsets: Curve, frames: Frames, bpm: float) -> _Row | None:
    """Lay beats at about this tempo through the onsets: a grid if one meets as much as a row that may wander."""
    from pipeline.analysis import pulse

    step_s = frames.step_s
    guess = tempo.finer(onsets, step_s, bpm)
    period = 60.0 / guess / step_s
    sharp = _sharpened(onsets, period)
    curve, score = tempo.movement(onsets, step_s, guess)
    steps = pulse.row(sharp, 60.0 / curve / step_s, _TIGHTNESS)
    if len(steps) < 4:
        return None
    weights = _sharpened(tempo.weight_curve(onsets, frames.rms), period)
    grid = _anchored(sharp, weights, period)
    line = _line(_beats(grid, onsets, step_s), guess, onsets, frames)
    wandering = float(sharp[steps].mean())
    score *= max(wandering, 0.0) ** _CLEARNESS
    if line is not None and wandering <= _FREER * float(sharp[grid].mean()):
        return _Row(line.tempo, line.beats, "steady", line.deviation_s, line.segments, score)
    between = (steps[1:] + steps[:-1]) // 2
    if float(weights[between].mean()) > float(weights[steps].mean()):
        steps = between
    times = _beats(steps, onsets, step_s)
    return _Row(float(60.0 / np.median(np.diff(times))), times, "following", 0.0, (), score * _WANDERING)


def _anchored(sharp: Curve, weights: Curve, period: float) -> npt.NDArray[np.int64]:
    """Steps of the onsets closest to the best even grid of this period; where none is close, the grid itself."""
    count = int((len(sharp) - 1 - period) / period)
    if count < 4:
        return np.zeros(0, np.int64)
    number, places = np.arange(count), np.arange(len(sharp))
    best, start, slope = -1.0, 0.0, period
    for tried in period * np.linspace(1.0 - _TEMPO_SLACK, 1.0 + _TEMPO_SLACK, 7):
        for phase in np.arange(0.0, period, 1.0):
            fit = float(np.interp(phase + tried * number, places, weights, right=0.0).sum())
            if fit > best:
                best, start, slope = fit, float(phase), float(tried)
    reach = max(2, round(0.2 * period))
    around = np.arange(-reach, reach + 1)
    near = np.exp(-0.5 * (around / (0.08 * period)) ** 2)
    middle = np.rint(start + slope * number).astype(np.int64)
    windows = sharp[np.clip(middle[:, None] + around, 0, len(sharp) - 1)]
    return np.asarray(np.clip(middle + np.argmax(windows * near, axis=1) - reach, 0, len(sharp) - 1))


def _sharpened(onsets: Curve, period: float) -> Curve:
    """Onsets with a spread of 1, smoothed by a thirty-second of a beat as Ellis does."""
    reach = max(1, int(period))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32.0 / period) ** 2)
    level = onsets / max(float(onsets.std()), 1e-9)
    return np.convolve(level, kernel, "same")


def _beats(steps: npt.NDArray[np.int64], onsets: Curve, step_s: float) -> Curve:
    """Seconds of the peaks of the curve at the given steps, to a fraction of a step."""
    inside = np.clip(steps, 1, len(onsets) - 2)
    before, at, after = onsets[inside - 1], onsets[inside], onsets[inside + 1]
    bend = before - 2.0 * at + after
    top = (bend < -1e-9) & (at >= before) & (at >= after)
    shift = np.where(top, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return np.asarray((inside + np.clip(shift, -0.5, 0.5)) * step_s + _LATE_S)


def _line(times: Curve, guess: float, onsets: Curve, frames: Frames) -> _Row | None:
    """Fit one straight line through the beats; None where they do not lie on one."""
    if len(times) < 4:
        return None
    number = np.concatenate([[0], np.cumsum(np.maximum(1, np.rint(np.diff(times) * guess / 60.0)))])
    strength = np.interp(times / frames.step_s, np.arange(len(onsets)), onsets)
    kept = strength >= np.quantile(strength, 0.3)  # beats that only the interpolation of a pause put there do not count
    if kept.sum() < 4:
        kept[:] = True
    strong = kept.copy()
    slope, start = np.polyfit(number[kept], times[kept], 1)
    for _ in range(4):
        off = np.abs(times - (start + slope * number))
        closer = kept & (off <= max(0.03, 2.0 * float(np.sqrt(np.mean(off[kept] ** 2)))))
        if closer.sum() < max(4, 0.5 * len(times)) or (closer == kept).all():
            break
        kept = closer
        slope, start = np.polyfit(number[kept], times[kept], 1)
    off = times - (start + slope * number)
    deviation = float(np.sqrt(np.mean(off[kept] ** 2)))
    if deviation > STEADY_S or not tempo.SLOWEST / 2 < 60.0 / slope < tempo.FASTEST * 2:
        return None
    if np.mean(np.abs(off[strong]) <= _EDGE_S) < _ON_LINE or _bends(off[strong]):
        return None
    first = int(np.ceil((-start - _EDGE_S) / slope))
    beats = np.maximum(start + slope * np.arange(first, int(np.floor((frames.duration - start) / slope)) + 1), 0.0)
    beats = np.maximum(beats + _to_attack(beats, frames), 0.0)
    beats = beats[beats <= frames.duration]
    bpm = float(60.0 / slope)
    return _Row(bpm, beats, "steady", deviation, (Segment(float(beats[0]), bpm, len(beats)),), 0.0)


def _bends(off: Curve) -> bool:
    """Whether beats leave a line for long: slowly, as a drifting tempo does (jitter averages out over 16 beats), or
    wildly, as in a stretch of another tempo."""
    whole = len(off) // _PIECE
    if whole < 3:
        return False
    groups = off[: whole * _PIECE].reshape(whole, _PIECE)
    wild = np.mean(np.sqrt(np.mean(groups**2, axis=1)) > _EDGE_S) > _WILD
    return bool(wild or np.sqrt(np.mean(np.median(groups, axis=1) ** 2)) > _DRIFT_S)


def _moving(times: Curve, frames: Frames, score: float) -> _Row:
    """Straight pieces where a few hold the beats, else the beats themselves, smoothed."""
    pieces = _pieces(times)
    off = np.concatenate([times[a:b] - fit for (a, b), fit in pieces])
    if len(pieces) * _LEAST_PIECE <= len(times) and float(np.sqrt(np.mean(off**2))) <= _PIECE_S:
        beats, kind = np.concatenate([fit for _, fit in pieces]), "pieces"
        bounds = [piece for piece, _ in pieces]
    else:
        beats, kind = _smoothed(times), "following"
        bounds = [(n, min(n + _PIECE, len(times))) for n in range(0, len(times) - 1, _PIECE)]
    beats = np.maximum.accumulate(beats)
    deviation = float(np.sqrt(np.mean((times - beats) ** 2)))
    segments = tuple(
        Segment(float(beats[a]), float(60.0 * (b - 1 - a) / (beats[b - 1] - beats[a])), b - a)
        for a, b in bounds
        if b - a > 1 and beats[b - 1] > beats[a]
    )
    return _Row(float(60.0 / np.median(np.diff(beats))), _reached(beats, frames), kind, deviation, segments, score)


def _pieces(times: Curve) -> list[tuple[tuple[int, int], Curve]]:
    """Cut the beats into straight pieces: neighbours are joined as long as one line holds both."""
    lines = _Lines(times)
    edges = [*range(0, max(len(times) - _PIECE // 2, 1), _PIECE), len(times)]
    while len(edges) > 2:
        costs = [lines.spread(a, b) for a, b in zip(edges[:-2], edges[2:], strict=True)]
        best = int(np.argmin(costs))
        if costs[best] > _PIECE_S:
            break
        del edges[best + 1]
    for n in range(1, len(edges) - 1):  # the place of a change, to the beat
        a, b = edges[n - 1], edges[n + 1]
        tried = range(max(a + 2, edges[n] - _PIECE), min(b - 2, edges[n] + _PIECE) + 1)
        if len(tried):
            edges[n] = min(tried, key=lambda cut: lines.squares(a, cut) + lines.squares(cut, b))
    return [((a, b), lines.fit(a, b)) for a, b in pairwise(edges)]


class _Lines:
    """Straight lines through any stretch of beats, each in a few operations."""

    def __init__(self, times: Curve) -> None:
        number = np.arange(len(times), dtype=np.float64)
        self._slope, self._start = np.polyfit(number, times, 1)
        rest = times - self._start - self._slope * number  # small numbers, so that sums stay exact enough
        self._sums = np.concatenate([np.zeros((3, 1)), np.cumsum([rest, rest * number, rest * rest], axis=1)], axis=1)

    def squares(self, a: int, b: int) -> float:
        """Sum of squares of the distances from the best line through beats a..b."""
        n, total, against, own = self._parts(a, b)
        return max(own - total * total / n - (against * against / (n * (n * n - 1.0) / 12.0) if n > 1 else 0.0), 0.0)

    def spread(self, a: int, b: int) -> float:
        """RMS distance from the best line through beats a..b."""
        return float(np.sqrt(self.squares(a, b) / (b - a)))

    def fit(self, a: int, b: int) -> Curve:
        """The best line through beats a..b, at each of them."""
        n, total, against, _ = self._parts(a, b)
        slope = against / (n * (n * n - 1.0) / 12.0) if n > 1 else 0.0
        number = np.arange(a, b, dtype=np.float64)
        return np.asarray(self._start + self._slope * number + total / n + slope * (number - (a + b - 1) / 2.0))

    def _parts(self, a: int, b: int) -> tuple[int, float, float, float]:
        total, against, own = self._sums[:, b] - self._sums[:, a]
        return b - a, float(total), float(against - total * (a + b - 1) / 2.0), float(own)


def _smoothed(times: Curve) -> Curve:
    """Each beat on the parabola through its neighbours: what a hand meant, without the scatter of detection."""
    if len(times) < 2 * _SMOOTH + 1:
        return times
    from scipy import signal

    return np.asarray(signal.savgol_filter(times, 2 * _SMOOTH + 1, 2, mode="interp"))


def _reached(beats: Curve, frames: Frames) -> Curve:
    """Go on at the first and last tempo to both ends of the track."""
    ahead, behind = float(beats[1] - beats[0]), float(beats[-1] - beats[-2])
    before = beats[0] - ahead * np.arange(int(np.floor((beats[0] + _EDGE_S) / ahead)), 0, -1)
    after = beats[-1] + behind * np.arange(1, int(np.floor((frames.duration - beats[-1]) / behind)) + 1)
    whole = np.concatenate([np.maximum(before, 0.0), beats, after])
    whole = whole[(whole >= 0.0) & (whole <= frames.duration)]
    return np.asarray(whole[np.concatenate([[True], np.diff(whole) > 1e-3])])


def _attack_windows(beats: Curve, frames: Frames) -> tuple[Curve, float]:
    """Rise of the high end around each beat, (beats, places), and seconds per place; the middle place is the beat."""
    place_s = FINE / frames.rate
    reach = round(_LOOK_S / place_s)
    level = np.log(frames.attacks.astype(np.float64) + 1e-7 * max(float(frames.attacks.max(initial=0.0)), 1e-12))
    rise = np.maximum(level[4:] - level[:-4], 0.0)  # over 6 ms: place k tells of the edge at k + 2
    middle = np.rint(beats / place_s).astype(int) - 2
    at = np.clip(middle[:, None] + np.arange(-reach, reach + 1), 0, max(len(rise) - 1, 0))
    return (rise[at] if len(rise) else np.zeros(at.shape)), place_s


def _to_attack(beats: Curve, frames: Frames) -> float:
    """How far a whole grid must move so that it lies on the attacks; 0.0 where they do not agree."""
    windows, place_s = _attack_windows(beats, frames)
    profile = np.convolve(windows.mean(axis=0), np.ones(3) / 3.0, "same")
    top = int(np.argmax(profile))
    if profile[top] < 2.0 * float(np.median(profile)) + 1e-9 or not 2 <= top < len(profile) - 2:
        return 0.0
    near = slice(top - 2, top + 3)
    centre = float(np.sum(profile[near] * np.arange(top - 2, top + 3)) / np.sum(profile[near]))
    return (centre - len(profile) // 2) * place_s


def _to_attacks(beats: Curve, frames: Frames) -> Curve:
    """Move each beat to its own attack, where there is a clear one close by."""
    windows, place_s = _attack_windows(beats, frames)
    reach = windows.shape[1] // 2
    near = np.exp(-0.5 * (np.arange(-reach, reach + 1) * place_s / 0.02) ** 2)
    weighted = windows * near
    top = np.argmax(weighted, axis=1)
    clear = windows[np.arange(len(beats)), top] > 1.5
    return np.asarray(np.where(clear, np.rint(beats / place_s) * place_s + (top - reach) * place_s, beats))
