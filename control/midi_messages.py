"""MIDI 1.0 messages: whole messages as bytes in, typed values out.

Owner: nobody; no I/O, no clock. RtMidi delivers whole messages (running status undone, system exclusive in one piece),
so there is no byte parser here.
Units: channels 1 to 16 as printed on controllers, numbers and values 0 to 127, 14-bit values 0 to 16,383, pitch bend
-8,192 to 8,191.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from control.errors import BadMessage

MAX_SYSEX: Final = 65_536
"""Bytes of a system exclusive message that are looked at; a longer one is refused."""


@dataclass(frozen=True, slots=True)
class NoteOn:
    """A key or pad went down; velocity 1 to 127."""

    channel: int
    note: int
    velocity: int

    def __str__(self) -> str:
        return f"note on   ch {self.channel} note {self.note} ({note_name(self.note)}) velocity {self.velocity}"


@dataclass(frozen=True, slots=True)
class NoteOff:
    """A key or pad came up. A note-on of velocity 0 is one of these."""

    channel: int
    note: int
    velocity: int

    def __str__(self) -> str:
        return f"note off  ch {self.channel} note {self.note} ({note_name(self.note)}) velocity {self.velocity}"


@dataclass(frozen=True, slots=True)
class PolyPressure:
    """Pressure on one key."""

    channel: int
    note: int
    pressure: int

    def __str__(self) -> str:
        return f"pressure  ch {self.channel} note {self.note} ({note_name(self.note)}) {self.pressure}"


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A fader, knob or button moved."""

    channel: int
    number: int
    value: int

    def __str__(self) -> str:
        return f"cc        ch {self.channel} number {self.number} value {self.value}"


@dataclass(frozen=True, slots=True)
class ControlChange14:
    """A fader of high resolution moved: `number` is that of the upper half, 0 to 31; value 0 to 16,383."""

    channel: int
    number: int
    value: int

    def __str__(self) -> str:
        return f"cc14      ch {self.channel} number {self.number} value {self.value}"


@dataclass(frozen=True, slots=True)
class ProgramChange:
    """A program was chosen, 0 to 127."""

    channel: int
    program: int

    def __str__(self) -> str:
        return f"program   ch {self.channel} {self.program}"


@dataclass(frozen=True, slots=True)
class ChannelPressure:
    """Pressure on the whole keyboard."""

    channel: int
    pressure: int

    def __str__(self) -> str:
        return f"pressure  ch {self.channel} {self.pressure}"


@dataclass(frozen=True, slots=True)
class PitchBend:
    """The wheel, or a fader that uses its message; -8,192 to 8,191, 0 in the middle."""

    channel: int
    value: int

    def __str__(self) -> str:
        return f"pitchbend ch {self.channel} {self.value}"


@dataclass(frozen=True, slots=True)
class SysEx:
    """A system exclusive message; `data` without F0 and F7."""

    data: bytes

    def __str__(self) -> str:
        shown = self.data[:24].hex(" ")
        return f"sysex     {len(self.data)} bytes: {shown}{' ...' if len(self.data) > 24 else ''}"


@dataclass(frozen=True, slots=True)
class SystemCommon:
    """Time code quarter frame, song position, song select or tune request."""

    name: str
    value: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


@dataclass(frozen=True, slots=True)
class RealTime:
    """Clock, start, continue, stop, active sensing or reset."""

    name: str

    def __str__(self) -> str:
        return self.name


MidiMessage = (
    NoteOn
    | NoteOff
    | PolyPressure
    | ControlChange
    | ControlChange14
    | ProgramChange
    | ChannelPressure
    | PitchBend
    | SysEx
    | SystemCommon
    | RealTime
)


def _note_on(channel: int, note: int, velocity: int) -> MidiMessage:
    return NoteOn(channel, note, velocity) if velocity else NoteOff(channel, note, 0)


#: kind of channel message (upper half of the status byte) -> data bytes, constructor
_CHANNEL: Final[dict[int, tuple[int, Callable[..., MidiMessage]]]] = {
    0x8: (2, NoteOff),
    0x9: (2, _note_on),
    0xA: (2, PolyPressure),
    0xB: (2, ControlChange),
    0xC: (1, ProgramChange),
    0xD: (1, ChannelPressure),
    0xE: (2, lambda channel, low, high: PitchBend(channel, (high << 7 | low) - 8192)),
}

#: status -> data bytes, name
_COMMON: Final[dict[int, tuple[int, str]]] = {
    0xF1: (1, "time code"),
    0xF2: (2, "song position"),
    0xF3: (1, "song select"),
    0xF6: (0, "tune request"),
}

_REALTIME: Final[dict[int, str]] = {
    0xF8: "clock",
    0xFA: "start",
    0xFB: "continue",
    0xFC: "stop",
    0xFE: "active sensing",
    0xFF: "reset",
}


def decode(data: Sequence[int] | bytes) -> MidiMessage:
    """Return the message. Raises BadMessage, which keeps the bytes, and nothing else for any sequence of bytes."""
    try:
        raw = bytes(data)
    except ValueError:
        raise BadMessage("a MIDI message has bytes of 0 to 255") from None
    if not raw:
        raise BadMessage("an empty MIDI message", raw)
    status = raw[0]
    if status < 0x80:
        raise BadMessage(f"a MIDI message starts with a status byte, not {status:#04x}", raw)
    if status < 0xF0:
        length, make = _CHANNEL[status >> 4]
        return make((status & 0x0F) + 1, *_values(raw, length))
    if status == 0xF0:
        if len(raw) > MAX_SYSEX:
            raise BadMessage(f"a system exclusive message of {len(raw)} bytes", raw)
        if raw[-1] != 0xF7 or any(byte > 0x7F for byte in raw[1:-1]):
            raise BadMessage("a broken system exclusive message", raw)
        return SysEx(raw[1:-1])
    if status in _REALTIME:
        _values(raw, 0)
        return RealTime(_REALTIME[status])
    if status in _COMMON:
        length, name = _COMMON[status]
        values = _values(raw, length)
        return SystemCommon(name, sum(value << 7 * place for place, value in enumerate(values)))
    raise BadMessage(f"MIDI has no status {status:#04x}", raw)


def is_whole(data: Sequence[int]) -> bool:
    """Return whether these bytes are a message that can be read."""
    try:
        decode(data)
    except BadMessage:
        return False
    return True


def _values(raw: bytes, length: int) -> bytes:
    if len(raw) != length + 1:
        raise BadMessage(f"a MIDI message {raw[0]:#04x} has {length + 1} bytes, not {len(raw)}", raw)
    if any(byte > 0x7F for byte in raw[1:]):
        raise BadMessage("a MIDI data byte above 127", raw)
    return raw[1:]


class Pairer:
    """Joins the two halves of 14-bit control changes, for the numbers that are known to send both.

    The upper half (number n, 0 to 31) alone moves at once, with the lower half (n + 32) as it was last; the lower half
    moves again with the upper half as it was last. So neither order nor a controller that leaves out an unchanged half
    loses anything, and a coarse move is not held back to wait for a half that may never come.
    """

    def __init__(self) -> None:
        self._high: dict[tuple[int, int], int] = {}
        self._low: dict[tuple[int, int], int] = {}

    def pair(
        self, message: ControlChange, paired: Callable[[int, int], bool]
    ) -> ControlChange | ControlChange14 | None:
        """Return what the message means: itself, or a 14-bit move if `paired(channel, number)`.

        None: the lower half came before any upper half, so the place is not known yet.
        """
        number = message.number % 32
        if message.number >= 64 or not paired(message.channel, number):
            return message
        key = (message.channel, number)
        if message.number < 32:
            if self._high.get(key) != message.value:
                # MIDI 1.0: a new upper half resets the lower; at the top of the travel it counts as full
                self._low[key] = 127 if message.value == 127 else 0
            self._high[key] = message.value
        else:
            self._low[key] = message.value
        high = self._high.get(key)
        if high is None:
            return None
        return ControlChange14(message.channel, number, high << 7 | self._low.get(key, 0))


_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def note_name(note: int) -> str:
    """Return the name of a note; 60 is C4."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"
