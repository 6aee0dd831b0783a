"""The spectrogram that htdemucs hears and answers in, without PyTorch.

Owner: pure functions. Source: `demucs.htdemucs.HTDemucs._spec`, `_magnitude`, `_mask`, `_ispec` (Demucs 4): a Hann
window of 4096 frames every 1024, normalised by the square root of the window's length, with reflection at the ends,
the Nyquist bin dropped and complex numbers spread over channels.
Units: float32; waves are (..., channels, frames), spectra (..., channels, bins, steps).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.engines.base import Audio

WINDOW: Final = 4096
HOP: Final = WINDOW // 4
BINS: Final = WINDOW // 2
_PAD: Final = HOP // 2 * 3
_NORM: Final = WINDOW**0.5
_HANN: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
_ANALYSIS: Final = (_HANN / np.float32(_NORM)).astype(np.float32)
_SYNTHESIS: Final = (_HANN * np.float32(_NORM / 1.5)).astype(np.float32)
"""Squares of Hann windows every quarter add up to 1.5 wherever four of them meet, and all frames kept lie there."""


def steps(frames: int) -> int:
    """Steps of the spectrogram of that many frames."""
    return -(-frames // HOP)


def spectrum(wave: Audio, workers: int = 1) -> npt.NDArray[np.float32]:
    """Transform (channels, frames) into (2 * channels, BINS, steps): of each channel real and imaginary part."""
    from scipy import fft  # here, so that a server that only lists the engines does not load it

    channels, frames = wave.shape
    count = steps(frames)
    padded = np.pad(wave, ((0, 0), (_PAD, _PAD + count * HOP - frames)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP][:, :count]
    bins = fft.rfft(windows * _ANALYSIS, axis=-1, workers=workers)[..., :BINS]
    out = np.empty((channels, 2, BINS, count), np.float32)
    out[:, 0] = bins.real.transpose(0, 2, 1)
    out[:, 1] = bins.imag.transpose(0, 2, 1)
    return out.reshape(2 * channels, BINS, count)


def wave(spectra: npt.NDArray[np.float32], frames: int, workers: int = 1) -> Audio:
    """Transform (sources, 2 * channels, BINS, steps) back into (sources, channels, frames)."""
    from scipy import fft

    sources, doubled, bins, count = spectra.shape
    channels = doubled // 2
    parts = spectra.reshape(sources, channels, 2, bins, count)
    whole = np.zeros((sources, channels, count, BINS + 1), np.complex64)
    whole.real[..., :bins] = parts[:, :, 0].transpose(0, 1, 3, 2)
    whole.imag[..., :bins] = parts[:, :, 1].transpose(0, 1, 3, 2)
    windows = fft.irfft(whole, WINDOW, axis=-1, workers=workers, overwrite_x=True)
    windows *= _SYNTHESIS
    quarters = windows.reshape(sources, channels, count, 4, HOP)
    out = np.zeros((sources, channels, count + 3, HOP), np.float32)
    for quarter in range(4):
        out[:, :, quarter : quarter + count] += quarters[:, :, :, quarter]
    return out.reshape(sources, channels, -1)[..., _PAD : _PAD + frames]
