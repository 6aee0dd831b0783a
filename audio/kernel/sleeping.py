"""Sleep in compiled code, for threads that are not the callback's.

Owner: the calling thread. Units: nanoseconds.
"""

from typing import Any

from numba.core import types

from audio.kernel.atomics import store_release
from audio.kernel.compiled import compiled

# Looked up in the C library by name, so that compiled code can be kept on disk.
_nanosleep: Any = types.ExternalFunction("nanosleep", types.int32(types.intp, types.intp))


@compiled
def sleep_ns(timespec: int, duration_ns: int) -> None:
    """Sleep for less than a second; `timespec` is the address of room for two words. Realtime-safe: no."""
    store_release(timespec, 0)
    store_release(timespec + 8, duration_ns)
    _nanosleep(timespec, 0)
