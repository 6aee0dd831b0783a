"""The OSC surface: phones, tablets, DAWs and programs move the show by its control names and hear it back.

Owner: the event loop. `OscSurface.run` is one task; everything public is called on the loop.
Units: seconds; frames at the engine rate for time tags; values as the registry says.

    UDP, TCP, OSCQuery --known sender?--> queue --decode--> osc_inbox -> Intent --> Show
                            '--no: waits for Allow, moves nothing        /error, /pong --> where it came from
    Show -> osc_feed -> /path value to each subscriber
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import anyio

from control.errors import BadMessage, PortTaken
from control.osc_codec import Argument, OscMessage, decode, encode
from control.osc_conduct import Conduct, Trouble
from control.osc_peers import SUBSCRIPTION_S, PeerStatus, PeerTable, Subscriptions, is_address, is_loopback
from control.osc_queue import Sender
from control.osc_socket import EVERYWHERE, LOOPBACK, OscSocket, SocketCounts
from control.osc_tcp import OscTcp
from control.osc_words import words
from control.registry import ALIASES
from server.errors import BadRequest
from server.protocol import Peer, PeersChanged
from server.session.effects import Notice
from server.surfaces.osc_feed import Feed
from server.surfaces.osc_inbox import Inbox, coalesces, port_of
from server.surfaces.osc_store import MemoryPeers, PeerStore
from server.surfaces.show_port import Clock, ShowPort

log = logging.getLogger(__name__)

HOUSEKEEPING_S: Final = 0.25
MAX_MONITORS: Final = 8
ANSWERS_PER_S: Final = 500.0
"""Errors and pongs a second that one sender is answered, after as many at once: a broken sender is not echoed."""

_DECIDED: Final = (PeerStatus.ALLOWED.value, PeerStatus.BLOCKED.value)
_SAID: Final = {
    Trouble.FLOOD: "sends thousands of messages a second: it is served in its turn and delays nobody",
    Trouble.GARBAGE: "sends what is not OSC: is it set to another protocol, or to another program's port?",
}


class OscSurface:
    """OSC in and out for one show.

    `telemetry` returns the readable controls that are not state, by path, and is asked at most 30 times a second while
    somebody listens; `clock` returns the engine's clock pair, None while there is no engine; `on_peers` is told when
    senders appear, are decided on, knock again or misbehave. `act` is called when some messages have been handed to the
    show, so that it need not wait for its turn of the loop.
    """

    def __init__(
        self,
        show: ShowPort,
        *,
        peers: PeerStore | None = None,
        telemetry: Callable[[], Mapping[str, float]] = dict,
        clock: Callable[[], Clock | None] = lambda: None,
        on_peers: Callable[[PeersChanged], None] = lambda message: None,
        act: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._store = peers or MemoryPeers()
        self._on_peers = on_peers
        self._now = now
        self._table = PeerTable()
        self._conduct = Conduct()
        self._troubles: dict[Sender, Trouble] = {}
        self._subscriptions = Subscriptions()
        self.feed = Feed(show, telemetry)
        self._inbox = Inbox(show, clock)
        self._socket = OscSocket(self._handle, self._admits, coalesces, act)
        self._tcp = OscTcp(self._socket.offer, self._admits, self._gone)
        self.doors_changed = anyio.Event()
        """Set, and replaced by a new one, whenever the network is let in or shut out."""
        self._answers: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._guests: dict[Sender, Callable[[bytes], bool]] = {}
        self._monitors: dict[Sender, float] = {}
        self._published: list[Peer] = []

    # -- the lifespan -------------------------------------------------------------------------------------------------

    async def run(
        self, port: int = 8000, *, lan: bool = False, task_status: anyio.abc.TaskStatus[int] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Hear and answer until cancelled; the port is told to `task_status` once it is open. Raises PortTaken.

        TCP takes the same port as UDP; where another program has that, UDP goes on alone and a notice says so.
        """
        await self._load_peers()
        self._socket.open(port, EVERYWHERE if lan else LOOPBACK)
        try:
            await self._open_tcp()
            async with anyio.create_task_group() as tasks:
                await tasks.start(self.feed.run)
                tasks.start_soon(self._keep_tcp)
                tasks.start_soon(self._housekeep)
                task_status.started(self._socket.port)
        finally:
            self._tcp.close()
            self._socket.close()

    @property
    def port(self) -> int:
        """The UDP and TCP port, 0 before it is open."""
        return self._socket.port

    @property
    def is_lan_open(self) -> bool:
        """Whether other machines are heard at all."""
        return any(not is_loopback(host) for host in self._socket.hosts)

    def open_lan(self) -> None:
        """Hear other machines too; each one not known yet waits for Allow. Raises PortTaken."""
        if not self.is_lan_open:
            self._socket.rebind(EVERYWHERE)
            self._tell_doors()

    def close_lan(self) -> None:
        """Hear only this machine again. Raises PortTaken."""
        if self.is_lan_open:
            self._socket.rebind(LOOPBACK)
            self._tell_doors()
            for target in self._subscriptions.targets():
                if not is_loopback(target[0]):
                    self._drop(target[0])

    def _tell_doors(self) -> None:
        changed, self.doors_changed = self.doors_changed, anyio.Event()
        changed.set()

    async def _open_tcp(self) -> None:
        try:
            await self._tcp.open(self._socket.port, EVERYWHERE if self.is_lan_open else LOOPBACK)
        except PortTaken as error:
            log.warning("%s", error)
            self._show.notice(Notice("warning", "osc_tcp", f"OSC is heard over UDP alone: {error}"))

    async def _keep_tcp(self) -> None:
        """Follow the UDP door from loopback to the network and back."""
        while True:
            await self.doors_changed.wait()
            self._tcp.shut(lambda sender: self.is_lan_open or is_loopback(sender[0]))
            await self._open_tcp()

    def counts(self) -> SocketCounts:
        """Return what happened to packets since the start."""
        return self._socket.counts()

    def subscribers(self) -> list[Sender]:
        """Return where the show is heard by OSC."""
        return self._subscriptions.targets()

    # -- peers --------------------------------------------------------------------------------------------------------

    def peers(self) -> list[Peer]:
        """Return every sender on other machines, those who wait first."""
        troubles = {sender[0]: trouble.value for sender, trouble in self._troubles.items()}
        return [
            Peer(peer.address, peer.status.value, peer.messages, troubles.get(peer.address, ""))
            for peer in self._table.peers()
        ]

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
        """Let an address hear no more."""
        for target in self._subscriptions.drop_host(address):
            self.feed.remove(target)
        for guest in [guest for guest in self._guests if guest[0] == address]:
            self.leave(guest)

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

    # -- guests: packets that come and go through OSCQuery's socket ---------------------------------------------------

    def admits(self, host: str) -> bool:
        """Return whether `host` may see and move the show; one not known yet begins to wait for Allow."""
        return self._table.admit(host, self._now())

    def enter(self, guest: Sender, send: Callable[[bytes], bool]) -> None:
        """Take packets of `guest` by `offer` from now on; answers and what it wants to hear go to `send`."""
        self._guests[guest] = send
        self.feed.add(guest, send, ())

    def offer(self, guest: Sender, data: bytes) -> bool:
        """Queue a packet of a guest; return False if there is no room or it may not move the show."""
        return guest in self._guests and self._admits(guest) and self._socket.offer(guest, data)

    def is_guest(self, guest: Sender) -> bool:
        """Return whether a guest is still welcome: one that was blocked is not."""
        return guest in self._guests

    def leave(self, guest: Sender) -> None:
        """Forget a guest."""
        self._guests.pop(guest, None)
        self.feed.remove(guest)

    # -- in -----------------------------------------------------------------------------------------------------------

    def _admits(self, sender: Sender) -> bool:
        now = self._now()
        self._conduct.heard(sender, now)
        return self._table.admit(sender[0], now)

    def _handle(self, data: bytes, sender: Sender) -> None:
        if not self._table.may_hear(sender[0]):
            return  # blocked or forgotten while it waited
        try:
            messages = decode(data)
        except BadMessage as error:
            self._conduct.unreadable(sender, self._now())
            self._error(sender, _address_in(data), str(error))
            return
        for message in messages:
            if self._monitors:
                self._show_monitors(message, sender)
            try:
                self._take(message, sender)
            except Exception:
                log.exception("an OSC message failed: %r", message)
                self._error(sender, message.address, "that went wrong inside; nothing changed")

    def _take(self, message: OscMessage, sender: Sender) -> None:
        match message.address:
            case "/subscribe":
                self._subscribe(sender, message.args)
            case "/unsubscribe":
                self._unsubscribe(sender, message.args)
            case "/ping":
                self._answer(sender, encode("/pong", *message.args))
            case "/monitor" if is_loopback(sender[0]):
                self._monitors[sender] = self._now() + SUBSCRIPTION_S
            case address:
                self._inbox.move(message, sender, lambda path, told: self._error(sender, path, told))
                if address in _ALIASES:
                    for target in self._subscriptions.targets_of(sender):
                        self.feed.want_aliases(target)

    def _show_monitors(self, message: OscMessage, sender: Sender) -> None:
        """Tell those who watch, on this machine alone, what was heard and what it does."""
        if sender in self._monitors:
            return
        line = words(message, str(self._show.controls["/session/focus"]))[:1000]
        for monitor, until in list(self._monitors.items()):
            if until <= self._now() or len(self._monitors) > MAX_MONITORS:
                del self._monitors[monitor]
            else:
                self._send(encode("/monitor", f"{sender[0]}:{sender[1]}", line), monitor)

    def _subscribe(self, sender: Sender, args: tuple[Argument, ...]) -> None:
        try:
            port = port_of(args, default=0)
            if len(args) > 1:
                raise ValueError("takes one port and nothing else")
            made = self._subscriptions.subscribe(sender, port or 0, self._now())
        except ValueError as error:
            self._error(sender, "/subscribe", str(error))
            return
        if made is None:
            self._error(sender, "/subscribe", "too many subscriptions; /unsubscribe some, or wait: they end in 60 s")
            return
        target = made.target
        self.feed.add(target, lambda data: self._send(data, target))

    def _unsubscribe(self, sender: Sender, args: tuple[Argument, ...]) -> None:
        try:
            port = port_of(args, default=None)
        except ValueError as error:
            self._error(sender, "/unsubscribe", str(error))
            return
        for target in self._subscriptions.unsubscribe(sender, port):
            self.feed.remove(target)

    def _gone(self, sender: Sender) -> None:
        """A connection has ended."""
        if self._subscriptions.drop(sender):
            self.feed.remove(sender)
            self._show.notice(Notice("info", "osc_gone", f"The OSC surface at {sender[0]} has gone"))

    # -- answers ------------------------------------------------------------------------------------------------------

    def _send(self, data: bytes, to: Sender) -> bool:
        guest = self._guests.get(to)
        if guest is not None:
            return guest(data)
        return self._tcp.send(data, to) if len(to) == 3 else self._socket.send(data, to)

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
            self._send(packet, target)

    def _may_answer(self, host: str) -> bool:
        now = self._now()
        left, at = self._answers.pop(host, (ANSWERS_PER_S, now))
        left = min(ANSWERS_PER_S, left + (now - at) * ANSWERS_PER_S)
        self._answers[host] = (left - 1 if left >= 1 else left, now)
        if len(self._answers) > 256:
            self._answers.popitem(last=False)
        return left >= 1

    # -- housekeeping -------------------------------------------------------------------------------------------------

    async def _housekeep(self) -> None:
        revision = -1
        beat = 0
        while True:
            for target in self._subscriptions.expire(self._now()):
                self.feed.remove(target)
                self._show.notice(
                    Notice("info", "osc_gone", f"The OSC surface at {target[0]} asks for nothing any more")
                )
            self._mark()
            if self._table.revision != revision or beat % 8 == 0:
                revision = self._table.revision
                self._publish_peers()
            beat += 1
            await anyio.sleep(HOUSEKEEPING_S)

    def _mark(self) -> None:
        """Say who misbehaves, once."""
        troubles = self._conduct.troubles(self._now())
        for sender, trouble in troubles.items():
            if self._troubles.get(sender) is not trouble:
                text = f"{sender[0]} port {sender[1]} {_SAID[trouble]}"
                self._show.notice(Notice("warning", f"osc_{trouble.value}", text))
        if troubles != self._troubles:
            self._troubles = troubles
            self._publish_peers()


_ALIASES: Final = frozenset(ALIASES)


def _address_in(data: bytes) -> str:
    """Return what looks like the address of a packet that cannot be read, or nothing."""
    address = data[: data.find(0)] if data.startswith(b"/") else b""
    return address[:200].decode("ascii", "replace")
