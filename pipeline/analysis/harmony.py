"""What of the pitches is harmony: how the track is tuned, and its chroma on that tuning.

Owner: pure functions. Units: `pitches` is (120, steps), an octave from C in steps of 10 cents; chroma (12, steps) has C
first; tuning in cents from A = 440 Hz, -50..50.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

_FINE: Final = 10
_SPREAD_CENTS: Final = 22.0
_QUIET: Final = 1e-2


def tuning_cents(pitches: Field) -> float:
    """How far the track's notes lie from equal temperament on A = 440 Hz; 0.0 where nothing has a pitch."""
    octave = pitches.sum(axis=1, dtype=np.float64)
    within = octave.reshape(12, _FINE).sum(axis=0)
    place = np.sum(within * np.exp(2j * np.pi * np.arange(_FINE) / _FINE))
    if abs(place) < 1e-9:
        return 0.0
    return float(np.angle(place) / (2.0 * np.pi) * 100.0)


def chroma(pitches: Field, tuning: float) -> Field:
    """Chroma (12, steps), each step with a peak of 1 or silent, on a tuning in cents."""
    cents = np.arange(12 * _FINE) * 100.0 / _FINE
    off = (cents[None, :] - (np.arange(12) * 100.0 + tuning)[:, None] + 600.0) % 1200.0 - 600.0
    weights = np.exp(-0.5 * (off / _SPREAD_CENTS) ** 2).astype(np.float32)
    found: Field = weights @ pitches
    peak = found.max(axis=0, keepdims=True, initial=0.0)
    return np.where(peak > _QUIET, found / np.maximum(peak, np.float32(_QUIET)), 0.0).astype(np.float32)


def between(chroma_: Field, step_s: float, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean chroma (12, n) between n + 1 ascending edges in seconds; an empty stretch takes the step it lies in."""
    count = chroma_.shape[1]
    if not count:
        return np.zeros((12, max(len(edges) - 1, 0)))
    summed = np.concatenate([np.zeros((12, 1)), np.cumsum(chroma_, axis=1, dtype=np.float64)], axis=1)
    first = np.clip(np.rint(edges[:-1] / step_s).astype(int), 0, count - 1)
    last = np.clip(np.maximum(np.rint(edges[1:] / step_s).astype(int), first + 1), 1, count)
    return np.asarray((summed[:, last] - summed[:, first]) / (last - first))
