"""The MIDI surface: controllers move the show through their mappings, are taught by moving them, and show its state.

Owner: the event loop. `MidiSurface.run` is one task; everything public is called on the loop.
Units: seconds; control values as the registry says.

    RtMidi thread --call_soon_threadsafe--> message --learning?--> Learner -> mapping file, LearnChanged
                                               '--mapped?--> MidiDevice -> Intent -> Show
    Show.subscribe -> soft takeover of each fader; lights, rings and motor faders of each device with an output
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from control.control import Value
from control.errors import BadMessage, MappingRejected, PortLost
from control.learn import Learned, Learner
from control.mapping import DeviceMapping
from control.mapping_store import FileMappings, choose, new_mapping, with_entry
from control.midi_device import MidiDevice
from control.midi_messages import RealTime, decode
from control.rtmidi_port import Arrived, MidiPorts, PortState
from control.settings import MidiSettings
from server.protocol import LearnChanged
from server.session.effects import Notice
from server.session.intent import Changes, Intent, Refused
from server.surfaces.show_port import ShowPort

__all__ = ["FileMappings", "MidiSurface", "Ports", "PortsFactory"]

log = logging.getLogger(__name__)

TICK_S: Final = 0.05
"""How often learning looks whether a moved knob has gone quiet."""

FILES_S: Final = 2.0
"""How often the mapping files are looked at for changes made by hand."""

FLUSH_S: Final = 0.01
"""Pause before feedback that was held back goes on."""


class Ports(Protocol):
    """The MIDI ports; `control.rtmidi_port.MidiPorts` is the real one."""

    def ports(self) -> list[PortState]: ...

    def has_output(self, port: str) -> bool: ...

    def send(self, port: str, data: bytes) -> None: ...

    async def run(self) -> None: ...


PortsFactory = Callable[[Callable[[Arrived], None], Callable[[], None]], Ports]


class MidiSurface:
    """MIDI in and out for one show.

    `on_learn` is told when learning starts (`waiting`), ends (`mapped`, `cancelled`) and when a control loses its knob
    to another (`unmapped`). `on_ports` is told when ports come, go or fail. `telemetry` returns readable controls that
    are not state, for knobs that turn them.
    """

    def __init__(
        self,
        show: ShowPort,
        store: FileMappings,
        *,
        settings: MidiSettings | None = None,
        on_learn: Callable[[LearnChanged], None] = lambda message: None,
        on_ports: Callable[[list[PortState]], None] = lambda ports: None,
        telemetry: Callable[[], Mapping[str, float]] = dict,
        ports: PortsFactory | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._store = store
        self._on_learn = on_learn
        self._on_ports = on_ports
        self._telemetry = telemetry
        self._now = now
        self._learner = Learner()
        self._armed = anyio.Event()
        self._mappings: list[DeviceMapping] = []
        self._faults: list[str] = []
        self._files: object = None
        self._devices: dict[str, MidiDevice] = {}
        self._flushing: set[str] = set()
        self._saving = anyio.Lock()
        self._tasks: TaskGroup | None = None
        make = ports or (lambda hear, change: MidiPorts(hear, change, settings))
        self._ports = make(self._hear, self._ports_changed)

    # -- the lifespan -------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep ports open, move the show and be moved by it until cancelled."""
        await self.reload()
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await tasks.start(self._feed)
                tasks.start_soon(self._ports.run)
                tasks.start_soon(self._tick)
                tasks.start_soon(self._watch_files)
                task_status.started()
        finally:
            self._tasks = None

    def ports(self) -> list[PortState]:
        """Return every MIDI port that is open or failed."""
        return self._ports.ports()

    def mapping_of(self, port: str) -> DeviceMapping | None:
        """Return the mapping in force on an input port."""
        device = self._devices.get(port)
        return device.mapping if device else None

    # -- learn --------------------------------------------------------------------------------------------------------

    @property
    def learning(self) -> str | None:
        """The control that waits for a knob to be moved."""
        return self._learner.path

    def start_learn(self, path: str) -> None:
        """Wait for a knob to be moved for `path`. While it waits, MIDI moves nothing.

        Raises UnknownControl, CannotLearn.
        """
        before = self._learner.path
        self._learner.arm(path)
        if before is not None and before != path:
            self._on_learn(LearnChanged(before, "cancelled"))
        self._armed.set()
        self._on_learn(LearnChanged(path, "waiting"))

    def cancel_learn(self) -> None:
        """Give up waiting, if something waits."""
        path = self._learner.cancel()
        if path is not None:
            self._on_learn(LearnChanged(path, "cancelled"))

    def _learned(self, learned: Learned) -> None:
        entry = learned.entry
        device = self._device(learned.port)
        base = device.mapping
        try:
            own = new_mapping(device.name, base) if base is None or base.builtin else base
            mapping, gone = with_entry(own, entry)
        except MappingRejected as error:
            self._notice("error", "mapping_rejected", f"That could not be learned: {error}", entry.path)
            self._on_learn(LearnChanged(entry.path, "cancelled"))
            return
        self._mappings = [mapping, *(other for other in self._mappings if other is not base or other.builtin)]
        self._apply_mappings()
        device.take(entry)
        for other in gone:
            if other.path != entry.path:
                self._on_learn(LearnChanged(other.path, "unmapped", device.name, str(other.source)))
        self._on_learn(LearnChanged(entry.path, "mapped", device.name, str(entry.source)))
        if self._tasks is not None:
            self._tasks.start_soon(self._save, device.name, mapping)

    async def _save(self, name: str, mapping: DeviceMapping) -> None:
        async with self._saving:
            try:
                path = await anyio.to_thread.run_sync(self._store.save, name, mapping)
                self._files = await anyio.to_thread.run_sync(self._store.signature)
                log.info("MIDI mapping of %s saved in %s", name, path)
            except OSError as error:
                self._notice("error", "mapping_not_saved", f"The mapping of {name} works but was not saved: {error}")

    # -- mappings -----------------------------------------------------------------------------------------------------

    async def reload(self) -> list[str]:
        """Read the mapping files again and return their faults, which are also told as notices."""
        async with self._saving:
            self._files = await anyio.to_thread.run_sync(self._store.signature)
            self._mappings, faults = await anyio.to_thread.run_sync(self._store.load)
        if faults != self._faults:
            for fault in faults[:5]:
                self._notice("warning", "mapping_rejected", fault)
        self._faults = faults
        self._apply_mappings()
        return faults

    async def _watch_files(self) -> None:
        while True:
            await anyio.sleep(FILES_S)
            if await anyio.to_thread.run_sync(self._store.signature) != self._files:
                await self.reload()

    def _apply_mappings(self) -> None:
        focus, now = self._focus(), self._now()
        for device in self._devices.values():
            device.use(choose(self._mappings, device.name))
            device.show_all(focus, now)
            self._flush(device.port)

    # -- in -----------------------------------------------------------------------------------------------------------

    def _hear(self, arrived: Arrived) -> None:
        try:
            message = decode(arrived.data)
        except BadMessage as error:
            log.debug("%s: %s", arrived.port, error)
            return
        if isinstance(message, RealTime):
            return
        if self._learner.path is not None:
            learned = self._learner.hear(arrived.port, message, self._now())
            if learned is not None:
                self._learned(learned)
            return
        device = self._device(arrived.port)
        source = f"midi:{arrived.port}"
        for move in device.hear(message, self._focus(), self._now()):
            self._show.submit(Intent(move.path, move.value, source, None, self._refused))
        self._flush(arrived.port)

    def _refused(self, refused: Refused) -> None:
        self._notice("warning", refused.code, refused.message, refused.path)

    def _device(self, port: str) -> MidiDevice:
        device = self._devices.get(port)
        if device is None:
            name = next((state.device for state in self._ports.ports() if state.name == port and state.is_input), port)
            device = self._devices[port] = MidiDevice(port, name, choose(self._mappings, name), self._value_of)
            device.show_all(self._focus(), self._now())
        return device

    def _value_of(self, path: str) -> Value | None:
        value = self._show.controls.get(path)
        return self._telemetry().get(path) if value is None else value

    def _focus(self) -> str:
        return str(self._show.controls.get("/session/focus", "1"))

    # -- out ----------------------------------------------------------------------------------------------------------

    async def _feed(self, *, task_status: TaskStatus[None]) -> None:
        async with self._show.subscribe("midi") as changes:
            task_status.started()
            async for change in changes:
                self._changed(change)

    def _changed(self, change: Changes) -> None:
        focus, now = self._focus(), self._now()
        for device in self._devices.values():
            own = change.source == f"midi:{device.port}"
            for path, value in change.changes.items():
                device.changed(path, value, own, focus, now)
            if "/session/focus" in change.changes:
                device.show_all(focus, now)
            self._flush(device.port)

    def _flush(self, port: str) -> None:
        """Send the feedback that is due; plan the rest."""
        device = self._devices.get(port)
        if device is None or port in self._flushing or not self._ports.has_output(port):
            return
        try:
            for message in device.feedback.due(self._now()):
                self._ports.send(port, message)
        except PortLost as error:
            log.debug("%s", error)
            return
        if device.feedback.waiting:
            self._flushing.add(port)
            asyncio.get_running_loop().call_later(FLUSH_S, self._flush_again, port)

    def _flush_again(self, port: str) -> None:
        self._flushing.discard(port)
        self._flush(port)

    def _ports_changed(self) -> None:
        states = self._ports.ports()
        present = {state.name for state in states if state.is_input and state.status == "open"}
        for port in [port for port in self._devices if port not in present]:
            del self._devices[port]
        for port in present:
            device = self._device(port)
            device.feedback.forget()
            device.show_all(self._focus(), self._now())
            self._flush(port)
        self._on_ports(states)

    async def _tick(self) -> None:
        while True:
            if self._learner.path is None:
                self._armed = anyio.Event()
                await self._armed.wait()
            learned = self._learner.tick(self._now())
            if learned is not None:
                self._learned(learned)
            await anyio.sleep(TICK_S)

    def _notice(self, level: str, code: str, message: str, path: str = "") -> None:
        self._show.notice(Notice(level, code, message, path))
