"""Sources: the names of knobs, faders, buttons and keys, as their messages tell them apart.

Owner: nobody; values are frozen, parsing is pure.
Units: channels 1 to 16 as printed on controllers; numbers 0 to 127, of nrpn and rpn 0 to 16,383, of cc14 0 to 31.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SourceKind(StrEnum):
    """The kinds of messages a mapping can name."""

    CC = "cc"
    CC14 = "cc14"
    NOTE = "note"
    PITCHBEND = "pitchbend"
    PRESSURE = "pressure"
    KEYPRESSURE = "keypressure"
    PROGRAM = "program"
    NRPN = "nrpn"
    RPN = "rpn"
    SYSEX = "sysex"


#: kind -> the highest number it takes; kinds that are missing take none
_TOP_NUMBER: Final = {
    SourceKind.CC: 127,
    SourceKind.CC14: 31,
    SourceKind.NOTE: 127,
    SourceKind.KEYPRESSURE: 127,
    SourceKind.PROGRAM: 127,
    SourceKind.NRPN: 16_383,
    SourceKind.RPN: 16_383,
}

FINE: Final = frozenset({SourceKind.CC14, SourceKind.PITCHBEND, SourceKind.NRPN, SourceKind.RPN})
"""Kinds whose values have 14 bits."""

FADERS: Final = FINE | {SourceKind.CC, SourceKind.PRESSURE, SourceKind.KEYPRESSURE}
"""Kinds that say where something stands; the others say that something was pressed."""

MAX_PREFIX: Final = 64
"""Bytes of a system exclusive message that a source can name."""

_SOURCE: Final = re.compile(r"(?P<kind>[a-z0-9]+)\s+(?P<channel>\d{1,2})(?:/(?P<number>\d{1,5}))?")
_SYSEX: Final = re.compile(r"sysex((?:\s+[0-9a-f]{2})+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A knob, fader, button or key. `number` is 0 where the kind has none; `prefix` is for sysex only (without F0)."""

    kind: SourceKind
    channel: int
    number: int = 0
    prefix: bytes = b""

    def __str__(self) -> str:
        if self.kind is SourceKind.SYSEX:
            return f"sysex {self.prefix.hex(' ')}"
        number = f"/{self.number}" if self.kind in _TOP_NUMBER else ""
        return f"{self.kind.value} {self.channel}{number}"

    @property
    def top(self) -> int:
        """The highest value it sends; the middle of the travel is half of it, rounded up."""
        return 16_383 if self.kind in FINE else 127


def parse_source(text: str) -> Source:
    """Return the source that `text` names. Raises ValueError that says what fits."""
    text = text.strip().lower()
    if text.startswith("sysex"):
        return _parse_sysex(text)
    match = _SOURCE.fullmatch(text)
    if match is None or match["kind"] not in list(SourceKind):
        raise ValueError(f'{text!r} is no source; write "cc 1/21", "note 1/36", "cc14 1/21" or "pitchbend 1"')
    kind = SourceKind(match["kind"])
    channel = int(match["channel"])
    if not 1 <= channel <= 16:
        raise ValueError(f"{text!r}: channels are 1 to 16")
    numbered = kind in _TOP_NUMBER
    if (match["number"] is not None) != numbered:
        raise ValueError(f'{text!r}: write "{kind.value} CHANNEL{"/NUMBER" if numbered else ""}"')
    number = int(match["number"] or 0)
    top = _TOP_NUMBER.get(kind, 0)
    if number > top:
        raise ValueError(f"{text!r}: numbers of {kind.value} are 0 to {top}")
    return Source(kind, channel, number)


def _parse_sysex(text: str) -> Source:
    match = _SYSEX.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r}: write the bytes after F0 in hexadecimal, "sysex 47 7f 15"')
    prefix = bytes.fromhex(match[1])
    if prefix.startswith(b"\xf0"):
        prefix = prefix[1:]
    if not prefix or len(prefix) > MAX_PREFIX or any(byte > 0x7F for byte in prefix):
        raise ValueError(f"{text!r}: 1 to {MAX_PREFIX} bytes of 00 to 7f, without F0 and F7")
    return Source(SourceKind.SYSEX, 0, 0, prefix)
