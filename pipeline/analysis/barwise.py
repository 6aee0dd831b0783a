"""What each bar of a track is like: harmony, timbre and level, as rows that can be compared.

Owner: pure functions. Units: seconds, decibels; rows are per bar, `edges` has one more.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import harmony
from pipeline.analysis.beats import Beats
from pipeline.analysis.frames import Frames

Curve = npt.NDArray[np.float64]

_NO_PULSE_BAR_S: Final = 2.0
_QUIET_DB: Final = -60.0


@dataclass(frozen=True, slots=True)
class Bars:
    """`edges` (n + 1), `chroma` (n, 12), `timbre` (n, 13), `bands` (n, 3) and `level` (n) in dBFS, `busy` (n): onsets.

    The edges are downbeats, but for the last, which is the end of the track.
    """

    edges: Curve
    chroma: Curve
    timbre: Curve
    bands: Curve
    level: Curve
    busy: Curve

    def __len__(self) -> int:
        return len(self.level)


def of(frames: Frames, chroma: npt.NDArray[np.float32], beats: Beats | None) -> Bars:
    """Gather what lies in each bar; where nothing has a pulse, in every two seconds."""
    if beats is not None and len(beats.downbeats) > 1:
        starts = beats.downbeats
    else:
        starts = np.arange(0.0, max(frames.duration - _NO_PULSE_BAR_S / 2.0, 1e-3), _NO_PULSE_BAR_S)
    edges = np.append(starts, max(frames.duration, starts[-1] + 1e-3))
    if len(edges) > 2 and edges[-1] - edges[-2] < 0.3 * float(np.median(np.diff(edges[:-1]))):
        edges = np.delete(edges, -2)  # what is left after the last whole bar belongs to it
    power = frames.rms.astype(np.float64) ** 2
    return Bars(
        edges=edges,
        chroma=harmony.between(chroma, frames.pitch_step_s, edges).T,
        timbre=_means(frames.mfcc, frames.step_s, edges).T,
        bands=_db(_means(frames.bands.astype(np.float64) ** 2, frames.step_s, edges)).T,
        level=_db(_means(power[None], frames.step_s, edges))[0],
        busy=_means(frames.flux[:1], frames.step_s, edges)[0],
    )


def _means(rows: npt.NDArray[np.floating], step_s: float, edges: Curve) -> Curve:
    count = rows.shape[1]
    summed = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1, dtype=np.float64)], axis=1)
    first = np.clip(np.rint(edges[:-1] / step_s).astype(int), 0, count - 1)
    last = np.clip(np.maximum(np.rint(edges[1:] / step_s).astype(int), first + 1), 1, count)
    return np.asarray((summed[:, last] - summed[:, first]) / (last - first))


def _db(power: Curve) -> Curve:
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (_QUIET_DB / 10.0))))
