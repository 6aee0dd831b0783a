"""Mapping files: those of the performer in a folder, those shipped with the program beside this file.

Owner: whoever holds the store; its methods block on files, so an event loop calls them in a thread.
Units: none.
"""

import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from control.errors import MappingRejected
from control.mapping import MAX_BYTES, DeviceMapping, MapEntry, parse, scan, to_toml

BUILTIN: Final = Path(__file__).parent / "mappings"
"""The folder of mapping files that come with the program."""


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
        """Return something that differs once a mapping file of the performer has changed."""
        try:
            return [
                (file.name, file.stat().st_mtime_ns, file.stat().st_size)
                for file in sorted(self._folder.glob("*.toml"))
            ]
        except OSError:
            return None

    def save(self, device: str, mapping: DeviceMapping) -> Path:
        """Write a device's mapping, whole or not at all, and return where. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._file_of(device, mapping)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".mapping-", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(mapping.text)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

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


def slug(device: str) -> str:
    """Return a plain file name for a device: letters, digits and dashes only."""
    return re.sub(r"[^a-z0-9]+", "-", device.casefold()).strip("-")[:60] or "device"


def choose(mappings: Iterable[DeviceMapping], device: str) -> DeviceMapping | None:
    """Return the mapping of a device: the performer's own before the shipped ones, the longest pattern first."""
    fitting = [mapping for mapping in mappings if mapping.fits(device)]
    return max(fitting, key=lambda mapping: (not mapping.builtin, mapping.fits(device)), default=None)


# -- changing a file and leaving alone what people wrote in it -------------------------------------------------------


def new_mapping(device: str, base: DeviceMapping | None = None) -> DeviceMapping:
    """Return a mapping of its own for a device, starting with what `base` did for it."""
    quoted = device.replace("\\", "\\\\").replace('"', '\\"')
    pattern = re.sub(r"([\[\]])", "?", quoted)  # brackets mean a set of letters in a pattern
    head = f'# Written by MIDI learn. Edit it as you like; learning keeps your lines.\n\n[device]\nname = "{quoted}"\n'
    text = head + f'match = ["{pattern}"]\n'
    for entry in base.entries if base else ():
        text += "\n" + to_toml(entry)
    return parse(text, f"{slug(device)}.toml")


def with_entry(mapping: DeviceMapping, entry: MapEntry) -> tuple[DeviceMapping, list[MapEntry]]:
    """Return the mapping with `entry` in it, and the entries that gave way.

    What gives way: whatever the same source moved, and whatever moved the same control.
    """
    gone = [
        index
        for index, other in enumerate(mapping.entries)
        if other.path == entry.path or _same_knob(other, entry)
    ]  # fmt: skip
    text = _without(mapping.text, gone)
    text = text.rstrip() + "\n\n" + to_toml(entry)
    changed = parse(text, f"{slug(mapping.name)}.toml")
    return replace(changed, name=mapping.name), [mapping.entries[index] for index in gone]


def _same_knob(one: MapEntry, other: MapEntry) -> bool:
    if one.source == other.source:
        return True
    pair = {one.source.kind.value, other.source.kind.value}
    return pair == {"cc", "cc14"} and (one.source.channel, one.source.number % 32) == (
        other.source.channel,
        other.source.number % 32,
    )


def _without(text: str, indices: Iterable[int]) -> str:
    """Return `text` without the [[map]] blocks of these indices. Comments above a block stay."""
    lines = text.splitlines()
    drop: set[int] = set()
    marks = list(scan(text))
    for index in indices:
        own = [line for line, at, _ in marks if at == index]
        start, stop = own[0] - 1, own[-1]
        while stop < len(lines) and _continues(lines, own[-1] - 1, stop):
            stop += 1  # a value that runs over several lines
        drop.update(range(start, stop))
    return "\n".join(line for number, line in enumerate(lines) if number not in drop) + "\n"


def _continues(lines: list[str], start: int, stop: int) -> bool:
    block = "\n".join(lines[start:stop])
    return block.count("[") > block.count("]")
