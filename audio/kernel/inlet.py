"""Input of a device of another rate: what it hears, resampled to the engine's frames as they are rendered.

    device frames --> history --> windowed sinc --> engine frames --> `take_input`

Owner: PortAudio's thread, within `audio/kernel/outlet.py`; `audio/outlet.py` makes the struct before. Engine frame n
lies at device frame n x down / up - `late`: so late that everything it needs has been heard when the outlet, which
renders ahead of the device, wants it. The sum of each frame is over a window fixed by n alone, as the outlet's.
Units: frames at the device's rate in, at the engine rate out.
"""

from typing import Any, Final

import numpy as np
from numba import from_dtype

from audio.kernel.atomics import double_at, float_at, put_float
from audio.kernel.compiled import compiled
from audio.kernel.lane_rows import TOO_LOUD
from audio.units import CHANNELS

ROOM: Final = 12_288
"""Device frames that are kept, the filter's window among them."""

INLET: Final = np.dtype(
    [
        ("bank", "<i8"),
        ("up", "<i8"),
        ("down", "<i8"),
        ("half", "<i8"),
        ("frame", "<i8"),
        ("base", "<i8"),
        ("held", "<i8"),
        ("history", "<f4", (CHANNELS, ROOM)),
        ("made", "<f4", (ROOM * CHANNELS,)),
    ],
    align=True,
)
"""A device's input. `bank`: address of float64 (up, 2 x half) weights; `frame`: the next engine frame since the device
was opened; `history` holds `held` device frames from number `base` on, silence before those that were heard."""

Inlet: Any = from_dtype(INLET)
MADE: Final = int(INLET.fields["made"][1])  # type: ignore[index]
"""Offset in bytes of what `hear` makes."""
_SILENCE: Final = np.float32(0.0)


@compiled
def feed(i: Any, source: int, begin: int, count: int, channels: int) -> None:
    """Append `count` frames from frame `begin` of `source`, float32 (frames, channels); what is no sound is silence."""
    count = min(count, ROOM - i.held)
    for channel in range(CHANNELS):
        of = min(channel, channels - 1)
        row = i.history[channel]
        for n in range(count):
            value = float_at(source, (begin + n) * channels + of)
            row[i.held + n] = value if abs(value) < TOO_LOUD else _SILENCE
    i.held += count


@compiled
def _sum(bank: int, row: Any, begin: int, taps: int) -> float:
    a = b = 0.0
    for tap in range(0, taps, 2):
        a += double_at(bank, tap) * row[begin + tap]
        b += double_at(bank, tap + 1) * row[begin + tap + 1]
    return a + b


@compiled
def hear(i: Any, address: int, count: int, channels: int) -> None:
    """Make the next `count` engine frames, float32 (count, channels) at MADE of the INLET at `address`, and forget what
    no later one needs. Pre: their device frames were fed."""
    taps = 2 * i.half
    for n in range(count):
        place = (i.frame + n) * i.down
        weights = i.bank + 8 * taps * (place % i.up)
        begin = place // i.up - i.half + 1 - i.base
        for channel in range(channels):
            value = _SILENCE
            if begin + taps <= i.held:
                value = np.float32(_sum(weights, i.history[channel], begin, taps))
            put_float(address + MADE, n * channels + channel, value)
    i.frame += count
    gone = min(i.held, max(0, i.frame * i.down // i.up - i.half + 1 - i.base))
    for channel in range(CHANNELS):
        row = i.history[channel]
        for n in range(i.held - gone):
            row[n] = row[n + gone]
    i.base += gone
    i.held -= gone
