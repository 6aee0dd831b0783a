"""One MIDI port in use: its mapping, what its knobs mean, and what they were last seen doing.

Owner: the MIDI surface, one for each open input. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: control values as the registry says; travel 0 to 1.

    message -> touch -> layers -> gesture or place -> mapping entries -> mode, range, curve, takeover -> Move
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from control import travel
from control.control import Control, Kind, UnknownControl, Value
from control.feedback import Feedback, to_travel
from control.gestures import Gestures
from control.layers import Layers
from control.lights import Lights
from control.mapping import DeviceMapping, sources_of
from control.mapping_entry import Gesture, MapEntry, Mode
from control.midi_hands import Hands, key_of
from control.midi_messages import MidiMessage
from control.midi_source import Source, SourceKind
from control.midi_touch import PARAMETER_NUMBERS, Touch, Touches

_FINGER: Final = frozenset({Mode.TOGGLE, Mode.MOMENTARY, Mode.SET})
"""Modes that wait for a gesture."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a message asks for."""

    path: str
    value: Value
    entry: MapEntry


class MidiDevice:
    """Turns the messages of one port into moves, and the show's changes into feedback.

    `value_of` returns the value of a control now, None if it is not known.
    """

    def __init__(
        self,
        port: str,
        name: str,
        mapping: DeviceMapping | None,
        value_of: Callable[[str], Value | None],
        ident: str = "",
    ) -> None:
        self.port = port
        self.name = name
        self.ident = ident or name
        self.feedback = Feedback()
        self.layers = Layers()
        self._value_of = value_of
        self._touches = Touches()
        self._gestures = Gestures(self._gestures_of)
        self._entries: dict[Source, list[MapEntry]] = {}
        self._wanted: dict[Hashable, frozenset[Gesture]] = {}
        self._held: dict[Source, list[MapEntry]] = {}
        self._hands = Hands(value_of)
        self._moving: dict[str, list[MapEntry]] = {}
        self._lights = Lights()
        self._focus = "1"
        self.mapping = mapping
        self.use(mapping)

    def use(self, mapping: DeviceMapping | None) -> None:
        """Take another mapping; knobs that still move the same controls keep their hold."""
        self.mapping = mapping
        self._entries = {}
        for entry in mapping.entries if mapping else ():
            self._entries.setdefault(entry.source, []).append(entry)
        self._wanted = {
            source: frozenset(entry.gesture for entry in entries if entry.mode in _FINGER)
            for source, entries in self._entries.items()
        }
        self._touches.listen_to(sources_of(mapping))
        layers = Layers(mapping.layers if mapping else ())
        layers.take_over(self.layers)
        self.layers = layers
        self._hands.keep({key_of(entry) for entries in self._entries.values() for entry in entries})
        self._held = {source: entries for source, entries in self._held.items() if source in self._entries}
        self._index(self._focus)
        self.feedback.keep(self._lights.targets)

    def take(self, entry: MapEntry, place: float | None = None) -> None:
        """Give an entry's control to its knob, which stands at `place`: it was just learned, under the hand."""
        self._hands.pickup(entry).take(place)

    def layer_for_learning(self) -> str:
        """Return the layer that a line learned now belongs to: the topmost that is on."""
        return max(self.layers.on, key=self.layers.rank, default="")

    def _index(self, focus: str) -> None:
        """Find out which controls the lines move and show while `focus` has the focus."""
        self._focus = focus
        self._moving = {}
        for entries in self._entries.values():
            for entry in entries:
                try:
                    self._moving.setdefault(entry.control(focus).path, []).append(entry)
                except UnknownControl:
                    continue
        self._lights = Lights(self.mapping, focus)

    # -- in -----------------------------------------------------------------------------------------------------------

    def hear(self, message: MidiMessage, focus: str, now: float) -> list[Move]:
        """Return what a message asks for while deck `focus` has the focus."""
        touch = self._touches.hear(message)
        return [] if touch is None else self._touched(touch, focus, now)

    def hear_layers(self, message: MidiMessage) -> bool:
        """Follow the keys of layers alone, while learning takes the messages; return whether it is from one."""
        touch = self._touches.hear(message)
        if touch is None or not self.layers.is_key(touch.source):
            return False
        if touch.pressed is not None:
            self._turn_layers(touch.source, touch.pressed)
        return True

    def tick(self, focus: str, now: float) -> list[Move]:
        """Return what time alone asks for: a button held long. Call it when `next_at` has come."""
        moves: list[Move] = []
        for source, gesture in self._gestures.due(now):
            assert isinstance(source, Source)
            for entry in self._effective(source):
                if entry.gesture is gesture and entry.mode in _FINGER:
                    moves += self._asks(entry, Touch(source, source.top, True), focus, now)
        return moves

    def next_at(self) -> float | None:
        """Return when `tick` has something to do, None if nothing waits."""
        return self._gestures.next_at()

    def fader_of(self, data: Sequence[int]) -> Hashable | None:
        """Return the name of the fader that a message is a plain value of; None where a newer value does not make an
        older one worthless: presses, steps of encoders, keys of layers, parts of an NRPN, what is no message."""
        if len(data) < 2:
            return None
        status, channel, number = data[0] & 0xF0, (data[0] & 0x0F) + 1, data[1]
        match status:
            case 0xB0:
                if number in PARAMETER_NUMBERS and self._touches.hears_parameters(channel):
                    return None
                fine = Source(SourceKind.CC14, channel, number % 32)
                is_fine = number < 64 and fine in self._entries
                source = fine if is_fine else Source(SourceKind.CC, channel, number)
                name: Hashable = (status, channel, number)
            case 0xE0:
                source, name = Source(SourceKind.PITCHBEND, channel), (status, channel)
            case 0xD0:
                source, name = Source(SourceKind.PRESSURE, channel), (status, channel)
            case 0xA0:
                source, name = Source(SourceKind.KEYPRESSURE, channel, number), (status, channel, number)
            case _:
                return None
        if self.layers.is_key(source) or any(not self._is_fader(entry) for entry in self._entries.get(source, ())):
            return None
        return name

    def _is_fader(self, entry: MapEntry) -> bool:
        return entry.mode is Mode.ABSOLUTE and entry.control(self._focus).kind is Kind.CONTINUOUS

    def _touched(self, touch: Touch, focus: str, now: float) -> list[Move]:
        source = touch.source
        if touch.pressed is not None and self.layers.is_key(source):
            self._turn_layers(source, touch.pressed)
        if source not in self._entries:
            return []
        gestures: list[Gesture] = []
        if touch.pressed:
            gestures = self._gestures.press(source, now)
            if touch.is_brief:
                gestures += self._gestures.release(source, now)
        elif touch.pressed is False:
            gestures = self._gestures.release(source, now)
        moves: list[Move] = []
        if touch.pressed is False:
            moves += self._let_go(source, focus, now)
        effective = self._effective(source)
        for entry in effective:
            if entry.mode in _FINGER:
                if entry.gesture in gestures:
                    moves += self._asks(entry, touch, focus, now)
            else:
                moves += self._asks(entry, touch, focus, now)
        if touch.pressed is None or not self._is_button(source):
            place = to_travel(touch.value, touch.top)
            for entry in self._entries[source]:
                if entry not in effective:
                    self._hands.elsewhere(entry, place)
        self._note_shown(source, touch)
        return moves

    def turn_to(self, page: str) -> None:
        """Turn to the page of that name, if the mapping has one: the show asks for it."""
        if self.layers.show(page):
            self.relight()

    def _turn_layers(self, source: Source, pressed: bool) -> None:
        self.feedback.stands_at(source, None)
        if self.layers.hear(source, pressed):
            self.relight()
        else:
            self._light(source)

    def _effective(self, source: Source) -> list[MapEntry]:
        """Return the lines of a source that hold now: those of the topmost layer that is on and has some."""
        entries = [entry for entry in self._entries.get(source, ()) if self.layers.is_on(entry.layer)]
        top = max((self.layers.rank(entry.layer) for entry in entries), default=-1)
        return [entry for entry in entries if self.layers.rank(entry.layer) == top]

    def _asks(self, entry: MapEntry, touch: Touch, focus: str, now: float) -> list[Move]:
        """Return what a line makes of a touch, or of its gesture."""
        try:
            control = entry.control(focus)
        except UnknownControl:
            return []
        value = self._hands.value(entry, control, touch, now)
        if value is None:
            return []
        moves = [self._ask(entry, control, value, now)]
        if entry.mode is Mode.MOMENTARY:
            if touch.is_brief or entry.gesture in (Gesture.TAP, Gesture.RELEASE):
                if control.kind is not Kind.TRIGGER:
                    moves.append(self._ask(entry, control, travel.value_at(control, entry.low), now))
            else:
                self._held.setdefault(entry.source, []).append(entry)
        return moves

    def _let_go(self, source: Source, focus: str, now: float) -> list[Move]:
        """Let go what the button holds, whatever the layers say by now."""
        moves: list[Move] = []
        for entry in self._held.pop(source, ()):
            try:
                control = entry.control(focus)
            except UnknownControl:
                continue
            moves.append(self._ask(entry, control, travel.value_at(control, entry.low), now))
        return moves

    def _ask(self, entry: MapEntry, control: Control, value: Value, now: float) -> Move:
        self._hands.asks(entry, control, value, now)
        return Move(control.path, value, entry)

    def _gestures_of(self, source: Hashable) -> frozenset[Gesture]:
        return self._wanted.get(source, frozenset())

    def _is_button(self, source: Source) -> bool:
        return source.kind in (SourceKind.NOTE, SourceKind.PROGRAM, SourceKind.SYSEX)

    # -- out ----------------------------------------------------------------------------------------------------------

    @property
    def meters(self) -> frozenset[str]:
        """The controls whose values flow by themselves and are shown on this device."""
        return self._lights.telemetry

    def changed(self, path: str, value: Value, own: bool, focus: str, now: float) -> None:
        """Note that a control has a new value; `own` if this port asked for it."""
        if focus != self._focus:
            self._index(focus)
        self._hands.changed(path, value, own, self._moving.get(path, ()), focus)
        for target in self._lights.of(path):
            self._light(target, path, value)

    def show_all(self, focus: str, now: float) -> None:
        """Ask for everything to be shown, and for every fader to meet its control: another deck has the focus."""
        if focus != self._focus:
            self._index(focus)
        for path in list(self._moving):
            value = self._value_of(path)
            if value is not None:
                self.changed(path, value, False, focus, now)
        self.relight()

    def meter(self, path: str, value: Value) -> None:
        """Show the value of a control that flows by itself."""
        for target in self._lights.of(path):
            self._light(target, path, value)

    def relight(self) -> None:
        """Ask for everything to be shown that is not shown yet."""
        for target in self._lights.targets:
            self._light(target)

    def _light(self, target: Source, path: str = "", value: Value | None = None) -> None:
        def value_of(asked: str) -> Value | None:
            return value if asked == path else self._value_of(asked)

        shown = self._lights.shown(target, value_of, self.layers)
        if shown is not None:
            self.feedback.show(target, shown)

    def _note_shown(self, source: Source, touch: Touch) -> None:
        """Keep in mind what the hardware shows by itself after a touch."""
        if not self._is_button(source) and any(
            entry.mode is Mode.ABSOLUTE
            and (touch.pressed is None or entry.control(self._focus).kind is Kind.CONTINUOUS)
            for entry in self._effective(source)
        ):
            self.feedback.stands_at(source, touch.value)
        elif source in self._lights.targets and touch.pressed is not None:
            # buttons light up and go out under the finger; whatever they do, the show has the last word
            self.feedback.stands_at(source, None)
            if not touch.pressed:
                self._light(source)
