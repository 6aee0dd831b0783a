"""Keylock in a running engine: its stretcher's threads keep up, jumps sound, and everything ends with the engine."""

import os
import sys
import threading
import time
from pathlib import Path

import anyio
import numpy as np
import pytest

from audio.client import EngineClient
from audio.commands import CommandKind, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.stretch_layout import CAPACITY, HOP, LINE
from audio.realtime import go_ordinary, used_s
from audio.stretcher import LARGEST_BLOCK, Stretchers
from audio.units import DECKS
from tests.audio.engines import deck_source, play_from, record, running_engine, until
from tests.audio.material import Audio

pytestmark = pytest.mark.anyio
RATE = 48_000


def song(seconds: float, hz: float) -> Audio:
    """A tone, stereo, at 48 kHz."""
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave], axis=1)


def hertz(sound: Audio) -> float:
    level = np.abs(np.fft.rfft(sound[:, 0].astype(np.float64) * np.hanning(len(sound)), 1 << 20))
    return float(level.argmax()) * RATE / (1 << 20)


async def test_a_playing_engine_keeps_the_key_and_shifts_it(tmp_path: Path) -> None:
    async with running_engine() as (client, _, _):
        await client.load(0, 7, deck_source(tmp_path / "a.flac", song(60, 440.0), rate=RATE))
        client.send(join([command(CommandKind.DECK_KEYLOCK, 0, a=1), command(CommandKind.DECK_RATE, 0, a=0.8)]))
        start = await play_from(client, 0, 0)
        await until(lambda: int(client.snapshot()["decks"][0]["stretched"]) == 1)
        before = client.snapshot()
        assert float(before["decks"][0]["position"]) == pytest.approx(0.8 * (int(before["frame"]) - start), abs=300)
        frame = client.clock().frame + 4_800
        assert await settled_hertz(client, frame) == pytest.approx(440.0, abs=0.25)
        client.send(command(CommandKind.DECK_PITCH, 0, a=3.0))
        frame = client.clock().frame + 12_000
        assert await settled_hertz(client, frame) == pytest.approx(440.0 * 2 ** (3 / 12), abs=0.25)
        # Back at the recorded speed there is nothing to do, and the sound is the track's own.
        client.send(join([command(CommandKind.DECK_PITCH, 0, a=0.0), command(CommandKind.DECK_RATE, 0, a=1.0)]))
        await until(lambda: int(client.snapshot()["decks"][0]["stretched"]) == 0)


async def settled_hertz(client: EngineClient, frame: int) -> float:
    """Return the tone of a stretch that was stretched all along; a busy machine may need another."""
    for _ in range(20):
        lost = int(client.snapshot()["stretch_lost"])
        heard = await record(client, frame, RATE)
        if int(client.snapshot()["stretch_lost"]) == lost:
            return hertz(heard)
        frame += 2 * RATE
    raise AssertionError("the stretcher never kept up for a second")


async def test_threads_begin_with_the_first_use_and_end_with_the_last() -> None:
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(song(4, 440.0).astype(np.float32)))
    host.send(join([command(CommandKind.DECK_PLAY, a=1), command(CommandKind.DECK_RATE, a=1.3)]))
    host.render(1_024)
    host.stretchers.tend()
    assert host.stretchers.running == 0
    host.send(command(CommandKind.DECK_KEYLOCK, a=1))
    host.render(1_024)
    host.stretchers.tend()
    host.stretchers.tend()
    assert (host.stretchers.running, host.stretchers.started) == (1, 1)
    host.send(command(CommandKind.DECK_KEYLOCK, a=0))
    host.render(1_024)
    await until(lambda: host.stretchers.running == 0)
    host.send(command(CommandKind.DECK_PITCH, a=2.0))
    host.render(1_024)
    host.stretchers.tend()
    assert host.stretchers.running == 1
    host.stretchers.stop()
    assert host.stretchers.running == 0


def test_a_block_that_the_ring_cannot_hold_is_refused() -> None:
    stretchers = Stretchers([np.zeros((), LINE) for _ in range(DECKS)])
    stretchers.prepare(LARGEST_BLOCK)
    with pytest.raises(ValueError, match="a block has"):
        stretchers.prepare(LARGEST_BLOCK + 1)
    with pytest.raises(ValueError, match="a block has"):
        stretchers.prepare(0)


def test_a_stretcher_that_was_late_looks_further_ahead_up_to_a_limit() -> None:
    host = KernelHost()
    host.stretchers.prepare(128)
    first = [int(line["ahead"]) for line in host.stretchers.lines]
    host.stretchers.tend(0)
    assert [int(line["ahead"]) for line in host.stretchers.lines] == first
    host.stretchers.tend(3)
    host.stretchers.tend(3)
    second = [int(line["ahead"]) for line in host.stretchers.lines]
    assert all(first[n] < second[n] <= first[n] + HOP for n in range(DECKS))
    for lost in range(4, 40):
        host.stretchers.tend(lost)
    assert all(int(line["ahead"]) <= CAPACITY // 2 for line in host.stretchers.lines)
    host.stretchers.prepare(LARGEST_BLOCK)
    host.stretchers.tend(40)
    assert all(int(line["ahead"]) > LARGEST_BLOCK for line in host.stretchers.lines), (
        "a large block needs what it needs"
    )


def test_stretchers_that_use_too_much_of_the_machine_give_their_priority_back(monkeypatch: pytest.MonkeyPatch) -> None:
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(song(4, 440.0).astype(np.float32)))
    host.send(join([command(CommandKind.DECK_PLAY, a=1), command(CommandKind.DECK_KEYLOCK, a=1)]))
    host.render(1_024)
    used, now = [0.0], [time.monotonic()]
    monkeypatch.setattr("audio.stretcher.used_s", lambda thread: used[0])
    monkeypatch.setattr("audio.stretcher.time.monotonic", lambda: now[0])
    try:
        host.stretchers.tend()
        for share in (0.3, 0.3, 0.3):
            used[0], now[0] = used[0] + 1.1 * share, now[0] + 1.1
            host.stretchers.tend()
        assert host.stretchers.realtime
        used[0], now[0] = used[0] + 0.9 * 1.1, now[0] + 1.1
        host.stretchers.tend()
        assert not host.stretchers.realtime and host.stretchers.running == 1
        thread = next(one for one in threading.enumerate() if one.name == "stretch-1")
        if sys.platform == "linux":
            assert thread.native_id and os.sched_getscheduler(thread.native_id) == os.SCHED_OTHER
    finally:
        host.stretchers.stop()


def test_what_a_thread_has_used_is_read_and_one_that_is_gone_has_used_nothing() -> None:
    begun = used_s(threading.get_native_id())
    while sys.platform == "linux" and used_s(threading.get_native_id()) < begun + 0.02:
        sum(range(10_000))
    assert used_s(1 << 30) == 0.0
    go_ordinary(1 << 30)


async def test_a_large_block_is_stretched_too(tmp_path: Path) -> None:
    async with running_engine(block=2_048) as (client, _, _):
        await client.load(0, 7, deck_source(tmp_path / "a.flac", song(30, 440.0), rate=RATE))
        client.send(join([command(CommandKind.DECK_KEYLOCK, 0, a=1), command(CommandKind.DECK_RATE, 0, a=1.1)]))
        await play_from(client, 0, 0)
        await until(lambda: int(client.snapshot()["decks"][0]["stretched"]) == 1)
        with anyio.fail_after(60):
            assert await settled_hertz(client, client.clock().frame + 9_600) == pytest.approx(440.0, abs=0.25)
