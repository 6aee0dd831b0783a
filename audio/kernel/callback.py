"""Who calls the kernel in time: the sound card's callback, and the null device's loop. Both without the GIL.

    PortAudio thread --> callback --.
                                    +--> clock pair, load --> render --> float32 out
    null device loop ---------------'

Owner: PortAudio's thread, or the one Python thread that runs `null_loop`. The clock pair is filtered by a
delay-locked loop (Adriaensen, "Using a DLL to filter time", LAC 2005), so that it does not jitter with the wake-ups
of the thread.
Units: the system's monotonic clock (the one of `time.monotonic_ns`) in nanoseconds; frames at the engine rate.
"""

import sys
from math import pi, sqrt
from typing import Any, Final

from numba.core import types

from audio.kernel.atomics import as_address, fence, load_acquire, record_at, store_release
from audio.kernel.compiled import c_function, compiled, compiled_as
from audio.kernel.input import take_input
from audio.kernel.layout import ADDRESS, Clock, State
from audio.kernel.render import render

_LINUX: Final = sys.platform.startswith("linux")
# macOS: CLOCK_UPTIME_RAW is the mach clock, which Python's monotonic clock reads.
_MONOTONIC: Final = 1 if _LINUX else 8
_ABSOLUTE: Final = 1
_TIMESPEC: Final = ADDRESS["timespec"]
_STOP: Final = ADDRESS["stop"]
UNDERFLOW: Final = 4
"""PortAudio's flag: the block before came too late."""

_BANDWIDTH_HZ: Final = 0.1
_START_HZ: Final = 1.0
_WIDEST: Final = 0.2
_LOST_NS: Final = 100_000_000.0
_LOAD_S: Final = 1.0
_LOAD_PEAK_S: Final = 5.0

# Looked up in the C library by name, so that compiled code can be kept on disk. clock_gettime does not enter the
# system (vDSO).
_clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.intp))
_nanosleep: Any = types.ExternalFunction("nanosleep", types.int32(types.intp, types.intp))
_clock_nanosleep: Any = (
    types.ExternalFunction("clock_nanosleep", types.int32(types.int32, types.int32, types.intp, types.intp))
    if _LINUX
    else _nanosleep
)


@compiled
def monotonic_ns(address: int, k: Any) -> int:
    """Return the monotonic clock."""
    _clock_gettime(_MONOTONIC, address + _TIMESPEC)
    return k.timespec[0] * 1_000_000_000 + k.timespec[1]


@compiled
def follow_clock(k: Any, now_ns: int, frames: int) -> None:
    """Filter the time at which a block of `frames` began, and publish it with its frame.

    The loop starts wide, so that it finds the device's beat soon, and narrows down to _BANDWIDTH_HZ.
    """
    error = now_ns - k.loop_started - k.loop_next
    if k.loop_period == 0.0 or abs(error) > _LOST_NS:
        k.loop_started = now_ns
        k.loop_time = 0.0
        k.loop_period = 1e9 / k.rate
        k.loop_next = frames * k.loop_period
    else:
        bandwidth = max(_BANDWIDTH_HZ, _START_HZ / (1.0 + k.loop_time * 1e-9))
        omega = min(_WIDEST, 2.0 * pi * bandwidth * frames / k.rate)
        k.loop_time = k.loop_next
        k.loop_next += sqrt(2.0) * omega * error + frames * k.loop_period
        k.loop_period += omega * omega * error / frames
    clock = record_at(k.clock, Clock)
    sequence = load_acquire(k.clock)
    store_release(k.clock, sequence | 1)
    fence()
    clock.frame = k.frame
    clock.monotonic_ns = k.loop_started + int(k.loop_time)
    clock.rate = 1e9 / k.loop_period
    store_release(k.clock, (sequence | 1) + 1)


@compiled
def note_load(address: int, k: Any, begun: int, block_s: float) -> None:
    """Take down how much of a block of `block_s` has passed since `begun`."""
    busy = (monotonic_ns(address, k) - begun) * 1e-9 / block_s
    k.load += (busy - k.load) * min(1.0, block_s / _LOAD_S)
    k.load_peak = max(busy, k.load_peak - k.load_peak * min(1.0, block_s / _LOAD_PEAK_S))


@compiled
def _timed(address: int, source: int, out: int, frames: int) -> None:
    """Take what the device has heard, 0 for nothing, and render one block, on the clock."""
    k = record_at(address, State)
    begun = monotonic_ns(address, k)
    follow_clock(k, begun, frames)
    take_input(k, source, frames)
    render(address, out, frames)
    note_load(address, k, begun, frames / k.rate)


@c_function(types.int32(types.voidptr, types.voidptr, types.int64, types.voidptr, types.uint64, types.voidptr))
def _callback(source: Any, out: Any, frames: int, times: Any, flags: int, state: Any) -> int:
    """PaStreamCallback: take `source`, if there is one, and fill `out`; `state` is the host's `state_pointer`."""
    address = as_address(state)
    if flags & UNDERFLOW:
        record_at(address, State).late_blocks += 1
    if frames > 0:
        _timed(address, as_address(source), as_address(out), frames)
    return 0


CALLBACK: Final = int(_callback.address)
"""Address of a PaStreamCallback for a stream of float32, interleaved: as many output channels as the host has, and as
many of input."""


@compiled_as(types.int64(types.intp, types.intp, types.int64))
def null_loop(address: int, out: int, frames: int) -> int:
    """Render blocks of `frames` to address `out` at the times a sound card would ask, until the state's `stop` is set.

    Deadlines are absolute, so lateness does not add up; a loop that is more than a block late counts it, and one that
    is a tenth of a second late (the machine slept) starts afresh. Returns the blocks rendered.
    """
    k = record_at(address, State)
    started = monotonic_ns(address, k)
    base = k.frame
    blocks = 0
    while load_acquire(address + _STOP) == 0:
        due = started + int((k.frame - base) * 1e9 / k.rate)
        now = monotonic_ns(address, k)
        if now < due:
            if _LINUX:
                k.timespec[0] = due // 1_000_000_000
                k.timespec[1] = due % 1_000_000_000
                _clock_nanosleep(_MONOTONIC, _ABSOLUTE, address + _TIMESPEC, 0)
            else:
                k.timespec[0] = (due - now) // 1_000_000_000
                k.timespec[1] = (due - now) % 1_000_000_000
                _nanosleep(address + _TIMESPEC, 0)
            continue
        if now - due > int(frames * 1e9 / k.rate):
            k.late_blocks += 1
        if now - due > _LOST_NS:
            started = now
            base = k.frame
        _timed(address, 0, out, frames)
        blocks += 1
    return blocks
