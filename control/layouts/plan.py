"""What is on a generated surface and where: pages of widgets, made from the registry.

Owner: whoever makes a layout. Pure.
Units: places and sizes in points of a screen of the layout's size, from the upper left corner.

A layout names families of controls, not controls: a new row of the registry is on the next page that is generated. What
does not fit on one page goes on to another of the same title.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control.control import VELOCITY, Control, ControlError, Curve, Kind
from control.layouts.sections import Section, classic, dj, practice


class NoSuchLayout(ControlError):
    """No layout has this name."""


class Look(StrEnum):
    """What a widget is."""

    FADER = "fader"
    KNOB = "knob"
    SWITCH = "switch"
    PRESS = "press"
    PAD = "pad"
    CHOICE = "choice"
    NUMBER = "number"
    TEXT = "text"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Widget:
    """One control on a page. `path` is what is sent and heard: the control's, or its alias."""

    path: str
    control: Control
    label: str
    look: Look
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page."""

    title: str
    widgets: tuple[Widget, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole surface."""

    name: str
    title: str
    width: int
    height: int
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """A device, in cells: faders are two cells high, on a phone they lie."""

    width: int
    height: int
    columns: int
    rows: int


PHONE: Final = Screen(480, 854, 4, 8)
TABLET: Final = Screen(1180, 820, 10, 8)
TAB_HEIGHT: Final = 44
"""Points that the tabs take."""

NUMBERS: Final = tuple(range(1, 17))
"""What a row of numbers offers: entries of a setlist, sections of a song."""

NUMBERS_ACROSS: Final = 8

_GAP: Final = 4
_CHOICES_A_CELL: Final = 3
_SIZES: Final = {
    Look.FADER: (1, 3), Look.KNOB: (1, 1), Look.SWITCH: (1, 1), Look.PRESS: (1, 1), Look.PAD: (1, 1),
    Look.CHOICE: (2, 1), Look.NUMBER: (4, 2), Look.TEXT: (2, 1), Look.METER: (1, 1),
}  # fmt: skip
"""Cells, across and down; at least, where there are many choices."""


def names() -> dict[str, str]:
    """Return every layout's name and what it is for."""
    return {name: title for name, (title, _, _) in _LAYOUTS.items()}


def layout(name: str) -> Layout:
    """Return a layout. Raises NoSuchLayout."""
    if name not in _LAYOUTS:
        raise NoSuchLayout(f"no layout is called {name[:60]!r}; there are {', '.join(_LAYOUTS)}")
    title, screen, sections = _LAYOUTS[name]
    pages = [page for section in sections() if section.named for page in _pages(section, screen)]
    return Layout(name, title, screen.width, screen.height, tuple(pages))


def _pages(section: Section, screen: Screen) -> Iterator[Page]:
    """Place controls row by row, the tall ones last, and start another page when one is full."""
    title, columns = section.title, section.columns or screen.columns
    cell_w, cell_h = screen.width // columns, (screen.height - TAB_HEIGHT) // screen.rows
    widgets: list[Widget] = []
    column = row = depth = number = 0
    ordered = sorted(section.named.items(), key=lambda item: look_of(item[1]) is Look.FADER)
    for path, control in ordered:
        look = look_of(control)
        across, down = _size(control, look, columns)
        if column + across > columns or (widgets and down != depth):
            column, row, depth = 0, row + depth, 0
        if row + down > screen.rows:
            number += 1
            yield Page(_numbered(title, number), tuple(widgets))
            widgets, column, row = [], 0, 0
        depth = max(depth, down)
        x, y = column * cell_w + _GAP, row * cell_h + _GAP
        size = across * cell_w - 2 * _GAP, down * cell_h - 2 * _GAP
        widgets.append(Widget(path, control, _label(path), look, x, y, *size))
        column += across
    if widgets:
        yield Page(_numbered(title, number + 1), tuple(widgets))


def _size(control: Control, look: Look, columns: int) -> tuple[int, int]:
    across, down = _SIZES[look]
    if look is Look.CHOICE:
        across = max(across, math.ceil(len(control.choices) / _CHOICES_A_CELL))
    elif look is Look.TEXT and control.path.endswith("/notes"):
        across *= 2
    elif look is Look.TEXT and control.kind is Kind.CONTINUOUS:
        across = 1
    return min(across, columns), down


def _numbered(title: str, number: int) -> str:
    return title if number == 1 else f"{title} {number}"


def look_of(control: Control) -> Look:
    """Return how a control is shown."""
    if control.kind is Kind.TRIGGER:
        return Look.PRESS
    if control.kind is Kind.TEXT:
        return Look.TEXT
    if control.kind is Kind.CHOICE:
        return Look.CHOICE if control.is_writable else Look.TEXT
    if control.kind is Kind.TOGGLE:
        return Look.SWITCH
    if control.unit == VELOCITY:
        return Look.PAD
    if control.is_writable and control.path.rpartition("/")[2] in _COUNTED:
        return Look.NUMBER
    if control.minimum is None or control.maximum is None:
        return Look.TEXT if control.unit != "gain" else Look.METER
    if not control.is_writable:
        return Look.METER
    return Look.KNOB if control.curve is Curve.CENTRED and not control.path.endswith("/pitch_fader") else Look.FADER


_COUNTED: Final = ("goto", "section")
"""What is chosen by its number: a fader over hundreds would never find it."""


def _label(path: str) -> str:
    parts = [part for part in path.split("/")[1:] if part != "stem"]
    if parts[0] in ("deck", "transport", "practice", "mixer", "session", "setlist", "sequencer") and len(parts) > 1:
        parts = parts[2:] if parts[0] == "deck" else parts[1:]
    return " ".join(part.replace("_", " ") for part in parts)


_LAYOUTS: Final[dict[str, tuple[str, Screen, Callable[[], Iterable[Section]]]]] = {
    "dj-phone": ("Decks, mixer, stems, pads and setlist on a phone", PHONE, dj),
    "dj-tablet": ("Decks, mixer, stems, pads and setlist on a tablet", TABLET, dj),
    "practice-phone": ("One song on a phone: stems, speed, loop, trainer, takes", PHONE, practice),
    "practice-tablet": ("One song on a tablet: stems, speed, loop, trainer, takes", TABLET, practice),
    "classic": ("The addresses of the earlier system: the deck in focus", TABLET, classic),
}
