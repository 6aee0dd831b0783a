"""The clock process's work on a virtual clock, and the process itself on JACK MIDI with another program listening."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from control.clocks.clock_out import CLOCK, START
from control.clocks.desk import ClockDesk
from control.clocks.song import Pair, Song
from control.clocks.wire import (
    FollowEngine,
    FollowSong,
    FromProcess,
    Heard,
    Pressed,
    Sent,
    ToProcess,
    Wanted,
    from_process,
    line,
)
from tests.control.midi_jack import Controller, jack_server

SECOND = 1_000_000_000


def test_messages_are_due_when_the_engine_says() -> None:
    """The engine is 1 % slow: ticks are where its frames are heard, not where the system's clock would have them."""
    desk = ClockDesk()
    pair = Pair(480_000, 7 * SECOND, 47_520.0)
    desk.obey(FollowEngine(pair), 7 * SECOND)
    desk.obey(FollowSong(Song(480_000, 0.0, 120.0, running=True)), 7 * SECOND)
    desk.obey(Wanted(clock=True), 7 * SECOND)
    sent: list[tuple[int, bytes]] = []
    now = 7 * SECOND
    while now < 17 * SECOND:
        now = max(desk.next_ns(now), now + 1)
        sent += [(now, data) for data in desk.due(now)]
    ticks = [at for at, data in sent if data == CLOCK]
    assert sent[0][1] == START
    for number, at in enumerate(ticks):
        assert abs(pair.frame_at(at) - (480_000 + number * 1000)) <= 1.0
    late = desk.punctuality()
    assert late is not None
    assert late.messages == len(sent)
    assert late.worst_frames <= 1.0


def test_it_looks_again_in_time_for_the_next_message() -> None:
    desk = ClockDesk()
    assert desk.next_ns(0) > 0
    desk.obey(Wanted(clock=True, timecode="25"), 0)
    desk.obey(FollowSong(Song(0, running=True)), 0)
    now = 0
    while now < SECOND:
        following = desk.next_ns(now)
        desk.due(now)
        assert following - now <= 50_000_000
        now = max(following, now + 1)


def test_another_engine_begins_anew() -> None:
    desk = ClockDesk()
    desk.obey(FollowEngine(Pair(10_000_000, SECOND)), SECOND)
    desk.obey(Wanted(clock=True), SECOND)
    desk.obey(FollowSong(Song(10_000_000, 4.0, running=True)), SECOND)
    desk.due(2 * SECOND)
    desk.obey(FollowEngine(Pair(0, 2 * SECOND)), 2 * SECOND)
    assert CLOCK in desk.due(2 * SECOND + SECOND // 10), "it does not wait for the old engine's frames"


def test_what_is_heard_is_told() -> None:
    desk = ClockDesk()
    desk.obey(Wanted(inputs="*"), 0)
    for data in (b"", b"\xf8\x00"[:0], b"\x90\x3c\x40", b"\xf2\x00", b"\xfe"):
        desk.hear(data, 0)
    desk.hear(b"\xf2\x10\x00", 0)
    desk.hear(b"\xfb", 0)
    for tick in range(100):
        desk.hear(b"\xf8", tick * SECOND // 48)
    *pressed, heard = desk.told(100 * SECOND // 48)
    assert [(one.deed, one.beat) for one in pressed if isinstance(one, Pressed)] == [
        ("position", 4.0),
        ("continue", 4.0),
    ]
    assert isinstance(heard, Heard)
    assert heard.status == "running"
    assert heard.tempo_bpm == pytest.approx(120.0, rel=1e-6)
    assert heard.beat == pytest.approx(4.0 + 100 / 24, abs=0.01)


# -- the process itself -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jack() -> Iterator[None]:
    with jack_server(f"clock{uuid4().hex[:6]}"):
        yield


class Process:
    """The clock process as the server starts it."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "control.clocks.process", "jack"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        self.told: list[FromProcess] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self.told.append(from_process.decode(text))

    def tell(self, *messages: ToProcess) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(map(line, messages)))
        self._process.stdin.flush()

    def end(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(15)
        self._reader.join(15)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status


def until(condition: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_program_hears_clock_and_timecode(jack: None) -> None:
    """Every tick arrives, in order and in tempo; how punctual it was is told by the process and is printed here."""
    desk = Controller("drums")
    desk._in.ignore_types(sysex=False, timing=False, active_sense=True)
    process = Process()
    try:
        process.tell(Wanted(clock=True, timecode="25", outputs="drums*"))
        until(lambda: (0xF8,) in desk.heard)
        desk.heard.clear()
        now = time.monotonic_ns()
        process.tell(FollowEngine(Pair(0, now)), FollowSong(Song(9600, 0.0, 120.0, 10.0, running=True)))
        until(lambda: sum(data == (0xF8,) for data in desk.heard[desk.heard.index((0xFA,)) :]) > 200
              if (0xFA,) in desk.heard else False)  # fmt: skip
        quarters = [data for data in desk.heard if data[0] == 0xF1]
        pieces = [data[1] >> 4 for data in quarters]
        assert pieces[:16] == [*range(8), *range(8)]
        assert all((later - early) % 8 == 1 for early, later in pairwise(pieces)), "none lost, none twice"
        assert len(quarters) > 100
        until(lambda: any(isinstance(one, Sent) for one in process.told))
        reports = [one for one in process.told if isinstance(one, Sent)]
        print("handed over late, in frames at 48 kHz:", reports)
        assert all(one.messages for one in reports)
    finally:
        # Silence first: RtMidi closes a port with the interpreter held, for which JACK's thread waits in a callback.
        status = process.end()
        desk.unplug()
        assert status == 0


def test_another_machines_clock_is_followed(jack: None) -> None:
    desk = Controller("master")
    process = Process()
    try:
        process.tell(Wanted(inputs="master*"))
        until(lambda: any(isinstance(one, Heard) and one.status == "waiting" for one in process.told))

        def pressed() -> bool:
            desk.send(0xFA)
            return any(isinstance(one, Pressed) and one.deed == "start" for one in process.told)

        until(pressed)
        began = time.monotonic()
        for tick in range(96):
            while time.monotonic() < began + tick * 0.5 / 24:
                pass
            desk.send(0xF8)
        until(lambda: any(isinstance(one, Heard) and one.status == "running" for one in process.told))
        tempo = [one.tempo_bpm for one in process.told if isinstance(one, Heard) and one.tempo_bpm > 0]
        assert tempo, "a tempo was heard"
        until(lambda: isinstance(process.told[-1], Heard) and process.told[-1].status == "lost", 5)
    finally:
        # Silence first: RtMidi closes a port with the interpreter held, for which JACK's thread waits in a callback.
        status = process.end()
        desk.unplug()
        assert status == 0
