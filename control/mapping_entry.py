"""What a mapping consists of: lines that move controls, lights that show them, layers that change what lines mean.

Owner: nobody; values are frozen.
Units: `low` and `high` in the control's unit; `step` in travel (0 to 1) a click; MIDI values as they are sent.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control import travel
from control.control import Control, Curve, Kind, Value
from control.midi_source import FADERS, Source, SourceKind
from control.registry import resolve


class Mode(StrEnum):
    """How a message moves its control."""

    ABSOLUTE = "absolute"
    TOGGLE = "toggle"
    MOMENTARY = "momentary"
    RELATIVE = "relative"
    JOG = "jog"
    SET = "set"


class Takeover(StrEnum):
    """What a fader does that stands elsewhere than its control: wait for it, close in on it, or take it along."""

    PICKUP = "pickup"
    SCALE = "scale"
    JUMP = "jump"


class Encoding(StrEnum):
    """How an endless encoder says one click right and one click left: 1 and 127, 65 and 63, 1 and 65."""

    TWOS = "twos"
    OFFSET = "offset"
    SIGN = "sign"


class Gesture(StrEnum):
    """What a finger did. `press` and `release` count at once; `tap` is a press that turned out short and single."""

    PRESS = "press"
    RELEASE = "release"
    TAP = "tap"
    LONG = "long"
    DOUBLE = "double"


class LayerKind(StrEnum):
    """A layer is on while its key is held, or changes with each press, or is one page of several."""

    HOLD = "hold"
    TOGGLE = "toggle"
    PAGE = "page"


Shown = int | bytes
"""What a light is told: a MIDI value, or the last bytes of a system exclusive message (a colour)."""


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One line of a mapping, checked. Travel 0 stands for `low`, travel 1 for `high`."""

    source: Source
    path: str
    mode: Mode
    low: float
    high: float
    curve: Curve
    takeover: Takeover = Takeover.PICKUP
    encoding: Encoding = Encoding.TWOS
    step: float = 0.01
    feedback: bool = True
    gesture: Gesture = Gesture.PRESS
    layer: str = ""
    value: Value = 0
    acceleration: float = 1.0
    lit: Shown | None = None
    dark: Shown | None = None
    to: Source | None = None
    steps: tuple[int, int] | None = None
    note: str = ""

    def control(self, focus: str) -> Control:
        """Return the control it moves while deck `focus` has the focus. Raises UnknownControl."""
        return resolve_path(self.path, focus)

    def light(self) -> "Light | None":
        """Return the light that shows this line's control, None if it keeps dark."""
        if not self.feedback or self.mode is Mode.JOG:
            return None
        when = (self.value, self.value) if self.mode is Mode.SET else None
        return Light(
            self.path, self.to or self.source, self.lit, self.dark, when, self.steps, self.layer, (self.low, self.high),
            self.curve,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Light:
    """Something on the surface that shows a control. `lit` and `dark` None: full and 0.

    It is lit while the value lies within `when`; without `when`, switches light it and everything else moves it from
    `steps[0]` to `steps[1]` over the control's values `ends`, which may run downwards (None: all of them). Lights on
    one target: the first that is lit counts.
    """

    path: str
    to: Source
    lit: Shown | None = None
    dark: Shown | None = None
    when: tuple[Value, Value] | None = None
    steps: tuple[int, int] | None = None
    layer: str = ""
    ends: tuple[float, float] | None = None
    curve: Curve | None = None

    def control(self, focus: str) -> Control:
        """Return the control it shows while deck `focus` has the focus. Raises UnknownControl."""
        return resolve_path(self.path, focus)


@dataclass(frozen=True, slots=True)
class Layer:
    """A name that lines can belong to, and the key that turns it on. Pages of one `group` exclude each other."""

    name: str
    source: Source
    kind: LayerKind = LayerKind.HOLD
    group: str = ""
    start: bool = False
    lit: Shown | None = None
    dark: Shown | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """A line for a control that the contract names and this version does not have yet."""

    source: str
    path: str
    line: int


_FOCUS: Final = re.compile(r"^/deck/focus(?=/)")


def resolve_path(path: str, focus: str) -> Control:
    """Return the control that `path` names; `/deck/focus/...` is the deck that has the focus. Raises UnknownControl."""
    return resolve(_FOCUS.sub(f"/deck/{focus}", path), focus)


def default_mode(kind: SourceKind, control: Control) -> Mode:
    """Return how a source moves a control when the mapping does not say."""
    fader = kind in FADERS
    match control.kind:
        case Kind.TRIGGER:
            return Mode.MOMENTARY
        case Kind.TOGGLE:
            return Mode.TOGGLE
        case Kind.CHOICE:
            return Mode.ABSOLUTE if fader else Mode.TOGGLE
        case _:
            return Mode.ABSOLUTE if fader else Mode.MOMENTARY


def entry_for(source: Source, path: str, mode: Mode | None = None, encoding: Encoding = Encoding.TWOS) -> MapEntry:
    """Return a mapping line with everything else as it is by default. Raises UnknownControl."""
    control = resolve_path(path, "1")
    low, high = travel.limits(control)
    mode = mode or default_mode(source.kind, control)
    return MapEntry(source, path, mode, low, high, control.curve, encoding=encoding)
