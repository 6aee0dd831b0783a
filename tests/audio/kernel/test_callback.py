"""Those who call the kernel in time: the C callback and the null device's loop."""

import ctypes
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numba.core import types

from audio.commands import CommandKind, command
from audio.host import KernelHost, SlotMemory
from audio.kernel.atomics import load_acquire, record_at
from audio.kernel.callback import follow_clock
from audio.kernel.compiled import compiled_as
from audio.kernel.denormals import FLUSH, float_mode, set_float_mode
from audio.kernel.layout import State
from tests.audio.kernel.listening import constant, host_with, on, tone

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p
)
UNDERFLOW = 4
BLOCK = 64


def call(host: KernelHost, frames: int, flags: int = 0) -> np.ndarray:
    """Call the callback as PortAudio does."""
    out = np.full((frames, host.channels), np.nan, np.float32)
    assert CALLBACK(host.callback)(None, out.ctypes.data, frames, None, flags, host.state_pointer) == 0
    return out


def test_the_callback_renders_the_same_as_the_host() -> None:
    sent = [on(), command(CommandKind.DECK_RATE, a=1.0371)]
    live, offline = host_with(tone(20_000), *sent), host_with(tone(20_000), *sent)
    played = np.concatenate([call(live, 128) for _ in range(50)])
    assert np.array_equal(played, offline.render(50 * 128))


def test_the_callback_counts_underflows_and_measures_itself() -> None:
    host = host_with(tone(20_000), on())
    for turn in range(20):
        call(host, 128, UNDERFLOW if turn % 4 == 0 else 0)
    snapshot = host.snapshot()
    assert int(snapshot["late_blocks"]) == 5
    assert int(snapshot["blocks"]) == 20
    assert 0.0 < float(snapshot["load"]) <= float(snapshot["load_peak"])


def test_the_callback_publishes_the_clock() -> None:
    host = KernelHost()
    host.block["clock"]["latency_frames"] = 256
    before = time.monotonic_ns()
    call(host, 128)
    call(host, 128)
    pair = host.clock.read()
    assert before <= pair.monotonic_ns <= time.monotonic_ns() + 10_000_000
    assert pair.frame == 128
    assert pair.latency_frames == 256
    assert pair.rate == pytest.approx(48_000, rel=0.2)


@compiled_as(types.void(types.intp, types.int64, types.int64))
def tick(address: int, now_ns: int, frames: int) -> None:
    """Tell the clock that a block of `frames` began, and let them pass."""
    k = record_at(address, State)
    follow_clock(k, now_ns, frames)
    k.frame += frames


@pytest.mark.parametrize("drift", [0.0, 1e-4, -1e-4])
def test_the_clock_smooths_wake_ups_and_finds_the_device_rate(drift: float) -> None:
    host, random = KernelHost(), np.random.default_rng(5)
    start, frame, errors = 1_000_000_000_000, 0, []
    for block in range(12_000):
        # Threads wake late, never early; block sizes vary as PortAudio's may.
        frames = int(random.choice([64, 128, 192]))
        true = start + frame * 1e9 / (48_000 * (1 + drift))
        tick(host.state_pointer, int(true + random.exponential(200_000)), frames)
        pair = host.clock.read()
        assert pair.frame == frame
        if block > 8000:
            errors.append(pair.monotonic_ns - true)
        frame += frames
    assert pair.rate == pytest.approx(48_000 * (1 + drift), rel=3e-5)
    # Of the wake-ups' 200 us of jitter a tenth is left; their mean is a latency like any other.
    assert np.std(errors) < 20_000
    assert np.mean(errors) == pytest.approx(200_000, abs=40_000)


def test_the_clock_starts_afresh_after_a_sleep() -> None:
    host = KernelHost()
    for now in (1_000_000_000, 1_002_666_667, 9_000_000_000):
        tick(host.state_pointer, now, 128)
        assert host.clock.read().monotonic_ns == pytest.approx(now, abs=10)


@pytest.fixture
def playing() -> Iterator[KernelHost]:
    host = host_with(constant(480_000, 0.25), on())
    thread = threading.Thread(target=host.run_null, args=(BLOCK,))
    thread.start()
    yield host
    host.stop()
    thread.join(10)
    assert not thread.is_alive()


def wait_for_frame(host: KernelHost, frame: int) -> None:
    """Wait until the host has rendered `frame`; the test's own timeout ends a wait in vain."""
    while host.frame < frame:
        threading.Event().wait(0.002)


def test_the_null_device_keeps_time_without_the_gil() -> None:
    host = host_with(constant(480_000, 0.25), on())
    begun = time.monotonic()
    thread = threading.Thread(target=host.run_null, args=(BLOCK,))
    thread.start()
    # This thread holds the GIL all the while, so a loop that needed it would hardly move.
    while host.frame < 4800:
        pass
    frame = host.frame
    # Never ahead of time but by the block that is due.
    assert frame <= (time.monotonic() - begun) * 48_000 + BLOCK
    host.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert host.frame % BLOCK == 0


def test_snapshots_are_whole_while_the_kernel_writes(playing: KernelHost) -> None:
    last = -1
    for _ in range(3000):
        snapshot = playing.snapshot()
        frame, position = int(snapshot["frame"]), float(snapshot["decks"][0]["position"])
        assert position == frame
        assert frame >= last
        last = frame


def test_memory_is_given_back_only_after_the_kernel_let_go(playing: KernelHost) -> None:
    wait_for_frame(playing, 640)
    first = playing._held.memories.copy()
    assert playing.collect() == []
    playing.load(0, 2, SlotMemory.whole(constant(480_000, 0.5)))
    assert playing.holds == 2
    gone: list[SlotMemory] = []
    while not gone:
        gone = playing.collect()
    assert [memory.audio.ctypes.data for memory in gone] == list(first)
    # Longer than the fade of 240 frames: the old track was heard to its end.
    events = playing.events()
    assert int(events[-1]["frame"]) >= 240
    assert playing.holds == 1


@compiled_as(types.float32(types.intp, types.float64, types.boolean))
def smallest_half(address: int, value: float, flush: bool) -> float:
    """Return half of a number that is as small as normal numbers get, with and without denormals."""
    mode = float_mode()
    if flush:
        set_float_mode(mode | FLUSH)
    # The load keeps the compiler from reckoning it out beforehand.
    result = np.float32(value) * np.float32(0.5 + 0.0 * load_acquire(address))
    set_float_mode(mode)
    return float(result)


@pytest.mark.skipif(FLUSH == 0, reason="this processor's control word is not known")
def test_denormals_are_flushed_in_the_kernel_and_nowhere_else() -> None:
    word = np.zeros(1, np.int64)
    tiny = float(np.finfo(np.float32).tiny)
    assert smallest_half(int(word.ctypes.data), tiny, False) > 0.0
    assert smallest_half(int(word.ctypes.data), tiny, True) == 0.0
    # A track so quiet that every product is denormal leaves nothing, and Python's own numbers are as before.
    sound = np.full((9000, 2), 1e-38, np.float32)
    out = host_with(sound, on(), command(CommandKind.DECK_VOLUME, a=0.1)).render(1000)
    assert not out.any()
    assert np.float32(tiny) * np.float32(0.5) > 0.0
