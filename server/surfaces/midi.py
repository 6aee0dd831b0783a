"""The MIDI surface: controllers move the show through their mappings, are taught by moving them, and show its state.

Owner: the event loop. `MidiSurface.run` is one task; everything public is called on the loop.
Units: seconds; control values as the registry says.

    RtMidi thread --call_soon_threadsafe--> queue --learning?--> Learner -> MappingBook, LearnChanged
                                               '--mapped?--> MidiDevice -> Intent -> Show
    Show.subscribe -> soft takeover of each fader; lights, rings and motor faders of each device with an output
"""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from control.control import Value
from control.errors import BadMessage, MappingRejected
from control.learn import Learned, Learner
from control.mapping import DeviceMapping
from control.mapping_entry import MapEntry
from control.mapping_store import FileMappings
from control.midi_choices import PortChoices
from control.midi_device import MidiDevice, Move
from control.midi_log import MidiLog
from control.midi_messages import RealTime, decode
from control.midi_names import Arrived, PortState, Route
from control.midi_ports import MidiPorts
from control.settings import MidiSettings
from server.protocol import LearnChanged
from server.session.effects import Notice
from server.session.intent import Intent, Refused
from server.surfaces.midi_book import MappingBook
from server.surfaces.midi_port import Ports, PortsFactory
from server.surfaces.midi_show import MidiShow
from server.surfaces.script_desk import ScriptDesk
from server.surfaces.show_port import ShowPort

__all__ = ["FileMappings", "MidiSurface", "PortChoices", "Ports", "PortsFactory"]

log = logging.getLogger(__name__)

TICK_S: Final = 0.05
"""How often learning looks whether a moved knob has gone quiet."""

FILES_S: Final = 2.0
"""How often the mapping files are looked at for changes made by hand."""


class MidiSurface:
    """MIDI in and out for one show.

    `on_learn` is told when learning starts (`waiting`), ends (`mapped`, `cancelled`) and when a control loses its knob
    to another (`unmapped`). `on_ports` is told when ports come, go or fail. `telemetry` returns readable controls that
    are not state, for meters and for knobs that turn them. `act` is called when moves have been handed to the show, so
    that it need not wait for its turn of the loop.
    """

    def __init__(
        self,
        show: ShowPort,
        store: FileMappings,
        *,
        settings: MidiSettings | None = None,
        choices: PortChoices | None = None,
        on_learn: Callable[[LearnChanged], None] = lambda message: None,
        on_ports: Callable[[list[PortState]], None] = lambda ports: None,
        telemetry: Callable[[], Mapping[str, float]] = dict,
        ports: PortsFactory | None = None,
        act: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show = show
        self._act = act
        self._on_learn = on_learn
        self._on_ports = on_ports
        self._telemetry = telemetry
        self._now = now
        self._learner = Learner()
        self._armed = anyio.Event()
        self._choices = choices or PortChoices()
        self._devices: dict[str, MidiDevice] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._troubled: set[str] = set()
        self._tasks: TaskGroup | None = None
        self.log = MidiLog()
        self.book = MappingBook(store, lambda code, message: self._notice("warning", code, message))
        make = ports or (lambda hear, change: MidiPorts(hear, change, settings, self._fader_of, self._route))
        self._ports = make(self._hear, self._ports_changed)
        self._shown = MidiShow(self._ports, self._devices, telemetry, now)
        self._scripts = ScriptDesk(
            store,
            value_of=self._value_of,
            ask=self._script_asks,
            send=lambda port, data: self._shown.say(port, (data,)),
            trouble=self._script_trouble,
        )

    # -- the lifespan -------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep ports open, move the show and be moved by it until cancelled."""
        await anyio.to_thread.run_sync(self._choices.load)
        await self.reload()
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await tasks.start(self._feed)
                tasks.start_soon(self._ports.run)
                tasks.start_soon(self._tick)
                tasks.start_soon(self._watch_files)
                tasks.start_soon(self._shown.run_meters)
                self._scripts.open(tasks)
                task_status.started()
        finally:
            self._tasks = None
            self._scripts.close()
            for timer in self._timers.values():
                timer.cancel()
            for device in self._devices.values():
                self._shown.say(device.port, device.mapping.goodbye if device.mapping else ())

    def ports(self) -> list[PortState]:
        """Return every MIDI port that is open, failed or switched off."""
        return self._ports.ports()

    def has_output(self, port: str) -> bool:
        """Return whether something can be shown on the device of an input port."""
        return self._ports.has_output(port)

    def device(self, port: str) -> MidiDevice | None:
        """Return the device on an input port that was heard or shown something."""
        return self._devices.get(port)

    def mapping_of(self, port: str) -> DeviceMapping | None:
        """Return the mapping in force on an input port."""
        device = self._devices.get(port)
        return device.mapping if device else None

    def route_of(self, device: str) -> Route:
        """Return what was chosen for a device."""
        return self._choices.route(device)

    async def choose_route(self, device: str, route: Route) -> None:
        """Choose whether a device is heard, and where its feedback goes. Raises OSError if that cannot be kept."""
        self._choices.choose(device, route)
        self._ports.look_again()
        await anyio.to_thread.run_sync(self._choices.save)

    def _route(self, device: str) -> Route:
        """Return what was chosen for a device, else what its mapping says. Called in the thread that looks."""
        chosen = self._choices.route(device)
        if chosen.output:
            return chosen
        mapping = self.book.mapping_of(device)
        return replace(chosen, output=mapping.output) if mapping and mapping.output else chosen

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
        device = self._device(learned.port)
        entry = replace(learned.entry, layer=device.layer_for_learning())
        try:
            gone = self.book.learn(device.name, device.ident, entry)
        except MappingRejected as error:
            self._notice("error", "mapping_rejected", f"That could not be learned: {error}", entry.path)
            self._on_learn(LearnChanged(entry.path, "cancelled"))
            return
        self._mappings_changed()
        device.take(entry, learned.place)
        for other in gone:
            if other.path != entry.path:
                self._on_learn(LearnChanged(other.path, "unmapped", device.name, str(other.source)))
        self._on_learn(LearnChanged(entry.path, "mapped", device.name, str(entry.source)))

    # -- mappings -----------------------------------------------------------------------------------------------------

    def forget(self, port: str, entries: Sequence[MapEntry]) -> None:
        """Take lines out of the mapping of a device. Raises MappingRejected."""
        device = self._device(port)
        self.book.forget(device.name, device.ident, entries)
        self._mappings_changed()

    async def take_script(self, file: str, text: str) -> list[str]:
        """Take in a script and return the names of the mappings that use it. Raises MappingRejected, OSError."""
        await anyio.to_thread.run_sync(self.book.save_script, file, text)
        await self.reload()
        return [one.name for one in self.book.mappings if any(script.file == file for script in one.scripts)]

    def take_mapping(self, file: str, text: str) -> DeviceMapping:
        """Take in a mapping from elsewhere. Raises MappingRejected."""
        mapping = self.book.take(file, text)
        self._mappings_changed()
        return mapping

    def undo(self) -> str:
        """Take back the last change of a mapping and return what it was. Raises NothingToUndo."""
        what = self.book.undo()
        self._mappings_changed()
        return what

    async def reload(self) -> list[str]:
        """Read the mapping files again and return their faults, which are also told as notices."""
        faults = await self.book.load()
        self._apply_mappings(fresh=True)
        return faults

    def _mappings_changed(self) -> None:
        self._apply_mappings()
        if self._tasks is not None:
            self._tasks.start_soon(self.book.save)

    async def _watch_files(self) -> None:
        while True:
            await anyio.sleep(FILES_S)
            if await self.book.is_stale():
                await self.reload()

    def _apply_mappings(self, fresh: bool = False) -> None:
        focus, now = self._focus(), self._now()
        for device in self._devices.values():
            before = device.mapping
            mapping = self.book.mapping_of(device.name, device.ident)
            device.use(mapping)
            self._scripts.follow(device.port, device.name, mapping, fresh)
            if mapping is not None and (before is None or before.hello != mapping.hello):
                self._shown.say(device.port, mapping.hello)
            device.show_all(focus, now)
            self._shown.flush(device.port)
        self._ports.look_again()

    # -- in -----------------------------------------------------------------------------------------------------------

    def _fader_of(self, port: str, data: tuple[int, ...]) -> Hashable | None:
        """Return the name of the fader that a waiting message is a plain value of, None for what must not be lost."""
        device = self._devices.get(port)
        return None if device is None or self._learner.path is not None else device.fader_of(data)

    def _hear(self, arrived: Arrived) -> None:
        device = self._device(arrived.port)
        try:
            message = decode(arrived.data)
        except BadMessage as error:
            log.debug("%s: %s", arrived.port, error)
            self.log.note(arrived, device.name)
            return
        if isinstance(message, RealTime):
            return
        if self._learner.path is not None:
            self.log.note(arrived, device.name, learned=True)
            if device.hear_layers(message):
                return  # shift is held to learn what lies under it
            learned = self._learner.hear(arrived.port, message, self._now())
            if learned is not None:
                self._learned(learned)
            return
        try:
            moves = device.hear(message, self._focus(), self._now())
        except Exception:
            # a fault of ours in one line of one mapping must not end the show
            log.exception("%s: %s", arrived.port, message)
            moves = []
        self.log.note(arrived, device.name, [(move.path, move.value) for move in moves])
        self._submit(device, moves)
        self._scripts.hear(arrived.port, tuple(arrived.data))

    def _submit(self, device: MidiDevice, moves: Sequence[Move]) -> None:
        source = f"midi:{device.port}"
        for move in moves:
            self._show.submit(Intent(move.path, move.value, source, None, self._refused))
        self._act()
        self._shown.flush(device.port)
        self._plan(device)

    def _plan(self, device: MidiDevice) -> None:
        """Come back when a button has been held long enough."""
        timer = self._timers.pop(device.port, None)
        if timer is not None:
            timer.cancel()
        at = device.next_at()
        if at is not None:
            delay = max(at - self._now(), 0.0)
            self._timers[device.port] = asyncio.get_running_loop().call_later(delay, self._time_has_come, device)

    def _time_has_come(self, device: MidiDevice) -> None:
        self._timers.pop(device.port, None)
        if self._devices.get(device.port) is device:
            self._submit(device, device.tick(self._focus(), self._now()))

    def _script_asks(self, port: str, path: str, value: Value) -> None:
        self._show.submit(Intent(path, value, f"midi:{port}", None, self._refused))

    def _script_trouble(self, device: str, text: str, is_grave: bool) -> None:
        log.info("%s: %s", device, text)
        self._notice("error" if is_grave else "warning", "midi_script", f"{device}: {text}")

    def _refused(self, refused: Refused) -> None:
        self._notice("warning", refused.code, refused.message, refused.path)

    def _device(self, port: str) -> MidiDevice:
        device = self._devices.get(port)
        if device is None:
            state = next((state for state in self._ports.ports() if state.name == port and state.is_input), None)
            name, ident = (state.device, state.ident) if state is not None else (port, port)
            mapping = self.book.mapping_of(name, ident)
            device = self._devices[port] = MidiDevice(port, name, mapping, self._value_of, ident)
            self._scripts.follow(port, name, mapping)
            device.show_all(self._focus(), self._now())
        return device

    def _value_of(self, path: str) -> Value | None:
        value = self._show.value(path)
        return self._telemetry().get(path) if value is None else value

    def _focus(self) -> str:
        return str(self._show.value("/session/focus") or "1")

    # -- out ----------------------------------------------------------------------------------------------------------

    async def _feed(self, *, task_status: TaskStatus[None]) -> None:
        async with self._show.subscribe("midi") as changes:
            task_status.started()
            async for change in changes:
                self._shown.changed(change, self._focus())
                self._scripts.changed(change.changes)

    def _ports_changed(self) -> None:
        states = self._ports.ports()
        present = {state.name: state for state in states if state.is_input and state.status == "open"}
        for port in [port for port in self._devices if port not in present]:
            del self._devices[port]
            self._scripts.follow(port, "", None)
        for port, state in present.items():
            known = self._devices.get(port)
            if known is not None and (known.name, known.ident) != (state.device, state.ident or state.device):
                del self._devices[port]  # it has got a twin
                self._scripts.follow(port, "", None)
            device = self._device(port)
            device.feedback.forget()
            self._shown.say(port, device.mapping.hello if device.mapping else ())
            device.relight()
            self._shown.flush(port)
        self._tell_of_trouble(states)
        self._on_ports(states)

    def _tell_of_trouble(self, states: Sequence[PortState]) -> None:
        troubled = {state.name: state for state in states if state.trouble}
        for name, state in troubled.items():
            if name not in self._troubled:
                text = f"{state.device} {state.trouble}. It is still heard, in turn with the others."
                self._notice("warning", "midi_trouble", text)
        self._troubled = set(troubled)

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
