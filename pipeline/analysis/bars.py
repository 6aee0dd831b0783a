"""Where bars begin: harmony changes and kicks fall on the first beat of a bar, of four beats or of three.

Owner: pure functions. Units: seconds; confidence 0..1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import harmony
from pipeline.analysis.frames import Frames

Curve = npt.NDArray[np.float64]

_KICKS: Final = 0.5
_THREE: Final = 1.6
"""How much clearer than four a bar of three must show: four is what nearly all music has."""

_LEAST_BEATS: Final = 8


@dataclass(frozen=True, slots=True)
class Bars:
    """The first beat that begins a bar, how many beats a bar has, and how sure that is."""

    first: int
    beats: int
    confidence: float


def find(beats: Curve, frames: Frames, pitched: Frames) -> Bars:
    """Find the bars: onsets from `frames`, harmony from `pitched`."""
    if len(beats) < _LEAST_BEATS:
        return Bars(0, 4, 0.0)
    weights = _standing(_changes(beats, pitched)) + _KICKS * _standing(_kicks(beats, frames))
    four, three = _bars(weights, 4), _bars(weights, 3)
    return three if len(beats) >= 24 and three.confidence > _THREE * max(four.confidence, 0.2) else four


def _bars(weights: Curve, size: int) -> Bars:
    sums = np.array([weights[phase::size].mean() for phase in range(size)])
    order = np.argsort(-sums, kind="stable")
    spread = float(weights.std())
    margin = float(sums[order[0]] - sums[order[1]]) / spread if spread > 1e-9 else 0.0
    return Bars(int(order[0]), size, float(np.clip(margin, 0.0, 1.0)))


def _standing(values: Curve) -> Curve:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / spread) if spread > 1e-9 else np.zeros_like(values)


def _changes(beats: Curve, frames: Frames) -> Curve:
    """How much the harmony changes at each beat: one minus the likeness of the chroma before and after."""
    if not frames.pitches.shape[1]:
        return np.zeros(len(beats))
    tuned = harmony.chroma(frames.pitches, harmony.tuning_cents(frames.pitches))
    held = harmony.between(tuned, frames.pitch_step_s, np.append(beats, 2.0 * beats[-1] - beats[-2]))
    held /= np.maximum(np.linalg.norm(held, axis=0), 1e-9)
    change = np.zeros(len(beats))
    change[1:] = 1.0 - np.sum(held[:, 1:] * held[:, :-1], axis=0)
    return change


def _kicks(beats: Curve, frames: Frames) -> Curve:
    """Strength of what begins in the low range at each beat."""
    low = frames.flux[1].astype(np.float64)
    at = np.clip(np.rint(beats / frames.step_s).astype(int), 1, len(low) - 2)
    return np.asarray(np.maximum(np.maximum(low[at - 1], low[at]), low[at + 1]))
