"""What stems tell that the mix does not: beats from the drums, harmony without them, where somebody sings.

Owner: the worker thread of an analysis job, which has the stems as they lie on the server.
Units: seconds; audio is float32 (channels, frames) at the rate of the mix.

Where drums are silent the pulse is the rest's: its onsets count a little beside those of the drums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.frames import HOP, Frames, Progress, scan

Field = npt.NDArray[np.float32]

BESIDE: Final = 0.3
"""How much onsets of the mix count beside those of the drums."""

_SOUNDING: Final = 1e-3
"""RMS from which a stem is heard at all (-60 dB)."""

_LEAST_SHARE: Final = 0.2
"""Share of a track in which drums must be heard for them to tell its beats."""

_SUNG_DB: Final = -26.0
"""How far below its own loud places a voice may be and still count as singing."""

_BREATH_S: Final = 0.6
"""Rests shorter than this are breaths."""

_SHORTEST_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Separated:
    """What was heard of stems: frames of the drums (None where they tell nothing), of the harmony without drums and
    voice, and stretches with a voice (None without a stem of it)."""

    drums: Frames | None
    harmony: Frames | None
    sung: tuple[tuple[float, float], ...] | None
    names: tuple[str, ...]


def listen(
    mix: Field,
    rate: int,
    stems: Mapping[str, Field],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Separated | None:
    """Listen to the stems of `mix`, any of them; None when cancelled. Stems may be a little longer or shorter."""
    if not stems:
        return Separated(None, None, None, ())
    fitted = {name: _fitted(stem, mix.shape) for name, stem in stems.items()}
    drums = harmony = None
    if "drums" in fitted:
        drums = scan(
            fitted["drums"], rate, spectral=False, pitched=False,
            progress=lambda share, _: progress(0.5 * share, "drums"), cancelled=cancelled,
        )  # fmt: skip
        if drums is None:
            return None
        rest = mix - fitted["drums"]
        if "vocals" in fitted:
            rest -= fitted["vocals"]
        harmony = scan(
            rest, rate, spectral=False, pitched=True,
            progress=lambda share, _: progress(0.5 + 0.5 * share, "harmony"), cancelled=cancelled,
        )  # fmt: skip
        if harmony is None:
            return None
        if np.mean(drums.rms > _SOUNDING) < _LEAST_SHARE:
            drums = None
        if np.mean(harmony.rms > _SOUNDING) < _LEAST_SHARE:
            harmony = None
    sung = voiced(fitted["vocals"], rate) if "vocals" in fitted else None
    return Separated(drums, harmony, sung, tuple(sorted(fitted)))


def pulse(mix: Frames, drums: Frames) -> Frames:
    """Return the drums' frames with a share of what begins in the mix, for `beats.track`."""
    steps = min(mix.flux.shape[1], drums.flux.shape[1])
    flux: Field = drums.flux[:, :steps] + np.float32(BESIDE) * mix.flux[:, :steps]
    return replace(drums, flux=flux)


def voiced(vocals: Field, rate: int) -> tuple[tuple[float, float], ...]:
    """Return the stretches in which somebody sings or speaks, from a stem of the voice."""
    steps = vocals.shape[1] // HOP
    if steps == 0:
        return ()
    held = vocals[:, : steps * HOP].reshape(vocals.shape[0], steps, HOP)
    rms = np.sqrt(np.mean(np.square(held, dtype=np.float64), axis=(0, 2)))
    heard = rms[rms > _SOUNDING]
    if not len(heard):
        return ()
    floor = max(_SOUNDING, float(np.percentile(heard, 90)) * 10.0 ** (_SUNG_DB / 20.0))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (rms > floor).astype(np.int8), [0]])))
    found: list[tuple[float, float]] = []
    for start, stop in edges.reshape(-1, 2) * (HOP / rate):
        if found and start - found[-1][1] < _BREATH_S:
            found[-1] = (found[-1][0], float(stop))
        else:
            found.append((float(start), float(stop)))
    return tuple((start, stop) for start, stop in found if stop - start >= _SHORTEST_S)


def _fitted(stem: Field, shape: tuple[int, ...]) -> Field:
    """Return a stem of the mix's length: silence behind what is too short, a tail cut off."""
    if stem.shape == shape:
        return stem
    held: Field = np.zeros(shape, np.float32)
    frames = min(shape[1], stem.shape[1])
    held[:, :frames] = stem[:, :frames]
    return held
