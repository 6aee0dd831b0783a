"""How this package's processes are started: the same Python, the same sources, from any working folder.

Owner: nobody. Units: none.
"""

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(signum: int) -> Callable[[], None] | None:
    """Return what a child does before it becomes its program: ask for `signum` when we die.

    For `preexec_fn`, from a thread that lives as long as the process: the signal follows the thread. Linux only.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line of `python -m module`; what lies in the working folder is never imported."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return this process's environment, with these sources first and no thread pools that nobody uses."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_ONE_THREAD, "1")}
