"""Mapping files: those of the performer in a folder, those shipped with the program beside this file.

Owner: whoever holds the store; its methods block on files, so an event loop calls them in a thread.
Units: none.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from control.errors import MappingRejected
from control.mapping import MAX_BYTES, DeviceMapping, parse
from control.mapping_entry import Gesture, MapEntry
from control.mapping_faults import scan
from control.mapping_script import FILE, MAX_SCRIPT_BYTES
from control.mapping_text import quoted, to_toml
from control.midi_source import parse_source

BUILTIN: Final = Path(__file__).parent / "mappings"
"""The folder of mapping files that come with the program."""

SCRIPTS: Final = "scripts"
"""The folder of scripts, in that of the performer's mappings."""


class FileMappings:
    """Reads every mapping, picks one for a device, and writes what was learned."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> tuple[list[DeviceMapping], list[str]]:
        """Return the mappings, the performer's first, and the faults of files that were left out."""
        found: list[DeviceMapping] = []
        faults: list[str] = []
        for folder, builtin in ((self._folder, False), (BUILTIN, True)):
            try:
                files = sorted(folder.glob("*.toml"))
            except OSError as error:
                faults.append(f"{folder}: {error}")
                continue
            for file in files:
                try:
                    if file.stat().st_size > MAX_BYTES:
                        raise MappingRejected([f"{file.name}: a mapping has at most {MAX_BYTES} bytes"])
                    found.append(parse(file.read_text(encoding="utf-8"), file.name, builtin))
                except MappingRejected as error:
                    faults += error.faults
                except (OSError, UnicodeDecodeError) as error:
                    faults.append(f"{file.name}: {error}")
        return found, faults

    def signature(self) -> object:
        """Return something that differs once a mapping file or a script of the performer has changed."""
        try:
            return [
                (file.name, file.stat().st_mtime_ns, file.stat().st_size)
                for file in sorted((*self._folder.glob("*.toml"), *(self._folder / SCRIPTS).glob("*.js")))
            ]
        except OSError:
            return None

    def script(self, name: str) -> str:
        """Return the text of a script. Raises OSError, UnicodeDecodeError, MappingRejected."""
        if not FILE.fullmatch(name):
            raise MappingRejected([f"{name[:80]!r} is no name of a script"])
        path = self._folder / SCRIPTS / name
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise MappingRejected([f"{name}: a script has at most {MAX_SCRIPT_BYTES} bytes"])
        return path.read_text(encoding="utf-8-sig")

    def save_script(self, name: str, text: str) -> Path:
        """Write a script and return where. Raises OSError, MappingRejected."""
        if not FILE.fullmatch(name):
            raise MappingRejected([f"{name[:80]!r} is no name of a script: letters, digits, - and _, then .js"])
        if len(text.encode()) > MAX_SCRIPT_BYTES:
            raise MappingRejected([f"{name}: a script has at most {MAX_SCRIPT_BYTES} bytes"])
        folder = self._folder / SCRIPTS
        folder.mkdir(parents=True, exist_ok=True)
        return _write_whole(folder / name, text)

    def save(self, device: str, mapping: DeviceMapping) -> Path:
        """Write a device's mapping, whole or not at all, and return where. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return _write_whole(self._file_of(device, mapping), mapping.text)

    def remove(self, mapping: DeviceMapping) -> None:
        """Delete the file of a mapping, if it has one. Raises OSError."""
        for path in sorted(self._folder.glob("*.toml")):
            try:
                if parse(path.read_text(encoding="utf-8"), path.name).match == mapping.match:
                    path.unlink()
                    return
            except (MappingRejected, UnicodeDecodeError):
                continue

    def _file_of(self, device: str, mapping: DeviceMapping) -> Path:
        for path in sorted(self._folder.glob("*.toml")):
            try:
                if parse(path.read_text(encoding="utf-8"), path.name).match == mapping.match:
                    return path
            except (MappingRejected, OSError, UnicodeDecodeError):
                continue
        base = slug(device)
        path = self._folder / f"{base}.toml"
        serial = 2
        while path.exists():
            path = self._folder / f"{base}-{serial}.toml"
            serial += 1
        return path


def _write_whole(path: Path, text: str) -> Path:
    """Write a file, whole or not at all, and return it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".mapping-", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def slug(device: str) -> str:
    """Return a plain file name for a device: letters, digits and dashes only."""
    return re.sub(r"[^a-z0-9]+", "-", device.casefold()).strip("-")[:60] or "device"


def choose(mappings: Iterable[DeviceMapping], *names: str) -> DeviceMapping | None:
    """Return the mapping of a device by its name or id: the performer's own before the shipped ones, the longest
    pattern first."""
    fitting = [mapping for mapping in mappings if mapping.fits(*names)]
    return max(fitting, key=lambda mapping: (not mapping.builtin, mapping.fits(*names)), default=None)


# -- changing a file and leaving alone what people wrote in it -------------------------------------------------------


def new_mapping(device: str, base: DeviceMapping | None = None, pattern: str = "") -> DeviceMapping:
    """Return a mapping of its own for a device, starting with what `base` did for it, lights and layers included.

    `pattern` is what it matches, if not the device's name.
    """
    pattern = re.sub(r"([\[\]])", "?", pattern or device)  # brackets mean a set of letters in a pattern
    head = "# Written by MIDI learn. Edit it as you like; learning keeps your lines.\n\n"
    own = f"[device]\nname = {quoted(device)}\nmatch = [{quoted(pattern)}]\n"
    if base is None:
        return parse(head + own, f"{slug(device)}.toml")
    text = _with_device(base.text, own)
    return parse(head + text, f"{slug(device)}.toml")


def _with_device(text: str, own: str) -> str:
    """Return `text` with another name and match in its [device]; everything else stays as it was written."""
    lines = text.splitlines()
    drop: set[int] = set()
    start = 0
    for line, place, key in scan(text):
        if place == ("device", 0) and key in ("", "name", "match"):
            start = start or line
            stop = line
            while stop < len(lines) and _continues(lines, line - 1, stop):
                stop += 1
            drop.update(range(line - 1, stop))
    kept = [line for number, line in enumerate(lines) if number not in drop]
    before = [line for number, line in enumerate(lines[: max(start - 1, 0)]) if number not in drop]
    return "\n".join([*before, *own.rstrip().splitlines(), *kept[len(before) :]]) + "\n"


def with_entry(mapping: DeviceMapping, entry: MapEntry) -> tuple[DeviceMapping, list[MapEntry]]:
    """Return the mapping with `entry` in it, and the entries that gave way.

    What gives way: whatever the same source moved on the same layer, and whatever moved the same control there.
    """
    gone = [
        other
        for other in mapping.entries
        if other.layer == entry.layer and (other.path == entry.path or _same_knob(other, entry))
    ]
    text = _without(mapping, gone).rstrip() + "\n\n" + to_toml(entry)
    changed = parse(text, f"{slug(mapping.name)}.toml")
    return replace(changed, name=mapping.name), gone


def without_entries(mapping: DeviceMapping, entries: Iterable[MapEntry]) -> DeviceMapping:
    """Return the mapping without these lines; comments and everything else stay."""
    return replace(parse(_without(mapping, entries), f"{slug(mapping.name)}.toml"), name=mapping.name)


def _same_knob(one: MapEntry, other: MapEntry) -> bool:
    if one.source == other.source:
        return True
    pair = {one.source.kind.value, other.source.kind.value}
    return pair == {"cc", "cc14"} and (one.source.channel, one.source.number % 32) == (
        other.source.channel,
        other.source.number % 32,
    )


def _without(mapping: DeviceMapping, entries: Iterable[MapEntry]) -> str:
    """Return a mapping's text without the [[map]] blocks of some lines. Comments above a block stay."""
    lines = mapping.text.splitlines()
    marks = list(scan(mapping.text))
    unwanted = list(entries)
    drop: set[int] = set()
    for index in range(sum(1 for _, place, key in marks if place[0] == "map" and not key)):
        own = [line for line, place, _ in marks if place == ("map", index)]
        start, stop = own[0] - 1, own[-1]
        while stop < len(lines) and _continues(lines, own[-1] - 1, stop):
            stop += 1  # a value that runs over several lines
        if _is_one_of(lines[start:stop], unwanted):
            drop.update(range(start, stop))
    return "\n".join(line for number, line in enumerate(lines) if number not in drop) + "\n"


def _is_one_of(block: list[str], entries: list[MapEntry]) -> bool:
    """Return whether a [[map]] block is the line of one of `entries`, told by what makes a line unique."""
    rows = tomllib.loads("\n".join(block)).get("map", [{}])
    row = rows[0]
    try:
        source = parse_source(str(row.get("source")))
    except ValueError:
        return False
    found = (source, row.get("path"), row.get("on", Gesture.PRESS.value), row.get("layer", ""))
    return any(found == (one.source, one.path, one.gesture.value, one.layer) for one in entries)


def _continues(lines: list[str], start: int, stop: int) -> bool:
    block = "\n".join(lines[start:stop])
    return block.count("[") > block.count("]")
