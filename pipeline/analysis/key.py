"""The key of a track: Krumhansl-Schmuckler, with the first and last harmony to tell a key from its relative.

Owner: pure functions. Sources: Krumhansl and Kessler's probe-tone profiles (Krumhansl, "Cognitive Foundations of
Musical Pitch", 1990); that pieces begin and end at home is every theory book's.
Units: chroma with C first; correlations -1..1; confidence 0..1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_PLACES: Final = {
    **{name: n for n, name in enumerate(NAMES)}, **{name: n for n, name in enumerate(_MINOR_NAMES)},
    "Db": 1, "D#": 3, "Gb": 6, "A#": 10, "Cb": 11, "Fb": 4, "E#": 5, "B#": 0,
}  # fmt: skip
_HOME_S: Final = 2.0
_HOME_WEIGHT: Final = 0.18


@dataclass(frozen=True, slots=True)
class Key:
    """A key and how sure it is. `correlation` is the profile's alone; `runner_up` is what came second."""

    name: str
    camelot: str
    correlation: float
    confidence: float
    runner_up: str
    relative: str


def find(chroma: Field, step_s: float) -> Key | None:
    """Tell the key from chroma (12, steps); None where nothing has a pitch."""
    sounding = chroma.max(axis=0) > 0 if chroma.shape[1] else np.zeros(0, bool)
    steps = np.flatnonzero(sounding)
    if not len(steps):
        return None
    whole = chroma[:, steps].mean(axis=1).astype(np.float64)
    if float(whole.std()) < 1e-6:
        return None
    home = max(1, round(_HOME_S / step_s))
    first, last = chroma[:, steps[:home]].mean(axis=1), chroma[:, steps[-home:]].mean(axis=1)
    correlations = np.array([_correlation(whole, profile(n)) for n in range(24)])
    triads = np.array([_correlation(first, _triad(n)) + _correlation(last, _triad(n)) for n in range(24)]) / 2.0
    scores = correlations + _HOME_WEIGHT * triads
    order = np.argsort(-scores, kind="stable")
    best, second = int(order[0]), int(order[1])
    margin = float(scores[best] - scores[second])
    fit = float(np.clip(correlations[best], 0.0, 1.0))
    return Key(
        name=name(best),
        camelot=camelot(best),
        correlation=float(correlations[best]),
        confidence=float(np.clip(fit * (0.4 + 6.0 * margin), 0.0, 1.0)),
        runner_up=name(second),
        relative=name(relative(best)),
    )


def name(key: int) -> str:
    """Name of key 0..23: twelve majors from C, then twelve minors from C."""
    return f"{NAMES[key]} major" if key < 12 else f"{_MINOR_NAMES[key - 12]} minor"


def number(name: str | None) -> int | None:
    """Key 0..23 of a name as `name` gives it, or with another spelling of its tonic; None for anything else."""
    tonic, _, mode = (name or "").partition(" ")
    place = _PLACES.get(tonic)
    return None if place is None or mode not in ("major", "minor") else place + (12 if mode == "minor" else 0)


def camelot(key: int) -> str:
    """Place of a key on the Camelot wheel: C major is 8B, A minor 8A, a fifth up is one more."""
    major = key if key < 12 else relative(key)
    return f"{(7 * major + 7) % 12 + 1}{'B' if key < 12 else 'A'}"


def relative(key: int) -> int:
    """The key with the same notes: A minor for C major and the other way round."""
    return (key + 9) % 12 + 12 if key < 12 else (key - 12 + 3) % 12


def profile(key: int) -> npt.NDArray[np.float64]:
    """How much each pitch class, from C, belongs to a key 0..23."""
    return np.roll(_MAJOR if key < 12 else _MINOR, key % 12)


def _triad(key: int) -> npt.NDArray[np.float64]:
    notes = np.zeros(12)
    notes[[0, 4 if key < 12 else 3, 7]] = (1.3, 1.0, 1.0)
    return np.roll(notes, key % 12)


def _correlation(one: npt.NDArray[np.floating], other: npt.NDArray[np.float64]) -> float:
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 1e-12 else 0.0
