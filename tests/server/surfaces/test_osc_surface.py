"""The OSC surface on real UDP with a real show: python-osc, liblo's oscsend and plain sockets as clients."""

import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from blockbuster import blockbuster_ctx
from pythonosc.udp_client import SimpleUDPClient

from control.control import Kind
from control.osc_codec import OscMessage, decode, encode, encode_bundle, timetag_of
from control.osc_peers import SUBSCRIPTION_S
from control.registry import REGISTRY
from server.errors import BadRequest
from server.protocol import PeersChanged
from server.session.facts import AudibleDeck, EngineRestored
from server.session.show import Show
from server.surfaces.osc import MemoryPeers, OscSurface
from server.surfaces.timetags import TooFarAhead, frame_of
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio
MUTE = "/deck/1/stem/vocals/mute"
VOLUME = "/deck/1/stem/vocals/volume"
READABLE = {path for path, control in REGISTRY.items() if control.is_readable}
SENDER = str(Path(__file__).parents[2] / "control" / "sender.py")


@dataclass
class FakeClock:
    """The engine's clock pair, one second of sound at 48 kHz after another, with a latency."""

    frame: int = 1_000_000
    monotonic_ns: int = field(default_factory=time.monotonic_ns)
    latency_frames: int = 256
    rate: float = 48_000.0


class Rig:
    """A show, its OSC surface, and what tests change about the world."""

    def __init__(self) -> None:
        self.deckhand = FakeDeckhand({"song": 100.0})
        self.show = Show(self.deckhand)
        self.deckhand.report = self.show.report
        self.store = MemoryPeers()
        self.levels: dict[str, float] = dict.fromkeys((p for p, c in REGISTRY.items() if c.is_telemetry), 0.0)
        self.clock: FakeClock | None = FakeClock()
        self.now_offset = 0.0
        self.peers: list[PeersChanged] = []
        self.asked = 0
        self.surface = OscSurface(
            self.show,
            peers=self.store,
            telemetry=self._telemetry,
            clock=lambda: self.clock,
            on_peers=self.peers.append,
            now=lambda: time.monotonic() + self.now_offset,
        )

    def _telemetry(self) -> Mapping[str, float]:
        self.asked += 1
        return dict(self.levels)

    @property
    def port(self) -> int:
        return self.surface.port

    async def value(self, path: str, wanted: object) -> None:
        await until(lambda: self.show.controls[path] == wanted)


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.002)
    assert condition()


@asynccontextmanager
async def running(lan: bool = False) -> AsyncIterator[Rig]:
    rig = Rig()
    async with anyio.create_task_group() as tasks:
        await tasks.start(rig.show.run)
        rig.show.report(EngineRestored((AudibleDeck(),) * 4, 48_000))
        await rig.show.settle()
        rig.deckhand.commands.clear()

        async def surface(*, task_status: anyio.abc.TaskStatus[int]) -> None:
            await rig.surface.run(0, lan=lan, task_status=task_status)

        await tasks.start(surface)
        yield rig
        tasks.cancel_scope.cancel()


class Phone:
    """A UDP client that keeps what it is sent, decoded."""

    def __init__(self, rig: Rig, host: str = "127.0.0.1") -> None:
        self.rig = rig
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.host = host
        self.heard: list[OscMessage] = []

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, address: str, *args: object) -> None:
        self.raw(encode(address, *args))  # type: ignore[arg-type]

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, (self.host, self.rig.port))

    def read(self) -> list[OscMessage]:
        while True:
            try:
                self.heard += decode(self.socket.recv(65_535))
            except BlockingIOError:
                return self.heard

    def values(self) -> dict[str, object]:
        return {message.address: message.args[0] for message in self.read() if message.args}

    def errors(self) -> list[tuple[object, ...]]:
        return [message.args for message in self.read() if message.address == "/error"]

    async def hears(self, address: str, *args: object) -> None:
        wanted = (address, tuple(args))
        await until(lambda: wanted in [(message.address, message.args) for message in self.read()])

    async def answered(self) -> None:
        """Wait until everything sent before has been handled."""
        token = time.monotonic_ns() % 2**30
        self.send("/ping", token)
        await self.hears("/pong", token)

    def close(self) -> None:
        self.socket.close()


@asynccontextmanager
async def rig_and_phone() -> AsyncIterator[tuple[Rig, Phone]]:
    async with running() as rig:
        phone = Phone(rig)
        try:
            yield rig, phone
        finally:
            phone.close()


# -- moving the show --------------------------------------------------------------------------------------------------


async def test_python_osc_moves_controls() -> None:
    async with running() as rig:
        with SimpleUDPClient("127.0.0.1", rig.port) as client:
            client.send_message(MUTE, 1)
            await rig.value(MUTE, 1)
            client.send_message(VOLUME, 0.25)
            await rig.value(VOLUME, 0.25)
            client.send_message("/deck/1/assign", "right")
            await rig.value("/deck/1/assign", "right")


@pytest.mark.skipif(shutil.which("oscsend") is None and not os.environ.get("CI"), reason="no oscsend here")
async def test_oscsend_mutes_the_vocals() -> None:
    async with running() as rig:
        await anyio.run_process(["oscsend", "localhost", str(rig.port), MUTE, "i", "1"])
        await rig.value(MUTE, 1)
        await anyio.run_process(["oscsend", "localhost", str(rig.port), MUTE, "F"])
        await rig.value(MUTE, 0)
        await anyio.run_process(["oscsend", "127.0.0.1", str(rig.port), VOLUME, "d", "0.5"])
        await rig.value(VOLUME, 0.5)


@pytest.mark.parametrize(("arg", "value"), [(1, 1), (1.0, 1), (True, 1), (0.2, 0), (False, 0), (7, 1)])
async def test_every_number_type_moves_a_toggle(arg: object, value: int) -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send(MUTE, 1 - value)
        await rig.value(MUTE, 1 - value)
        phone.send(MUTE, arg)
        await rig.value(MUTE, value)


async def test_a_message_without_arguments_presses_a_trigger_and_nothing_else() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/deck/1/load", "song")
        await rig.value("/deck/1/status", "ready")
        phone.send("/deck/1/play", 1)
        await rig.value("/deck/1/play", 1)
        phone.raw(b"/deck/1/stop\0\0\0\0")
        await rig.value("/deck/1/play", 0)
        phone.send("/transport/play")
        await rig.value("/deck/1/play", 1)
        phone.send(VOLUME)
        await until(lambda: [error[0] for error in phone.errors()] == [VOLUME])
        assert rig.show.controls[VOLUME] == 1.0


BAD = [
    ("/nope", (1,)),
    ("/deck/9/volume", (1,)),
    ("/deck/1/volum", (0.5,)),
    (VOLUME, (float("nan"),)),
    (VOLUME, (float("inf"),)),
    (VOLUME, ("loud",)),
    (VOLUME, (b"blob",)),
    (VOLUME, (None,)),
    (VOLUME, (0.5, 0.5)),
    (VOLUME, ()),
    ("/deck/1/assign", ("up",)),
    ("/deck/1/assign", (17,)),
    ("/deck/1/load", (3,)),
    ("/deck/1/title", ("mine",)),
    ("/deck/1/stem/vocals/level", (1.0,)),
    ("/subscribe", ("9000",)),
    ("/subscribe", (99_999,)),
    ("/subscribe", (float("nan"),)),
    ("/unsubscribe", (-1,)),
]


@pytest.mark.parametrize(("path", "args"), BAD, ids=[f"{path} {args}" for path, args in BAD])
async def test_what_is_wrong_is_answered_and_changes_nothing(path: str, args: tuple[object, ...]) -> None:
    async with rig_and_phone() as (rig, phone):
        before, rev = dict(rig.show.controls), rig.show.rev
        phone.send(path, *args)
        await until(lambda: bool(phone.errors()))
        (error,) = phone.errors()
        assert error[0] == path
        assert isinstance(error[1], str)
        assert error[1]
        await rig.show.settle()
        assert (dict(rig.show.controls), rig.show.rev) == (before, rev)
        assert rig.surface.subscribers() == []


async def test_garbage_is_answered_and_survived() -> None:
    async with rig_and_phone() as (rig, phone):
        rev = rig.show.rev
        for data in (b"", b"hello", b"#bundle\0", b"/x", b"/deck/1/volume\0\0,f\0\0", bytes(2000)):
            phone.raw(data)
        await phone.answered()
        assert len(phone.errors()) == 6
        await rig.show.settle()
        assert rig.show.rev == rev, "half a message is no message"
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)


async def test_order_is_kept_across_presses() -> None:
    async with rig_and_phone() as (rig, phone):
        for turn in range(50):
            phone.send(VOLUME, turn / 50)
            phone.send(MUTE, turn % 2)
        await phone.answered()
        await rig.show.settle()
        assert (rig.show.controls[VOLUME], rig.show.controls[MUTE]) == (pytest.approx(0.98), 1)


# -- time tags --------------------------------------------------------------------------------------------------------


async def test_a_time_tag_becomes_a_frame() -> None:
    async with rig_and_phone() as (rig, phone):
        heard_at = time.time() + 5.0
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(heard_at)))
        await rig.value(MUTE, 1)
        assert rig.clock is not None
        (command,) = [command for command in rig.deckhand.commands if command.frame]
        since = heard_at - time.time() + time.monotonic() - rig.clock.monotonic_ns / 1e9
        assert command.frame == pytest.approx(1_000_000 + since * 48_000 - 256, abs=480)


async def test_a_time_tag_in_the_past_or_without_an_engine_means_now() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(time.time() - 3600)))
        await rig.value(MUTE, 1)
        rig.clock = None
        phone.raw(encode_bundle([encode(MUTE, 0)], timetag_of(time.time() + 1)))
        await rig.value(MUTE, 0)
        assert {command.frame for command in rig.deckhand.commands} == {0}


async def test_a_time_tag_of_a_wrong_clock_is_refused() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(time.time() + 3600)))
        await until(lambda: bool(phone.errors()))
        assert phone.errors()[0][0] == MUTE
        assert rig.show.controls[MUTE] == 0


def test_frames_of_time_tags() -> None:
    clock = FakeClock(frame=48_000, monotonic_ns=10**9, latency_frames=0)
    wall, mono = 1_700_000_000 * 10**9, 2 * 10**9
    tag = timetag_of(1_700_000_000.5)
    assert frame_of(tag, clock, wall, mono) == 48_000 + 48_000 + 24_000
    clock.latency_frames = 480
    assert frame_of(tag, clock, wall, mono) == 120_000 - 480
    assert frame_of(1, clock, wall, mono) is None
    assert frame_of(0, clock, wall, mono) is None
    clock.latency_frames = 48_000
    assert frame_of(tag, clock, wall, mono) is None, "too late to be heard in time: now"
    with pytest.raises(TooFarAhead):
        frame_of(2**64 - 1, clock, wall, mono)


# -- hearing the show -------------------------------------------------------------------------------------------------


async def test_a_subscriber_gets_everything_readable_at_once() -> None:
    async with rig_and_phone() as (rig, phone):
        rig.levels["/deck/2/position"] = 12.5
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        assert set(phone.values()) == READABLE
        values = phone.values()
        for path, value in rig.show.controls.items():
            assert values[path] == pytest.approx(value) if isinstance(value, float) else values[path] == value, path
            if REGISTRY[path].kind is Kind.CONTINUOUS:
                assert isinstance(values[path], float), path
        assert values["/deck/2/position"] == 12.5


async def test_changes_go_to_every_subscriber_the_sender_included() -> None:
    async with rig_and_phone() as (rig, phone):
        other = Phone(rig)
        phone.send("/subscribe", phone.port)
        other.send("/subscribe", 0)
        # Both are read all the while: a socket that nobody reads drops what does not fit.
        await until(lambda: min(len(READABLE & set(one.values())) for one in (phone, other)) == len(READABLE))
        phone.heard.clear()
        other.heard.clear()
        phone.send(VOLUME, 0.5)
        await phone.hears(VOLUME, 0.5)
        await other.hears(VOLUME, 0.5)
        other.send(VOLUME, 0.5)
        await other.answered()
        await phone.answered()
        assert [message.address for message in phone.read()].count(VOLUME) == 1, "only what changed"
        other.close()


async def test_the_subscription_goes_to_the_port_that_was_asked_for() -> None:
    async with running() as rig:
        listener, asker = Phone(rig), Phone(rig)
        asker.send("/subscribe", listener.port)
        await until(lambda: set(listener.values()) >= READABLE)
        assert asker.read() == []
        asker.send("/nope", 1)
        await until(lambda: bool(asker.errors()) and bool(listener.errors()))
        asker.send("/unsubscribe")
        await asker.answered()
        assert rig.surface.subscribers() == []
        listener.close()
        asker.close()


async def test_it_ends_after_a_minute_and_is_renewed_by_asking_again() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        rig.now_offset += SUBSCRIPTION_S - 10
        phone.send("/subscribe", 0)
        await phone.answered()
        rig.now_offset += SUBSCRIPTION_S - 10
        await anyio.sleep(0.3)
        assert len(rig.surface.subscribers()) == 1
        rig.now_offset += 11
        await until(lambda: rig.surface.subscribers() == [])
        await phone.answered()
        phone.heard.clear()
        phone.send(VOLUME, 0.125)
        await rig.value(VOLUME, 0.125)
        await phone.answered()
        assert VOLUME not in phone.values()


async def test_telemetry_goes_out_when_it_changes_and_at_most_thirty_times_a_second() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        await anyio.sleep(0.1)
        phone.heard.clear()
        asked, started = rig.asked, time.monotonic()
        while time.monotonic() - started < 0.5:
            rig.levels["/deck/1/position"] += 0.001
            await anyio.sleep(0.001)
        elapsed = time.monotonic() - started
        assert rig.asked - asked <= elapsed * 30 + 2
        phone.read()
        assert {message.address for message in phone.heard} == {"/deck/1/position"}
        assert 1 <= len(phone.heard) <= elapsed * 30 + 2


async def test_nobody_listens_nothing_is_asked_for() -> None:
    async with rig_and_phone() as (rig, phone):
        await phone.answered()
        await anyio.sleep(0.1)
        assert rig.asked == 0


async def test_ping_answers_with_what_was_sent() -> None:
    async with rig_and_phone() as (_, phone):
        phone.send("/ping", 7, "x", 0.5)
        await phone.hears("/pong", 7, "x", 0.5)


# -- peers ------------------------------------------------------------------------------------------------------------


def lan_address() -> str:
    """Return an address of this machine that is not loopback; datagrams to it come from it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            host = str(probe.getsockname()[0])
        except OSError:
            host = "127.0.0.1"
    if host.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return host


async def test_a_sender_nobody_knows_waits_and_moves_nothing_until_it_is_allowed() -> None:
    host = lan_address()
    async with running() as rig:
        rig.surface.open_lan()
        assert rig.surface.is_lan_open
        phone = Phone(rig, host)
        for _ in range(3):
            phone.send(MUTE, 1)
            phone.send("/subscribe", 0)
            phone.send("/nope", 1)
        await until(lambda: bool(rig.peers) and rig.peers[-1].peers[0].messages == 9)
        (peer,) = rig.peers[-1].peers
        assert (peer.address, peer.status) == (host, "waiting")
        assert rig.show.controls[MUTE] == 0
        assert phone.read() == []

        await rig.surface.allow(host)
        phone.send("/subscribe", 0)
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)
        await until(lambda: set(phone.values()) >= READABLE)
        assert rig.store.decisions == {host: "allowed"}

        await rig.surface.block(host)
        phone.send(MUTE, 0)
        await until(lambda: rig.surface.peers()[0].messages == 12)
        assert rig.surface.subscribers() == []
        assert rig.show.controls[MUTE] == 1
        assert rig.peers[-1].peers[0].status == "blocked"

        await rig.surface.forget(host)
        assert rig.store.decisions == {}
        rig.surface.close_lan()
        assert not rig.surface.is_lan_open
        phone.close()


async def test_decisions_are_remembered_and_names_are_no_addresses() -> None:
    async with running() as rig:
        await rig.surface.allow("192.168.7.7")
        assert [(peer.address, peer.status) for peer in rig.surface.peers()] == [("192.168.7.7", "allowed")]
        with pytest.raises(BadRequest):
            await rig.surface.allow("my phone")


# -- load -------------------------------------------------------------------------------------------------------------


async def test_a_burst_of_presses_from_another_program_is_counted_whole() -> None:
    async with running() as rig:
        count = 4096
        granted = rig.surface.counts().receive_buffer // 1280
        count = min(count, granted)
        await anyio.run_process([sys.executable, "-I", SENDER, str(rig.port), str(count), MUTE])
        await until(lambda: rig.surface.counts().handled == count)
        counts = rig.surface.counts()
        assert (counts.received, counts.lost, counts.refused, counts.superseded) == (count, 0, 0, 0)
        await rig.show.settle()
        assert rig.show.controls[MUTE] == 1


async def test_nothing_blocks_the_loop() -> None:
    with blockbuster_ctx("server.surfaces"):
        async with rig_and_phone() as (rig, phone):
            phone.send("/subscribe", 0)
            phone.send(MUTE, 1)
            await rig.value(MUTE, 1)
            await phone.answered()
