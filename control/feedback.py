"""Feedback: what a controller is told, so that its lights, rings and motor faders show the show.

Owner: the MIDI surface, one for each port that has an output. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: MIDI bytes; seconds.

Every mapped source has one value to be shown. A newer one replaces an older that still waits, one that is shown already
is not sent again, and a bucket lets 100 messages go at once and then 2 a millisecond, which a 5-pin cable cannot follow
but USB can; many controllers lose messages beyond that.
"""

from typing import Final

from control import travel
from control.control import Kind, Value
from control.mapping import MapEntry, Source, SourceKind
from control.registry import resolve

BUCKET: Final = 100
"""Messages that may go at once."""

REFILL_PER_S: Final = 2000.0


class Feedback:
    """What one output port shows and what it still has to be told."""

    def __init__(self) -> None:
        self._shown: dict[Source, int] = {}
        self._waiting: dict[Source, int] = {}
        self._tokens = float(BUCKET)
        self._filled_at: float | None = None

    @property
    def waiting(self) -> int:
        """How many sources still have to be told."""
        return len(self._waiting)

    def show(self, source: Source, value: int) -> None:
        """Ask for a source to show a value (`shown_value`)."""
        if self._shown.get(source) == value:
            self._waiting.pop(source, None)
        else:
            self._waiting.pop(source, None)
            self._waiting[source] = value

    def stands_at(self, source: Source, value: int | None) -> None:
        """Note that the hardware itself moved to `value`; None if what it shows is not known any more."""
        if value is None:
            self._shown.pop(source, None)
        else:
            self._shown[source] = value
            self._waiting.pop(source, None)

    def forget(self) -> None:
        """Forget what is shown: the port was opened anew."""
        self._shown.clear()

    def due(self, now: float) -> list[bytes]:
        """Return the messages to send now."""
        if self._filled_at is not None:
            self._tokens = min(float(BUCKET), self._tokens + (now - self._filled_at) * REFILL_PER_S)
        self._filled_at = now
        out: list[bytes] = []
        while self._waiting and self._tokens >= 1:
            source = next(iter(self._waiting))
            value = self._waiting.pop(source)
            messages = encode(source, value)
            self._shown[source] = value
            self._tokens -= len(messages)
            out += messages
        return out


def top_of(kind: SourceKind) -> int:
    """Return the highest value of a source; the middle of the travel is half of it, rounded up."""
    return 16_383 if kind in (SourceKind.CC14, SourceKind.PITCHBEND) else 127


def to_travel(value: int, top: int) -> float:
    """Return the travel of a MIDI value: 0 at 0, exactly 0.5 at the middle value (64, 8,192), 1 at `top`."""
    middle = (top + 1) // 2
    return value / middle / 2 if value <= middle else 0.5 + (value - middle) / (top - middle) / 2


def from_travel(place: float, top: int) -> int:
    """Return the MIDI value nearest to a travel."""
    middle = (top + 1) // 2
    if place <= 0.5:
        return max(round(place * 2 * middle), 0)
    return min(middle + round((place - 0.5) * 2 * (top - middle)), top)


def shown_value(entry: MapEntry, value: Value) -> int:
    """Return what `entry`'s source shows while its control has `value`: 0 or full for switches, else a place."""
    control = resolve(entry.path, "1")
    number = travel.number_of(control, value)
    if control.kind in (Kind.TOGGLE, Kind.TRIGGER):
        lit = (number >= 0.5) == (entry.high >= entry.low)
        return top_of(entry.source.kind) if lit else 0
    return from_travel(travel.to_travel(number, entry.low, entry.high, entry.curve), top_of(entry.source.kind))


def encode(source: Source, value: int) -> list[bytes]:
    """Return the messages that put a source at `value`; none for sources that cannot show anything."""
    channel = source.channel - 1
    match source.kind:
        case SourceKind.CC:
            return [bytes((0xB0 | channel, source.number, value))]
        case SourceKind.CC14:
            return [
                bytes((0xB0 | channel, source.number, value >> 7)),
                bytes((0xB0 | channel, source.number + 32, value & 0x7F)),
            ]
        case SourceKind.NOTE:
            return [bytes((0x90 | channel, source.number, value))]
        case SourceKind.PITCHBEND:
            return [bytes((0xE0 | channel, value & 0x7F, value >> 7))]
        case _:
            return []
