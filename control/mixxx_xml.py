"""Mixxx's controller mappings (`.midi.xml`), read safely: from a file of unknown origin to plain rows.

Owner: nobody; pure. The format is described in the Mixxx wiki, page "MIDI controller mapping file format".
Units: MIDI status and number bytes; output values 0 to 127; `minimum` and `maximum` in Mixxx's own units.

Document types and entities are refused, so nothing in the file can expand or fetch anything. Only the first controller
counts, as in Mixxx.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Final, NoReturn
from xml.parsers import expat

from control.control import ControlError

MAX_BYTES: Final = 4 << 20
MAX_DEPTH: Final = 32


class NotAMixxxMapping(ControlError):
    """This is not a Mixxx mapping for MIDI."""


@dataclass(frozen=True, slots=True)
class MixxxControl:
    """One <control>: what a message moves. `number` is None where the file names none."""

    group: str
    key: str
    status: int
    number: int | None
    options: frozenset[str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class MixxxOutput:
    """One <output>: what shows a control. `minimum` is None where the file names none."""

    group: str
    key: str
    status: int
    number: int
    on: int
    off: int
    minimum: float | None
    maximum: float


@dataclass(frozen=True, slots=True)
class MixxxMapping:
    """A whole file. `scripts` are files and the name that their `init` and `shutdown` belong to; `faults` are rows that
    cannot be read."""

    name: str
    author: str
    device: str
    controls: tuple[MixxxControl, ...]
    outputs: tuple[MixxxOutput, ...]
    scripts: tuple[tuple[str, str], ...]
    faults: tuple[str, ...]


def read_mixxx(data: bytes) -> MixxxMapping:
    """Return what a file holds. Raises NotAMixxxMapping that says why."""
    root = _tree(data)
    controller = root.find("controller")
    if root.tag not in ("MixxxControllerPreset", "MixxxMIDIPreset") or controller is None:
        raise NotAMixxxMapping(f"A Mixxx mapping begins with <MixxxControllerPreset>, this with <{root.tag[:60]}>.")
    faults: list[str] = []
    controls = [
        control for row in controller.iterfind("controls/control") if (control := _control(row, faults)) is not None
    ]
    outputs = [output for row in controller.iterfind("outputs/output") if (output := _output(row, faults)) is not None]
    scripts = [
        (name, row.get("functionprefix", ""))
        for row in controller.iterfind("scriptfiles/file")
        if (name := row.get("filename"))
    ]
    return MixxxMapping(
        _text(root, "info/name"), _text(root, "info/author"), controller.get("id", ""),
        tuple(controls), tuple(outputs), tuple(scripts), tuple(faults),
    )  # fmt: skip


def _tree(data: bytes) -> ET.Element:
    if len(data) > MAX_BYTES:
        raise NotAMixxxMapping(f"The file has {len(data)} bytes; a mapping has at most {MAX_BYTES}.")
    builder = ET.TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise NotAMixxxMapping("The file is nested deeper than any mapping.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> NoReturn:
        raise NotAMixxxMapping("The file declares a document type or entities, which no mapping needs.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise NotAMixxxMapping(f"The file is not XML: {error}") from error


def _control(row: ET.Element, faults: list[str]) -> MixxxControl | None:
    group, key = _text(row, "group"), _text(row, "key")
    options = frozenset(option.tag.lower() for option in row.iterfind("options/*"))
    try:
        status = _integer(_text(row, "status"))
        midino = _text(row, "midino")
        number = _integer(midino) if midino else None
    except ValueError as error:
        faults.append(f"{group} {key}: {error}")
        return None
    if not 0x80 <= status <= 0xFF or (number is not None and not 0 <= number <= 127):
        faults.append(f"{group} {key}: no message is {status:#04x} {number}")
        return None
    return MixxxControl(group, key, status, number, options, _text(row, "description"))


def _output(row: ET.Element, faults: list[str]) -> MixxxOutput | None:
    group, key = _text(row, "group"), _text(row, "key")
    try:
        status, number = _integer(_text(row, "status")), _integer(_text(row, "midino") or "0")
        on, off = _integer(_text(row, "on") or "0x7F"), _integer(_text(row, "off") or "0x00")
        low = _text(row, "minimum")
        minimum = float(low) if low else None
        maximum = float(_text(row, "maximum") or "1.0")
    except ValueError as error:
        faults.append(f"{group} {key}: {error}")
        return None
    values = (number, on, off)
    if not 0x80 <= status <= 0xEF or not all(0 <= value <= 127 for value in values) or maximum != maximum:
        faults.append(f"{group} {key}: no light is {status:#04x} {number}")
        return None
    return MixxxOutput(group, key, status, number, on, off, minimum, maximum)


def _text(row: ET.Element, path: str) -> str:
    return " ".join((row.findtext(path) or "").split())


def _integer(text: str) -> int:
    """Return a number written as Mixxx takes it: hexadecimal with 0x, octal with 0, else decimal."""
    text = text.lower()
    if text.startswith("0x"):
        return int(text, 16)
    return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text)
