"""One pass over a track: the spectra that every feature shares, reduced block by block to small arrays.

Owner: the thread that analyses. Memory is bounded: a three-hour track leaves about 0.6 GB of mel bands, no spectra.
Units: Hz, linear amplitude or power; `mel` and the per-step arrays have a step of `HOP` frames (centred windows, zeros
beyond the ends, as librosa does), chroma a step of `LONG_HOP`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]

WINDOW: Final = 2048
HOP: Final = 512
LONG_WINDOW: Final = 8192
LONG_HOP: Final = 4096
MELS: Final = 128
_STEPS: Final = 1024
_ROLLOFF: Final = 0.85
_TUNING_STEPS: Final = 240
_CHROMA_LOW_HZ: Final = 100.0
_CHROMA_HIGH_HZ: Final = 2200.0


@dataclass(slots=True)
class Frames:
    """What the pass found; arrays are empty where they were not asked for."""

    rate: int
    frames: int
    rms: Field
    mel: Field
    centroid: Field
    bandwidth: Field
    rolloff: Field
    flatness: Field
    contrast: Field
    chroma: Field
    crossings: int

    @property
    def step_s(self) -> float:
        """Seconds from one step of `mel`, `rms` and the spectral features to the next."""
        return HOP / self.rate

    @property
    def chroma_step_s(self) -> float:
        """Seconds from one step of `chroma` to the next."""
        return LONG_HOP / self.rate


def scan(
    pcm: Field, rate: int, *, spectral: bool, chroma: bool, progress: Progress, cancelled: Cancelled
) -> Frames | None:
    """Go over float32 (channels, frames) once; None when cancelled."""
    import librosa

    frames = pcm.shape[1]
    count = 1 + frames // HOP
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / rate).astype(np.float32)
    to_mel = _mel_filter(rate)
    rms = np.empty(count, np.float32)
    mel = np.empty((count, MELS), np.float32)
    shape = count if spectral else 0
    centroid, bandwidth, rolloff, flatness = (np.zeros(shape, np.float32) for _ in range(4))
    contrast = np.zeros((7, shape), np.float32)
    pitches: list[Field] = []
    crossings, last = 0, np.float32(0.0)
    for first in range(0, count, _STEPS):
        if cancelled():
            return None
        progress(first / count, "listening")
        part = slice(first, min(first + _STEPS, count))
        mono = _mono(pcm, first * HOP - WINDOW // 2, (part.stop - 1) * HOP + WINDOW // 2)
        level = _magnitudes(mono, WINDOW, HOP, part.stop - first)
        power = level * level
        total = level.sum(axis=1)
        mel[part] = power @ to_mel
        rms[part] = np.sqrt(power @ _parseval())
        new = mono[WINDOW // 2 : WINDOW // 2 + min((part.stop - first) * HOP, max(frames - first * HOP, 0))]
        signs = np.signbit(np.concatenate([[last], new]))
        crossings += int(np.count_nonzero(signs[1:] != signs[:-1]))
        last = new[-1] if len(new) else last
        if spectral:
            safe = np.maximum(total, np.float32(1e-12))
            mean = (level @ hertz) / safe
            centroid[part] = mean
            spread = (level.astype(np.float64) @ (hertz.astype(np.float64) ** 2)) / safe - mean.astype(np.float64) ** 2
            bandwidth[part] = np.sqrt(np.maximum(spread, 0.0))
            reached = np.cumsum(level, axis=1)
            rolloff[part] = hertz[np.argmax(reached >= (_ROLLOFF * reached[:, -1:]), axis=1)]
            flatness[part] = librosa.feature.spectral_flatness(S=level.T)[0]
            contrast[:, part] = librosa.feature.spectral_contrast(S=level.T, sr=rate, linear=False)
        if chroma:
            steps = -(-min(_STEPS * HOP, frames - first * HOP) // LONG_HOP) if frames > first * HOP else 0
            if steps > 0:
                start = first * HOP - LONG_WINDOW // 2
                sound = _mono(pcm, start, start + (steps - 1) * LONG_HOP + LONG_WINDOW)
                pitches.append(_peaks(_magnitudes(sound, LONG_WINDOW, LONG_HOP, steps), rate))
    return Frames(
        rate=rate,
        frames=frames,
        rms=rms,
        mel=mel.T,
        centroid=centroid,
        bandwidth=bandwidth,
        rolloff=rolloff,
        flatness=flatness,
        contrast=contrast,
        chroma=_chroma(pitches, rate) if pitches else np.zeros((12, 0), np.float32),
        crossings=crossings,
    )


def _mono(pcm: Field, start: int, stop: int) -> Field:
    """The mean of the channels from `start` to `stop`, zeros beyond the ends."""
    out = np.zeros(stop - start, np.float32)
    low, high = max(start, 0), min(stop, pcm.shape[1])
    if high > low:
        out[low - start : high - start] = pcm[:, low:high].mean(axis=0)
    return out


def _magnitudes(sound: Field, window: int, hop: int, steps: int) -> Field:
    """Magnitudes (steps, bins) of Hann windows."""
    from scipy import fft

    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop][:steps]
    return np.asarray(np.abs(fft.rfft(windows * _hann(window), axis=1)), np.float32)


@lru_cache(maxsize=4)
def _hann(window: int) -> Field:
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)


@lru_cache(maxsize=1)
def _parseval() -> Field:
    """Weights that turn the power of one window into its mean square under the Hann window."""
    weights = np.full(WINDOW // 2 + 1, 2.0)
    weights[0] = weights[-1] = 1.0
    return (weights / (WINDOW * float(np.sum(_hann(WINDOW).astype(np.float64) ** 2)))).astype(np.float32)


@lru_cache(maxsize=4)
def _mel_filter(rate: int) -> Field:
    import librosa

    bank: Any = librosa.filters.mel(sr=rate, n_fft=WINDOW, n_mels=MELS)
    return np.ascontiguousarray(bank.T)


def _peaks(level: Field, rate: int) -> Field:
    """Keep of each spectrum what stands out as a partial between 100 and 2200 Hz; drums and hiss drop away."""
    low, high = (int(hz * LONG_WINDOW / rate) for hz in (_CHROMA_LOW_HZ, _CHROMA_HIGH_HZ))
    band = level[:, low - 1 : high + 1]
    middle = band[:, 1:-1]
    floor = np.sqrt(np.mean(middle**2, axis=1, keepdims=True))
    kept = np.zeros_like(level[:, : high + 1])
    stands = (middle >= band[:, :-2]) & (middle > band[:, 2:]) & (middle > floor)
    kept[:, low:high] = np.where(stands, middle, 0.0)
    return kept


def _chroma(pitches: list[Field], rate: int) -> Field:
    """Chroma (12, steps), C first, each step with a peak of 1 or silent, tuned to the track."""
    import librosa

    level = np.concatenate(pitches).T
    bins = level.shape[0]
    loudest = np.argsort(level.sum(axis=0))[-_TUNING_STEPS:]
    whole = np.zeros((LONG_WINDOW // 2 + 1, len(loudest)), np.float32)
    whole[:bins] = level[:, loudest]
    tuning = float(librosa.estimate_tuning(S=whole, sr=rate, n_fft=LONG_WINDOW)) if whole.any() else 0.0
    bank: Any = librosa.filters.chroma(sr=rate, n_fft=LONG_WINDOW, tuning=tuning)
    chroma: Field = np.asarray(bank[:, :bins], np.float32) @ np.sqrt(level)
    peak = chroma.max(axis=0, keepdims=True)
    return np.where(peak > 1e-4, chroma / np.maximum(peak, np.float32(1e-4)), 0.0).astype(np.float32)
