"""A control: one row of the registry, how it behaves under the hand, and what it takes.

Owner: nobody changes a row at run time.
Units: as each row says.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Value = bool | int | float | str
"""What a control holds: toggles and triggers 0 or 1 as int, continuous as float, choices and texts as str."""


VELOCITY: Final = "velocity"
"""Unit of what is hit: a note sets it by how hard it is played, and letting go is 0."""


class Kind(StrEnum):
    """How a control behaves under the hand."""

    TOGGLE = "toggle"
    TRIGGER = "trigger"
    CONTINUOUS = "continuous"
    CHOICE = "choice"
    TEXT = "text"


class Access(StrEnum):
    """Who may do what with a control. Telemetry is readable, carries no revision and is the first to be dropped;
    `TELEMETRY_WRITE` is telemetry that may be written too: a playhead that can be moved."""

    READ_WRITE = "read_write"
    WRITE = "write"
    READ = "read"
    TELEMETRY = "telemetry"
    TELEMETRY_WRITE = "telemetry_write"


class Curve(StrEnum):
    """How the travel of a fader or knob, 0 to 1, maps to the value."""

    LINEAR = "linear"
    AUDIO = "audio"
    CENTRED = "centred"


@dataclass(frozen=True, slots=True)
class Control:
    """One row of the table."""

    path: str
    kind: Kind
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    default: Value | None = None
    choices: tuple[str, ...] = ()
    curve: Curve = Curve.LINEAR
    access: Access = Access.READ_WRITE

    @property
    def is_state(self) -> bool:
        """Whether the show remembers the value and every change carries a revision."""
        return self.access in (Access.READ_WRITE, Access.READ) and self.kind is not Kind.TRIGGER

    @property
    def is_writable(self) -> bool:
        """Whether a surface may set it."""
        return self.access in (Access.READ_WRITE, Access.WRITE, Access.TELEMETRY_WRITE)

    @property
    def is_telemetry(self) -> bool:
        """Whether its value flows by itself, at most 30 times a second, without a revision."""
        return self.access in (Access.TELEMETRY, Access.TELEMETRY_WRITE)

    @property
    def is_readable(self) -> bool:
        """Whether it has a value to read, as state or as telemetry."""
        return self.is_state or self.is_telemetry

    @property
    def has_numeric_choices(self) -> bool:
        """Whether its choices are numbers, so that a number names a choice by value (a float32 is near enough);
        elsewhere a number is the index of a choice, counted from 0."""
        return bool(self.choices) and self.choices[0][0].isdigit()

    def to_json(self) -> dict[str, object]:
        """Return the row as plain JSON values, for listings; `min` and `max` are None where there is no limit."""
        return {
            "path": self.path,
            "kind": self.kind.value,
            "unit": self.unit,
            "min": self.minimum,
            "max": self.maximum,
            "default": self.default,
            "choices": list(self.choices),
            "description": self.description,
            "curve": self.curve.value,
            "access": self.access.value,
            "readable": self.is_readable,
            "writable": self.is_writable,
        }


class ControlError(Exception):
    """A control surface asked for something that cannot be done."""


class UnknownControl(ControlError):
    """No control has this name."""


class BadValue(ControlError):
    """The value does not fit the control."""


def check(control: Control, value: object) -> Value:
    """Return `value` as the control holds it, clamped to its range.

    A choice is given by its name or by number, see `Control.has_numeric_choices`. Raises BadValue for a wrong type, a
    number that is not finite, a choice that does not exist, or a control that cannot be written.
    """
    if not control.is_writable:
        raise BadValue(f"{control.path} can only be read")
    if control.kind is Kind.TEXT:
        if not isinstance(value, str):
            raise BadValue(f"{control.path} takes a text, got {type(value).__name__}")
        if len(value) > 500:
            raise BadValue(f"{control.path} takes at most 500 characters, got {len(value)}")
        return value
    if control.kind is Kind.CHOICE:
        if isinstance(value, str):
            if value in control.choices:
                return value
            raise BadValue(f"{control.path} is one of {', '.join(control.choices)}, not {value[:40]!r}")
        index = _number(control, value)
        if control.has_numeric_choices:
            for choice in control.choices:
                if math.isclose(float(choice), index, rel_tol=1e-6):
                    return choice
            raise BadValue(f"{control.path} is one of {', '.join(control.choices)}, not {index:g}")
        if index.is_integer() and 0 <= index < len(control.choices):
            return control.choices[int(index)]
        raise BadValue(f"{control.path} has {len(control.choices)} choices, {index:g} is not one of them")
    number = _number(control, value)
    if control.kind in (Kind.TOGGLE, Kind.TRIGGER):
        return int(number >= 0.5)
    if control.minimum is not None:
        number = max(number, control.minimum)
    if control.maximum is not None:
        number = min(number, control.maximum)
    return number


def _number(control: Control, value: object) -> float:
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        raise BadValue(f"{control.path} takes a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        raise BadValue(f"{control.path} takes a number that fits a double") from None
    if not math.isfinite(number):
        raise BadValue(f"{control.path} takes a finite number, got {number}")
    return number


def toggle(path: str, description: str, default: int = 0) -> Control:
    """Return a row that is 0 or 1."""
    return Control(path, Kind.TOGGLE, description, "", 0, 1, default)


def trigger(path: str, description: str) -> Control:
    """Return a row that acts when it is written 1 and remembers nothing."""
    return Control(path, Kind.TRIGGER, description, "", 0, 1, None, access=Access.WRITE)


def level(path: str, description: str) -> Control:
    """Return a fader, 0 to 1, that stands at 1."""
    return Control(path, Kind.CONTINUOUS, description, "gain", 0.0, 1.0, 1.0, curve=Curve.AUDIO)


def telemetry(path: str, description: str, unit: str, minimum: float, maximum: float | None) -> Control:
    """Return a reading that flows by itself."""
    return Control(path, Kind.CONTINUOUS, description, unit, minimum, maximum, 0.0, access=Access.TELEMETRY)
