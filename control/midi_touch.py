"""From messages to touches: which source a message comes from, where it stands, whether it was pressed or let go.

Owner: the device that listens. Pure.
Units: values 0 to `Source.top`.

14-bit control changes, NRPN and RPN come in several messages; which numbers send them is known from the mapping, so
that a plain control change 38 of another controller stays what it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from control.midi_messages import (
    ChannelPressure,
    ControlChange,
    ControlChange14,
    MidiMessage,
    NoteOff,
    NoteOn,
    Pairer,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SysEx,
)
from control.midi_source import Source, SourceKind

_SELECT: Final = {
    99: (SourceKind.NRPN, True),
    98: (SourceKind.NRPN, False),
    101: (SourceKind.RPN, True),
    100: (SourceKind.RPN, False),
}
"""Control changes that choose a parameter: its kind, and whether it is the upper half of its number."""

_ENTRY: Final = (6, 38, 96, 97)
"""Control changes that set the chosen parameter: upper and lower half of its value, one more, one less."""

PARAMETER_NUMBERS: Final = frozenset({*_SELECT, *_ENTRY})
"""Control changes that NRPN and RPN are made of."""

NO_PARAMETER: Final = 16_383
"""The number that chooses none."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A message as a hand on a source. `pressed` is None while nothing was pressed or let go; a press that is `brief`
    is never let go."""

    source: Source
    value: int
    pressed: bool | None
    is_brief: bool = False

    @property
    def top(self) -> int:
        """The highest value the source sends."""
        return self.source.top


class Parameters:
    """Follows NRPN and RPN on every channel."""

    def __init__(self) -> None:
        self._chosen: dict[int, tuple[SourceKind, int]] = {}
        self._values: dict[Source, tuple[int, int]] = {}

    def hear(self, message: ControlChange) -> tuple[Source, int] | None:
        """Return the parameter that a control change sets and its value, None if it sets none."""
        channel, number, value = message.channel, message.number, message.value
        if number in _SELECT:
            kind, is_upper = _SELECT[number]
            before_kind, before = self._chosen.get(channel, (kind, NO_PARAMETER))
            before = before if before_kind is kind else NO_PARAMETER
            chosen = (value << 7 | before & 0x7F) if is_upper else (before & 0x3F80 | value)
            self._chosen[channel] = (kind, chosen)
            return None
        chosen_kind, parameter = self._chosen.get(channel, (SourceKind.RPN, NO_PARAMETER))
        if number not in _ENTRY or parameter == NO_PARAMETER:
            return None
        source = Source(chosen_kind, channel, parameter)
        high, low = self._values.get(source, (0, 0))
        if number == 6:
            # as with 14-bit control changes: a new upper half resets the lower, which is full at the top
            high, low = value, low if value == high else 127 if value == 127 else 0
        elif number == 38:
            low = value
        else:
            both = min(max((high << 7 | low) + (1 if number == 96 else -1), 0), 16_383)
            high, low = both >> 7, both & 0x7F
        self._values[source] = (high, low)
        return source, high << 7 | low


class Touches:
    """Turns the messages of one device into touches."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._pairer = Pairer()
        self._parameters = Parameters()
        self._down: set[Source] = set()
        self._paired: frozenset[tuple[int, int]] = frozenset()
        self._channels: frozenset[int] = frozenset()
        self._prefixes: tuple[Source, ...] = ()
        self.listen_to(sources)

    def listen_to(self, sources: Iterable[Source]) -> None:
        """Say which sources are mapped: those that come in several messages are put together from now on."""
        sources = list(sources)
        self._paired = frozenset((one.channel, one.number) for one in sources if one.kind is SourceKind.CC14)
        parameters = (SourceKind.NRPN, SourceKind.RPN)
        self._channels = frozenset(one.channel for one in sources if one.kind in parameters)
        prefixes = [one for one in sources if one.kind is SourceKind.SYSEX]
        self._prefixes = tuple(sorted(prefixes, key=lambda one: len(one.prefix), reverse=True))

    def hears_parameters(self, channel: int) -> bool:
        """Return whether some source of this channel is an NRPN or RPN."""
        return channel in self._channels

    def hear(self, message: MidiMessage) -> Touch | None:
        """Return what a message is as a touch, None if it is none, or only a part of one."""
        match message:
            case ControlChange():
                return self._control_change(message)
            case NoteOn():
                source = Source(SourceKind.NOTE, message.channel, message.note)
                self._down.add(source)
                return Touch(source, message.velocity, True)
            case NoteOff():
                source = Source(SourceKind.NOTE, message.channel, message.note)
                self._down.discard(source)
                return Touch(source, 0, False)
            case PitchBend():
                source = Source(SourceKind.PITCHBEND, message.channel)
                return Touch(source, message.value + 8192, self._edge(source, message.value >= 0))
            case ChannelPressure():
                source = Source(SourceKind.PRESSURE, message.channel)
                return Touch(source, message.pressure, self._edge(source, message.pressure >= 64))
            case PolyPressure():
                source = Source(SourceKind.KEYPRESSURE, message.channel, message.note)
                return Touch(source, message.pressure, self._edge(source, message.pressure >= 64))
            case ProgramChange():
                return Touch(Source(SourceKind.PROGRAM, message.channel, message.program), 127, True, True)
            case SysEx():
                return self._exclusive(message.data)
        return None

    def _control_change(self, message: ControlChange) -> Touch | None:
        if message.channel in self._channels and message.number in PARAMETER_NUMBERS:
            heard = self._parameters.hear(message)
            if heard is not None:
                return Touch(*heard, self._edge(heard[0], heard[1] >= 8192))
            if message.number in _SELECT:
                return None
        paired = self._pairer.pair(message, lambda channel, number: (channel, number) in self._paired)
        if isinstance(paired, ControlChange14):
            source = Source(SourceKind.CC14, paired.channel, paired.number)
            return Touch(source, paired.value, self._edge(source, paired.value >= 8192))
        if paired is None:
            return None
        source = Source(SourceKind.CC, message.channel, message.number)
        return Touch(source, message.value, self._edge(source, message.value >= 64))

    def _exclusive(self, data: bytes) -> Touch | None:
        for source in self._prefixes:
            if data.startswith(source.prefix):
                rest = data[len(source.prefix) :]
                return Touch(source, rest[0] if rest else 127, not rest or rest[0] > 0, not rest)
        return None

    def _edge(self, source: Source, down: bool) -> bool | None:
        """Return True as a value rises past the middle, False as it falls back, None between."""
        if down == (source in self._down):
            return None
        (self._down.add if down else self._down.discard)(source)
        return down
