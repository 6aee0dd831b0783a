"""A show with its OSC surface, and a phone that speaks to it: shared by the tests of OSC and OSCQuery."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from control.osc_codec import OscMessage, decode, encode
from control.registry import REGISTRY
from server.protocol import PeersChanged
from server.session.effects import Notice
from server.session.facts import AudibleDeck, EngineRestored
from server.session.intent import Intent
from server.session.show import Show
from server.surfaces.osc import OscSurface
from server.surfaces.osc_store import MemoryPeers
from tests.server.session.fake_deckhand import FakeDeckhand

MUTE = "/deck/1/stem/vocals/mute"
VOLUME = "/deck/1/stem/vocals/volume"
READABLE = {path for path, control in REGISTRY.items() if control.is_readable}


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
        self.obeyed: list[Intent] = []
        self.show = Show(self.deckhand, on_intent=lambda intent, now: self.obeyed.append(intent))
        self.notices: list[Notice] = []
        self.show.watch(self.notices.append)
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
