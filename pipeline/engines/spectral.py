"""The `spectral` engine: no model, always there, the rough one.

Owner: any worker thread; no state. How: drums are what lasts short and sounds broad (median filters along time and
frequency: FitzGerald 2010, "Harmonic/Percussive Separation using Median Filtering", with soft masks); bass is the low
band of the rest; vocals are what is alike in both channels in the middle band and moves; `other` is what remains.
Units: frames at 44.1 kHz, float32 (channels, frames). Blocks of 2^18 frames lie on a fixed grid and hear enough context
that each is what the whole file would give.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.units import MODEL_RATE
from pipeline.engines import overlap
from pipeline.engines.base import Audio, Cancelled, Focus, Mix, Stretch, never, nowhere

_WINDOW: Final = 4096
_HOP: Final = 1024
_STEPS: Final = 17
"""Length of the median along time, 0.4 s: longer than a drum, shorter than a held note."""

_BINS: Final = 25
"""Width of the median along frequency, 270 Hz: wider than a partial."""

_CONTEXT: Final = 16 * _HOP
_HEARD_BINS: Final = 1400
"""Bins up to 15 kHz are filtered; above them the mask of the last one holds, where nothing but cymbals is left."""

_TINY: Final = np.float32(1e-12)
_HANN: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
_SYNTHESIS: Final = (_HANN / np.float32(1.5)).astype(np.float32)
_SOURCES: Final = ("vocals", "drums", "bass", "other")

Field = npt.NDArray[np.float32]


class SpectralEngine:
    """Separation by signal processing alone."""

    name = "spectral"
    label = "rough: filters instead of a model; fast, always there, bleeds"
    models = ("",)

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Vocals, drums, bass, other. There is no model to choose: any name is accepted and means nothing."""
        return _SOURCES

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        """Always."""
        return None

    def separate(
        self,
        mix: Mix,
        model: str = "",
        *,
        start_frame: int = 0,
        focus: Focus = nowhere,
        cancelled: Cancelled = never,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Stretch]:
        """Separate as `SeparationEngine.separate` says. Options: threads, done, levels."""
        options = options or {}
        filters = _Filters(int(options.get("threads", 0)) or 1)
        return overlap.separate(
            mix, filters, start_frame, focus, cancelled, options.get("done", ()), options.get("levels")
        )


class _Filters:
    """The filters as the scheduler sees them: blocks that touch and hear context on both sides."""

    sources = _SOURCES
    segment = stride = 1 << 18
    normalise = False
    elsewhere = False

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def padded(self, frames: int) -> int:
        """The block and its context, on the grid of hops whatever the length."""
        return frames + 2 * _CONTEXT

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        """Separate one block."""
        frames = chunk.shape[1]
        spectra = _transform(chunk, self._workers)
        masks = _masks(spectra, cancelled)
        if masks is None:
            return None
        out = np.zeros((len(_SOURCES), 2, frames), np.float32)
        for source, mask in masks.items():
            if cancelled():
                return None
            out[_SOURCES.index(source)] = _back(spectra * mask, frames, self._workers)
        return out


def _transform(wave: Audio, workers: int) -> npt.NDArray[np.complex64]:
    """Spectra (2, steps, bins): step t hears the window that begins (t - 3) hops into the wave."""
    from scipy import fft  # here, so that a server that only lists the engines does not load it

    count = -(-wave.shape[1] // _HOP) + 3
    padded = np.zeros((2, (count + 3) * _HOP), np.float32)
    padded[:, 3 * _HOP : 3 * _HOP + wave.shape[1]] = wave
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1)[:, ::_HOP][:, :count]
    bins: npt.NDArray[np.complex64] = fft.rfft(windows * _HANN, axis=-1, workers=workers)
    return bins


def _back(spectra: npt.NDArray[np.complex64], frames: int, workers: int) -> Audio:
    """The wave (2, frames) of spectra from `_transform`."""
    from scipy import fft

    count = spectra.shape[1]
    windows = fft.irfft(spectra, _WINDOW, axis=-1, workers=workers)
    windows *= _SYNTHESIS
    quarters = windows.reshape(2, count, 4, _HOP)
    out = np.zeros((2, count + 3, _HOP), np.float32)
    for quarter in range(4):
        out[:, quarter : quarter + count] += quarters[:, :, quarter]
    return out.reshape(2, -1)[:, 3 * _HOP : 3 * _HOP + frames]


def _masks(spectra: npt.NDArray[np.complex64], cancelled: Cancelled) -> dict[str, Field] | None:
    """Soft masks (steps, bins) for drums, bass and vocals; they add up to 1 at most."""
    from scipy import ndimage

    left, right = spectra
    power = (left.real**2 + left.imag**2) + (right.real**2 + right.imag**2)
    level = np.sqrt(power[:, :_HEARD_BINS])
    steady = ndimage.median_filter(level, size=(_STEPS, 1), mode="nearest")
    if cancelled():
        return None
    broad = ndimage.median_filter(level, size=(1, _BINS), mode="nearest")
    drums = _widen(broad**2 / (steady**2 + broad**2 + _TINY), power.shape[1])
    hertz = np.arange(power.shape[1], dtype=np.float32) * np.float32(MODEL_RATE / _WINDOW)
    low = 1.0 / (1.0 + (hertz / np.float32(190.0)) ** 8)
    alike = 2.0 * (left.real * right.real + left.imag * right.imag) / (power + _TINY)
    middle = (1.0 - low) / (1.0 + (hertz / np.float32(7000.0)) ** 8)
    tonal = (1.0 - drums).astype(np.float32)
    return {
        "drums": drums,
        "bass": (tonal * low).astype(np.float32),
        "vocals": (tonal * middle * np.clip(alike, 0.0, 1.0) ** 8).astype(np.float32),
    }


def _widen(mask: Field, bins: int) -> Field:
    """Extend a mask over the bins that were not filtered."""
    rest = np.repeat(mask[:, -1:], bins - mask.shape[1], axis=1)
    return np.concatenate([mask, rest], axis=1).astype(np.float32)
