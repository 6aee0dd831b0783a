"""One table of a mapping file, from TOML to a checked value. Whatever is wrong is added to the faults.

Owner: nobody; pure.
Units: as in `control/mapping_entry.py`.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from control import travel
from control.contract import is_named
from control.control import BadValue, Control, Curve, Kind, UnknownControl, Value, check
from control.errors import BadMessage
from control.mapping_entry import (
    Absent,
    Encoding,
    Gesture,
    Layer,
    LayerKind,
    Light,
    MapEntry,
    Mode,
    Shown,
    Takeover,
    default_mode,
    resolve_path,
)
from control.mapping_faults import Faults, Place
from control.midi_messages import decode
from control.midi_source import Source, SourceKind, parse_source
from control.registry import REGISTRY

_E = TypeVar("_E", bound=StrEnum)

_MAP_KEYS: Final = (
    "source", "path", "mode", "range", "invert", "curve", "takeover", "encoding", "step", "acceleration", "feedback",
    "on", "layer", "value", "lit", "dark", "light", "steps", "note",
)  # fmt: skip
_LIGHT_KEYS: Final = ("path", "light", "lit", "dark", "when", "steps", "layer", "note")
_LAYER_KEYS: Final = ("name", "source", "kind", "group", "start", "lit", "dark", "note")

_PRESSED: Final = (SourceKind.NOTE, SourceKind.PROGRAM, SourceKind.SYSEX)
_TURNED: Final = (SourceKind.CC, SourceKind.NRPN, SourceKind.RPN)


def entry_of(
    row: dict[str, Any], index: int, faults: Faults, layers: Sequence[str], takeover: Takeover
) -> MapEntry | Absent | None:
    """Return what a [[map]] says, None where it has faults. `takeover` is the device's."""
    at = _Row(row, ("map", index), faults, layers)
    unknown(row, _MAP_KEYS, faults, at.place, "")
    source = at.source("source")
    control, path = at.control()
    mode = at.choice("mode", Mode)
    curve = at.choice("curve", Curve)
    own_takeover = at.choice("takeover", Takeover)
    encoding = at.choice("encoding", Encoding)
    gesture = at.choice("on", Gesture) or Gesture.PRESS
    invert = at.switch("invert", False)
    feedback = at.switch("feedback", True)
    step = at.number("step", 0.01, 1e-9, 1.0, "is a part of the travel, above 0 and at most 1")
    acceleration = at.number("acceleration", 1.0, 1.0, 20.0, "is from 1 (none) to 20")
    layer = at.layer()
    lit, dark = at.shown("lit"), at.shown("dark")
    to = at.source("light") if "light" in row else None
    steps = at.steps()
    note = at.text("note")
    if source is None or path is None or not at.is_clean:
        return None
    if control is None:
        return Absent(str(source), path, faults.line(at.place, "path"))
    if not control.is_writable:
        at.fault("path", f"{path} can only be read")
        return None
    value = at.value(control) if mode is Mode.SET or "value" in row else 0
    if control.kind is Kind.TEXT and mode is not Mode.SET:
        at.fault("path", f'{path} takes a text, which no knob can give; use mode = "set" with a value')
        return None
    mode = mode or (Mode.SET if "value" in row else default_mode(source.kind, control))
    low, high = at.range(control) if control.kind is not Kind.TEXT else (0.0, 1.0)
    if invert:
        low, high = high, low
    if mode is Mode.RELATIVE and source.kind not in (*_TURNED, *_PRESSED):
        at.fault("mode", "relative needs an encoder (cc, nrpn) or a button")
    if mode is Mode.JOG and (source.kind not in _TURNED or control.kind is not Kind.CONTINUOUS):
        at.fault("mode", "jog needs a cc source and a control that takes movements")
    if mode is Mode.ABSOLUTE and source.kind in _PRESSED and control.kind is not Kind.CONTINUOUS:
        at.fault("mode", f"absolute does not fit a {source.kind.value} on a {control.kind.value}")
    if mode in (Mode.ABSOLUTE, Mode.JOG) and gesture is not Gesture.PRESS:
        at.fault("on", f"{gesture.value} needs a button, not mode = {mode.value!r}")
    if not at.is_clean:
        return None
    return MapEntry(
        source, path, mode, low, high, curve or control.curve, own_takeover or takeover, encoding or Encoding.TWOS,
        step, feedback, gesture, layer, value, acceleration, lit, dark, to, steps, note,
    )  # fmt: skip


def light_of(row: dict[str, Any], index: int, faults: Faults, layers: Sequence[str]) -> Light | Absent | None:
    """Return what a [[light]] says, None where it has faults."""
    at = _Row(row, ("light", index), faults, layers)
    unknown(row, _LIGHT_KEYS, faults, at.place, "")
    to = at.source("light")
    control, path = at.control()
    lit, dark = at.shown("lit"), at.shown("dark")
    steps = at.steps()
    layer = at.layer()
    if to is None or path is None or not at.is_clean:
        return None
    if control is None:
        return Absent(str(to), path, faults.line(at.place, "path"))
    if not control.is_readable:
        at.fault("path", f"{path} cannot be read, so nothing can show it")
        return None
    when = at.when(control)
    if not at.is_clean:
        return None
    return Light(path, to, lit, dark, when, steps, layer)


def layer_of(row: dict[str, Any], index: int, faults: Faults) -> Layer | None:
    """Return what a [[layer]] says, None where it has faults."""
    at = _Row(row, ("layer", index), faults, ())
    unknown(row, _LAYER_KEYS, faults, at.place, "")
    name = at.text("name")
    if not 0 < len(name) <= 40:
        at.fault("name", "takes a name of 1 to 40 letters")
    source = at.source("source")
    kind = at.choice("kind", LayerKind) or LayerKind.HOLD
    group = at.text("group")
    start = at.switch("start", False)
    lit, dark = at.shown("lit"), at.shown("dark")
    if start and kind is LayerKind.HOLD:
        at.fault("start", "does not fit a layer that is on while its key is held")
    if source is None or not at.is_clean:
        return None
    return Layer(name, source, kind, group, start, lit, dark)


@dataclass(slots=True)
class _Row:
    """One table being read."""

    row: dict[str, Any]
    place: Place
    faults: Faults
    layers: Sequence[str]
    before: int = -1

    def __post_init__(self) -> None:
        self.before = len(self.faults.found)

    @property
    def is_clean(self) -> bool:
        return len(self.faults.found) == self.before

    def fault(self, key: str, message: str) -> None:
        self.faults.add(self.place, key, message)

    def source(self, key: str) -> Source | None:
        try:
            return parse_source(_text(self.row, key))
        except ValueError as error:
            self.fault(key, str(error))
            return None

    def control(self) -> tuple[Control | None, str | None]:
        """Return the control and its path; no control where the contract names one that is not there yet."""
        try:
            path = _text(self.row, "path")
        except ValueError as error:
            self.fault("path", str(error))
            return None, None
        try:
            return resolve_path(path, "1"), path
        except UnknownControl as error:
            if is_named(path):
                return None, path
            near = difflib.get_close_matches(path, REGISTRY, 1)
            self.fault("path", str(error) + (f"; did you mean {near[0]}?" if near else ""))
            return None, None

    def choice(self, key: str, kind: type[_E]) -> _E | None:
        return choice(self.row, key, kind, self.place, self.faults)

    def switch(self, key: str, default: bool) -> bool:
        value = self.row.get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, f"is true or false, not {value!r}")
        return default

    def number(self, key: str, default: float, low: float, high: float, says: str) -> float:
        value = self.row.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fault(key, f"{says}, not {value!r}")
            return default
        return float(value)

    def text(self, key: str) -> str:
        value = self.row.get(key, "")
        if not isinstance(value, str):
            self.fault(key, f"takes a text, not {value!r}")
            return ""
        return value

    def layer(self) -> str:
        layer = self.text("layer")
        if layer and layer not in self.layers:
            known = ", ".join(self.layers) or "none is declared; write [[layer]] with its name and source"
            self.fault("layer", f"{layer!r} is not known: {known}")
        return layer

    def shown(self, key: str) -> Shown | None:
        value = self.row.get(key)
        if value is None:
            return None
        shown = shown_of(value)
        if shown is None:
            self.fault(key, f'takes a MIDI value, 0 to 16383, or a colour such as "#00ff00", not {value!r}')
        return shown

    def steps(self) -> tuple[int, int] | None:
        given = self.row.get("steps")
        if given is None:
            return None
        fits = isinstance(given, list) and len(given) == 2 and all(
            isinstance(edge, int) and not isinstance(edge, bool) and 0 <= edge <= 16_383 for edge in given
        )  # fmt: skip
        if not fits:
            self.fault("steps", f"takes the MIDI values at both ends of the travel, such as [1, 11], not {given!r}")
            return None
        return given[0], given[1]

    def when(self, control: Control) -> tuple[Value, Value] | None:
        given = self.row.get("when")
        if given is None:
            return None
        if isinstance(given, str) and control.kind is Kind.CHOICE and given in control.choices:
            return given, given
        fits = isinstance(given, list) and len(given) == 2 and all(
            isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge) for edge in given
        )  # fmt: skip
        if not fits or given[0] > given[1]:
            choices = f", or one of {', '.join(control.choices)}" if control.choices else ""
            self.fault("when", f"takes the lowest and the highest value at which it is lit{choices}, not {given!r}")
            return None
        return float(given[0]), float(given[1])

    def value(self, control: Control) -> Value:
        try:
            return check(control, self.row.get("value"))
        except BadValue as error:
            self.fault("value", str(error))
            return 0

    def range(self, control: Control) -> tuple[float, float]:
        low, high = travel.limits(control)
        given = self.row.get("range")
        if given is None:
            return low, high
        fits = isinstance(given, list) and len(given) == 2 and all(
            isinstance(edge, int | float) and not isinstance(edge, bool) and math.isfinite(edge) for edge in given
        )  # fmt: skip
        top = math.inf if control.maximum is None and control.kind is Kind.CONTINUOUS else high
        if not fits or given[0] == given[1] or not all(low <= edge <= top for edge in given):
            self.fault("range", f"takes two different numbers from {low:g} to {top:g}, not {given!r}")
            return low, high
        return float(given[0]), float(given[1])


def shown_of(value: object) -> Shown | None:
    """Return a light's value: a number as it is, `"#00ff00"` as three bytes of seven bits, None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= 16_383 else None
    if isinstance(value, str) and len(value) == 7 and value.startswith("#"):
        try:
            return bytes(byte >> 1 for byte in bytes.fromhex(value[1:]))
        except ValueError:
            return None
    return None


def bytes_of(text: object) -> bytes | None:
    """Return a whole MIDI message written in hexadecimal, None if it is not one."""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else b""
        decode(data)
    except (ValueError, BadMessage):
        return None
    return data


def choice(row: Mapping[str, Any], key: str, kind: type[_E], place: Place, faults: Faults) -> _E | None:
    """Return the member of `kind` that a key names, None if the key is missing or at fault."""
    value = row.get(key)
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        faults.add(place, key, f"is one of {', '.join(member.value for member in kind)}, not {value!r}")
        return None


def unknown(table: Mapping[str, Any], known: Sequence[str], faults: Faults, place: Place, where: str) -> None:
    """Note every key that is not known, and what it may be meant to be."""
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            faults.add(place, key, f"{where}is not known" + (f"; did you mean {near[0]!r}?" if near else ""))


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError("is missing" if value is None else f"takes a text, not {value!r}")
    return value
