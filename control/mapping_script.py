"""Scripts of a mapping: which files run beside it, and which messages call which of their functions.

Owner: nobody; values are frozen, reading is pure. `control/scripts/` runs them.
Units: MIDI status and number bytes.

    [[script]]                          [[call]]
    file = "My-desk-scripts.js"         message = "90 0b"
    prefix = "MyDesk"                   function = "MyDesk.play"
                                        group = "[Channel1]"
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from control.mapping_faults import Faults
from control.mapping_rows import unknown

FILE: Final = re.compile(r"[\w][\w .+()-]{0,99}\.js", re.ASCII)
"""A script's name: no folder, nothing hidden."""

MAX_SCRIPT_BYTES: Final = 2 << 20
_FUNCTION: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[[\"']?\w+[\"']?\]){0,20}", re.ASCII)
_PREFIX: Final = re.compile(r"(?:[A-Za-z_$][\w$.]{0,99})?", re.ASCII)
_SCRIPT_KEYS: Final = ("file", "prefix")
_CALL_KEYS: Final = ("message", "function", "group", "note")


@dataclass(frozen=True, slots=True)
class Script:
    """A file in the folder of scripts; `prefix` is the object whose `init` and `shutdown` are called, "" for none."""

    file: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A message that calls a function with channel, number, value, status and group; `number` is None for any."""

    status: int
    number: int | None
    function: str
    group: str = ""


def script_of(row: dict[str, Any], index: int, faults: Faults) -> Script | None:
    """Return what a [[script]] says, None where it has faults."""
    place = ("script", index)
    unknown(row, _SCRIPT_KEYS, faults, place, "")
    file, prefix = row.get("file", ""), row.get("prefix", "")
    if not isinstance(file, str) or not FILE.fullmatch(file):
        faults.add(place, "file", f'takes the plain name of a script such as "My-desk.js", not {file!r}')
        return None
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        faults.add(place, "prefix", f"takes the name of an object of the script, not {prefix!r}")
        return None
    return Script(file, prefix)


def call_of(row: dict[str, Any], index: int, faults: Faults) -> ScriptCall | None:
    """Return what a [[call]] says, None where it has faults."""
    place = ("call", index)
    unknown(row, _CALL_KEYS, faults, place, "")
    message, function, group = row.get("message", ""), row.get("function", ""), row.get("group", "")
    try:
        data = bytes.fromhex(message) if isinstance(message, str) else b""
    except ValueError:
        data = b""
    if not 1 <= len(data) <= 2 or not 0x80 <= data[0] <= 0xEF or (data[-1] > 0x7F and len(data) > 1):
        faults.add(place, "message", f'takes status and number in hexadecimal such as "90 0b", not {message!r}')
        return None
    if not is_function(function):
        faults.add(place, "function", f"takes the name of a function of the script, not {function!r}")
        return None
    if not isinstance(group, str) or len(group) > 100:
        faults.add(place, "group", f"takes a text, not {group!r}")
        return None
    return ScriptCall(data[0], data[1] if len(data) > 1 else None, function, group)


def is_function(name: object) -> bool:
    """Return whether `name` can be a function of a script."""
    return isinstance(name, str) and len(name) <= 200 and _FUNCTION.fullmatch(name) is not None
