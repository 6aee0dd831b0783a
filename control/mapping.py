"""Mappings: which MIDI message of a device moves which control, read from TOML that people write.

Owner: nobody; values are frozen, parsing is pure. Files are handled in `control/mapping_store.py`.
Units: channels 1 to 16; numbers 0 to 127; `low` and `high` in the control's unit; `step` in travel (0 to 1) a click.

    [device]
    match = ["*nanoKONTROL2*"]    # port names, * and ? stand for anything, upper and lower case alike

    [[map]]
    source = "cc 1/21"            # cc, cc14, note CHANNEL/NUMBER; pitchbend, pressure CHANNEL; program CHANNEL/NUMBER
    path = "/deck/1/volume"       # any control, also an alias such as /stem/1/volume
    mode = "absolute"             # absolute, toggle, momentary, relative
    takeover = "pickup"           # pickup or jump
    range = [0.0, 1.0]            # part of the control's range that the fader covers
    invert = false
    curve = "audio"               # linear, audio, centred; the control's own if left out
    encoding = "twos"             # relative only: twos, offset, sign
    step = 0.01                   # relative only
    feedback = true               # light the button, move the motor fader
"""

import difflib
import fnmatch
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from control import travel
from control.control import Control, Curve, Kind, UnknownControl
from control.errors import MappingRejected
from control.registry import REGISTRY, resolve

_E = TypeVar("_E", bound=StrEnum)

MAX_ENTRIES: Final = 2048
MAX_BYTES: Final = 1 << 20


class SourceKind(StrEnum):
    """The kinds of messages a mapping can name."""

    CC = "cc"
    CC14 = "cc14"
    NOTE = "note"
    PITCHBEND = "pitchbend"
    PRESSURE = "pressure"
    PROGRAM = "program"


class Mode(StrEnum):
    """How a message moves its control."""

    ABSOLUTE = "absolute"
    TOGGLE = "toggle"
    MOMENTARY = "momentary"
    RELATIVE = "relative"


class Takeover(StrEnum):
    """Whether a fader must meet its control first."""

    PICKUP = "pickup"
    JUMP = "jump"


class Encoding(StrEnum):
    """How an endless encoder says one click right and one click left: 1 and 127, 65 and 63, 1 and 65."""

    TWOS = "twos"
    OFFSET = "offset"
    SIGN = "sign"


_NUMBERED: Final = frozenset({SourceKind.CC, SourceKind.CC14, SourceKind.NOTE, SourceKind.PROGRAM})
_SOURCE: Final = re.compile(r"(?P<kind>[a-z0-9]+)\s+(?P<channel>\d{1,2})(?:/(?P<number>\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Source:
    """A knob, fader, button or key as its messages name it. `number` is 0 where the kind has none."""

    kind: SourceKind
    channel: int
    number: int = 0

    def __str__(self) -> str:
        number = f"/{self.number}" if self.kind in _NUMBERED else ""
        return f"{self.kind.value} {self.channel}{number}"


def parse_source(text: str) -> Source:
    """Return the source that `text` names. Raises ValueError that says what fits."""
    match = _SOURCE.fullmatch(text.strip().lower())
    kinds = [kind.value for kind in SourceKind]
    if match is None or match["kind"] not in kinds:
        raise ValueError(f'{text!r} is no source; write "cc 1/21", "note 1/36", "cc14 1/21" or "pitchbend 1"')
    kind = SourceKind(match["kind"])
    channel = int(match["channel"])
    if not 1 <= channel <= 16:
        raise ValueError(f"{text!r}: channels are 1 to 16")
    if (match["number"] is not None) != (kind in _NUMBERED):
        raise ValueError(f'{text!r}: write "{kind.value} CHANNEL{"/NUMBER" if kind in _NUMBERED else ""}"')
    number = int(match["number"] or 0)
    top = 31 if kind is SourceKind.CC14 else 127
    if number > top:
        raise ValueError(f"{text!r}: numbers of {kind.value} are 0 to {top}")
    return Source(kind, channel, number)


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One line of a mapping, checked. Travel 0 stands for `low`, travel 1 for `high`."""

    source: Source
    path: str
    mode: Mode
    low: float
    high: float
    curve: Curve
    takeover: Takeover = Takeover.PICKUP
    encoding: Encoding = Encoding.TWOS
    step: float = 0.01
    feedback: bool = True

    def control(self, focus: str) -> Control:
        """Return the control it moves while deck `focus` has the focus."""
        return resolve(self.path, focus)


@dataclass(frozen=True, slots=True)
class DeviceMapping:
    """A mapping file. `text` is the file as it stands, so that learning keeps what people wrote."""

    name: str
    match: tuple[str, ...]
    entries: tuple[MapEntry, ...]
    text: str = ""
    builtin: bool = False

    def fits(self, device: str) -> int:
        """Return how well the patterns fit a device's name: 0 not at all, else 1 more than the letters they name."""
        return max(
            (
                1 + len(pattern.replace("*", "").replace("?", ""))
                for pattern in self.match
                if fnmatch.fnmatchcase(device.casefold(), pattern.casefold())
            ),
            default=0,
        )

    def paired(self, channel: int, number: int) -> bool:
        """Return whether this control change sends 14 bits."""
        return any(
            entry.source.kind is SourceKind.CC14 and (entry.source.channel, entry.source.number) == (channel, number)
            for entry in self.entries
        )


def default_mode(kind: SourceKind, control: Control) -> Mode:
    """Return how a source moves a control when the mapping does not say."""
    fader = kind in (SourceKind.CC, SourceKind.CC14, SourceKind.PITCHBEND, SourceKind.PRESSURE)
    match control.kind:
        case Kind.TRIGGER:
            return Mode.MOMENTARY
        case Kind.TOGGLE:
            return Mode.TOGGLE
        case Kind.CHOICE:
            return Mode.ABSOLUTE if fader else Mode.TOGGLE
        case _:
            return Mode.ABSOLUTE if fader else Mode.MOMENTARY


def entry_for(source: Source, path: str, mode: Mode | None = None, encoding: Encoding = Encoding.TWOS) -> MapEntry:
    """Return a mapping line with everything else as it is by default. Raises UnknownControl."""
    control = resolve(path, "1")
    low, high = travel.limits(control)
    mode = mode or default_mode(source.kind, control)
    return MapEntry(source, path, mode, low, high, control.curve, encoding=encoding)


def to_toml(entry: MapEntry) -> str:
    """Return the `[[map]]` block that reads as `entry`."""
    plain = entry_for(entry.source, entry.path)
    lines = ["[[map]]", f'source = "{entry.source}"', f'path = "{entry.path}"', f'mode = "{entry.mode.value}"']
    if entry.mode is Mode.RELATIVE:
        lines += [f'encoding = "{entry.encoding.value}"', f"step = {entry.step!r}"]
    elif entry.mode is Mode.ABSOLUTE:
        lines.append(f'takeover = "{entry.takeover.value}"')
    if (entry.low, entry.high) == (plain.high, plain.low):
        lines.append("invert = true")
    elif (entry.low, entry.high) != (plain.low, plain.high):
        lines.append(f"range = [{entry.low!r}, {entry.high!r}]")
    if entry.curve is not plain.curve:
        lines.append(f'curve = "{entry.curve.value}"')
    if not entry.feedback:
        lines.append("feedback = false")
    return "\n".join(lines) + "\n"


# -- reading ---------------------------------------------------------------------------------------------------------

_DEVICE_KEYS: Final = ("match", "name")
_MAP_KEYS: Final = (
    "source", "path", "mode", "range", "invert", "curve", "takeover", "encoding", "step", "feedback", "note",
)  # fmt: skip


def parse(text: str, file: str = "mapping.toml", builtin: bool = False) -> DeviceMapping:
    """Return the mapping that `text` holds. Raises MappingRejected with every fault found, each with its line."""
    if len(text) > MAX_BYTES:
        raise MappingRejected([f"{file}: a mapping has at most {MAX_BYTES} bytes"])
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingRejected([f"{file}: {error}"]) from error
    faults = _Faults(file, text)
    _unknown(content, ("device", "map"), faults, "", -1)
    device = content.get("device")
    if not isinstance(device, dict):
        faults.add(-1, "device", 'is missing; write [device] with match = "part of the port\'s name"')
        device = {}
    _unknown(device, _DEVICE_KEYS, faults, "device: ", -1)
    match = device.get("match", [])
    patterns = [match] if isinstance(match, str) else match
    fits = isinstance(patterns, list) and all(isinstance(name, str) and 0 < len(name) < 200 for name in patterns)
    if not fits or not patterns:
        faults.add(-1, "match", 'takes a port name such as "*nanoKONTROL2*", or a list of them')
        patterns = []
    rows = content.get("map", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.add(-1, "map", "is written as [[map]], once for each control")
        rows = []
    if len(rows) > MAX_ENTRIES:
        faults.add(-1, "map", f"a mapping has at most {MAX_ENTRIES} entries, this has {len(rows)}")
        rows = []
    entries: list[MapEntry] = []
    seen: dict[tuple[Source, str], int] = {}
    for index, row in enumerate(rows):
        entry = _entry(row, index, faults)
        if entry is not None:
            first = seen.setdefault((entry.source, entry.path), index)
            if first != index:
                line = faults.line(first, "source")
                faults.add(index, "source", f"{entry.source} moves {entry.path} already (line {line})")
            entries.append(entry)
    if faults.found:
        raise MappingRejected(faults.found)
    name = device.get("name")
    return DeviceMapping(name if isinstance(name, str) else file.removesuffix(".toml"), tuple(patterns), tuple(entries),
                         text, builtin)  # fmt: skip


class _Faults:
    """Collects faults, with the line of the key in the file."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.found: list[str] = []
        self._lines: dict[tuple[int, str], int] = {}
        for line, index, key in scan(text):
            self._lines.setdefault((index, key), line)

    def line(self, index: int, key: str) -> int:
        """Return the line of `key` in the `index`th [[map]] (-1: in [device]), or of its header."""
        return self._lines.get((index, key)) or self._lines.get((index, "")) or 1

    def add(self, index: int, key: str, message: str) -> None:
        self.found.append(f"{self.file} line {self.line(index, key)}: {key} {message}")


_HEADER: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\-]+)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-]+)\s*=")


def scan(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (line, index of the [[map]] or -1, key) for every key, and key "" for every header."""
    index = -1
    for line, content in enumerate(text.splitlines(), 1):
        header = _HEADER.match(content)
        if header is not None:
            if header[1] == "map":
                index += 1
            yield line, index if header[1] == "map" else -1, ""
        elif key := _KEY.match(content):
            yield line, index, key[1]


def _unknown(table: Mapping[str, Any], known: Sequence[str], faults: _Faults, where: str, index: int) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            faults.add(index, key, f"{where}is not known" + (f"; did you mean {near[0]!r}?" if near else ""))


def _entry(row: dict[str, Any], index: int, faults: _Faults) -> MapEntry | None:
    before = len(faults.found)
    _unknown(row, _MAP_KEYS, faults, "", index)
    source: Source | None = None
    try:
        source = parse_source(_text(row, "source"))
    except ValueError as error:
        faults.add(index, "source", str(error))
    control: Control | None = None
    try:
        path = _text(row, "path")
        control = resolve(path, "1")
        if not control.is_writable:
            faults.add(index, "path", f"{path} can only be read")
        elif control.kind is Kind.TEXT:
            faults.add(index, "path", f"{path} takes a text, which no knob can give")
    except ValueError as error:
        faults.add(index, "path", str(error))
    except UnknownControl as error:
        near = difflib.get_close_matches(str(row["path"]), REGISTRY, 1)
        faults.add(index, "path", str(error) + (f"; did you mean {near[0]}?" if near else ""))
    mode = _choice(row, "mode", Mode, index, faults)
    curve = _choice(row, "curve", Curve, index, faults)
    takeover = _choice(row, "takeover", Takeover, index, faults)
    encoding = _choice(row, "encoding", Encoding, index, faults)
    invert = _switch(row, "invert", False, index, faults)
    feedback = _switch(row, "feedback", True, index, faults)
    step = row.get("step", 0.01)
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step <= 1:
        faults.add(index, "step", f"is a part of the travel, above 0 and at most 1, not {step!r}")
    if source is None or control is None or len(faults.found) > before:
        return None
    low, high = _range(row, control, index, faults)
    if invert:
        low, high = high, low
    mode = mode or default_mode(source.kind, control)
    if mode is Mode.RELATIVE and source.kind is not SourceKind.CC:
        faults.add(index, "mode", "relative needs a cc source")
    pressed = source.kind in (SourceKind.NOTE, SourceKind.PROGRAM)
    if mode is Mode.ABSOLUTE and pressed and control.kind is not Kind.CONTINUOUS:
        faults.add(index, "mode", f"absolute does not fit a {source.kind.value} on a {control.kind.value}")
    if len(faults.found) > before:
        return None
    return MapEntry(
        source, control.path if path in REGISTRY else path, mode, low, high, curve or control.curve,
        takeover or Takeover.PICKUP, encoding or Encoding.TWOS, float(step), feedback,
    )  # fmt: skip


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError("is missing" if value is None else f"takes a text, not {value!r}")
    return value


def _choice(row: dict[str, Any], key: str, kind: type[_E], index: int, faults: _Faults) -> _E | None:
    value = row.get(key)
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        faults.add(index, key, f"is one of {', '.join(member.value for member in kind)}, not {value!r}")
        return None


def _switch(row: dict[str, Any], key: str, default: bool, index: int, faults: _Faults) -> bool:
    value = row.get(key, default)
    if isinstance(value, bool):
        return value
    faults.add(index, key, f"is true or false, not {value!r}")
    return default


def _range(row: dict[str, Any], control: Control, index: int, faults: _Faults) -> tuple[float, float]:
    low, high = travel.limits(control)
    given = row.get("range")
    if given is None:
        return low, high
    fits = isinstance(given, list) and len(given) == 2 and all(
        isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge) for edge in given
    )  # fmt: skip
    top = math.inf if control.maximum is None and control.kind is Kind.CONTINUOUS else high
    if not fits or given[0] == given[1] or not all(low <= edge <= top for edge in given):
        faults.add(index, "range", f"takes two different numbers from {low:g} to {top:g}, not {given!r}")
        return low, high
    return float(given[0]), float(given[1])
