"""MIDI ports: found while running, opened, heard in turn and written.

Owner: the event loop, which alone calls what is public; looking for ports and opening them happens in a thread, since
a sound system may take its time. RtMidi's own thread enters by one door: it appends to a bounded inbox and wakes the
loop with `call_soon_threadsafe`, once for all that waits.
Units: `at` in seconds of the monotonic clock, taken as the message came.

A port that fails is disabled, shown with its reason and tried again when it comes back; one that floods or sends
garbage is marked and heard in turn with the others (`control/midi_queue.py`). On systems that have virtual ports there
are two of our own, for DAWs and bridges to connect to.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

import anyio
import anyio.to_thread

from control.errors import PortLost
from control.midi_health import Health
from control.midi_messages import is_whole
from control.midi_names import VIRTUAL, Arrived, PortState, Route
from control.midi_queue import MidiQueue
from control.rtmidi_port import RtMidiSystem
from control.settings import MidiApi, MidiSettings

log = logging.getLogger(__name__)

INBOX: Final = 65_536
"""Messages that may wait for the loop to look; beyond that the newest are lost, and counted. It looks every turn."""

TURN: Final = 64
"""Messages handled in one turn of the loop, so that nothing else on it waits."""

TWICE_S: Final = 0.02
"""The same message on a port and on the virtual port within this time is one message that was routed twice."""


class MidiPorts:
    """Keeps every wanted port open. `run` until cancelled; `on_message` and `on_change` are called on the loop."""

    def __init__(
        self,
        on_message: Callable[[Arrived], None],
        on_change: Callable[[], None] = lambda: None,
        settings: MidiSettings | None = None,
        fader_of: Callable[[str, tuple[int, ...]], Hashable | None] = lambda port, data: None,
        route: Callable[[str], Route] = lambda device: Route(),
    ) -> None:
        """`fader_of` names the fader that a message is a plain value of, None for what must not be lost; `route` says
        what was chosen for a device, and is called in another thread."""
        self._on_message = on_message
        self._on_change = on_change
        self._settings = settings or MidiSettings()
        self._fader_of = fader_of
        self._system = RtMidiSystem(self._arrive, self._settings, route)
        self._inbox: deque[Arrived] = deque()
        self._queue = MidiQueue()
        self._awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look_again = anyio.Event()
        self._recent: dict[tuple[int, ...], deque[tuple[str, float]]] = {}
        self._health: dict[str, Health] = {}
        self._states: dict[str, PortState] = {}
        self._outputs: dict[str, str] = {}
        self.lost = 0

    def ports(self) -> list[PortState]:
        """Return every port that is open or failed."""
        return list(self._states.values())

    def has_output(self, port: str) -> bool:
        """Return whether something can be shown on the device of this input port."""
        return port in self._outputs

    def send(self, port: str, data: bytes) -> None:
        """Send a message to the device of an input port. Raises PortLost."""
        output = self._outputs.get(port)
        if output is None:
            raise PortLost(f"{port} has no output")
        self._system.send(output, data)

    def look_again(self) -> None:
        """Look for ports now: something else was chosen for one."""
        self._look_again.set()

    async def run(self) -> None:
        """Find, open and close ports until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while self._settings.api is not MidiApi.OFF:
                self._look_again = anyio.Event()
                states, outputs = await anyio.to_thread.run_sync(self._system.look)
                before = _shown(self._states)
                now = time.monotonic()
                for key, state in states.items():
                    if key in self._states:
                        state.messages = self._states[key].messages
                    if (health := self._health.get(key)) is not None:
                        health.look(now)
                        state.trouble = health.trouble
                for port in [port for port in self._health if port not in states]:
                    del self._health[port]
                    self._queue.forget(port)
                changed = outputs != self._outputs
                self._states, self._outputs = states, outputs
                if changed or before != _shown(states):
                    self._on_change()
                with anyio.move_on_after(self._settings.poll_s):
                    await self._look_again.wait()
        finally:
            self._loop = None
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._system.close)

    # -- RtMidi's thread ----------------------------------------------------------------------------------------------

    def _arrive(self, port: str, data: tuple[int, ...]) -> None:
        loop = self._loop
        if loop is None:
            return
        if len(self._inbox) >= INBOX:
            self.lost += 1
            return
        self._inbox.append(Arrived(port, data, time.monotonic()))
        if not self._awake:
            self._awake = True
            try:
                loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop has closed
                self._loop = None

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        self._awake = False
        self._drain()
        for _ in range(TURN):
            arrived = self._queue.pop()
            if arrived is None:
                return
            self._on_message(arrived)
        if self._loop is not None and not self._awake:
            self._awake = True
            self._loop.call_soon(self._deliver)

    def _drain(self) -> None:
        """Take in everything that has come, which is cheap, so that handling it can be fair."""
        changed = False
        for _ in range(len(self._inbox)):
            arrived = self._inbox.popleft()
            state = self._states.get(arrived.port)
            if state is not None:
                state.messages += 1
                changed |= self._judge(state, arrived)
            if not self._came_twice(arrived) and not self._queue.push(
                arrived, self._fader_of(arrived.port, arrived.data)
            ):
                self.lost += 1
        if changed:
            self._on_change()

    def _judge(self, state: PortState, arrived: Arrived) -> bool:
        """Count a message for its port; return whether the port got into trouble or out of it."""
        health = self._health.setdefault(arrived.port, Health())
        changed = health.hear(is_whole(arrived.data), arrived.at)
        state.trouble = health.trouble
        return changed

    def _came_twice(self, arrived: Arrived) -> bool:
        """Return whether this is a message that somebody routes to us on two ways, the virtual port being one."""
        if len(self._recent) > 512:
            self._recent.clear()
        alone = self._recent.setdefault(arrived.data, deque(maxlen=64))
        while alone and arrived.at - alone[0][1] > TWICE_S:
            alone.popleft()
        for earlier in alone:
            if (earlier[0] == VIRTUAL) != (arrived.port == VIRTUAL):
                alone.remove(earlier)
                return True
        alone.append((arrived.port, arrived.at))
        return False


def _shown(states: dict[str, PortState]) -> dict[str, tuple[str, ...]]:
    """Return what of the ports is worth telling when it changes."""
    return {
        key: (state.status, state.error, state.device, state.ident, state.trouble and "trouble")
        for key, state in states.items()
    }
