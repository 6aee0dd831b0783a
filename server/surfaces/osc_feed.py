"""What OSC listeners hear: everything they want once, then what changes, to each at its own pace.

Owner: the OSC surface; `run` is one task of it. Everything is called on the event loop.
Units: seconds; values as the registry says.

    Show.subscribe, telemetry --newest value of each control--> outbox of each listener --paced--> its `send`

A listener is a UDP port, a TCP connection or an OSCQuery socket. One that moves a control by an alias of the earlier
system (`/stem/1/volume`) hears the aliases too, so that its faders follow.
"""

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import TaskStatus

from control.control import Kind, Value
from control.osc_codec import encode
from control.registry import ALIASES, FOCUSED, REGISTRY
from server.surfaces.osc_outbox import PAUSE_S, Outbox
from server.surfaces.show_port import ShowPort

TELEMETRY_S: Final = 1 / 30

_FOCUS: Final = "/session/focus"
_TELEMETRY: Final = tuple(path for path, control in REGISTRY.items() if control.is_telemetry)
_ALIAS_OF: Final = {
    focus: {control.path: alias for alias, control in named.items() if control.is_readable}
    for focus, named in FOCUSED.items()
}


@dataclass(slots=True)
class _Listener:
    send: Callable[[bytes], bool]
    wants: set[str] | None
    outbox: Outbox = field(default_factory=Outbox)

    def hears(self, path: str) -> bool:
        return path in self.wants if self.wants is not None else path in REGISTRY


class Feed:
    """Keeps every listener in step with the show. `telemetry` is asked 30 times a second while somebody listens."""

    def __init__(self, show: ShowPort, telemetry: Callable[[], Mapping[str, float]]) -> None:
        self._show = show
        self._telemetry = telemetry
        self._listeners: dict[Hashable, _Listener] = {}
        self._shown: dict[str, float] = {}
        self._somebody = anyio.Event()

    # -- listeners ----------------------------------------------------------------------------------------------------

    def add(self, key: Hashable, send: Callable[[bytes], bool], wants: Collection[str] | None = None) -> None:
        """Begin to feed `key`, or tell it everything anew. `wants` of None is every control by its own name.

        `send` takes one packet, must not raise, and returns False when it should be tried again later.
        """
        listener = self._listeners.get(key)
        if listener is None:
            listener = self._listeners[key] = _Listener(send, set(wants) if wants is not None else None)
        self._tell(key, listener, None)

    def want(self, key: Hashable, path: str) -> None:
        """Add a path, a control's or an alias, to what a listener hears; it is told the value now."""
        listener = self._listeners[key]
        if listener.wants is not None:
            listener.wants.add(path)
            self._tell(key, listener, {path})

    def ignore(self, key: Hashable, path: str) -> None:
        """Take a path out of what a listener hears."""
        listener = self._listeners.get(key)
        if listener is not None and listener.wants is not None:
            listener.wants.discard(path)

    def want_aliases(self, key: Hashable) -> None:
        """Let a listener that hears everything hear the aliases as well."""
        listener = self._listeners.get(key)
        if listener is not None and listener.wants is None:
            listener.wants = {*REGISTRY, *ALIASES}
            self._tell(key, listener, set(ALIASES))

    def remove(self, key: Hashable) -> None:
        """Stop feeding `key`, if it was fed."""
        self._listeners.pop(key, None)

    def waiting(self, key: Hashable) -> int:
        """Return how many packets wait for a listener."""
        listener = self._listeners.get(key)
        return len(listener.outbox) if listener is not None else 0

    def _tell(self, key: Hashable, listener: _Listener, paths: Collection[str] | None) -> None:
        """Put the values of `paths`, or of everything, into a listener's outbox."""
        for path, value in self._named(self._show.controls):
            if (paths is None or path in paths) and listener.hears(path):
                listener.outbox.put(path, packet(path, value))
        for path, level in {**dict.fromkeys(_TELEMETRY, 0.0), **self._telemetry()}.items():
            if (paths is None or path in paths) and listener.hears(path):
                listener.outbox.put_telemetry(path, packet(path, level))
        self._somebody.set()
        self._send_soon(key)

    def value(self, path: str) -> Value | None:
        """Return what a readable control or alias holds at this moment."""
        control = FOCUSED[self._focus].get(path) or REGISTRY.get(path)
        if control is None or not control.is_readable:
            return None
        if control.is_telemetry:
            return self._telemetry().get(control.path, 0.0)
        return self._show.controls.get(control.path)

    # -- the task -----------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Feed until cancelled."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._feed_state)
            tasks.start_soon(self._feed_telemetry)
            task_status.started()

    async def _feed_state(self, *, task_status: TaskStatus[None]) -> None:
        async with self._show.subscribe("osc") as changes:
            task_status.started()
            async for change in changes:
                if not self._listeners:
                    continue
                for path, value in self._named(change.changes):
                    data = packet(path, value)
                    for listener in self._listeners.values():
                        if listener.hears(path):
                            listener.outbox.put(path, data)
                for key in list(self._listeners):
                    self._send_soon(key)

    async def _feed_telemetry(self) -> None:
        while True:
            if not self._listeners:
                self._shown = {}
                self._somebody = anyio.Event()
                await self._somebody.wait()
            values = self._telemetry()
            for path, value in values.items():
                if self._shown.get(path) != value:
                    data = packet(path, value)
                    for listener in self._listeners.values():
                        if listener.hears(path):
                            listener.outbox.put_telemetry(path, data)
            self._shown = dict(values)
            for key in list(self._listeners):
                self._send_soon(key)
            await anyio.sleep(TELEMETRY_S)

    @property
    def _focus(self) -> str:
        return str(self._show.controls[_FOCUS])

    def _named(self, changes: Mapping[str, Value]) -> list[tuple[str, Value]]:
        """Return changes by name and by alias; a new focus says every alias again."""
        named = list(changes.items())
        aliases = _ALIAS_OF[self._focus]
        source = self._show.controls if _FOCUS in changes else changes
        named += [(aliases[path], source[path]) for path in aliases if path in source]
        return named

    def _send_soon(self, key: Hashable) -> None:
        listener = self._listeners.get(key)
        if listener is not None and listener.outbox and not listener.outbox.sending:
            self._send(key)

    def _send(self, key: Hashable) -> None:
        """Send a batch, and plan the next if there is more."""
        listener = self._listeners.get(key)
        if listener is None:
            return
        outbox = listener.outbox
        outbox.sending = False
        batch = outbox.take()
        for index, (_, data) in enumerate(batch):
            if not listener.send(data):
                outbox.give_back(batch[index:])
                break
        if outbox:
            outbox.sending = True
            asyncio.get_running_loop().call_later(PAUSE_S, self._send, key)


def packet(path: str, value: Value) -> bytes:
    """Return what says that a control, or an alias, holds `value`: faders as float, switches as int."""
    control = REGISTRY.get(path) or FOCUSED["1"].get(path)
    if control is not None and control.kind is Kind.CONTINUOUS:
        return encode(path, float(value))
    if isinstance(value, bool):
        return encode(path, int(value))
    return encode(path, value)
