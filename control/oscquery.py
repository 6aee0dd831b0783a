"""The OSCQuery namespace: every control of the registry as a node that programs can browse.

Owner: whoever serves it. Pure: values come from the caller.
Units: as the registry says; the attribute UNIT names them.

After Vidvox's OSCQuery proposal (2018): a node is a map with FULL_PATH and either CONTENTS or TYPE, ACCESS, VALUE,
RANGE, DESCRIPTION, UNIT, CLIPMODE, TAGS, EXTENDED_TYPE and CRITICAL. What is an array there has one item for each
argument, and a control has one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from control.control import Control, Kind, Value
from control.registry import FOCUSED, REGISTRY

ATTRIBUTES: Final = (
    "FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS", "EXTENDED_TYPE", "UNIT",
    "CRITICAL", "CLIPMODE",
)  # fmt: skip
"""Attributes that a node may have and that may be asked for one by one."""

COMMANDS: Final = ("LISTEN", "IGNORE", "PATH_CHANGED")
"""What our WebSocket takes and sends."""

_UNITS: Final = {"dB": "gain.db", "gain": "gain.linear", "s": "time.second", "Hz": "time.frequency", "BPM": "time.bpm"}
"""Names of units that programs know; any other unit goes by its own name."""

_TYPES: Final = {Kind.TOGGLE: "i", Kind.TRIGGER: "I", Kind.CONTINUOUS: "f", Kind.CHOICE: "s", Kind.TEXT: "s"}

_NAMES: Final[Mapping[str, Control]] = {**FOCUSED["1"], **REGISTRY}


class NoSuchNode(LookupError):
    """No control and no folder has this path."""


class NoSuchAttribute(LookupError):
    """OSCQuery has no such attribute."""


def _tree() -> dict[str, dict[str, str]]:
    """Return the children of every folder: name to path, by path of the folder (`/` for the root)."""
    folders: dict[str, dict[str, str]] = {"/": {}}
    for path in _NAMES:
        above = "/"
        for name in path.split("/")[1:]:
            here = f"{above.rstrip('/')}/{name}"
            folders.setdefault(above, {})[name] = here
            above = here
    return folders


_FOLDERS: Final = _tree()


def is_listenable(path: str) -> bool:
    """Return whether a path names something that can be heard."""
    return path in _NAMES and _NAMES[path].is_readable


def node(path: str, value_of: Callable[[str], Value | None]) -> dict[str, Any]:
    """Return a node with everything below it. `value_of` is asked for readable paths alone. Raises NoSuchNode."""
    path = path.rstrip("/") or "/"
    control = _NAMES.get(path)
    children = _FOLDERS.get(path)
    if control is None and children is None:
        raise NoSuchNode(f"nothing is called {path[:120]!r}")
    found: dict[str, Any] = {"FULL_PATH": path}
    if control is not None:
        found |= _describe(path, control, value_of)
    if children is not None:
        found.setdefault("DESCRIPTION", _folder_text(path))
        found.setdefault("ACCESS", 0)
        found["CONTENTS"] = {name: node(below, value_of) for name, below in children.items()}
    return found


def attribute(path: str, name: str, value_of: Callable[[str], Value | None]) -> dict[str, Any] | None:
    """Return one attribute of a node, None where the node has none. Raises NoSuchNode and NoSuchAttribute."""
    if name not in ATTRIBUTES:
        raise NoSuchAttribute(f"no attribute is called {name[:60]!r}; there are {', '.join(ATTRIBUTES)}")
    path = path.rstrip("/") or "/"
    if name == "VALUE" and path in _NAMES:  # asked for all the time: no need to describe the rest
        values = _value(path, _NAMES[path], value_of)
        return {"VALUE": values} if values is not None else None
    found = node(path, value_of)
    return {name: found[name]} if name in found else None


def host_info(name: str, osc_port: int, port: int) -> dict[str, Any]:
    """Return the answer to HOST_INFO. Addresses are left out: they are those the answer came from."""
    return {
        "NAME": name,
        "EXTENSIONS": {
            **dict.fromkeys(ATTRIBUTES[2:], True),
            **dict.fromkeys(COMMANDS, True),
            **dict.fromkeys(("PATH_ADDED", "PATH_REMOVED", "PATH_RENAMED", "OVERLOADS", "HTML"), False),
        },
        "OSC_PORT": osc_port,
        "OSC_TRANSPORT": "UDP",
        "WS_PORT": port,
    }


def changed_by_focus() -> tuple[str, ...]:
    """Return the folders whose nodes name other controls once another deck has the focus."""
    return tuple(dict.fromkeys("/" + alias.split("/")[1] for alias in FOCUSED["1"]))


def _describe(path: str, control: Control, value_of: Callable[[str], Value | None]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "TYPE": _TYPES[control.kind],
        "ACCESS": (1 if control.is_readable else 0) + (2 if control.is_writable else 0),
        "DESCRIPTION": control.description,
        "TAGS": [path.split("/")[1]],
        "EXTENDED_TYPE": [control.kind.value],
    }
    value = _value(path, control, value_of)
    if value is not None:
        found["VALUE"] = value
    limits = _range(control)
    if limits:
        found["RANGE"] = [limits]
        if control.is_writable and control.kind is Kind.CONTINUOUS:
            found["CLIPMODE"] = [_clipmode(control)]
    if control.unit:
        found["UNIT"] = [_UNITS.get(control.unit, control.unit)]
    if control.kind is Kind.TRIGGER:
        found["CRITICAL"] = True
        found["VALUE"] = [None]  # an impulse has no data, but some programs take a node without VALUE for a folder
    return found


def _value(path: str, control: Control, value_of: Callable[[str], Value | None]) -> list[Value] | None:
    if not control.is_readable:
        return None
    value = value_of(path)
    if value is None:
        return None
    return [float(value) if control.kind is Kind.CONTINUOUS else value]


def _range(control: Control) -> dict[str, Any]:
    if control.kind is Kind.CHOICE:
        return {"VALS": list(control.choices)}
    if control.kind is Kind.TOGGLE:
        return {"MIN": 0, "MAX": 1, "VALS": [0, 1]}
    if control.kind is not Kind.CONTINUOUS:
        return {}
    limits = {"MIN": control.minimum, "MAX": control.maximum}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _clipmode(control: Control) -> str:
    low, high = control.minimum is not None, control.maximum is not None
    return "both" if low and high else "low" if low else "high"


def _folder_text(path: str) -> str:
    match path.split("/"):
        case ["", ""]:
            return "Every control of the show"
        case ["", "deck", number]:
            return f"Deck {number}"
        case [*_, "stem", name] if not name.isdigit():
            return f"The {name}"
        case [*_, name]:
            return name
    return path
