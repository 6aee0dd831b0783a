"""The mappings in force: read from files, changed by learning and from the page, undone, and written back.

Owner: the MIDI surface; everything is called on the loop, files are handled in a thread.
Units: none.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import anyio
import anyio.to_thread

from control.control import ControlError
from control.mapping import DeviceMapping, parse
from control.mapping_entry import MapEntry
from control.mapping_store import FileMappings, choose, new_mapping, slug, with_entry, without_entries

log = logging.getLogger(__name__)

UNDO: Final = 50
"""Changes that can be taken back."""


class NothingToUndo(ControlError):
    """Nothing was changed that could be taken back."""


@dataclass(frozen=True, slots=True)
class _Change:
    what: str
    before: DeviceMapping | None
    after: DeviceMapping


class MappingBook:
    """Every mapping there is. `on_fault` is told what cannot be read or written."""

    def __init__(self, store: FileMappings, on_fault: Callable[[str, str], None]) -> None:
        self._store = store
        self._on_fault = on_fault
        self._mappings: list[DeviceMapping] = []
        self._faults: list[str] = []
        self._files: object = None
        self._changes: list[_Change] = []
        self._writing = anyio.Lock()
        self._unsaved: list[tuple[str, DeviceMapping, bool]] = []

    @property
    def mappings(self) -> list[DeviceMapping]:
        """Every mapping, the performer's own first."""
        return list(self._mappings)

    @property
    def undoable(self) -> str:
        """What `undo` would take back, "" if nothing."""
        return self._changes[-1].what if self._changes else ""

    def mapping_of(self, *names: str) -> DeviceMapping | None:
        """Return the mapping of a device, by its name or id."""
        return choose(self._mappings, *names)

    def named(self, name: str) -> DeviceMapping | None:
        """Return a mapping by its own name."""
        return next((mapping for mapping in self._mappings if mapping.name == name), None)

    # -- changing -----------------------------------------------------------------------------------------------------

    def learn(self, device: str, ident: str, entry: MapEntry) -> list[MapEntry]:
        """Give an entry to a device's mapping, which becomes its own; return the lines that gave way.

        Raises MappingRejected.
        """
        base = self.mapping_of(device, ident)
        own = new_mapping(device, base, _pattern(device, ident)) if base is None or base.builtin else base
        mapping, gone = with_entry(own, entry)
        self._replace(base, mapping, f"{entry.source} to {entry.path}", device)
        return gone

    def forget(self, device: str, ident: str, entries: Iterable[MapEntry]) -> None:
        """Take lines out of a device's mapping, which becomes its own. Raises MappingRejected."""
        base = self.mapping_of(device, ident)
        if base is None:
            return
        own = new_mapping(device, base, _pattern(device, ident)) if base.builtin else base
        gone = list(entries)
        what = ", ".join(f"{entry.source} to {entry.path}" for entry in gone) + " taken out"
        self._replace(base, without_entries(own, gone), what, device)

    def take(self, file: str, text: str) -> DeviceMapping:
        """Take in a mapping file from elsewhere; it replaces one that matches the same devices. Raises
        MappingRejected."""
        mapping = parse(text, f"{slug(file.removesuffix('.toml'))}.toml")
        base = next((one for one in self._mappings if not one.builtin and one.match == mapping.match), None)
        self._replace(base, mapping, f"import of {mapping.name}", mapping.name)
        return mapping

    def undo(self) -> str:
        """Take back the last change and return what it was. Raises NothingToUndo."""
        if not self._changes:
            raise NothingToUndo(NothingToUndo.__doc__)
        change = self._changes.pop()
        self._mappings = [one for one in self._mappings if one.builtin or one.match != change.after.match]
        if change.before is not None and not change.before.builtin:
            self._mappings.insert(0, change.before)
            self._unsaved.append((change.before.name, change.before, True))
        else:
            self._unsaved.append((change.after.name, change.after, False))
        return change.what

    def _replace(self, base: DeviceMapping | None, mapping: DeviceMapping, what: str, device: str) -> None:
        mapping = replace(mapping, builtin=False)
        self._mappings = [mapping, *(one for one in self._mappings if one is not base or one.builtin)]
        self._changes = [*self._changes, _Change(what, base, mapping)][-UNDO:]
        self._unsaved.append((device, mapping, True))

    # -- files --------------------------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Write what was changed; what cannot be written stays in force and is told."""
        async with self._writing:
            while self._unsaved:
                name, mapping, is_there = self._unsaved.pop(0)
                try:
                    if is_there:
                        await anyio.to_thread.run_sync(self._store.save, name, mapping)
                    else:
                        await anyio.to_thread.run_sync(self._store.remove, mapping)
                except OSError as error:
                    said = f"The mapping of {name} works but was not saved: {error}"
                    self._on_fault("mapping_not_saved", said)
            self._files = await anyio.to_thread.run_sync(self._store.signature)

    def save_script(self, name: str, text: str) -> None:
        """Write a script beside the mappings; blocks. Raises MappingRejected, OSError."""
        self._store.save_script(name, text)

    async def load(self) -> list[str]:
        """Read every file again and return their faults; those that are new are told."""
        await self.save()
        async with self._writing:
            self._files = await anyio.to_thread.run_sync(self._store.signature)
            self._mappings, faults = await anyio.to_thread.run_sync(self._store.load)
            self._changes.clear()  # what was changed by hand is not ours to take back
        if faults != self._faults:
            for fault in faults[:5]:
                self._on_fault("mapping_rejected", fault)
        self._faults = faults
        return faults

    async def is_stale(self) -> bool:
        """Return whether a file was changed by somebody else."""
        async with self._writing:
            return await anyio.to_thread.run_sync(self._store.signature) != self._files


def _pattern(device: str, ident: str) -> str:
    """Return what a learned mapping matches: the device's name, or where it is plugged in if it has a twin."""
    is_twin = device.endswith(")") and device.rpartition(" (")[2][:-1].isdigit()
    return ident if is_twin and ident else device
