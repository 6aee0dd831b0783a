"""Between the kernel and a device of another rate: the device asks, the kernel renders what that takes.

    PortAudio thread --> callback --> how many engine frames? --> render --> history --> windowed sinc --> float32 out
                            '-- what it heard --> `inlet.py` --> engine frames --> `take_input` --^

Owner: PortAudio's thread; `audio/outlet.py` makes the struct before and keeps it alive. The weights are the bank of
`audio/resample.py`: device frame n lies at engine frame n x down / up, and is one sum over a window fixed by n alone,
in a fixed order. So what comes out does not depend on how many frames are asked for at a time.
Units: frames at the engine rate in, at the device's rate out; `half` engine frames pass before a frame can sound.
"""

from typing import Any, Final

import numpy as np
from numba import from_dtype
from numba.core import types

from audio.kernel.atomics import as_address, call_block, double_at, float_at, put_float, record_at
from audio.kernel.callback import UNDERFLOW, follow_clock, monotonic_ns, note_load
from audio.kernel.compiled import c_function, compiled, compiled_as
from audio.kernel.inlet import MADE, Inlet, feed, hear
from audio.kernel.input import take_input
from audio.kernel.layout import State
from audio.units import MOST_CHANNELS

ROOM: Final = 12_288
"""Engine frames that one piece of work has room for, the filter's window among them."""

CHANNELS: Final = MOST_CHANNELS

OUTLET: Final = np.dtype(
    [
        ("state", "<i8"),
        ("inlet", "<i8"),
        ("bank", "<i8"),
        ("up", "<i8"),
        ("down", "<i8"),
        ("half", "<i8"),
        ("rate", "<i8"),
        ("most", "<i8"),
        ("frame", "<i8"),
        ("base", "<i8"),
        ("held", "<i8"),
        ("history", "<f4", (CHANNELS, ROOM)),
        ("rendered", "<f4", (ROOM * CHANNELS,)),
    ],
    align=True,
)
"""A device's end of the kernel. `state`: address of STATE; `inlet`: of an INLET; `bank`: of float64 (up, 2 x half)
weights; `rate`: the device's; `most`: device frames made in one piece; `frame`: the next one; `history` holds `held`
engine frames from number `base` on (counted since the device was opened, silence before 0)."""

Outlet: Any = from_dtype(OUTLET)
_RENDERED: Final = int(OUTLET.fields["rendered"][1])  # type: ignore[index]


@compiled
def _sum(bank: int, history: Any, begin: int, taps: int) -> float:
    """Return the sum of `taps` frames from `begin` on, weighed. Pre: taps is a multiple of 4."""
    a = b = c = d = 0.0
    for tap in range(0, taps, 4):
        a += double_at(bank, tap) * history[begin + tap]
        b += double_at(bank, tap + 1) * history[begin + tap + 1]
        c += double_at(bank, tap + 2) * history[begin + tap + 2]
        d += double_at(bank, tap + 3) * history[begin + tap + 3]
    return (a + c) + (b + d)


@compiled
def _needed(o: Any, count: int) -> int:
    """Return how many engine frames are missing for the next `count` device frames."""
    return (o.frame + count - 1) * o.down // o.up + o.half + 1 - o.base - o.held


@compiled
def _take(o: Any, k: Any, address: int, count: int, hears: bool) -> None:
    """Render `count` engine frames and append them to the history; with the input that belongs to them, if there is
    one."""
    if count <= 0:
        return
    if hears:
        hear(record_at(o.inlet, Inlet), o.inlet, count, k.input_channels)
        take_input(k, o.inlet + MADE, count)
    rendered = address + _RENDERED
    call_block(k.render, o.state, rendered, count)
    channels = k.channels
    for channel in range(channels):
        row = o.history[channel]
        for n in range(count):
            row[o.held + n] = float_at(rendered, n * channels + channel)
    o.held += count


@compiled
def _forget(o: Any, channels: int) -> None:
    """Drop the engine frames that no later device frame needs."""
    gone = o.frame * o.down // o.up - o.half + 1 - o.base
    for channel in range(channels):
        row = o.history[channel]
        for n in range(o.held - gone):
            row[n] = row[n + gone]
    o.base += gone
    o.held -= gone


@compiled_as(types.void(types.intp, types.intp, types.intp, types.intp))
def deliver(address: int, source: int, out: int, frames: int) -> None:
    """Take `source`, float32 (frames, input channels), 0 for none, and fill `out`, float32 (frames, channels), with the
    next `frames` device frames of the OUTLET at `address`.

    Thread-safe: no, one caller at a time. Realtime-safe: yes.
    """
    o = record_at(address, Outlet)
    k = record_at(o.state, State)
    begun = monotonic_ns(o.state, k)
    needed = _needed(o, frames)
    if needed > 0:
        follow_clock(k, begun, needed)
    channels = k.channels
    taps = 2 * o.half
    hears = source != 0 and k.input_channels > 0
    done = 0
    while done < frames:
        count = min(frames - done, o.most)
        if hears:
            feed(record_at(o.inlet, Inlet), source, done, count, k.input_channels)
        _take(o, k, address, _needed(o, count), hears)
        for n in range(count):
            place = (o.frame + n) * o.down
            weights = o.bank + 8 * taps * (place % o.up)
            begin = place // o.up - o.half + 1 - o.base
            for channel in range(channels):
                put_float(
                    out, (done + n) * channels + channel, np.float32(_sum(weights, o.history[channel], begin, taps))
                )
        o.frame += count
        _forget(o, channels)
        done += count
    note_load(o.state, k, begun, frames / o.rate)


@c_function(types.int32(types.voidptr, types.voidptr, types.int64, types.voidptr, types.uint64, types.voidptr))
def _callback(source: Any, out: Any, frames: int, times: Any, flags: int, outlet: Any) -> int:
    """PaStreamCallback: take `source`, if there is one, and fill `out`; `outlet` is the address of an OUTLET."""
    address = as_address(outlet)
    if flags & UNDERFLOW:
        record_at(record_at(address, Outlet).state, State).late_blocks += 1
    if frames > 0:
        deliver(address, as_address(source), as_address(out), frames)
    return 0


CALLBACK: Final = int(_callback.address)
"""Address of a PaStreamCallback for a stream of float32, interleaved, whose user data is an OUTLET."""
