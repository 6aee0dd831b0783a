"""One pass over a track: the spectra that every feature shares, reduced block by block to small arrays.

Owner: the thread that analyses. Memory is bounded by the track's length, not by its spectra: a three-hour track leaves
about 0.2 GB of curves, a song a few megabytes, and the audio itself is read from its file a block at a time.
Units: Hz, linear amplitude or power; per-step arrays have a step of `HOP` frames (centred windows, zeros beyond the
ends, as librosa does), pitches a step of `LONG_HOP`, attacks one of `FINE` frames, loudness one of 100 ms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.loudness import PEAK_FRAMES, k_weighting
from pipeline.errors import AudioRejected

Field = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]
Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]

WINDOW: Final = 2048
HOP: Final = 512
LONG_WINDOW: Final = 8192
LONG_HOP: Final = 4096
FINE: Final = 64
MELS: Final = 128
MFCCS: Final = 13
RANGES_HZ: Final = (0.0, 170.0, 2500.0)
"""Where the low, the middle and the high range of `flux` and `bands` begin."""

_STEPS: Final = 1024
_FLOOR: Final = 1e-5
"""What a mel band of a track that peaks at 1 has at least: some 80 dB below its loudest."""

_PITCH_LOW_HZ: Final = 100.0
_PITCH_HIGH_HZ: Final = 2200.0
_CONTRAST_HZ: Final = (0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0)
_TAIL: Final = 0.02


@dataclass(slots=True)
class Frames:
    """What the pass found; arrays are empty where they were not asked for.

    `flux` (4, steps): how much begins, in decibels, over all bands and in the low, middle and high range; `bands`
    (3, steps): RMS of those ranges; `pitches` (120, long steps): an octave from C in steps of 10 cents; `attacks`:
    power of the high end; `tenths`: K-weighted mean square; `block_peaks`: largest magnitudes.
    """

    rate: int
    frames: int
    rms: Field
    flux: Field
    bands: Field
    mfcc: Field
    centroid: Field
    bandwidth: Field
    rolloff: Field
    flatness: Field
    contrast: Field
    pitches: Field
    attacks: Field
    tenths: Curve
    block_peaks: Field
    crossings: int

    @property
    def step_s(self) -> float:
        """Seconds from one step of `flux`, `rms` and the spectral features to the next."""
        return HOP / self.rate

    @property
    def pitch_step_s(self) -> float:
        """Seconds from one step of `pitches` to the next."""
        return LONG_HOP / self.rate

    @property
    def duration(self) -> float:
        """Seconds of the track."""
        return self.frames / self.rate


def scan(
    pcm: Field, rate: int, *, spectral: bool, pitched: bool, progress: Progress, cancelled: Cancelled
) -> Frames | None:
    """Go over float32 (channels, frames) once, after a look at its peaks; None when cancelled. Raises AudioRejected."""
    peaks = block_peaks(pcm, cancelled)
    return None if peaks is None else _Pass(pcm, rate, peaks).run(spectral, pitched, progress, cancelled)


def block_peaks(pcm: Field, cancelled: Cancelled) -> Field | None:
    """Largest magnitude of every `PEAK_FRAMES` frames; None when cancelled. Raises AudioRejected for NaN, infinity."""
    from pipeline.analysis import measure

    found: list[Field] = []
    size = PEAK_FRAMES * 512
    for start in range(0, pcm.shape[1], size):
        if cancelled():
            return None
        part = np.ascontiguousarray(pcm[:, start : start + size], np.float32)
        out = np.zeros(-(-part.shape[1] // PEAK_FRAMES), np.float32)
        if not measure.peaks(part, PEAK_FRAMES, out):
            raise AudioRejected("This audio holds numbers that are not finite (NaN or infinity); import it again.")
        found.append(out)
    return np.concatenate(found) if found else np.zeros(0, np.float32)


class _Pass:
    """One run; holds what goes on from block to block."""

    def __init__(self, pcm: Field, rate: int, peaks: Field) -> None:
        self._pcm, self._rate, self._peaks = pcm, rate, peaks
        self._frames = pcm.shape[1]
        self._count = 1 + self._frames // HOP
        self._before = np.full(MELS, 0.0, np.float32)
        self._k_state = np.zeros((pcm.shape[0], 2, 2))
        self._last = np.float32(0.0)

    def run(self, spectral: bool, pitched: bool, progress: Progress, cancelled: Cancelled) -> Frames | None:
        """Give everything, or None when cancelled."""
        from pipeline.analysis import measure

        rate, count, frames = self._rate, self._count, self._frames
        hz = rate / WINDOW
        mels, ranges = mel_filter(rate), _ranges(rate)
        to_ranges = _range_filter(rate)
        floor = max(_FLOOR * float(self._peaks.max(initial=0.0)) ** 2, 1e-10)
        self._before[:] = 10.0 * np.log10(floor)
        cosines = _cosines()
        rms = np.empty(count, np.float32)
        flux = np.empty((len(RANGES_HZ) + 1, count), np.float32)
        bands = np.empty((len(RANGES_HZ), count), np.float32)
        mfcc = np.empty((MFCCS, count), np.float32)
        shaped = np.zeros((4, count if spectral else 0), np.float32)
        contrast = np.zeros((7, count if spectral else 0), np.float32)
        edges = _contrast_edges(rate)
        attacks = np.zeros(-(-frames // FINE), np.float32)
        tenths = np.zeros(frames // (rate // 10))
        sos = k_weighting(rate)
        pitches: list[Field] = []
        crossings = 0
        loud_at = 0
        level = np.empty((_STEPS, WINDOW // 2 + 1), np.float32)
        squared = np.empty_like(level)
        for first in range(0, count, _STEPS):
            if cancelled():
                return None
            progress(first / count, "listening")
            part = slice(first, min(first + _STEPS, count))
            steps = part.stop - first
            start, stop = first * HOP, min(part.stop * HOP, frames)
            mono = self._mono(start - WINDOW // 2, (part.stop - 1) * HOP + WINDOW // 2)
            spectrum = _spectrum(mono, WINDOW, HOP, steps)
            measure.power(spectrum, level[:steps], squared[:steps])
            mel = squared[:steps] @ mels
            rms[part] = np.sqrt(squared[:steps] @ parseval())
            bands[:, part] = np.sqrt(squared[:steps] @ to_ranges).T
            measure.rises(mel, self._before, floor, ranges, flux[:, part])
            mfcc[:, part] = (mel @ cosines).T
            if spectral:
                measure.shape(level[:steps], squared[:steps], hz, shaped[:, part])
                measure.contrast(level[:steps], edges, contrast[:, part])
            if stop > start:
                new = mono[WINDOW // 2 : WINDOW // 2 + stop - start]
                crossings += measure.attacks(new, FINE, float(self._last), attacks[start // FINE : -(-stop // FINE)])
                self._last = new[-1]
            loud_at = self._loudness(sos, loud_at, stop, last=part.stop == count, out=tenths)
            if pitched and stop > start:
                pitches.append(self._pitches(start, stop))
        return Frames(
            rate=rate, frames=frames, rms=rms, flux=flux, bands=bands, mfcc=mfcc,
            centroid=shaped[0], bandwidth=shaped[1], rolloff=shaped[2], flatness=shaped[3], contrast=contrast,
            pitches=np.concatenate(pitches).T if pitches else np.zeros((120, 0), np.float32),
            attacks=attacks, tenths=tenths, block_peaks=self._peaks, crossings=crossings,
        )  # fmt: skip

    def _loudness(self, sos: Curve, start: int, stop: int, *, last: bool, out: Curve) -> int:
        """Weigh whole tenths of a second up to `stop`; return where the next begins."""
        from pipeline.analysis import measure

        size = self._rate // 10
        end = stop if last else stop - (stop - start) % size
        if end > start:
            part = np.ascontiguousarray(self._pcm[:, start:end], np.float32)
            measure.weighted(part, sos, self._k_state, size, out[start // size : end // size])
        return end

    def _pitches(self, start: int, stop: int) -> Field:
        from pipeline.analysis import measure

        steps = -(-(stop - start) // LONG_HOP)
        begin = start - LONG_WINDOW // 2
        sound = self._mono(begin, begin + (steps - 1) * LONG_HOP + LONG_WINDOW)
        spectrum = _spectrum(sound, LONG_WINDOW, LONG_HOP, steps)
        hz = self._rate / LONG_WINDOW
        low, high = int(_PITCH_LOW_HZ / hz), int(_PITCH_HIGH_HZ / hz)
        kept = np.abs(spectrum[:, : high + 2])
        out = np.zeros((steps, 120), np.float32)
        measure.pitches(np.ascontiguousarray(kept, np.float32), hz, low, high, out)
        return out

    def _mono(self, start: int, stop: int) -> Field:
        """The mean of the channels from `start` to `stop`, zeros beyond the ends."""
        out = np.zeros(stop - start, np.float32)
        low, high = max(start, 0), min(stop, self._frames)
        if high > low:
            part = self._pcm[:, low:high]
            mono = out[low - start : high - start]
            for channel in part:
                mono += channel
            mono /= len(part)
        return out


def _spectrum(sound: Field, window: int, hop: int, steps: int) -> npt.NDArray[np.complex64]:
    """Complex spectra (steps, bins) of Hann windows."""
    from scipy import fft

    windows = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop][:steps]
    found: npt.NDArray[np.complex64] = fft.rfft(windows * _hann(window), axis=1, overwrite_x=True)
    return found


@lru_cache(maxsize=4)
def _hann(window: int) -> Field:
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)


@lru_cache(maxsize=1)
def parseval() -> Field:
    """Weights that turn the power of one window into its mean square under the Hann window."""
    weights = np.full(WINDOW // 2 + 1, 2.0)
    weights[0] = weights[-1] = 1.0
    return (weights / (WINDOW * float(np.sum(_hann(WINDOW).astype(np.float64) ** 2)))).astype(np.float32)


def _mel_edges(rate: int) -> Curve:
    """Corners of the mel triangles in Hz: Slaney's scale, linear to 1 kHz, 27 steps a factor of 6.4 above."""
    step, bend = 200.0 / 3.0, 15.0
    top = bend + 27.0 * np.log(rate / 2.0 / 1000.0) / np.log(6.4)
    mels = np.linspace(0.0, top, MELS + 2)
    return np.asarray(np.where(mels < bend, step * mels, 1000.0 * 6.4 ** ((mels - bend) / 27.0)))


@lru_cache(maxsize=4)
def mel_filter(rate: int) -> Field:
    """Triangles of equal area, (bins, MELS), as librosa has them (Slaney, "Auditory Toolbox", 1998)."""
    edges = _mel_edges(rate)
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / rate)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangle = np.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre))
    bank: Field = np.zeros(triangle.shape, np.float32)
    bank[:] = np.maximum(triangle, 0.0) * (2.0 / (right - left))
    return bank


@lru_cache(maxsize=4)
def _ranges(rate: int) -> npt.NDArray[np.int64]:
    """First mel band of each range, and the number of bands."""
    centres = _mel_edges(rate)[1:-1]
    return np.array([*(int(np.searchsorted(centres, hz)) for hz in RANGES_HZ), MELS], np.int64)


@lru_cache(maxsize=4)
def _range_filter(rate: int) -> Field:
    """Weights (bins, ranges) that turn the power of a window into the mean square of each range."""
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / rate)
    which = np.searchsorted(RANGES_HZ, hertz, side="right") - 1
    return np.ascontiguousarray((which[:, None] == np.arange(len(RANGES_HZ))) * parseval()[:, None], np.float32)


@lru_cache(maxsize=1)
def _cosines() -> Field:
    """The first coefficients of an orthonormal cosine transform of the mel bands, (MELS, MFCCS)."""
    n, k = np.arange(MELS)[:, None], np.arange(MFCCS)[None, :]
    table: Curve = np.cos(np.pi * k * (2 * n + 1) / (2 * MELS)) * np.sqrt(2.0 / MELS)
    table[:, 0] /= np.sqrt(2.0)
    return table.astype(np.float32)


@lru_cache(maxsize=4)
def _contrast_edges(rate: int) -> npt.NDArray[np.int64]:
    """First bin, one past the last, and how many bins make a tail, of seven bands: those of librosa."""
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / rate)
    edges = []
    for band, (low, high) in enumerate(pairwise(_CONTRAST_HZ)):
        inside = np.flatnonzero((hertz >= low) & (hertz <= high))
        if not len(inside):  # a low rate ends below this band: one bin, no contrast
            edges.append((len(hertz) - 1, len(hertz), 1))
            continue
        first = max(int(inside[0]) - (band > 0), 0)
        last = len(hertz) if band == 6 else int(inside[-1]) + 1
        tail = max(1, round(_TAIL * (last - first)))
        edges.append((first, last if band == 6 else last - 1, tail))
    return np.array(edges, np.int64)
