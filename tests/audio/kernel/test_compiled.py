"""How the kernel is compiled: what entry points call is not compiled on its own, and is shared."""

import numpy as np
import pytest
from numba.core import types

from audio.kernel.compiled import compiled, compiled_as, plain, specialised
from audio.kernel.ramps import clamp


@compiled
def double(value: int) -> int:
    """Return twice the value."""
    return value + value


@specialised
def triple(value: int) -> int:
    """Return three times the value."""
    return 3 * value


@compiled
def inner(small: int, value: int) -> int:
    """Return a sum of calls with a constant, a narrow and a wide number."""
    return double(7) + double(small) + double(value) + triple(2)


@compiled_as(types.int64(types.uint8, types.int64))
def entry(small: int, value: int) -> int:
    """Return what `inner` does."""
    return inner(small, value)


def test_an_entry_point_calls_inner_functions_through_each_other() -> None:
    assert entry(np.uint8(200), 1000) == 14 + 400 + 2000 + 6, "a byte is not doubled as a byte"


def test_an_inner_function_refuses_to_be_called_from_python() -> None:
    with pytest.raises(TypeError, match="bad argument"):
        double(1)
    assert plain(clamp)(3.0, 0.0, 1.0) == 1.0
