"""One MIDI port in use: its mapping, what its knobs mean, and what they were last seen doing.

Owner: the MIDI surface, one for each open input. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: control values as the registry says; travel 0 to 1.

    message -> source, press or place -> mapping entries -> mode, range, curve, takeover -> Move(path, value)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from control import feedback, travel
from control.control import Control, Kind, UnknownControl, Value
from control.feedback import Feedback
from control.learn import clicks
from control.mapping import DeviceMapping, MapEntry, Mode, Source, SourceKind, Takeover
from control.midi_messages import (
    ChannelPressure,
    ControlChange,
    ControlChange14,
    MidiMessage,
    NoteOff,
    NoteOn,
    Pairer,
    PitchBend,
    ProgramChange,
)
from control.registry import resolve
from control.takeover import Pickup

SETTLE_S: Final = 0.05
"""A value asked for so recently counts as the control's value, though its echo has not come yet."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a message asks for."""

    path: str
    value: Value
    entry: MapEntry


@dataclass(frozen=True, slots=True)
class _Touch:
    """A message as a hand on a source. `value` of `top`; `pressed` is None while nothing was pressed or let go."""

    source: Source
    value: int
    top: int
    pressed: bool | None


class MidiDevice:
    """Turns the messages of one port into moves, and the show's changes into feedback.

    `value_of` returns the value of a control now, None if it is not known.
    """

    def __init__(
        self, port: str, name: str, mapping: DeviceMapping | None, value_of: Callable[[str], Value | None]
    ) -> None:
        self.port = port
        self.name = name
        self.feedback = Feedback()
        self._value_of = value_of
        self._pairer = Pairer()
        self._down: set[Source] = set()
        self._pickups: dict[tuple[Source, str], Pickup] = {}
        self._asked: dict[str, tuple[Value, float, tuple[Source, str]]] = {}
        self.mapping = mapping
        self._entries: dict[Source, list[MapEntry]] = {}
        self._paired: set[tuple[int, int]] = set()
        self.use(mapping)

    def use(self, mapping: DeviceMapping | None) -> None:
        """Take another mapping; knobs that still move the same controls keep their hold."""
        self.mapping = mapping
        self._entries = {}
        for entry in mapping.entries if mapping else ():
            self._entries.setdefault(entry.source, []).append(entry)
        kinds = {SourceKind.CC14}
        self._paired = {(source.channel, source.number) for source in self._entries if source.kind in kinds}
        kept = {(entry.source, entry.path) for entries in self._entries.values() for entry in entries}
        self._pickups = {key: pickup for key, pickup in self._pickups.items() if key in kept}

    def take(self, entry: MapEntry) -> None:
        """Give an entry's control to its knob: it was just learned, under the hand."""
        self._pickup(entry).take()

    # -- in -----------------------------------------------------------------------------------------------------------

    def hear(self, message: MidiMessage, focus: str, now: float) -> list[Move]:
        """Return what a message asks for while deck `focus` has the focus."""
        touch = self._touch(message)
        if touch is None:
            return []
        moves: list[Move] = []
        for entry in self._entries.get(touch.source, ()):
            try:
                control = entry.control(focus)
            except UnknownControl:
                continue
            value = self._value(entry, control, touch, now)
            if value is not None:
                self._asked[control.path] = (value, now, (entry.source, entry.path))
                moves.append(Move(control.path, value, entry))
            self._note_shown(entry, control, touch)
        return moves

    def _touch(self, message: MidiMessage) -> _Touch | None:
        match message:
            case ControlChange():
                paired = self._pairer.pair(message, lambda channel, number: (channel, number) in self._paired)
                if isinstance(paired, ControlChange14):
                    return _Touch(Source(SourceKind.CC14, paired.channel, paired.number), paired.value, 16_383, None)
                if paired is None:
                    return None
                source = Source(SourceKind.CC, message.channel, message.number)
                return _Touch(source, message.value, 127, self._edge(source, message.value >= 64))
            case NoteOn():
                source = Source(SourceKind.NOTE, message.channel, message.note)
                self._down.add(source)
                return _Touch(source, message.velocity, 127, True)
            case NoteOff():
                source = Source(SourceKind.NOTE, message.channel, message.note)
                self._down.discard(source)
                return _Touch(source, 0, 127, False)
            case PitchBend():
                source = Source(SourceKind.PITCHBEND, message.channel)
                return _Touch(source, message.value + 8192, 16_383, self._edge(source, message.value >= 0))
            case ChannelPressure():
                source = Source(SourceKind.PRESSURE, message.channel)
                return _Touch(source, message.pressure, 127, self._edge(source, message.pressure >= 64))
            case ProgramChange():
                return _Touch(Source(SourceKind.PROGRAM, message.channel, message.program), 127, 127, True)
        return None

    def _edge(self, source: Source, down: bool) -> bool | None:
        """Return True as a value rises past the middle, False as it falls back, None between."""
        if down == (source in self._down):
            return None
        (self._down.add if down else self._down.discard)(source)
        return down

    def _value(self, entry: MapEntry, control: Control, touch: _Touch, now: float) -> Value | None:
        match entry.mode:
            case Mode.TOGGLE:
                return self._toggled(entry, control, now) if touch.pressed else None
            case Mode.MOMENTARY:
                if touch.pressed is None:
                    return None
                return travel.value_at(control, entry.high if touch.pressed else entry.low)
            case Mode.RELATIVE:
                return self._turned(entry, control, clicks(touch.value, entry.encoding), now)
            case Mode.ABSOLUTE:
                if touch.source.kind is SourceKind.NOTE and not touch.pressed:
                    return None  # velocity sets the value, letting go does not
                return self._placed(entry, control, feedback.to_travel(touch.value, touch.top), now)

    def _toggled(self, entry: MapEntry, control: Control, now: float) -> Value:
        current = self._current(control, now)
        if control.kind is Kind.CHOICE:
            index = int(travel.number_of(control, current)) if current is not None else -1
            return control.choices[(index + 1) % len(control.choices)]
        number = entry.low if current is None else travel.number_of(control, current)
        at_high = abs(number - entry.high) < abs(number - entry.low)
        return travel.value_at(control, entry.low if at_high else entry.high)

    def _turned(self, entry: MapEntry, control: Control, turned: int, now: float) -> Value | None:
        if not turned:
            return None
        current = self._current(control, now)
        number = entry.low if current is None else travel.number_of(control, current)
        if control.kind is Kind.CHOICE:
            step = 1 if turned > 0 else -1
            return travel.value_at(control, number + (step if entry.high >= entry.low else -step))
        if control.kind in (Kind.TOGGLE, Kind.TRIGGER):
            return travel.value_at(control, entry.high if turned > 0 else entry.low)
        place = travel.to_travel(number, entry.low, entry.high, entry.curve)
        place = min(max(place + turned * entry.step, 0.0), 1.0)
        # rounded, so that clicks there and back end exactly where they began
        return travel.value_at(control, round(travel.to_number(place, entry.low, entry.high, entry.curve), 9))

    def _placed(self, entry: MapEntry, control: Control, place: float, now: float) -> Value | None:
        value = travel.value_at(control, travel.to_number(place, entry.low, entry.high, entry.curve))
        current = self._current(control, now)
        if current is not None and entry.takeover is Takeover.PICKUP and control.kind in (Kind.CONTINUOUS, Kind.CHOICE):
            stands = travel.to_travel(travel.number_of(control, current), entry.low, entry.high, entry.curve)
            if not self._pickup(entry).move(place, stands, now):
                return None
        return None if control.kind is not Kind.CONTINUOUS and value == current else value

    def _current(self, control: Control, now: float) -> Value | None:
        asked = self._asked.get(control.path)
        if asked is not None and now - asked[1] <= SETTLE_S:
            return asked[0]
        value = self._value_of(control.path)
        return 0 if value is None and control.kind is Kind.TRIGGER else value

    def _pickup(self, entry: MapEntry) -> Pickup:
        return self._pickups.setdefault((entry.source, entry.path), Pickup())

    # -- out ----------------------------------------------------------------------------------------------------------

    def changed(self, path: str, value: Value, own: bool, focus: str, now: float) -> None:
        """Note that a control has a new value; `own` if this port asked for it."""
        asked = self._asked.get(path)
        mover = asked[2] if own and asked is not None else None
        if asked is not None and (not own or value == asked[0]):
            del self._asked[path]
        for entry in self._moving(path, focus):
            if entry.mode is Mode.ABSOLUTE and (pickup := self._pickups.get((entry.source, entry.path))) is not None:
                control = resolve(path, focus)
                stands = travel.to_travel(travel.number_of(control, value), entry.low, entry.high, entry.curve)
                pickup.echo(stands, (entry.source, entry.path) == mover, now)
            if entry.feedback:
                self.feedback.show(entry.source, feedback.shown_value(entry, value))

    def show_all(self, focus: str, now: float) -> None:
        """Ask for everything to be shown, and for every fader to meet its control: another deck has the focus."""
        for entries in self._entries.values():
            for entry in entries:
                try:
                    control = entry.control(focus)
                except UnknownControl:
                    continue
                value = self._value_of(control.path)
                if value is not None:
                    self.changed(control.path, value, False, focus, now)

    def _moving(self, path: str, focus: str) -> list[MapEntry]:
        found: list[MapEntry] = []
        for entries in self._entries.values():
            for entry in entries:
                try:
                    if entry.path == path or entry.control(focus).path == path:
                        found.append(entry)
                except UnknownControl:
                    continue
        return found

    def _note_shown(self, entry: MapEntry, control: Control, touch: _Touch) -> None:
        """Keep in mind what the hardware shows by itself after a touch."""
        if entry.mode is Mode.ABSOLUTE and touch.pressed is None:
            self.feedback.stands_at(entry.source, touch.value)
        elif entry.mode is not Mode.RELATIVE:
            # buttons light up and go out under the finger; whatever they do, the show has the last word
            self.feedback.stands_at(entry.source, None)
            value = self._value_of(control.path)
            if value is not None and entry.feedback and not touch.pressed:
                self.feedback.show(entry.source, feedback.shown_value(entry, value))
