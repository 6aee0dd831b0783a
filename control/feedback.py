"""Feedback: what a controller is told, so that its lights, rings and motor faders show the show.

Owner: the MIDI surface, one for each port that has an output. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: MIDI bytes; seconds.

Every target has one value to be shown. A newer one replaces an older that still waits, one that is shown already is not
sent again, and a bucket lets 100 messages go at once and then 2 a millisecond, which a 5-pin cable cannot follow but
USB can; many controllers lose messages beyond that.
"""

from collections.abc import Container
from typing import Final

from control.mapping_entry import Shown
from control.midi_source import Source, SourceKind

BUCKET: Final = 100
"""Messages that may go at once."""

REFILL_PER_S: Final = 2000.0


class Feedback:
    """What one output port shows and what it still has to be told."""

    def __init__(self) -> None:
        self._shown: dict[Source, Shown] = {}
        self._waiting: dict[Source, Shown] = {}
        self._tokens = float(BUCKET)
        self._filled_at: float | None = None

    @property
    def waiting(self) -> int:
        """How many targets still have to be told."""
        return len(self._waiting)

    def show(self, target: Source, value: Shown) -> None:
        """Ask for a target to show a value."""
        self._waiting.pop(target, None)
        if self._shown.get(target) != value:
            self._waiting[target] = value

    def stands_at(self, target: Source, value: Shown | None) -> None:
        """Note that the hardware itself moved to `value`; None if what it shows is not known any more."""
        if value is None:
            self._shown.pop(target, None)
        else:
            self._shown[target] = value
            self._waiting.pop(target, None)

    def forget(self) -> None:
        """Forget what is shown: the port was opened anew."""
        self._shown.clear()

    def keep(self, targets: Container[Source]) -> None:
        """Drop what waits for other targets: another mapping is in force."""
        self._waiting = {target: value for target, value in self._waiting.items() if target in targets}

    def due(self, now: float) -> list[bytes]:
        """Return the messages to send now."""
        if self._filled_at is not None:
            self._tokens = min(float(BUCKET), self._tokens + (now - self._filled_at) * REFILL_PER_S)
        self._filled_at = now
        out: list[bytes] = []
        while self._waiting and self._tokens >= 1:
            target = next(iter(self._waiting))
            value = self._waiting.pop(target)
            messages = encode(target, value)
            self._shown[target] = value
            self._tokens -= len(messages)
            out += messages
        return out


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


_PARAMETER: Final = {SourceKind.NRPN: (99, 98), SourceKind.RPN: (101, 100)}


def encode(target: Source, value: Shown) -> list[bytes]:
    """Return the messages that put a target at `value`; none for targets that cannot show it."""
    if target.kind is SourceKind.SYSEX:
        rest = value if isinstance(value, bytes) else bytes((min(value, 127),))
        return [b"\xf0" + target.prefix + rest + b"\xf7"]
    if isinstance(value, bytes):
        return []
    channel = target.channel - 1
    value = min(value, target.top)
    match target.kind:
        case SourceKind.CC:
            return [bytes((0xB0 | channel, target.number, value))]
        case SourceKind.CC14:
            return [
                bytes((0xB0 | channel, target.number, value >> 7)),
                bytes((0xB0 | channel, target.number + 32, value & 0x7F)),
            ]
        case SourceKind.NOTE:
            return [bytes((0x90 | channel, target.number, value))]
        case SourceKind.KEYPRESSURE:
            return [bytes((0xA0 | channel, target.number, value))]
        case SourceKind.PRESSURE:
            return [bytes((0xD0 | channel, value))]
        case SourceKind.PITCHBEND:
            return [bytes((0xE0 | channel, value & 0x7F, value >> 7))]
        case SourceKind.NRPN | SourceKind.RPN:
            upper, lower = _PARAMETER[target.kind]
            pairs = ((upper, target.number >> 7), (lower, target.number & 0x7F), (6, value >> 7), (38, value & 0x7F))
            return [bytes((0xB0 | channel, number, half)) for number, half in pairs]
        case _:
            return []
