"""The DAW surface: a DAW's transport and tempo go with the deck in focus, its first faders with the stems, both ways.

Owner: the event loop; `DawSurface.run` is one task. Units: as the registry says.

What the DAW says itself is not said back to it. Only datagrams of the machine named in `/daw/host` are heard. The DAW
is asked for what it tells every few seconds, so it may be started after us.
"""

import logging
from collections.abc import Callable
from typing import Final

import anyio

from control.control import Value
from control.daw_profile import Profile, load
from control.errors import BadMessage, PortTaken
from control.osc_codec import decode
from control.osc_peers import is_address, is_loopback
from control.osc_queue import Sender
from control.osc_socket import EVERYWHERE, LOOPBACK, OscSocket
from control.registry import FOCUSED, REGISTRY
from server.session.effects import Notice
from server.session.intent import Changes, Intent
from server.surfaces.show_port import ShowPort

log = logging.getLogger(__name__)

ASK_S: Final = 10.0
"""Between two requests to be told: a DAW that was restarted has forgotten."""

AGAIN_S: Final = 5.0
SOURCE: Final = "daw"
_FOCUS: Final = "/session/focus"


class DawSurface:
    """One DAW beside one show. `load_profile` returns the profile of a name."""

    def __init__(
        self,
        show: ShowPort,
        *,
        load_profile: Callable[[str], Profile] = load,
    ) -> None:
        self._show = show
        self._load = load_profile
        self._changed = anyio.Event()
        self._profile: Profile | None = None
        self._host = ""
        self._door: OscSocket | None = None

    @property
    def port(self) -> int:
        """The port the DAW is heard on, 0 while none is."""
        return self._door.port if self._door is not None else 0

    async def run(self) -> None:
        """Serve until cancelled."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._follow_show)
            while True:
                changed = self._changed
                self._open()
                if self._door is None:
                    with anyio.move_on_after(AGAIN_S if self._profile is not None else None):
                        await changed.wait()
                    continue
                try:
                    await self._ask_until(changed)
                finally:
                    self._door.close()
                    self._door = None

    async def _ask_until(self, changed: anyio.Event) -> None:
        assert self._profile is not None
        while not changed.is_set():
            for packet in self._profile.asks:
                self._send(packet)
            with anyio.move_on_after(ASK_S):
                await changed.wait()

    def _open(self) -> None:
        """Open the door that is wanted now, if any."""
        name, host = str(self._show.controls["/daw/profile"]), str(self._show.controls["/daw/host"]).strip()
        self._profile, self._host = None, host
        if name == "off":
            return
        if not is_address(host):
            text = f"/daw/host takes the address of a machine, such as 192.168.1.20, not {host[:60]!r}"
            self._show.notice(Notice("warning", "daw_host", text, "/daw/host"))
            return
        self._profile = self._load(name)
        door = OscSocket(self._hear, lambda sender: sender[0] == self._host, lambda address: False)
        try:
            door.open(self._profile.receive_port, LOOPBACK if is_loopback(host) else EVERYWHERE)
        except PortTaken as error:
            self._show.notice(Notice("warning", "daw_port", f"{self._profile.name} is not heard: {error}"))
            return
        self._door = door

    def _hear(self, data: bytes, sender: Sender) -> None:
        assert self._profile is not None
        try:
            messages = decode(data)
        except BadMessage as error:
            log.debug("the DAW sends what cannot be read: %s", error)
            return
        for message in messages:
            moved = self._profile.hear(message.address, message.args)
            if moved is not None:
                self._show.submit(Intent(moved[0], moved[1], SOURCE))

    def _send(self, packet: bytes) -> None:
        if self._door is not None and self._profile is not None:
            self._door.send(packet, (self._host, self._profile.send_port))

    # -- out ----------------------------------------------------------------------------------------------------------

    async def _follow_show(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with self._show.subscribe("daw") as changes:
            task_status.started()
            async for change in changes:
                if change.lagged or {"/daw/profile", "/daw/host"} & set(change.changes):
                    changed, self._changed = self._changed, anyio.Event()
                    changed.set()
                if self._profile is not None and change.source != SOURCE:
                    self._tell(change)

    def _tell(self, change: Changes) -> None:
        """Tell the DAW what changed of what it knows; another deck in focus is everything."""
        assert self._profile is not None
        focus = str(self._show.controls[_FOCUS])
        values = self._show.controls if _FOCUS in change.changes else change.changes
        for link in self._profile.links:
            control = FOCUSED[focus].get(link.path) or REGISTRY[link.path]
            if control.path in values:
                packet = link.packet(_plain(values[control.path]))
                if packet is not None:
                    self._send(packet)


def _plain(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value
