"""Numba, loaded without SciPy: compiled code here multiplies no matrices, and SciPy's linear algebra takes a third of a
second of every start.

Owner: the process that wants to start quickly imports it before anything else that imports Numba.
"""

import sys
from typing import Final

__all__ = ["njit"]

_SCIPY: Final = "scipy"


def _load() -> None:
    if _SCIPY in sys.modules:
        return
    # None makes an import fail, and Numba then does without: it looks while its array functions load, and never again.
    sys.modules[_SCIPY] = None  # type: ignore[assignment]
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules[_SCIPY]


_load()

from numba import njit  # noqa: E402  after _load
