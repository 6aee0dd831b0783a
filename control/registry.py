"""The control registry: every control has one name, and this table is where it is written.

Owner: nobody changes it at run time. OSC addresses, MIDI-learn targets, socket messages, the reference page and the
page's widgets are derived from it. Adding a control is one row.
Units: as each row says; see design of the command language for what the kernel makes of them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audio.units import CROSSFADER_CURVES, CROSSFADER_SIDES, DECK_SOURCES, DECKS, STEMS

Value = bool | int | float | str
"""What a control holds: toggles and triggers 0 or 1 as int, continuous as float, choices and texts as str."""


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


def _toggle(path: str, description: str, default: int = 0) -> Control:
    return Control(path, Kind.TOGGLE, description, "", 0, 1, default)


def _trigger(path: str, description: str) -> Control:
    return Control(path, Kind.TRIGGER, description, "", 0, 1, None, access=Access.WRITE)


def _level(path: str, description: str) -> Control:
    return Control(path, Kind.CONTINUOUS, description, "gain", 0.0, 1.0, 1.0, curve=Curve.AUDIO)


def _telemetry(path: str, description: str, unit: str, minimum: float, maximum: float | None) -> Control:
    return Control(path, Kind.CONTINUOUS, description, unit, minimum, maximum, 0.0, access=Access.TELEMETRY)


def _deck(n: int) -> Iterator[Control]:
    deck = f"/deck/{n}"
    side = "left" if n % 2 else "right"
    yield Control(f"{deck}/load", Kind.TEXT, f"Track on deck {n}: write a track id to load it", "track id", default="")
    yield _trigger(f"{deck}/eject", f"Take the track off deck {n}")
    yield _toggle(f"{deck}/play", f"Deck {n} plays (1) or pauses (0)")
    yield _trigger(f"{deck}/stop", f"Stop deck {n} and return to the start of the track")
    yield Control(
        f"{deck}/position", Kind.CONTINUOUS, f"Place in the track on deck {n}; write it to jump", "s", 0.0, None, 0.0,
        access=Access.TELEMETRY_WRITE,
    )  # fmt: skip
    yield Control(f"{deck}/rate", Kind.CONTINUOUS, f"Speed of deck {n}; 1 is as recorded", "ratio", 0.25, 4.0, 1.0)
    yield Control(
        f"{deck}/pitch_fader",
        Kind.CONTINUOUS,
        f"Pitch fader of deck {n}: rate = 1 + fader x pitch range",
        "",
        -1.0,
        1.0,
        0.0,
        curve=Curve.CENTRED,
    )
    yield Control(
        f"{deck}/pitch_range",
        Kind.CHOICE,
        f"How far the pitch fader of deck {n} reaches",
        "ratio",
        default="0.08",
        choices=("0.06", "0.08", "0.16", "0.5", "1.0"),
    )
    yield _level(f"{deck}/volume", f"Channel fader of deck {n}")
    yield Control(
        f"{deck}/trim_db", Kind.CONTINUOUS, f"Trim of deck {n} before the fader", "dB", -24.0, 12.0, 0.0,
        curve=Curve.CENTRED,
    )  # fmt: skip
    yield Control(
        f"{deck}/assign",
        Kind.CHOICE,
        f"Crossfader side of deck {n}",
        default=side,
        choices=CROSSFADER_SIDES,
    )
    yield Control(
        f"{deck}/source",
        Kind.CHOICE,
        f"Deck {n} plays its stems where they are ready, or the mix",
        default="stems",
        choices=DECK_SOURCES,
    )
    yield Control(
        f"{deck}/duration", Kind.CONTINUOUS, f"Length of the track on deck {n}", "s", 0.0, None, 0.0,
        access=Access.READ,
    )  # fmt: skip
    yield Control(f"{deck}/title", Kind.TEXT, f"Title of the track on deck {n}", default="", access=Access.READ)
    yield Control(f"{deck}/artist", Kind.TEXT, f"Artist of the track on deck {n}", default="", access=Access.READ)
    yield Control(
        f"{deck}/status",
        Kind.CHOICE,
        f"What deck {n} is doing with its track",
        default="empty",
        choices=("empty", "loading", "ready", "failed"),
        access=Access.READ,
    )
    yield Control(
        f"{deck}/gap",
        Kind.TOGGLE,
        f"1 while deck {n} plays the mix because the stems asked for are not ready here",
        "",
        0,
        1,
        0,
        access=Access.READ,
    )
    yield _telemetry(f"{deck}/level", f"Peak level of deck {n} after its fader", "gain", 0.0, None)
    for stem in STEMS:
        yield from _stem(n, stem)


def _stem(n: int, stem: str) -> Iterator[Control]:
    path = f"/deck/{n}/stem/{stem}"
    of = f"the {stem} on deck {n}"
    yield _level(f"{path}/volume", f"Fader of {of}")
    yield _toggle(f"{path}/mute", f"Mute {of}")
    yield _toggle(f"{path}/solo", f"Solo {of}; several solos add up")
    yield Control(f"{path}/pan", Kind.CONTINUOUS, f"Balance of {of}", "", -1.0, 1.0, 0.0, curve=Curve.CENTRED)
    yield Control(
        f"{path}/pending",
        Kind.TOGGLE,
        f"1 while a mute or solo of {of} waits for a ready stretch",
        "",
        0,
        1,
        0,
        access=Access.READ,
    )
    yield Control(
        f"{path}/ready", Kind.CONTINUOUS, f"How much of {of} is ready to play", "", 0.0, 1.0, 0.0, access=Access.READ
    )
    yield _telemetry(f"{path}/level", f"Peak level of {of}", "gain", 0.0, None)


def _mixer() -> Iterator[Control]:
    yield Control(
        "/mixer/crossfader",
        Kind.CONTINUOUS,
        "Crossfader; -1 is only the left side",
        "",
        -1.0,
        1.0,
        0.0,
        curve=Curve.CENTRED,
    )
    yield Control(
        "/mixer/crossfader/curve",
        Kind.CHOICE,
        "Law of the crossfader",
        default="constant_power",
        choices=CROSSFADER_CURVES,
    )
    yield _level("/mixer/master", "Master level")
    yield _telemetry("/mixer/level/left", "Peak of the master, left", "gain", 0.0, None)
    yield _telemetry("/mixer/level/right", "Peak of the master, right", "gain", 0.0, None)
    yield _telemetry("/mixer/limiter", "Gain reduction of the limiter", "dB", 0.0, None)


def _session() -> Iterator[Control]:
    yield Control(
        "/session/focus",
        Kind.CHOICE,
        "Deck that the transport and stem aliases move",
        default="1",
        choices=tuple(str(n) for n in range(1, DECKS + 1)),
    )


def _rows() -> Iterator[Control]:
    for n in range(1, DECKS + 1):
        yield from _deck(n)
    yield from _mixer()
    yield from _session()


REGISTRY: Final[Mapping[str, Control]] = {control.path: control for control in _rows()}
"""Every control by its path, in the order of the reference page."""

ALIASES: Final[tuple[str, ...]] = (
    "/transport/play",
    "/transport/stop",
    *(f"/stem/{slot}/{part}" for slot in range(1, len(STEMS) + 1) for part in ("volume", "mute", "solo")),
)
"""Paths that move the focused deck, so that layouts of the earlier system work."""


def listing() -> list[dict[str, object]]:
    """Return every control as plain JSON values, in the order of the reference page."""
    return [control.to_json() for control in REGISTRY.values()]


def resolve(path: str, focus: str) -> Control:
    """Return the control that `path` names while deck `focus` has the focus.

    Raises UnknownControl.
    """
    control = REGISTRY.get(path)
    if control is not None:
        return control
    parts = path.split("/")
    if path in ("/transport/play", "/transport/stop"):
        return REGISTRY[f"/deck/{focus}/{parts[2]}"]
    if len(parts) == 4 and parts[1] == "stem" and parts[2].isascii() and parts[2].isdigit():
        slot = int(parts[2])
        if 1 <= slot <= len(STEMS):
            control = REGISTRY.get(f"/deck/{focus}/stem/{STEMS[slot - 1]}/{parts[3]}")
            if control is not None:
                return control
    raise UnknownControl(f"no control is called {path[:120]!r}")
