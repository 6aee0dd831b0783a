"""MIDI learn: from "move something now" to a mapping line, by watching a few messages.

Owner: the MIDI surface. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: seconds; MIDI values as they came.

A note, a pitch bend or a program change is clear at once. A control change may be a fader, a button, an endless
encoder, half of a 14-bit fader or a part of an NRPN, so it is watched until it is quiet or has said enough:

    99 and 98 (101 and 100) before 6 or 38              nrpn (rpn)
    both n and n + 32 moved                             cc14
    the same small step again and again: 1 1, 127 127   relative, two's complement
                                         65 65, 63 63   relative, offset
                                         both 1.. and 65..   relative, sign
    full, and back to 0                                 cc, a button
    full or 0, and then nothing, for a switch           cc, a button that keeps its place: the switch follows it
    anything else                                       cc, a fader

A fader never sends the same value twice in a row, which is what tells it from an encoder. One single click of an
encoder looks like a button: turn it a little, to the right.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from control.control import Kind
from control.errors import CannotLearn
from control.feedback import to_travel
from control.mapping_entry import Encoding, MapEntry, Mode, Takeover, entry_for, resolve_path
from control.midi_messages import (
    ChannelPressure,
    ControlChange,
    MidiMessage,
    NoteOff,
    NoteOn,
    PitchBend,
    ProgramChange,
)
from control.midi_source import Source, SourceKind
from control.midi_touch import Parameters

QUIET_S: Final = 0.2
"""A control change that stopped this long ago has said all it will."""

LATCH_S: Final = 0.6
"""A button for a switch that said one thing and nothing more for so long keeps its place by itself."""

ENOUGH: Final = 12
"""Messages after which nothing new is expected."""

CHANNEL_MODE: Final = range(120, 128)
"""Control changes that mean "all notes off" and the like; keyboards send them by themselves. They are not learned."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it: which port moved what, the mapping line, and where a fader stands now (travel)."""

    port: str
    entry: MapEntry
    place: float | None = None


@dataclass(slots=True)
class _Watched:
    values: list[int] = field(default_factory=list)
    low_values: int = 0
    last: float = 0.0


class Learner:
    """Waits for one control at a time to be moved. `path` is what is being learned, None when nothing is."""

    def __init__(self) -> None:
        self.path: str | None = None
        self._watched: dict[tuple[str, Source], _Watched] = {}
        self._parameters: dict[str, Parameters] = {}

    def arm(self, path: str) -> None:
        """Begin to wait for a move for `path`; what was waited for before is given up.

        Raises UnknownControl, and CannotLearn for texts and what can only be read.
        """
        control = resolve_path(path, "1")
        if not control.is_writable:
            raise CannotLearn(f"{path} can only be read")
        if control.kind is Kind.TEXT:
            raise CannotLearn(f"{path} takes a text, which no knob can give")
        self.cancel()
        self.path = path

    def cancel(self) -> str | None:
        """Give up; return what was being learned."""
        path, self.path = self.path, None
        self._watched.clear()
        self._parameters.clear()
        return path

    def hear(self, port: str, message: MidiMessage, now: float) -> Learned | None:
        """Take in a message; return the mapping as soon as it is clear now."""
        if self.path is None:
            return None
        match message:
            case NoteOn():
                return self._done(port, Source(SourceKind.NOTE, message.channel, message.note))
            case ProgramChange():
                return self._done(port, Source(SourceKind.PROGRAM, message.channel, message.program))
            case PitchBend() if message.value:
                source = Source(SourceKind.PITCHBEND, message.channel)
                return self._done(port, source, place=to_travel(message.value + 8192, source.top))
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
        if now - watched.last < (LATCH_S if self._may_latch(watched) else QUIET_S):
            return None
        return self._conclude(key, watched)

    def _may_latch(self, watched: _Watched) -> bool:
        is_switch = self.path is not None and resolve_path(self.path, "1").kind is Kind.TOGGLE
        return is_switch and len(watched.values) == 1 and watched.values[0] in (0, 127)

    def _control_change(self, port: str, message: ControlChange, now: float) -> Learned | None:
        number, value = message.number, message.value
        set_parameter = self._parameters.setdefault(port, Parameters()).hear(message)
        if set_parameter is not None:
            source, value = set_parameter
        elif 98 <= number <= 101:
            return None  # says which parameter is meant; what follows says how far it moved
        else:
            upper = Source(SourceKind.CC, message.channel, number - 32)
            if 32 <= number < 64 and (watched := self._watched.get((port, upper))) is not None:
                watched.low_values += 1
                watched.last = now
                return None
            source = Source(SourceKind.CC, message.channel, number)
        watched = self._watched.setdefault((port, source), _Watched())
        watched.values.append(value)
        watched.last = now
        if len(watched.values) < ENOUGH:
            return None
        return self._conclude((port, source), watched)

    def _conclude(self, key: tuple[str, Source], watched: _Watched) -> Learned:
        port, source = key
        place = to_travel(watched.values[-1], source.top)
        if source.kind is not SourceKind.CC:
            return self._done(port, source, place=place)
        if watched.low_values * 2 >= len(watched.values) and source.number < 32:
            return self._done(port, Source(SourceKind.CC14, source.channel, source.number), place=place)
        encoding = encoding_of(watched.values)
        if encoding is not None:
            return self._done(port, source, Mode.RELATIVE, encoding)
        if self._may_latch(watched):
            return self._done(port, source, Mode.ABSOLUTE)
        return self._done(port, source, place=place)

    def _done(
        self,
        port: str,
        source: Source,
        mode: Mode | None = None,
        encoding: Encoding = Encoding.TWOS,
        place: float | None = None,
    ) -> Learned:
        assert self.path is not None
        kind = resolve_path(self.path, "1").kind
        if mode is Mode.RELATIVE and kind is Kind.TRIGGER:
            mode = None
        entry = entry_for(source, self.path, mode, encoding)
        if mode is Mode.ABSOLUTE and kind is Kind.TOGGLE:
            entry = replace(entry, takeover=Takeover.JUMP)
        self.cancel()
        return Learned(port, entry, place)


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
