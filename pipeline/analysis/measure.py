"""Compiled measurements of a block: what a spectrum, a stretch of samples and a mel band tell, in one walk over each.

Owner: `scan`, which hands in its own buffers; imported only where audio is analysed, since it loads Numba.
Units: Hz, linear amplitude, power; arrays are float32 (steps, bins) unless said otherwise. Nothing here allocates more
than a few numbers.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

Field = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]

_ROLLOFF: Final = 0.85
_LEAST_POWER: Final = 1e-10
_TAIL: Final = 0.02
_CANDIDATES: Final = 32
_STEPS_PER_OCTAVE: Final = 120


@njit(nogil=True, cache=True)
def power(spectrum: Any, level: Field, squared: Field) -> None:
    """Magnitude and power of a complex64 spectrum."""
    for step in range(spectrum.shape[0]):
        for k in range(spectrum.shape[1]):
            value = spectrum[step, k]
            square = value.real * value.real + value.imag * value.imag
            squared[step, k] = square
            level[step, k] = math.sqrt(square)


@njit(nogil=True, cache=True)
def shape(level: Field, squared: Field, hz: float, out: Field) -> None:
    """Centroid, bandwidth, rolloff (85 %) in Hz and flatness 0..1 of each step, as librosa defines them.

    Pre: `out` is (4, steps); `hz` is the distance between two bins.
    """
    bins = level.shape[1]
    for step in range(level.shape[0]):
        total = 0.0
        first = 0.0
        second = 0.0
        mean = 0.0
        logs = 0.0
        product = 1.0
        for k in range(bins):
            value = level[step, k]
            total += value
            first += value * k
            second += value * k * float(k)
            square = max(float(squared[step, k]), _LEAST_POWER)
            mean += square
            product *= square
            if k & 7 == 7:  # one logarithm for eight bins
                logs += math.log(product)
                product = 1.0
        logs += math.log(product)
        out[3, step] = math.exp(logs / bins) / (mean / bins)
        safe = max(total, 1e-12)
        centre = first / safe
        out[0, step] = centre * hz
        out[1, step] = math.sqrt(max(second / safe - centre * centre, 0.0)) * hz
        reached = 0.0
        at = 0
        for k in range(bins):
            reached += level[step, k]
            if reached >= _ROLLOFF * total:
                at = k
                break
        out[2, step] = at * hz


@njit(nogil=True, cache=True)
def contrast(level: Field, edges: npt.NDArray[np.int64], out: Field) -> None:
    """Decibels between the loudest and the quietest bins of seven bands (Jiang et al., 2002; librosa's quantile).

    Pre: `edges` is (7, 3): first bin, one past the last, and how many bins are "loudest"; `out` is (7, steps).
    """
    low = np.empty(_CANDIDATES)
    high = np.empty(_CANDIDATES)
    for step in range(level.shape[0]):
        for band in range(edges.shape[0]):
            count = edges[band, 2]
            held = 0
            for k in range(edges[band, 0], edges[band, 1]):
                value = level[step, k]
                if held < count:
                    n = held
                    held += 1
                elif value < low[count - 1]:
                    n = count - 1
                else:
                    n = -1
                if n >= 0:
                    while n > 0 and low[n - 1] > value:
                        low[n] = low[n - 1]
                        n -= 1
                    low[n] = value
            held = 0
            for k in range(edges[band, 0], edges[band, 1]):
                value = level[step, k]
                if held < count:
                    n = held
                    held += 1
                elif value > high[count - 1]:
                    n = count - 1
                else:
                    n = -1
                if n >= 0:
                    while n > 0 and high[n - 1] < value:
                        high[n] = high[n - 1]
                        n -= 1
                    high[n] = value
            valley = 0.0
            peak = 0.0
            for n in range(count):
                valley += low[n]
                peak += high[n]
            top = 10.0 * math.log10(max(peak / count, _LEAST_POWER))
            out[band, step] = top - 10.0 * math.log10(max(valley / count, _LEAST_POWER))


@njit(nogil=True, cache=True)
def rises(mel: Field, before: Field, floor: float, edges: npt.NDArray[np.int64], out: Field) -> None:
    """Turn mel bands into decibels in place, and say how much begins at each step: over all bands and in each range.

    Pre: `before` holds the last step of the block before in decibels; `edges` the ranges' first bands and the end;
    `out` is (1 + ranges, steps). Post: `before` holds the last step of this block.
    """
    bands = mel.shape[1]
    for step in range(mel.shape[0]):
        whole = 0.0
        for n in range(edges.shape[0] - 1):
            part = 0.0
            for band in range(edges[n], edges[n + 1]):
                value = 10.0 * math.log10(max(float(mel[step, band]), floor))
                part += max(value - before[band], 0.0)
                before[band] = value
                mel[step, band] = value
            whole += part
            out[1 + n, step] = part / max(edges[n + 1] - edges[n], 1)
        out[0, step] = whole / bands


@njit(nogil=True, cache=True)
def peaks(sound: Field, size: int, out: Field) -> bool:
    """Largest magnitude of each `size` frames of (channels, frames) into `out`; False where a number is not finite."""
    for n in range(out.shape[0]):
        most = np.float32(0.0)
        for channel in range(sound.shape[0]):
            for frame in range(n * size, min((n + 1) * size, sound.shape[1])):
                value = abs(sound[channel, frame])
                if not value < 3e38:
                    return False
                most = max(most, value)
        out[n] = most
    return True


@njit(nogil=True, cache=True)
def attacks(mono: Field, size: int, last: float, out: Field) -> int:
    """Power of the signal's change (its high end) in each `size` frames; returns how often it crosses zero.

    `last` is the sample before the block.
    """
    crossings = 0
    before = np.float32(last)
    for n in range(out.shape[0]):
        total = 0.0
        for frame in range(n * size, min((n + 1) * size, mono.shape[0])):
            value = mono[frame]
            step = value - before
            total += step * step
            crossings += (value < 0.0) != (before < 0.0)
            before = value
        out[n] = total / size
    return crossings


@njit(nogil=True, cache=True)
def weighted(sound: Field, sos: Curve, state: Curve, size: int, out: Curve) -> None:
    """Mean square after two filters (K-weighting), summed over channels, of each whole `size` frames.

    Pre: `sos` is (2, 6) with a0 = 1; `state` (channels, 2, 2) goes on from block to block (transposed direct form II).
    """
    for n in range(out.shape[0]):
        out[n] = 0.0
    for channel in range(sound.shape[0]):
        a, b = state[channel, 0, 0], state[channel, 0, 1]
        c, d = state[channel, 1, 0], state[channel, 1, 1]
        for n in range(-(-sound.shape[1] // size)):
            total = 0.0
            for frame in range(n * size, min((n + 1) * size, sound.shape[1])):
                x = float(sound[channel, frame])
                y = sos[0, 0] * x + a
                a = sos[0, 1] * x - sos[0, 4] * y + b
                b = sos[0, 2] * x - sos[0, 5] * y
                z = sos[1, 0] * y + c
                c = sos[1, 1] * y - sos[1, 4] * z + d
                d = sos[1, 2] * y - sos[1, 5] * z
                total += z * z
            if n < out.shape[0]:
                out[n] += total / size
        # what is too small to hear must not slow the filters down for ever
        state[channel, 0, 0], state[channel, 0, 1] = a if abs(a) > 1e-30 else 0.0, b if abs(b) > 1e-30 else 0.0
        state[channel, 1, 0], state[channel, 1, 1] = c if abs(c) > 1e-30 else 0.0, d if abs(d) > 1e-30 else 0.0


@njit(nogil=True, cache=True)
def between(sound: Field, taps: Field, best: float) -> float:
    """The larger of `best` and the largest magnitude between samples of (channels, frames), interpolated.

    `taps` is (phases, length). The first and last length - 1 frames are only heard through, so blocks overlap by that
    much. Between two samples that are both under half of `best` nothing is looked for: what peaks there so far above
    them lies above a third of the rate, and shows at its neighbours.
    """
    most = np.float32(best)
    length = taps.shape[1]
    middle = length // 2
    for channel in range(sound.shape[0]):
        for start in range(sound.shape[1] - length + 1):
            half = np.float32(0.5) * most
            if abs(sound[channel, start + middle - 1]) < half and abs(sound[channel, start + middle]) < half:
                continue
            for phase in range(taps.shape[0]):
                value = np.float32(0.0)
                for n in range(length):
                    value += taps[phase, n] * sound[channel, start + n]
                most = max(most, abs(value))
    return float(most)


@njit(nogil=True, cache=True)
def pitches(level: Field, hz: float, low: int, high: int, out: Field) -> None:
    """Fold the partials of each spectrum, found to a fraction of a bin, into an octave of 120 steps of 10 cents from C.

    Between bins `low` and `high` a partial is a peak above the RMS of the range; it counts with the square root of its
    level, so that a loud bass does not hide the harmony. Pre: `out` is (steps, 120) zeros.
    """
    for step in range(level.shape[0]):
        total = 0.0
        for k in range(low, high):
            total += float(level[step, k]) * level[step, k]
        floor = math.sqrt(total / (high - low))
        for k in range(low, high):
            at = level[step, k]
            before = level[step, k - 1]
            after = level[step, k + 1]
            if at >= before and at > after and at > floor and at > 1e-7:
                one = math.log(max(before, 1e-12))
                two = math.log(at)
                three = math.log(max(after, 1e-12))
                bend = one - 2.0 * two + three
                shift = 0.5 * (one - three) / bend if bend < -1e-9 else 0.0
                pitch = math.log2((k + shift) * hz / 261.6255653005986) * _STEPS_PER_OCTAVE
                pitch -= math.floor(pitch / _STEPS_PER_OCTAVE) * _STEPS_PER_OCTAVE
                lower = int(pitch)
                share = pitch - lower
                weight = math.sqrt(at)
                out[step, lower % _STEPS_PER_OCTAVE] += weight * (1.0 - share)
                out[step, (lower + 1) % _STEPS_PER_OCTAVE] += weight * share
