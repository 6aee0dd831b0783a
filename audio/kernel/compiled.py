"""How the kernel is compiled: without the GIL, without exceptions, kept on disk.

Numba's cache of a function notices a change in that function's own file, not in the files of what it calls; so the
kernel's cache lies in a folder named by a hash of all its sources, and a change anywhere compiles all of it again.

Owner: the first process to import the kernel after a change. Thread-safe: no. Realtime-safe: no.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.extending import intrinsic

from audio.kernel.drafts import Draft, Whole, canonical, short_names

_config: Any = numba.config
_HERE: Final = Path(__file__).resolve().parent
_SHARED: Final = ("commands.py", "rings.py", "units.py")
_NO_WRAPPERS: Final[Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_STALE_S: Final = 86_400.0

Single = Any
"""A float32 in compiled code, where a Python float and a NumPy number are not told apart as a type checker does."""

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def _cache_folder() -> str:
    digest = hashlib.sha256(f"{numba.__version__}".encode())
    for source in sorted([*_HERE.glob("*.py"), *(_HERE.parent / name for name in _SHARED)]):
        digest.update(source.read_bytes())
    name = f"kernel-{digest.hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sound-forge-alchemy"
    for place in (_HERE / "__pycache__", home, Path(tempfile.gettempdir())):
        folder = place / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            continue
        _forget_old(place, name)
        return str(folder)
    return ""


def _forget_old(place: Path, name: str) -> None:
    """Remove caches of sources that are gone, once nobody has used them for a day."""
    for other in place.glob("kernel-*"):
        try:
            if other.name != name and time.time() - other.stat().st_mtime > _STALE_S:
                shutil.rmtree(other)
        except OSError:
            continue


def _decorate(wrap: Callable[[Any], Any], function: Any) -> Any:
    before = _config.CACHE_DIR
    _config.CACHE_DIR = _cache_folder()
    try:
        with short_names():
            return wrap(function)
    finally:
        _config.CACHE_DIR = before


def compiled(function: Function) -> Function:
    """Make an inner function of the kernel: one that compiled code calls, and Python does not."""
    made = specialised(function)
    canonical(made)
    return made


def specialised(function: Function) -> Function:
    """Make an inner function that is compiled for each constant it is called with."""
    made: Function = numba.njit(pipeline_class=Draft, error_model="numpy", nogil=True, **_NO_WRAPPERS)(function)
    return made


def plain(function: Function) -> Function:
    """Return the Python that an inner function is made of, to be called with NumPy's records."""
    made: Function = getattr(function, "py_func", function)
    return made


def compiled_as(signature: Any) -> Callable[[Function], Function]:
    """Compile an entry point of the kernel, which Python calls, with `signature`, at once."""

    def wrap(function: Function) -> Function:
        made: Function = _decorate(
            numba.njit(signature, cache=True, nogil=True, error_model="numpy", pipeline_class=Whole), function
        )
        return made

    return wrap


def c_function(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function as one that C can call, at once; its `address` is the pointer."""
    return lambda function: _decorate(
        numba.cfunc(signature, cache=True, error_model="numpy", pipeline_class=Whole), function
    )


def in_llvm(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a Numba intrinsic of `function`, which writes LLVM code and is called without its first argument."""
    made: Callable[..., Any] = intrinsic(function)
    return made
