"""MIDI learn: from "move something now" to a mapping line, by watching a few messages.

Owner: the MIDI surface. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: seconds; MIDI values as they came.

A note, a pitch bend or a program change is clear at once. A control change may be a fader, a button, an endless encoder
or half of a 14-bit fader, so it is watched until it is quiet or has said enough:

    both n and n + 32 moved                                     cc14
    the same small step again and again: 1 1, 127 127           relative, two's complement
                                         65 65, 63 63           relative, offset
                                         both 1.. and 65..      relative, sign
    anything else                                               cc

A fader never sends the same value twice in a row, which is what tells it from an encoder. One single click of an
encoder looks like a button: turn it a little, to the right.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from control.control import Kind
from control.errors import CannotLearn
from control.mapping import Encoding, MapEntry, Mode, Source, SourceKind, entry_for
from control.midi_messages import (
    ChannelPressure,
    ControlChange,
    MidiMessage,
    NoteOff,
    NoteOn,
    PitchBend,
    ProgramChange,
)
from control.registry import resolve

QUIET_S: Final = 0.2
"""A control change that stopped this long ago has said all it will."""

ENOUGH: Final = 12
"""Messages after which nothing new is expected."""

CHANNEL_MODE: Final = range(120, 128)
"""Control changes that mean "all notes off" and the like; keyboards send them by themselves. They are not learned."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it: which port moved what, and the mapping line."""

    port: str
    entry: MapEntry


@dataclass(slots=True)
class _Watched:
    values: list[int] = field(default_factory=list)
    low_values: int = 0
    last: float = 0.0


class Learner:
    """Waits for one control at a time to be moved. `path` is what is being learned, None when nothing is."""

    def __init__(self) -> None:
        self.path: str | None = None
        self._watched: dict[tuple[str, int, int], _Watched] = {}

    def arm(self, path: str) -> None:
        """Begin to wait for a move for `path`; what was waited for before is given up.

        Raises UnknownControl, and CannotLearn for texts and what can only be read.
        """
        control = resolve(path, "1")
        if not control.is_writable:
            raise CannotLearn(f"{path} can only be read")
        if control.kind is Kind.TEXT:
            raise CannotLearn(f"{path} takes a text, which no knob can give")
        self.path = path
        self._watched.clear()

    def cancel(self) -> str | None:
        """Give up waiting; return what was waited for."""
        path, self.path = self.path, None
        self._watched.clear()
        return path

    def hear(self, port: str, message: MidiMessage, now: float) -> Learned | None:
        """Take a message of `port` and return the mapping if it is clear now."""
        if self.path is None:
            return None
        match message:
            case NoteOn():
                return self._done(port, Source(SourceKind.NOTE, message.channel, message.note))
            case ProgramChange():
                return self._done(port, Source(SourceKind.PROGRAM, message.channel, message.program))
            case PitchBend() if message.value:
                return self._done(port, Source(SourceKind.PITCHBEND, message.channel))
            case ControlChange() if message.number not in CHANNEL_MODE:
                return self._control_change(port, message, now)
            case ChannelPressure() | NoteOff():
                return None  # aftertouch comes with every pad and means the pad
        return None

    def tick(self, now: float) -> Learned | None:
        """Return the mapping once a moved control has gone quiet. Call it a few times a second while armed."""
        if self.path is None or not self._watched:
            return None
        key, watched = max(self._watched.items(), key=lambda item: len(item[1].values))
        if now - watched.last < QUIET_S:
            return None
        return self._conclude(key, watched)

    def _control_change(self, port: str, message: ControlChange, now: float) -> Learned | None:
        number = message.number
        low_half = 32 <= number < 64 and (port, message.channel, number - 32) in self._watched
        key = (port, message.channel, number - 32 if low_half else number)
        watched = self._watched.setdefault(key, _Watched())
        if low_half:
            watched.low_values += 1
        else:
            watched.values.append(message.value)
        watched.last = now
        return self._conclude(key, watched) if len(watched.values) >= ENOUGH else None

    def _conclude(self, key: tuple[str, int, int], watched: _Watched) -> Learned:
        port, channel, number = key
        if watched.low_values * 2 >= len(watched.values):
            return self._done(port, Source(SourceKind.CC14, channel, number))
        encoding = encoding_of(watched.values)
        if encoding is None:
            return self._done(port, Source(SourceKind.CC, channel, number))
        return self._done(port, Source(SourceKind.CC, channel, number), Mode.RELATIVE, encoding)

    def _done(self, port: str, source: Source, mode: Mode | None = None, encoding: Encoding = Encoding.TWOS) -> Learned:
        assert self.path is not None
        if mode is Mode.RELATIVE and resolve(self.path, "1").kind is Kind.TRIGGER:
            mode = None
        learned = Learned(port, entry_for(source, self.path, mode, encoding))
        self.cancel()
        return learned


def encoding_of(values: list[int]) -> Encoding | None:
    """Return how an endless encoder wrote these values, or None if a fader or a button did."""
    repeats = any(one == two for one, two in pairwise(values))
    back = {value for value in values if 120 <= value <= 127}
    right = {value for value in values if 1 <= value <= 8}
    above = {value for value in values if 65 <= value <= 72}
    below = {value for value in values if 56 <= value <= 63}
    everything = set(values)
    if not repeats or (everything == {127} and len(values) < 3):
        return None  # a fader; or a button that said the same twice
    if right and above and everything == right | above:
        return Encoding.SIGN
    if everything == right | back:
        return Encoding.TWOS
    if everything == above | below:
        return Encoding.OFFSET
    return None


def clicks(value: int, encoding: Encoding) -> int:
    """Return how many clicks to the right (left: negative) an encoder's value says, -64 to 63."""
    match encoding:
        case Encoding.TWOS:
            return value if value < 64 else value - 128
        case Encoding.OFFSET:
            return value - 64
        case Encoding.SIGN:
            return value if value < 64 else 64 - value
