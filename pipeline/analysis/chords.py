"""Chords in time: the likeliest chord on every beat, changed only where the music says so.

Owner: pure functions. How: chroma of each beat against templates of triads and sevenths, and the best path through them
with a cost for every change (Viterbi).
Units: seconds; confidence 0..1 (likeness of chroma and template).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis import harmony
from pipeline.analysis.key import NAMES

Curve = npt.NDArray[np.float64]

NONE: Final = "N"
"""The name of no chord: silence, or drums alone."""

_KINDS: Final = (
    # (suffix, intervals, handicap: a richer chord must fit better than the triad inside it)
    ("", (0, 4, 7), 0.0),
    ("m", (0, 3, 7), 0.0),
    ("7", (0, 4, 7, 10), 0.05),
    ("maj7", (0, 4, 7, 11), 0.05),
    ("m7", (0, 3, 7, 10), 0.05),
    ("dim", (0, 3, 6), 0.05),
    ("sus4", (0, 5, 7), 0.06),
)
_CHANGE: Final = 0.35
_NONE_SCORE: Final = 0.55


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord from `start` to `end`; `name` as C, Am, G7, F#dim, or N."""

    start: float
    end: float
    name: str
    confidence: float


def find(chroma: npt.NDArray[np.float32], step_s: float, edges: Curve) -> tuple[Chord, ...]:
    """Tell the chords of chroma (12, steps) between ascending edges in seconds (beats, and the end)."""
    if len(edges) < 2 or not chroma.shape[1]:
        return ()
    held = harmony.between(chroma, step_s, edges)
    names, templates, handicaps = _templates()
    norm = np.linalg.norm(held, axis=0)
    scores = (templates @ (held / np.maximum(norm, 1e-9))).T - handicaps
    scores = np.column_stack([scores, np.where(norm < 1e-6, 2.0, _NONE_SCORE)])
    found: list[Chord] = []
    for n, state in enumerate(_path(scores)):
        name = names[state] if state < len(names) else NONE
        sure = float(np.clip(scores[n, state], 0.0, 1.0))
        if found and found[-1].name == name:
            before = found[-1]
            share = (edges[n + 1] - edges[n]) / (edges[n + 1] - before.start)
            sure = before.confidence + (sure - before.confidence) * share
            found[-1] = Chord(before.start, float(edges[n + 1]), name, float(sure))
        else:
            found.append(Chord(float(edges[n]), float(edges[n + 1]), name, sure))
    return tuple(found)


def _templates() -> tuple[list[str], Curve, Curve]:
    names, rows, handicaps = [], [], []
    for suffix, intervals, handicap in _KINDS:
        for root in range(12):
            row = np.zeros(12)
            row[[(root + step) % 12 for step in intervals]] = 1.0
            row[root] = 1.15
            names.append(NAMES[root] + suffix)
            rows.append(row / np.linalg.norm(row))
            handicaps.append(handicap)
    return names, np.array(rows), np.array(handicaps)


def _path(scores: Curve) -> list[int]:
    """The best state of each row when every change costs the same."""
    total, back = scores[0].copy(), np.zeros(scores.shape, int)
    for n in range(1, len(scores)):
        best = int(np.argmax(total))
        moves = total < total[best] - _CHANGE
        back[n] = np.where(moves, best, np.arange(scores.shape[1]))
        total = np.where(moves, total[best] - _CHANGE, total) + scores[n]
    path = [int(np.argmax(total))]
    for n in range(len(scores) - 1, 0, -1):
        path.append(int(back[n, path[-1]]))
    return path[::-1]
