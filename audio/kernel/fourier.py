"""A complex Fourier transform of one fixed length, for the stretcher.

Radix 4, self-sorting after Stockham (Van Loan, "Computational Frameworks for the Fast Fourier Transform", 1992):
every pass reads one pair of rows and writes the other, in an order that vectors like.

Owner: the caller's rows. Deterministic: the same rows give the same bits. Realtime-safe: yes.
Units: float32; real and imaginary parts in rows of their own.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.kernel.compiled import compiled, specialised

LENGTH: Final = 4096
"""Six passes of radix 4."""


def turns() -> npt.NDArray[np.float32]:
    """Return e^(-2 pi i n / LENGTH), float32 (2, LENGTH): real parts, imaginary parts."""
    angle = -2.0 * np.pi * np.arange(LENGTH) / LENGTH
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


@compiled
def _first_pass(x: Any, y: Any, u: Any, v: Any, turn: Any) -> None:
    """The pass whose butterflies lie next to each other."""
    quarter = LENGTH // 4
    for p in range(quarter):
        ar, ai = x[p], y[p]
        br, bi = x[p + quarter], y[p + quarter]
        cr, ci = x[p + 2 * quarter], y[p + 2 * quarter]
        dr, di = x[p + 3 * quarter], y[p + 3 * quarter]
        sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
        er, ei, fr, fi = br + dr, bi + di, bi - di, dr - br
        u[4 * p], v[4 * p] = sr + er, si + ei
        gr, gi = tr + fr, ti + fi
        u[4 * p + 1] = gr * turn[0, p] - gi * turn[1, p]
        v[4 * p + 1] = gr * turn[1, p] + gi * turn[0, p]
        gr, gi = sr - er, si - ei
        u[4 * p + 2] = gr * turn[0, 2 * p] - gi * turn[1, 2 * p]
        v[4 * p + 2] = gr * turn[1, 2 * p] + gi * turn[0, 2 * p]
        gr, gi = tr - fr, ti - fi
        u[4 * p + 3] = gr * turn[0, 3 * p] - gi * turn[1, 3 * p]
        v[4 * p + 3] = gr * turn[1, 3 * p] + gi * turn[0, 3 * p]


@specialised
def _pass(x: Any, y: Any, u: Any, v: Any, turn: Any, stride: int) -> None:
    quarter = LENGTH // 4 // stride
    for p in range(quarter):
        w1r, w1i = turn[0, p * stride], turn[1, p * stride]
        w2r, w2i = turn[0, 2 * p * stride], turn[1, 2 * p * stride]
        w3r, w3i = turn[0, 3 * p * stride], turn[1, 3 * p * stride]
        a, b = stride * p, stride * (p + quarter)
        c, d = stride * (p + 2 * quarter), stride * (p + 3 * quarter)
        out = 4 * stride * p
        for q in range(stride):
            ar, ai, cr, ci = x[a + q], y[a + q], x[c + q], y[c + q]
            br, bi, dr, di = x[b + q], y[b + q], x[d + q], y[d + q]
            sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
            er, ei, fr, fi = br + dr, bi + di, bi - di, dr - br
            u[out + q], v[out + q] = sr + er, si + ei
            gr, gi = tr + fr, ti + fi
            u[out + stride + q] = gr * w1r - gi * w1i
            v[out + stride + q] = gr * w1i + gi * w1r
            gr, gi = sr - er, si - ei
            u[out + 2 * stride + q] = gr * w2r - gi * w2i
            v[out + 2 * stride + q] = gr * w2i + gi * w2r
            gr, gi = tr - fr, ti - fi
            u[out + 3 * stride + q] = gr * w3r - gi * w3i
            v[out + 3 * stride + q] = gr * w3i + gi * w3r


@compiled
def transform(x: Any, y: Any, u: Any, v: Any, turn: Any) -> None:
    """Transform `x` + i `y` (float32, LENGTH each) in place; `u` and `v` are room of the same size.

    With real and imaginary parts given the other way round it is the inverse, times LENGTH.
    """
    _first_pass(x, y, u, v, turn)
    _pass(u, v, x, y, turn, 4)
    _pass(x, y, u, v, turn, 16)
    _pass(u, v, x, y, turn, 64)
    _pass(x, y, u, v, turn, 256)
    _pass(u, v, x, y, turn, 1024)
