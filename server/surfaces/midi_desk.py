"""The MIDI desk: what the page and other programs see of MIDI, and what they may change.

Owner: the event loop. Units: control values as the registry says.
"""

import msgspec

from control.errors import MappingRejected
from control.mapping import DeviceMapping
from control.mapping_entry import MapEntry
from control.midi_names import VIRTUAL, Route
from control.mixxx_import import import_mixxx
from server.errors import BadRequest, NotFound
from server.protocol import Value
from server.surfaces.midi import MidiSurface


class MidiPort(msgspec.Struct, frozen=True):
    """A MIDI port. `mapping` is the name of the one in force on an input; `hear` and `output` are what was chosen."""

    name: str
    device: str
    ident: str
    is_input: bool
    status: str
    error: str
    trouble: str
    messages: int
    shows: bool
    hear: bool
    output: str
    mapping: str
    layers: list[str]


class MidiOverview(msgspec.Struct, frozen=True):
    """All of MIDI at a glance. `undo`: what would be taken back; `learning`: the control that waits for a knob."""

    ports: list[MidiPort]
    mappings: list[str]
    learning: str
    undo: str


class MidiLine(msgspec.Struct, frozen=True):
    """One line of a mapping."""

    source: str
    path: str
    mode: str
    on: str
    layer: str
    takeover: str
    note: str


class MidiAbsent(msgspec.Struct, frozen=True):
    """A line for a control that this version does not have yet."""

    source: str
    path: str


class MidiTable(msgspec.Struct, frozen=True):
    """A mapping: its lines, those that are not yet there, and the file itself."""

    name: str
    match: list[str]
    builtin: bool
    lines: list[MidiLine]
    absent: list[MidiAbsent]
    text: str


class MidiTaken(msgspec.Struct, frozen=True):
    """What became of a mapping from elsewhere, in sentences."""

    name: str
    report: list[str]


class MidiMoved(msgspec.Struct, frozen=True):
    """What a message asked for."""

    path: str
    value: Value


class MidiHeard(msgspec.Struct, frozen=True):
    """One message in words."""

    number: int
    device: str
    text: str
    moved: list[MidiMoved]
    learned: bool


class MidiDesk:
    """What routes may ask of MIDI; it owns nothing."""

    def __init__(self, surface: MidiSurface) -> None:
        self._surface = surface

    def start_learn(self, path: str) -> None:
        """Wait for a knob to be moved for `path`. Raises UnknownControl, CannotLearn."""
        self._surface.start_learn(path)

    def cancel_learn(self) -> None:
        """Give up waiting, if something waits."""
        self._surface.cancel_learn()

    def overview(self) -> MidiOverview:
        """Return every port, every mapping's name and how learning stands."""
        ports = []
        for state in self._surface.ports():
            device = self._surface.device(state.name) if state.is_input else None
            route = self._surface.route_of(state.device)
            mapping = device.mapping if device is not None else None
            ports.append(
                MidiPort(
                    state.name, state.device, state.ident, state.is_input, state.status, state.error, state.trouble,
                    state.messages, state.is_input and self._surface.has_output(state.name), route.hear, route.output,
                    mapping.name if mapping else "", sorted(device.layers.on) if device else [],
                )
            )  # fmt: skip
        book = self._surface.book
        names = [mapping.name for mapping in book.mappings]
        return MidiOverview(ports, names, self._surface.learning or "", book.undoable)

    def table(self, name: str) -> MidiTable:
        """Return a mapping by its name. Raises NotFound."""
        return _table(self._named(name))

    def take(self, file: str, text: str, match: str = "") -> MidiTaken:
        """Take in a mapping from elsewhere: one of ours, or one of Mixxx. Raises MappingRejected, NotAMixxxMapping."""
        if text.lstrip("\ufeff \t\r\n").startswith("<"):
            made, report = import_mixxx(text.lstrip("\ufeff").encode(), file, match)
            mapping = self._surface.take_mapping(file, made.text)
            return MidiTaken(mapping.name, report.lines())
        mapping = self._surface.take_mapping(file, text)
        waiting = [f"{one.source} waits for {one.path}, which is not yet there." for one in mapping.absent]
        return MidiTaken(mapping.name, [f"{mapping.name}: {len(mapping.entries)} controls taken.", *waiting])

    async def take_script(self, file: str, text: str) -> MidiTaken:
        """Take in a script that mappings name. Raises MappingRejected, OSError."""
        users = await self._surface.take_script(file, text)
        used = f"{', '.join(users)} runs it now." if users else "No mapping names it yet: import that, too."
        return MidiTaken(file, [f"{file} is there.", used])

    def forget(self, port: str, source: str, path: str, on: str = "press", layer: str = "") -> None:
        """Take one line out of the mapping in force on a port. Raises NotFound."""
        mapping = self._surface.mapping_of(port)
        wanted = (source, path, on, layer)
        entries = [entry for entry in (mapping.entries if mapping else ()) if _name(entry) == wanted]
        if not entries:
            raise NotFound(f"{port} has no line from {source} to {path}.")
        try:
            self._surface.forget(port, entries)
        except MappingRejected as error:
            raise BadRequest(str(error)) from error

    def undo(self) -> str:
        """Take back the last change and return what it was. Raises NothingToUndo."""
        return self._surface.undo()

    async def choose(self, device: str, hear: bool, output: str) -> None:
        """Choose whether a device is heard, and where its feedback goes: "" its own, "none", or a port's name.

        Raises NotFound.
        """
        if device not in {state.device for state in self._surface.ports() if state.is_input} or device == VIRTUAL:
            raise NotFound(f"There is no MIDI device {device[:80]!r} whose ports can be chosen.")
        await self._surface.choose_route(device, Route(hear, output))

    def heard(self, after: int) -> list[MidiHeard]:
        """Return the messages after the one of this number, the last 200 at most."""
        return [
            MidiHeard(
                one.number, one.device, one.text, [MidiMoved(path, value) for path, value in one.moved], one.learned
            )
            for one in self._surface.log.since(after)
        ]

    def _named(self, name: str) -> DeviceMapping:
        mapping = self._surface.book.named(name)
        if mapping is None:
            raise NotFound(f"There is no MIDI mapping {name[:80]!r}.")
        return mapping


def _name(entry: MapEntry) -> tuple[str, str, str, str]:
    return str(entry.source), entry.path, entry.gesture.value, entry.layer


def _table(mapping: DeviceMapping) -> MidiTable:
    lines = [
        MidiLine(str(one.source), one.path, one.mode.value, one.gesture.value, one.layer, one.takeover.value, one.note)
        for one in mapping.entries
    ]
    absent = [MidiAbsent(one.source, one.path) for one in mapping.absent]
    return MidiTable(mapping.name, list(mapping.match), mapping.builtin, lines, absent, mapping.text)
