"""Compiled beat tracking: the best row of beats through onsets when the period may change from step to step.

Owner: `beats`; imported only where audio is analysed, since it loads Numba.
Source: Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research 36, 2007, with a period that is a
curve.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Curve = npt.NDArray[np.float64]


@njit(nogil=True, cache=True)
def row(onsets: Curve, period: Curve, tightness: float) -> npt.NDArray[np.int64]:
    """Steps of the beats, from the first step that has a beat before it to the last.

    Pre: `onsets` has a spread of about 1, `period` is in steps. A beat `tau` steps after the one before costs
    tightness * ln(tau / period)^2.
    """
    count = onsets.shape[0]
    score = np.zeros(count)
    back = np.full(count, -1, np.int64)
    for step in range(count):
        p = period[step]
        best = 0.0
        at = -1
        low = max(1, int(p * 0.5))
        for tau in range(low, int(p * 2.0) + 1):
            if step - tau < 0:
                break
            off = math.log(tau / p)
            value = score[step - tau] - tightness * off * off
            if at < 0 or value > best:
                best = value
                at = step - tau
        if at >= 0 and best > 0.0:
            score[step] = onsets[step] + best
            back[step] = at
        else:
            score[step] = onsets[step]
    last = count - 1
    for step in range(max(0, count - int(period[count - 1]) - 1), count):
        if score[step] >= score[last]:
            last = step
    found = np.empty(count, np.int64)
    n = 0
    step = last
    while step >= 0:
        found[n] = step
        n += 1
        step = back[step]
    return found[:n][::-1].copy()


@njit(nogil=True, cache=True)
def path(score: Curve, cost: float) -> npt.NDArray[np.int64]:
    """The best state at each time of `score` (times, states), when moving by k states costs cost * k (Viterbi)."""
    times, states = score.shape
    total = score[0].copy()
    back = np.zeros((times, states), np.int64)
    for t in range(1, times):
        best = total.copy()
        came = np.arange(states)
        for n in range(1, states):  # a linear cost lets one sweep each way find the best predecessor
            if best[n - 1] - cost > best[n]:
                best[n] = best[n - 1] - cost
                came[n] = came[n - 1]
        for n in range(states - 2, -1, -1):
            if best[n + 1] - cost > best[n]:
                best[n] = best[n + 1] - cost
                came[n] = came[n + 1]
        for n in range(states):
            total[n] = best[n] + score[t, n]
            back[t, n] = came[n]
    found = np.empty(times, np.int64)
    found[times - 1] = np.argmax(total)
    for t in range(times - 1, 0, -1):
        found[t - 1] = back[t, found[t]]
    return found
