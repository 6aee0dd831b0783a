"""Mappings: which MIDI message of a device moves which control, and what the device is told in return.

Owner: nobody; values are frozen, parsing is pure. Files are handled in `control/mapping_store.py`.
Units: as in `control/mapping_entry.py`. docs/midi.md is the reference of the format for those who write mappings:

    [device]                  whom it is for: match, name, takeover, output, hello, goodbye
    [[map]]                   one source moves one control (`control/mapping_rows.py`)
    [[light]]                 something that shows a control and is not the source of a [[map]]
    [[layer]]                 a shift key, a mode, a page
    [[script]], [[call]]      a script that runs beside it (`control/mapping_script.py`)
"""

import fnmatch
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from control.errors import MappingRejected
from control.mapping_entry import Absent, Layer, Light, MapEntry, Takeover
from control.mapping_faults import Faults
from control.mapping_rows import bytes_of, choice, entry_of, layer_of, light_of, unknown
from control.mapping_script import Script, ScriptCall, call_of, script_of
from control.midi_source import Source

MAX_ENTRIES: Final = 2048
MAX_BYTES: Final = 1 << 20
MAX_HELLO: Final = 64
"""Messages that a device may be greeted with."""


@dataclass(frozen=True, slots=True)
class DeviceMapping:
    """A mapping file. `text` is the file as it stands, so that learning keeps what people wrote."""

    name: str
    match: tuple[str, ...]
    entries: tuple[MapEntry, ...]
    text: str = ""
    builtin: bool = False
    lights: tuple[Light, ...] = ()
    layers: tuple[Layer, ...] = ()
    absent: tuple[Absent, ...] = ()
    output: str = ""
    hello: tuple[bytes, ...] = ()
    goodbye: tuple[bytes, ...] = ()
    scripts: tuple[Script, ...] = ()
    calls: tuple[ScriptCall, ...] = ()

    def fits(self, *names: str) -> int:
        """Return how well the patterns fit a device's name or id: 0 not at all, else 1 more than the letters named."""
        return max(
            (
                1 + len(pattern.replace("*", "").replace("?", ""))
                for pattern in self.match
                for name in names
                if fnmatch.fnmatchcase(name.casefold(), pattern.casefold())
            ),
            default=0,
        )


_DEVICE_KEYS: Final = ("match", "name", "takeover", "output", "hello", "goodbye")


def parse(text: str, file: str = "mapping.toml", builtin: bool = False) -> DeviceMapping:
    """Return the mapping that `text` holds. Raises MappingRejected with every fault found, each with its line."""
    if len(text) > MAX_BYTES:
        raise MappingRejected([f"{file}: a mapping has at most {MAX_BYTES} bytes"])
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingRejected([f"{file}: {error}"]) from error
    faults = Faults(file, text)
    unknown(content, ("device", "map", "light", "layer", "script", "call"), faults, ("device", 0), "")
    device = content.get("device")
    if not isinstance(device, dict):
        faults.add(("device", 0), "device", 'is missing; write [device] with match = "part of the port\'s name"')
        device = {}
    unknown(device, _DEVICE_KEYS, faults, ("device", 0), "device: ")
    patterns = _patterns(device, faults)
    takeover = choice(device, "takeover", Takeover, ("device", 0), faults) or Takeover.PICKUP
    output = device.get("output", "")
    if not isinstance(output, str):
        faults.add(("device", 0), "output", f"takes the name of an output port, not {output!r}")
    hello, goodbye = (_messages(device, key, faults) for key in ("hello", "goodbye"))
    layers = [layer for index, row in _rows(content, "layer", faults) if (layer := layer_of(row, index, faults))]
    for name, count in Counter(layer.name for layer in layers).items():
        if count > 1:
            faults.add(("layer", 0), "name", f"{name!r} is there {count} times")
    names = tuple(layer.name for layer in layers)
    entries: list[MapEntry] = []
    absent: list[Absent] = []
    seen: dict[tuple[object, ...], int] = {}
    for index, row in _rows(content, "map", faults):
        entry = entry_of(row, index, faults, names, takeover)
        if isinstance(entry, Absent):
            absent.append(entry)
        elif entry is not None:
            entries.append(entry)
            first = seen.setdefault((entry.source, entry.path, entry.gesture, entry.layer), index)
            if first != index:
                line = faults.line(("map", first), "source")
                faults.add(("map", index), "source", f"{entry.source} moves {entry.path} already (line {line})")
    lights: list[Light] = []
    for index, row in _rows(content, "light", faults):
        light = light_of(row, index, faults, names)
        if isinstance(light, Absent):
            absent.append(light)
        elif light is not None:
            lights.append(light)
    scripts = [one for index, row in _rows(content, "script", faults) if (one := script_of(row, index, faults))]
    calls = [call for index, row in _rows(content, "call", faults) if (call := call_of(row, index, faults))]
    if calls and not scripts and not faults.found:
        faults.add(("call", 0), "function", "needs a [[script]] that it is in")
    if faults.found:
        raise MappingRejected(faults.found)
    called = device.get("name")
    called = called if isinstance(called, str) else file.removesuffix(".toml")
    return DeviceMapping(
        called, tuple(patterns), tuple(entries), text, builtin,
        tuple(lights), tuple(layers), tuple(absent), output, hello, goodbye,
        tuple(scripts), tuple(calls),
    )  # fmt: skip


def _patterns(device: dict[str, Any], faults: Faults) -> Sequence[str]:
    match = device.get("match", [])
    patterns = [match] if isinstance(match, str) else match
    fits = isinstance(patterns, list) and all(isinstance(name, str) and 0 < len(name) < 200 for name in patterns)
    if not fits or not patterns:
        faults.add(("device", 0), "match", 'takes a port name such as "*nanoKONTROL2*", or a list of them')
        return []
    return list(patterns)


def _rows(content: dict[str, Any], table: str, faults: Faults) -> list[tuple[int, dict[str, Any]]]:
    rows = content.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.add((table, 0), table, f"is written as [[{table}]], once for each")
        return []
    if len(rows) > MAX_ENTRIES:
        faults.add((table, 0), table, f"a mapping has at most {MAX_ENTRIES} of them, this has {len(rows)}")
        return []
    return list(enumerate(rows))


def _messages(device: dict[str, Any], key: str, faults: Faults) -> tuple[bytes, ...]:
    given = device.get(key, [])
    given = [given] if isinstance(given, str) else given
    found = [bytes_of(text) for text in given] if isinstance(given, list) else [None]
    whole = [message for message in found if message is not None]
    if len(whole) < len(found) or len(whole) > MAX_HELLO:
        faults.add(
            ("device", 0), key, f'takes at most {MAX_HELLO} whole MIDI messages such as "b0 00 7f", not {given!r}'
        )
        return ()
    return tuple(whole)


def sources_of(mapping: DeviceMapping | None) -> frozenset[Source]:
    """Return every source that a mapping listens to."""
    if mapping is None:
        return frozenset()
    return frozenset({entry.source for entry in mapping.entries} | {layer.source for layer in mapping.layers})
