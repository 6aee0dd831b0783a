"""The clock surface with a real show: what it tells the clock process, and what it makes of what it is told."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream

from control.clocks.song import Song
from control.clocks.wire import Fault, FollowEngine, FollowSong, FromProcess, Heard, Pressed, Sent, ToProcess, Wanted
from control.link_port import LinkMissing, LinkPort
from control.settings import MidiApi
from server.session.effects import Notice
from server.session.facts import AudibleDeck, EngineRestored
from server.session.intent import Intent
from server.session.show import Show
from server.surfaces.clock_process import clock_process
from server.surfaces.clocks import ClockSurface
from tests.server.session.fake_deckhand import FakeDeckhand
from tests.server.surfaces.osc_rig import FakeClock, until

pytestmark = pytest.mark.anyio


class FakeLine:
    """A clock process without a process: keeps what it is told, says what a test wants."""

    def __init__(self, receive: "MemoryObjectReceiveStream[FromProcess]") -> None:
        self.heard: list[ToProcess] = []
        self._receive = receive

    async def tell(self, message: ToProcess) -> None:
        self.heard.append(message)

    async def told(self) -> AsyncIterator[FromProcess]:
        async for message in self._receive:
            yield message


class Rig:
    """A show with a song on deck 1, and the clock surface on a clock of our own."""

    def __init__(self) -> None:
        self.deckhand = FakeDeckhand({"song": 100.0})
        self.notices: list[Notice] = []
        self.show = Show(self.deckhand)
        self.show.watch(self.notices.append)
        self.deckhand.report = self.show.report
        self.position = 0.0
        self.grid: dict[str, float] = {}
        self.clock = FakeClock()
        self.now_ns = self.clock.monotonic_ns
        self.lines: list[FakeLine] = []
        self.link_missing = False
        self.surface = ClockSurface(
            self.show,
            telemetry=lambda: {"/deck/1/position": self.position, **self.grid},
            clock=lambda: self.clock,
            connect=self._connect,
            link=self._link,
            monotonic_ns=lambda: self.now_ns,
        )

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[FakeLine]:
        self.say, receive = anyio.create_memory_object_stream[FromProcess](64)
        line = FakeLine(receive)
        self.lines.append(line)
        try:
            yield line
        finally:
            self.say.close()
            receive.close()

    def _link(self, *arguments: object) -> LinkPort:
        if self.link_missing:
            raise LinkMissing
        return LinkPort(*arguments)  # type: ignore[arg-type]

    def play_on(self, seconds: float, rate: float = 1.0) -> None:
        """Let time go by, and the playhead with it."""
        self.now_ns += round(seconds * 1e9)
        self.position += seconds * rate

    async def set(self, path: str, value: object) -> None:
        self.show.submit(Intent(path, value))
        await self.show.settle()

    async def songs(self, count: int) -> list[Song]:
        """Wait until the line was drawn `count` times in all; return every line."""

        def drawn() -> list[Song]:
            return [message.song for line in self.lines for message in line.heard if isinstance(message, FollowSong)]

        await until(lambda: len(drawn()) >= count)
        return drawn()


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    rig = Rig()
    async with anyio.create_task_group() as tasks:
        await tasks.start(rig.show.run)
        rig.show.report(EngineRestored((AudibleDeck(),) * 4, 48_000))
        await rig.set("/deck/1/load", "song")
        await until(lambda: rig.show.controls["/deck/1/status"] == "ready")
        tasks.start_soon(rig.surface.run)
        yield rig
        tasks.cancel_scope.cancel()


async def test_no_process_runs_until_it_is_wanted_and_ends_after() -> None:
    async with running() as rig:
        await anyio.sleep(0.05)
        assert rig.lines == []
        await rig.set("/clock/out", 1)
        await until(lambda: any(isinstance(one, Wanted) for line in rig.lines for one in line.heard))
        wanted = [one for one in rig.lines[0].heard if isinstance(one, Wanted)]
        assert wanted == [Wanted(clock=True)]
        assert isinstance(rig.lines[0].heard[0], FollowEngine), "the engine's clock comes before any frame"
        await rig.set("/timecode/out", "29.97")
        await rig.set("/timecode/offset", 3600)
        await until(lambda: rig.lines[0].heard[-1] == Wanted(clock=True, timecode="29.97", offset_s=3600.0))
        await rig.set("/clock/out", 0)
        await rig.set("/timecode/out", "off")
        await until(lambda: rig.lines[0].heard[-1] == Wanted(clock=False, timecode="29.97", offset_s=3600.0))
        assert len(rig.lines) == 1


async def test_the_line_is_drawn_when_the_music_changes_and_only_then() -> None:
    async with running() as rig:
        await rig.set("/clock/out", 1)
        (standing,) = await rig.songs(1)
        assert not standing.running
        await rig.set("/deck/1/play", 1)
        playing = (await rig.songs(2))[-1]
        assert (playing.running, playing.beat, playing.tempo_bpm, playing.speed) == (True, 0.0, 120.0, 1.0)
        for _ in range(20):
            rig.play_on(0.1)
            await anyio.sleep(0.005)
        assert len(await rig.songs(2)) == 2, "it goes on as it was said"
        rig.play_on(0.0)
        rig.position += 10.0
        jumped = (await rig.songs(3))[-1]
        assert jumped.position_s == pytest.approx(12.0, abs=0.01)
        assert jumped.beat == pytest.approx(24.0, abs=0.02)
        await rig.set("/session/tempo", 130)
        faster = (await rig.songs(4))[-1]
        assert faster.tempo_bpm == 130.0
        assert faster.beat == pytest.approx(jumped.beat_at(faster.frame)), "from the same beat"
        await rig.set("/deck/1/play", 0)
        assert not (await rig.songs(5))[-1].running


def on_grid(rig: Rig, late_s: float = 0.0) -> None:
    """A grid at 121 BPM whose first downbeat is 0.3 s into the track, told `late_s` late."""
    rig.grid = {"/deck/1/tempo": 121.0, "/deck/1/beat": (rig.position - 0.3 - late_s) * 121 / 60}


async def test_the_beats_of_the_clock_are_those_of_the_grid_and_blocks_do_not_make_it_tremble() -> None:
    async with running() as rig:
        rig.position = 10.0
        on_grid(rig)
        await rig.set("/clock/out", 1)
        await rig.songs(1)
        await rig.set("/deck/1/play", 1)
        playing = (await rig.songs(2))[-1]
        assert playing.tempo_bpm == 121.0
        assert playing.beat == pytest.approx((rig.position - 0.3) * 121 / 60, abs=0.005)
        for number in range(200):
            rig.play_on(0.02)
            on_grid(rig, late_s=(number * 7 % 10) / 10 * 128 / 48_000)  # the beat of the block before
            await anyio.sleep(0.001)
        assert len(await rig.songs(2)) == 2
        assert playing.beat_at(playing.frame + 48_000 * 4) == pytest.approx(playing.beat + 4 * 121 / 60)


async def test_a_grid_that_moves_takes_the_clock_with_it() -> None:
    async with running() as rig:
        rig.position = 10.0
        on_grid(rig)
        await rig.set("/clock/out", 1)
        await rig.songs(1)
        await rig.set("/deck/1/play", 1)
        before = (await rig.songs(2))[-1]
        rig.grid["/deck/1/beat"] += 0.25
        moved = (await rig.songs(3))[-1]
        assert moved.beat - before.beat_at(moved.frame) == pytest.approx(0.25, abs=0.01)
        rig.grid["/deck/1/tempo"] = 60.5  # halved
        halved = (await rig.songs(4))[-1]
        assert halved.tempo_bpm == 60.5


async def test_a_clock_that_comes_in_sets_the_tempo() -> None:
    async with running() as rig:
        await rig.set("/clock/in", "*")
        await until(lambda: bool(rig.lines))
        await rig.say.send(Heard("running", 127.981, 4.0, 0))
        await until(lambda: rig.show.controls["/session/tempo"] == pytest.approx(127.98))
        assert rig.show.controls["/clock/in/status"] == "running"
        rev = rig.show.rev
        await rig.say.send(Heard("running", 127.99, 4.1, 0))
        await rig.say.send(Heard("running", 127.981, 4.2, 0))
        await until(lambda: rig.show.controls["/clock/in/tempo"] == pytest.approx(127.98))
        assert rig.show.controls["/session/tempo"] == pytest.approx(127.98), "a hair is jitter"
        assert rig.show.rev <= rev + 2
        await rig.say.send(Pressed("start", 0.0, 0))
        await rig.say.send(Sent(100, 0.3, 12.5))
        await rig.say.send(Fault("no port"))
        await until(lambda: "clock" in [notice.code for notice in rig.notices])
        assert rig.show.controls["/clock/out/late"] == 12.5
        assert rig.show.controls["/deck/1/play"] == 0, "the transport follows only where that is wanted"
        await rig.set("/clock/in/transport", 1)
        await rig.say.send(Pressed("start", 0.0, 0))
        await until(lambda: rig.show.controls["/deck/1/play"] == 1)
        await rig.say.send(Pressed("stop", 8.0, 0))
        await until(lambda: rig.show.controls["/deck/1/play"] == 0)


async def test_a_process_that_dies_is_started_again() -> None:
    async with running() as rig:
        await rig.set("/clock/out", 1)
        await rig.songs(1)
        await rig.say.aclose()
        await until(lambda: len(rig.lines) == 2)
        assert "clock_restarted" in [notice.code for notice in rig.notices]
        await until(lambda: Wanted(clock=True) in rig.lines[1].heard)


# -- Link -------------------------------------------------------------------------------------------------------------


async def test_without_the_package_link_says_how_it_is_had() -> None:
    async with running() as rig:
        rig.link_missing = True
        await rig.set("/link/enabled", 1)
        await until(lambda: rig.show.controls["/link/enabled"] == 0)
        (notice,) = [notice for notice in rig.notices if notice.code == "link_missing"]
        assert "pip install aalink" in notice.message


def test_a_missing_package_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aalink", None)
    with pytest.raises(LinkMissing, match="GPLv3"):
        LinkPort(120.0)


async def test_tempo_and_start_are_shared_with_another_link_program() -> None:
    aalink = pytest.importorskip("aalink")

    async with running() as rig:
        other = aalink.Link(97.0)
        other.start_stop_sync_enabled = True
        other.enabled = True
        try:
            await rig.set("/link/start_stop", 1)
            await rig.set("/link/enabled", 1)
            await until(lambda: rig.show.controls["/link/peers"] >= 1, 30)
            other.tempo = 141.0
            await until(lambda: rig.show.controls["/session/tempo"] == pytest.approx(141.0, abs=0.001))
            await rig.set("/session/tempo", 99.0)
            await until(lambda: other.tempo == pytest.approx(99.0, abs=0.001))
            await rig.set("/deck/1/play", 1)
            await until(lambda: bool(other.playing))
            other.playing = False
            await until(lambda: rig.show.controls["/deck/1/play"] == 0)
        finally:
            other.enabled = False
            await rig.set("/link/enabled", 0)
            await until(lambda: rig.show.controls["/link/peers"] == 0)


async def test_the_real_process_answers_and_ends_with_us() -> None:
    async with clock_process(MidiApi.OFF) as line:
        await line.tell(FollowSong(Song(running=True)))
        await line.tell(Wanted(clock=True, inputs="*"))
        said: list[FromProcess] = []
        with anyio.fail_after(60):
            async for message in line.told():
                said.append(message)
                if {type(one) for one in said} == {Heard, Sent}:
                    break
        assert isinstance(said[0], Heard)
        assert said[0].status == "waiting"
    with pytest.raises((anyio.BrokenResourceError, anyio.ClosedResourceError)):
        await line.tell(Wanted())
