"""What hands do on the knobs of one device: what a touch makes of a control, and who holds what.

Owner: the device. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: control values as the registry says; travel 0 to 1.

    touch -> mode: set, toggle, momentary, relative, jog, absolute with takeover -> value
"""

from collections.abc import Callable, Container, Iterable
from typing import Final

from control import travel
from control.control import VELOCITY, Control, Kind, Value
from control.feedback import to_travel
from control.mapping_entry import MapEntry, Mode, Takeover
from control.midi_source import Source, SourceKind
from control.midi_touch import Touch
from control.relative import Acceleration, clicks
from control.takeover import Pickup

SETTLE_S: Final = 0.05
"""A value asked for so recently counts as the control's value, though its echo has not come yet."""

_TOUCH: Final = "/touch"
_SCRATCH: Final = "/scratch"
"""What a wheel does: a scratch is where the hand is since it touched the record."""

Key = tuple[Source, str, str]
"""A line: its source, path and layer."""


class Hands:
    """Memory of the faders, wheels and buttons of one device. `value_of` returns the value of a control now."""

    def __init__(self, value_of: Callable[[str], Value | None]) -> None:
        self._value_of = value_of
        self._pickups: dict[Key, Pickup] = {}
        self._turning: dict[Source, Acceleration] = {}
        self._hands: dict[str, float] = {}
        self._asked: dict[str, tuple[Value, float]] = {}
        self._movers: dict[str, Key] = {}

    def keep(self, keys: Container[Key]) -> None:
        """Forget the faders of all other lines."""
        self._pickups = {key: pickup for key, pickup in self._pickups.items() if key in keys}

    def elsewhere(self, entry: MapEntry, place: float) -> None:
        """Note that the fader of a line went to `place` while it moved something else."""
        pickup = self._pickups.get(key_of(entry))
        if pickup is not None:
            pickup.elsewhere(place)

    def asks(self, entry: MapEntry, control: Control, value: Value, now: float) -> None:
        """Note that a line asks for a value."""
        if control.path.endswith(_TOUCH) and value:
            self._hands.pop(control.path.removesuffix(_TOUCH) + _SCRATCH, None)
        if entry.mode is not Mode.JOG:
            self._asked[control.path] = (value, now)
            self._movers[control.path] = key_of(entry)

    def changed(self, path: str, value: Value, own: bool, entries: Iterable[MapEntry], focus: str) -> None:
        """Note that a control has a new value, which `entries` move; `own` if this device asked for it."""
        asked = self._asked.get(path)
        if asked is not None and (not own or value == asked[0]):
            del self._asked[path]
        mover = self._movers.get(path) if own else None
        for entry in entries:
            pickup = self._pickups.get(key_of(entry)) if entry.mode is Mode.ABSOLUTE else None
            if pickup is None:
                continue
            is_mover = key_of(entry) == mover
            if not (is_mover and entry.takeover is Takeover.SCALE):
                control = entry.control(focus)
                stands = travel.to_travel(travel.number_of(control, value), entry.low, entry.high, entry.curve)
                pickup.echo(stands, is_mover)

    def value(self, entry: MapEntry, control: Control, touch: Touch, now: float) -> Value | None:
        """Return what a touch sets a control to through a line, None if it leaves it alone."""
        match entry.mode:
            case Mode.SET:
                return entry.value
            case Mode.TOGGLE:
                return self._toggled(entry, control, now)
            case Mode.MOMENTARY:
                if control.unit == VELOCITY and touch.source.kind is SourceKind.NOTE:
                    place = to_travel(touch.value, touch.top)
                    return travel.value_at(control, travel.to_number(place, entry.low, entry.high, entry.curve))
                return travel.value_at(control, entry.high)
            case Mode.RELATIVE | Mode.JOG:
                turned = self._turns(entry, touch)
                if not turned:
                    return None
                turning = self._turning.setdefault(entry.source, Acceleration())
                turned *= turning.factor(round(turned) or 1, entry.acceleration, now)
                if entry.mode is Mode.JOG:
                    moved = float(turned * entry.step if entry.high >= entry.low else -turned * entry.step)
                    return self._followed(control.path, moved)
                return self._turned(entry, control, turned, now)
            case Mode.ABSOLUTE:
                if touch.source.kind in (SourceKind.NOTE, SourceKind.PROGRAM) and not touch.pressed:
                    return None  # velocity sets the value, letting go does not
                return self._placed(entry, control, to_travel(touch.value, touch.top), now)

    def _followed(self, path: str, moved: float) -> float:
        """Return a movement, or where the hand is by now on a record that it holds."""
        if not path.endswith(_SCRATCH):
            return moved
        self._hands[path] = self._hands.get(path, 0.0) + moved
        return self._hands[path]

    def _turns(self, entry: MapEntry, touch: Touch) -> float:
        """Return how many clicks a touch is: what an encoder says, or one for the press of a button."""
        if touch.source.kind in (SourceKind.NOTE, SourceKind.PROGRAM, SourceKind.SYSEX):
            return 1.0 if touch.pressed else 0.0
        return float(clicks(touch.value, entry.encoding, (touch.top + 1) // 2))

    def _toggled(self, entry: MapEntry, control: Control, now: float) -> Value:
        current = self._current(control, now)
        if control.kind is Kind.CHOICE:
            index = int(travel.number_of(control, current)) if current is not None else -1
            return control.choices[(index + 1) % len(control.choices)]
        number = entry.low if current is None else travel.number_of(control, current)
        at_high = abs(number - entry.high) < abs(number - entry.low)
        return travel.value_at(control, entry.low if at_high else entry.high)

    def _turned(self, entry: MapEntry, control: Control, turned: float, now: float) -> Value:
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
        current = self._current(control, now)
        if current is not None and control.kind in (Kind.CONTINUOUS, Kind.CHOICE):
            stands = travel.to_travel(travel.number_of(control, current), entry.low, entry.high, entry.curve)
            pickup = self.pickup(entry)
            if entry.takeover is Takeover.SCALE:
                scaled = pickup.scale(place, stands)
                if scaled is None:
                    return None
                place = scaled
            elif not pickup.move(place, stands) and entry.takeover is Takeover.PICKUP:
                return None
        value = travel.value_at(control, travel.to_number(place, entry.low, entry.high, entry.curve))
        return None if control.kind is not Kind.CONTINUOUS and value == current else value

    def _current(self, control: Control, now: float) -> Value | None:
        asked = self._asked.get(control.path)
        if asked is not None and now - asked[1] <= SETTLE_S:
            return asked[0]
        value = self._value_of(control.path)
        return 0 if value is None and control.kind is Kind.TRIGGER else value

    def pickup(self, entry: MapEntry) -> Pickup:
        """Return the memory of the fader of a line."""
        return self._pickups.setdefault(key_of(entry), Pickup())


def key_of(entry: MapEntry) -> Key:
    """Return what tells a line from others."""
    return entry.source, entry.path, entry.layer
