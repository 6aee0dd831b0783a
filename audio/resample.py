"""The one resampler: polyphase windowed sinc between any two rates, the same answer however it is cut.

Owner: the caller; a `Resampler` is immutable after it is built and may be shared by threads.
Units: rates in Hz; frames at the rate their name says. Output frame n lies at the time n / rate_out: no delay.

Every output frame is one dot product over a window fixed by n alone, always in the same order, so a chunk with its
neighbours as context equals the whole, bit for bit. Kaiser window (Kaiser 1974; taps by the formula of Kaiser and
Schafer 1980): flat to 0.907 of the lower Nyquist frequency (20 kHz at 44.1 kHz), more than 115 dB down from that
frequency on.
"""

import functools
import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.compiler import njit

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

PASS_EDGE: Final = 20_000 / 22_050
"""End of the flat band, as a share of the lower of the two Nyquist frequencies."""

ATTENUATION_DB: Final = 125.0
"""Stop-band attenuation that the window is designed for."""

_LARGEST_BANK: Final = 64 << 20
"""Coefficients (bytes) above which two rates are refused: they share no useful factor."""


class Resampler:
    """Convert stereo float32 from `rate_in` to `rate_out`.

    Thread-safe: yes. Realtime-safe: no.
    """

    def __init__(self, rate_in: int, rate_out: int) -> None:
        """Raises ValueError when a rate is not positive or the ratio needs an absurd number of phases."""
        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"cannot resample from {rate_in} to {rate_out} Hz")
        common = math.gcd(rate_in, rate_out)
        self.rate_in, self.rate_out = rate_in, rate_out
        self.up, self.down = rate_out // common, rate_in // common
        self.identity = self.up == self.down
        #: Weights (phases, taps), float64: row p weighs the input around an output that lies p / up after a frame.
        self.bank = np.zeros((1, 1)) if self.identity else _bank(self.up, self.down)
        #: Input frames before and after a place that its output needs.
        self.context = 0 if self.identity else self.bank.shape[1] // 2

    def frames_out(self, frames_in: int) -> int:
        """Length of the output of `frames_in` frames: every output frame before the input's end."""
        return -(-frames_in * self.up // self.down)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Input frames [a, b) that output frames [start, stop) need; may reach outside the input."""
        if self.identity or stop <= start:
            return start, stop
        first = start * self.down // self.up - self.context + 1
        last = (stop - 1) * self.down // self.up + self.context + 1
        return first, last

    def render(self, window: Float32, start: int, stop: int) -> Float32:
        """Return output frames [start, stop) from `window`, which holds exactly the input frames `needs` names."""
        first, last = self.needs(start, stop)
        if window.shape != (last - first, 2):
            raise ValueError(f"window is {window.shape}, expected {(last - first, 2)}")
        if self.identity:
            return window
        out = np.empty((stop - start, 2), np.float32)
        planar = np.ascontiguousarray(window.T, np.float64)
        _filter(planar[0], planar[1], first, self.bank, self.up, self.down, start, out)
        return out

    def resample(self, audio: Float32) -> Float32:
        """Return the whole of `audio` (frames, 2) at `rate_out`; silence is assumed around it."""
        return self.resample_range(lambda a, b: audio[a:b], len(audio), 0, self.frames_out(len(audio)))

    def resample_range(self, read: Callable[[int, int], Float32], frames_in: int, start: int, stop: int) -> Float32:
        """Return output frames [start, stop); `read(a, b)` gives input frames with 0 <= a <= b <= frames_in.

        Equals the same stretch of the whole bit for bit. A short answer of `read` counts as silence.
        """
        first, last = self.needs(start, stop)
        inside = max(first, 0), min(last, frames_in)
        window = np.zeros((max(0, last - first), 2), np.float32)
        if inside[1] > inside[0]:
            got = read(*inside)
            window[inside[0] - first : inside[0] - first + len(got)] = got
        return self.render(window, start, stop)


@functools.lru_cache(maxsize=8)
def resampler(rate_in: int, rate_out: int) -> Resampler:
    """Return the shared resampler for two rates."""
    return Resampler(rate_in, rate_out)


@functools.lru_cache(maxsize=8)
def _bank(up: int, down: int) -> Float64:
    """Coefficients (phases, taps): row p weights the input around an output that lies p / up after a frame."""
    narrowing = min(1.0, up / down)
    transition = (1 - PASS_EDGE) * math.pi * narrowing
    half = math.ceil((ATTENUATION_DB - 7.95) / (2.285 * transition) / 2) + 1
    half += -half % 4
    if up * half * 2 * 8 > _LARGEST_BANK:
        raise ValueError(f"cannot resample by {up}/{down}: the rates share no useful factor")
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    cutoff = narrowing * (1 + PASS_EDGE) / 2
    taps = np.arange(2 * half) - (half - 1)
    at = taps[None, :] - np.arange(up)[:, None] / up
    window = np.i0(beta * np.sqrt(np.maximum(0.0, 1 - (at / half) ** 2))) / np.i0(beta)
    bank = cutoff * np.sinc(cutoff * at) * window
    # Each phase passes a constant unchanged: without this, neighbouring phases ripple at -120 dB.
    return np.ascontiguousarray(bank / bank.sum(axis=1, keepdims=True))


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def _filter(
    left: Float64, right: Float64, first: int, bank: Float64, up: int, down: int, start: int, out: Float32
) -> None:
    """Pre: left and right hold the inputs from frame `first` that `out`, beginning at frame `start`, needs."""
    taps = bank.shape[1]
    for index in range(out.shape[0]):
        place = (start + index) * down
        weights = bank[place % up]
        begin = place // up - taps // 2 + 1 - first
        # Slices, so that the compiler sees no negative index and uses vectors.
        lefts = left[begin : begin + taps]
        rights = right[begin : begin + taps]
        a = 0.0
        b = 0.0
        for tap in range(taps):
            a += weights[tap] * lefts[tap]
            b += weights[tap] * rights[tap]
        out[index, 0] = a
        out[index, 1] = b
