"""The OSC surface: phones, tablets, DAWs and programs move the show by its control names and hear it back.

Owner: the event loop. `OscSurface.run` is one task; everything public is called on the loop.
Units: seconds; frames at the engine rate for time tags; values as the registry says.

    datagram --known sender?--> queue --decode--> Intent --> Show          /error, /pong --> where it came from
                  '--no: waits for Allow, moves nothing
    Show.subscribe, telemetry --newest value of each control--> outbox of each subscriber --paced--> /path value
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import anyio

from control.control import Control, Kind, UnknownControl, Value
from control.errors import BadMessage
from control.osc_codec import Argument, OscMessage, decode, encode
from control.osc_peers import PeerStatus, PeerTable, Sender, Subscriptions, is_address, is_loopback
from control.osc_socket import EVERYWHERE, LOOPBACK, OscSocket, SocketCounts
from control.registry import REGISTRY, resolve
from server.errors import BadRequest
from server.protocol import Peer, PeersChanged
from server.session.intent import Intent, Refused
from server.surfaces.osc_outbox import PAUSE_S, Outbox
from server.surfaces.show_port import Clock, ShowPort
from server.surfaces.timetags import TooFarAhead, frame_of

log = logging.getLogger(__name__)

TELEMETRY_S: Final = 1 / 30
HOUSEKEEPING_S: Final = 0.25
ANSWERS_PER_S: Final = 500.0
"""Errors and pongs a second that one sender is answered, after as many at once: a broken sender is not echoed."""


class PeerStore(Protocol):
    """Where the performer's decisions about senders are kept; the database has one."""

    async def load(self) -> Sequence[tuple[str, str]]:
        """Return (address, status) of every sender that was allowed or blocked."""

    async def save(self, address: str, status: str) -> None:
        """Keep a decision."""

    async def forget(self, address: str) -> None:
        """Drop a decision."""


class MemoryPeers:
    """Decisions that last as long as the program: for tests, and while there is no database."""

    def __init__(self) -> None:
        self.decisions: dict[str, str] = {}

    async def load(self) -> Sequence[tuple[str, str]]:
        return list(self.decisions.items())

    async def save(self, address: str, status: str) -> None:
        self.decisions[address] = status

    async def forget(self, address: str) -> None:
        self.decisions.pop(address, None)


class OscSurface:
    """OSC in and out for one show.

    `telemetry` returns the readable controls that are not state, by path, and is asked at most 30 times a second while
    somebody listens; `clock` returns the engine's clock pair, None while there is no engine; `on_peers` is told when
    senders appear, are decided on or knock again.
    """

    def __init__(
        self,
        show: ShowPort,
        *,
        peers: PeerStore | None = None,
        telemetry: Callable[[], Mapping[str, float]] = dict,
        clock: Callable[[], Clock | None] = lambda: None,
        on_peers: Callable[[PeersChanged], None] = lambda message: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._store = peers or MemoryPeers()
        self._telemetry = telemetry
        self._clock = clock
        self._on_peers = on_peers
        self._now = now
        self._table = PeerTable()
        self._subscriptions = Subscriptions()
        self._outboxes: dict[Sender, Outbox] = {}
        self._shown: dict[str, float] = {}
        self._socket = OscSocket(self._handle, self._admits, _coalesces)
        self._answers: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._somebody = anyio.Event()
        self._published: list[Peer] = []

    # -- the lifespan -------------------------------------------------------------------------------------------------

    async def run(
        self, port: int = 8000, *, lan: bool = False, task_status: anyio.abc.TaskStatus[int] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Hear and answer until cancelled; the port is told to `task_status` once it is open. Raises PortTaken."""
        await self._load_peers()
        self._socket.open(port, EVERYWHERE if lan else LOOPBACK)
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._feed_state)
                tasks.start_soon(self._feed_telemetry)
                tasks.start_soon(self._housekeep)
                task_status.started(self._socket.port)
        finally:
            self._socket.close()

    @property
    def port(self) -> int:
        """The UDP port, 0 before it is open."""
        return self._socket.port

    @property
    def is_lan_open(self) -> bool:
        """Whether other machines are heard at all."""
        return any(not is_loopback(host) for host in self._socket.hosts)

    def open_lan(self) -> None:
        """Hear other machines too; each one not known yet waits for Allow. Raises PortTaken."""
        if not self.is_lan_open:
            self._socket.rebind(EVERYWHERE)

    def close_lan(self) -> None:
        """Hear only this machine again. Raises PortTaken."""
        if self.is_lan_open:
            self._socket.rebind(LOOPBACK)
            for target in self._subscriptions.targets():
                if not is_loopback(target[0]):
                    self._subscriptions.drop_host(target[0])
                    self._outboxes.pop(target, None)

    def counts(self) -> SocketCounts:
        """Return what happened to datagrams since the start."""
        return self._socket.counts()

    def subscribers(self) -> list[Sender]:
        """Return where the show is heard by OSC."""
        return self._subscriptions.targets()

    # -- peers --------------------------------------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """Return every sender on other machines, those who wait first."""
        return [Peer(peer.address, peer.status.value, peer.messages) for peer in self._table.peers()]

    async def allow(self, address: str) -> None:
        """Let a sender move the show and hear it. Raises BadRequest for what is no address."""
        await self._decide(address, PeerStatus.ALLOWED)

    async def block(self, address: str) -> None:
        """Shut a sender out; it is not asked about again. Raises BadRequest for what is no address."""
        await self._decide(address, PeerStatus.BLOCKED)

    async def forget(self, address: str) -> None:
        """Forget a sender; its next message makes it wait again."""
        self._table.forget(address)
        self._drop(address)
        self._publish_peers()
        await self._store.forget(address)

    async def _decide(self, address: str, status: PeerStatus) -> None:
        if not is_address(address):
            raise BadRequest(f"{address[:60]!r} is not an address; take one from the list of senders")
        self._table.decide(address, status)
        if status is not PeerStatus.ALLOWED:
            self._drop(address)
        self._publish_peers()
        await self._store.save(address, status.value)

    def _drop(self, address: str) -> None:
        for target in self._subscriptions.drop_host(address):
            self._outboxes.pop(target, None)

    async def _load_peers(self) -> None:
        try:
            known = await self._store.load()
        except Exception:
            # a show without its database is still a show: senders wait to be allowed again
            log.exception("the senders that were allowed before could not be read")
            known = []
        self._table = PeerTable((address, PeerStatus(status)) for address, status in known if status in _DECIDED)

    def _publish_peers(self) -> None:
        peers = self.peers()
        if peers != self._published:
            self._published = peers
            self._on_peers(PeersChanged(peers))

    # -- in -----------------------------------------------------------------------------------------------------------

    def _admits(self, sender: Sender) -> bool:
        return self._table.admit(sender[0], self._now())

    def _handle(self, data: bytes, sender: Sender) -> None:
        if not self._table.may_hear(sender[0]):
            return  # blocked or forgotten while it waited
        try:
            messages = decode(data)
        except BadMessage as error:
            self._error(sender, _address_in(data), str(error))
            return
        for message in messages:
            try:
                self._take(message, sender)
            except Exception:
                log.exception("an OSC message failed: %r", message)
                self._error(sender, message.address, "that went wrong inside; nothing changed")

    def _take(self, message: OscMessage, sender: Sender) -> None:
        path = message.address
        match path:
            case "/subscribe":
                self._subscribe(sender, message.args)
            case "/unsubscribe":
                self._unsubscribe(sender, message.args)
            case "/ping":
                self._answer(sender, encode("/pong", *message.args))
            case _:
                self._move(message, sender)

    def _move(self, message: OscMessage, sender: Sender) -> None:
        path = message.address
        try:
            value = _value_of(path, message.args)
            at = frame_of(message.timetag, self._clock(), time.time_ns(), time.monotonic_ns())
        except (UnknownControl, TooFarAhead, _WrongArguments) as error:
            self._error(sender, path, str(error))
            return

        def refused(answer: Refused) -> None:
            self._error(sender, path, answer.message)

        self._show.submit(Intent(path, value, f"osc:{sender[0]}:{sender[1]}", at, refused))

    def _subscribe(self, sender: Sender, args: tuple[Argument, ...]) -> None:
        try:
            port = _port_of(args, default=0)
            made = self._subscriptions.subscribe(sender, port or 0, self._now())
        except ValueError as error:
            self._error(sender, "/subscribe", str(error))
            return
        if made is None:
            self._error(sender, "/subscribe", "too many subscriptions; /unsubscribe some, or wait: they end in 60 s")
            return
        outbox = self._outboxes.setdefault(made.target, Outbox())
        for path, value in self._show.controls.items():
            outbox.put(path, _packet(path, value))
        for path, level in {**dict.fromkeys(_TELEMETRY, 0.0), **self._telemetry()}.items():
            outbox.put_telemetry(path, _packet(path, level))
        self._somebody.set()
        self._send_soon(made.target)

    def _unsubscribe(self, sender: Sender, args: tuple[Argument, ...]) -> None:
        try:
            port = _port_of(args, default=None)
        except ValueError as error:
            self._error(sender, "/unsubscribe", str(error))
            return
        for target in self._subscriptions.unsubscribe(sender, port):
            self._outboxes.pop(target, None)

    # -- answers ------------------------------------------------------------------------------------------------------

    def _error(self, sender: Sender, path: str, message: str) -> None:
        try:
            self._answer(sender, encode("/error", path[:200], message[:300]))
        except BadMessage:
            log.debug("an error for %s cannot be sent: %s", sender, message)

    def _answer(self, sender: Sender, packet: bytes) -> None:
        """Send to where it came from, and to where this sender listens if that is another port."""
        if not self._table.may_hear(sender[0]) or not self._may_answer(sender[0]):
            return
        for target in {sender, *self._subscriptions.targets_of(sender)}:
            self._socket.send(packet, target)

    def _may_answer(self, host: str) -> bool:
        now = self._now()
        left, at = self._answers.pop(host, (ANSWERS_PER_S, now))
        left = min(ANSWERS_PER_S, left + (now - at) * ANSWERS_PER_S)
        self._answers[host] = (left - 1 if left >= 1 else left, now)
        if len(self._answers) > 256:
            self._answers.popitem(last=False)
        return left >= 1

    # -- out ----------------------------------------------------------------------------------------------------------

    async def _feed_state(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with self._show.subscribe("osc") as changes:
            task_status.started()
            async for change in changes:
                if not self._outboxes:
                    continue
                for path, value in change.changes.items():
                    packet = _packet(path, value)
                    for outbox in self._outboxes.values():
                        outbox.put(path, packet)
                for target in list(self._outboxes):
                    self._send_soon(target)

    async def _feed_telemetry(self) -> None:
        while True:
            if not self._outboxes:
                self._shown = {}
                self._somebody = anyio.Event()
                await self._somebody.wait()
            values = self._telemetry()
            for path, value in values.items():
                if self._shown.get(path) != value:
                    packet = _packet(path, value)
                    for outbox in self._outboxes.values():
                        outbox.put_telemetry(path, packet)
            self._shown = dict(values)
            for target in list(self._outboxes):
                self._send_soon(target)
            await anyio.sleep(TELEMETRY_S)

    async def _housekeep(self) -> None:
        revision = -1
        beat = 0
        while True:
            for target in self._subscriptions.expire(self._now()):
                self._outboxes.pop(target, None)
            if self._table.revision != revision or beat % 8 == 0:
                revision = self._table.revision
                self._publish_peers()
            beat += 1
            await anyio.sleep(HOUSEKEEPING_S)

    def _send_soon(self, target: Sender) -> None:
        outbox = self._outboxes.get(target)
        if outbox and not outbox.sending:
            self._send(target)

    def _send(self, target: Sender) -> None:
        """Send a batch, and plan the next if there is more."""
        outbox = self._outboxes.get(target)
        if outbox is None:
            return
        outbox.sending = False
        batch = outbox.take()
        for index, (_, packet) in enumerate(batch):
            if not self._socket.send(packet, target):
                outbox.give_back(batch[index:])
                break
        if outbox:
            outbox.sending = True
            asyncio.get_running_loop().call_later(PAUSE_S, self._send, target)


class _WrongArguments(ValueError):
    """The message does not carry one value."""


_DECIDED: Final = (PeerStatus.ALLOWED.value, PeerStatus.BLOCKED.value)
_TELEMETRY: Final = tuple(path for path, control in REGISTRY.items() if control.is_telemetry)
_PRESSED_BY_NAME: Final = ("/transport/play", "/transport/stop")
"""Aliases that layouts of the earlier system press without an argument."""


def _value_of(path: str, args: tuple[Argument, ...]) -> Value:
    if not args:
        control: Control = resolve(path, "1")
        if control.kind is Kind.TRIGGER or path in _PRESSED_BY_NAME:
            return 1
        raise _WrongArguments(f"{path} takes a value, and none came")
    if len(args) > 1:
        raise _WrongArguments(f"{path} takes one value, and {len(args)} came")
    value = args[0]
    if value is None or isinstance(value, bytes):
        raise _WrongArguments(f"{path} takes a number or a text")
    return value


def _port_of(args: tuple[Argument, ...], default: int | None) -> int | None:
    if not args:
        return default
    port = args[0]
    if len(args) > 1 or isinstance(port, bool) or not isinstance(port, int | float) or port != port // 1:
        raise ValueError("takes the port to send to as a whole number")
    if not 0 <= port <= 65_535:
        raise ValueError(f"a port is 0 to 65535, not {port:g}")
    return int(port)


def _packet(path: str, value: Value) -> bytes:
    control = REGISTRY.get(path)
    if control is not None and control.kind is Kind.CONTINUOUS:
        return encode(path, float(value))
    if isinstance(value, bool):
        return encode(path, int(value))
    return encode(path, value)


def _coalesces(address: bytes) -> bool:
    """Return whether only the newest value of this address counts."""
    try:
        control = resolve(address.decode("ascii"), "1")
    except (UnknownControl, UnicodeDecodeError):
        return False
    return control.kind is Kind.CONTINUOUS and control.is_writable and control.is_readable


def _address_in(data: bytes) -> str:
    """Return what looks like the address of a packet that cannot be read, or nothing."""
    address = data[: data.find(0)] if data.startswith(b"/") else b""
    return address[:200].decode("ascii", "replace")
