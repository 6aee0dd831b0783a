"""How far each part of a spectrum is turned, so that a grain goes on where the one before it left off.

    spectra of the reference: before (a hop earlier), now, old (the last grain's) --> peaks --> one rotation a bin

Every bin is turned with the peak whose region it lies in. A peak that is much stronger than it was begins afresh.

Owner: the stretcher of the line. Units: rotations are complex numbers of size 1; energies linear.
"""

from math import sqrt
from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.stretch_layout import BINS, GRAIN

_BORN: Final = np.float32(4.0)
"""A peak whose energy has grown by this much over a hop begins afresh."""


@compiled
def unpack(real: Any, imaginary: Any, out: Any) -> None:
    """Part the spectrum of left + i right into left (rows 0, 1: real, imaginary) and right (rows 2, 3)."""
    half = np.float32(0.5)
    for k in range(BINS):
        m = (GRAIN - k) & (GRAIN - 1)
        out[0, k] = half * (real[k] + real[m])
        out[1, k] = half * (imaginary[k] - imaginary[m])
        out[2, k] = half * (imaginary[k] + imaginary[m])
        out[3, k] = half * (real[m] - real[k])


@compiled
def _correlate(a: Any, b: Any, k: int) -> Any:
    """Return the sum over left and right of a x conj(b) in bin k."""
    real = a[0, k] * b[0, k] + a[1, k] * b[1, k] + a[2, k] * b[2, k] + a[3, k] * b[3, k]
    imaginary = a[1, k] * b[0, k] - a[0, k] * b[1, k] + a[3, k] * b[2, k] - a[2, k] * b[3, k]
    return real, imaginary


@compiled
def _power(a: Any, k: int) -> Any:
    return a[0, k] * a[0, k] + a[1, k] * a[1, k] + a[2, k] * a[2, k] + a[3, k] * a[3, k]


@compiled
def _turned(line: Any, k: int) -> Any:
    """Return the rotation that lets the peak in bin k go on from the grain before."""
    if line.energy[k] > _BORN * _power(line.before, k):
        return np.float32(1.0), np.float32(0.0)
    ar, ai = _correlate(line.old, line.now, k)
    br, bi = _correlate(line.now, line.before, k)
    cr, ci = ar * br - ai * bi, ar * bi + ai * br
    qr, qi = line.rotation[0, k], line.rotation[1, k]
    real, imaginary = float(cr * qr - ci * qi), float(cr * qi + ci * qr)
    size = sqrt(real * real + imaginary * imaginary)
    if not size > 0.0:
        return qr, qi
    return np.float32(real / size), np.float32(imaginary / size)


@compiled
def _is_peak(energy: Any, k: int) -> bool:
    e = energy[k]
    return e > energy[k - 1] and e >= energy[k + 1] and e > energy[k - 2] and e >= energy[k + 2]


@compiled
def rotate_all(line: Any) -> None:
    """Find every bin's rotation: that of the peak whose region it lies in."""
    energy, rotation = line.energy, line.rotation
    for k in range(BINS):
        energy[k] = _power(line.now, k)
    last, start = -1, 0
    real, imaginary = np.float32(1.0), np.float32(0.0)
    for k in range(2, BINS - 2):
        if not _is_peak(energy, k):
            continue
        # The peak's rotation is read before any region is written over it: regions end before it.
        next_real, next_imaginary = _turned(line, k)
        stop = 0
        if last >= 0:
            stop = last + 1
            for m in range(last + 1, k):
                if energy[m] < energy[stop]:
                    stop = m
            for m in range(start, stop):
                rotation[0, m], rotation[1, m] = real, imaginary
        start, last = stop, k
        real, imaginary = next_real, next_imaginary
    if last >= 0:
        for m in range(start, BINS):
            rotation[0, m], rotation[1, m] = real, imaginary
    for k in (0, BINS - 1):
        rotation[0, k], rotation[1, k] = np.float32(1.0), np.float32(0.0)
