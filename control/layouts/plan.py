"""What is on a generated surface and where: pages of widgets, made from the registry.

Owner: whoever makes a layout. Pure.
Units: places and sizes in points of a screen of the layout's size, from the upper left corner.

A layout names families of controls, not controls: a new row of the registry is on the next page that is generated. What
does not fit on one page goes on to another of the same title.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audio.units import DECKS, STEMS
from control.control import Control, ControlError, Curve, Kind
from control.registry import FOCUSED, REGISTRY


class NoSuchLayout(ControlError):
    """No layout has this name."""


class Look(StrEnum):
    """What a widget is."""

    FADER = "fader"
    KNOB = "knob"
    SWITCH = "switch"
    PRESS = "press"
    CHOICE = "choice"
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

_GAP: Final = 4
_SIZES: Final = {
    Look.FADER: (1, 3), Look.KNOB: (1, 1), Look.SWITCH: (1, 1), Look.PRESS: (1, 1), Look.CHOICE: (2, 1),
    Look.TEXT: (2, 1), Look.METER: (1, 1),
}  # fmt: skip
"""Cells, across and down."""


def names() -> dict[str, str]:
    """Return every layout's name and what it is for."""
    return {name: title for name, (title, _, _) in _LAYOUTS.items()}


def layout(name: str) -> Layout:
    """Return a layout. Raises NoSuchLayout."""
    if name not in _LAYOUTS:
        raise NoSuchLayout(f"no layout is called {name[:60]!r}; there are {', '.join(_LAYOUTS)}")
    title, screen, sections = _LAYOUTS[name]
    pages = [page for heading, named in sections() if named for page in _pages(heading, named, screen)]
    return Layout(name, title, screen.width, screen.height, tuple(pages))


_Named = dict[str, Control]
"""Controls by the path they are moved by."""


def _pages(title: str, named: _Named, screen: Screen) -> Iterator[Page]:
    """Place controls row by row, the tall ones last, and start another page when one is full."""
    cell_w, cell_h = screen.width // screen.columns, (screen.height - TAB_HEIGHT) // screen.rows
    widgets: list[Widget] = []
    column = row = depth = number = 0
    ordered = sorted(named.items(), key=lambda item: _SIZES[look_of(item[1])][1] > 1)
    for path, control in ordered:
        look = look_of(control)
        across, down = _SIZES[look]
        if column + across > screen.columns or (widgets and down != depth):
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
    if control.minimum is None or control.maximum is None:
        return Look.TEXT if control.unit != "gain" else Look.METER
    if not control.is_writable:
        return Look.METER
    return Look.KNOB if control.curve is Curve.CENTRED and not control.path.endswith("/pitch_fader") else Look.FADER


def _label(path: str) -> str:
    parts = [part for part in path.split("/")[1:] if part != "stem"]
    if parts[0] in ("deck", "transport", "practice", "mixer", "session") and len(parts) > 1:
        parts = parts[2:] if parts[0] == "deck" else parts[1:]
    return " ".join(part.replace("_", " ") for part in parts)


# -- what is on them -------------------------------------------------------------------------------------------------

_Sections = Iterator[tuple[str, _Named]]


def _where(keep: Callable[[str], bool]) -> _Named:
    return {path: control for path, control in REGISTRY.items() if keep(path)}


def _below(*heads: str) -> _Named:
    return _where(lambda path: path.startswith(heads))


def _aliases(*heads: str) -> _Named:
    return {alias: control for alias, control in FOCUSED["1"].items() if alias.startswith(heads)}


def _by_part(named: _Named) -> _Named:
    """Return controls of stems by what they do, so that all volumes stand in a row."""
    order = list(dict.fromkeys(path.rpartition("/")[2] for path in named))
    return dict(sorted(named.items(), key=lambda item: order.index(item[0].rpartition("/")[2])))


def _dj() -> _Sections:
    yield "Mixer", _below("/mixer/", "/session/") | _where(lambda path: path.startswith("/deck/") and _is_strip(path))
    for deck in range(1, DECKS + 1):
        head = f"/deck/{deck}/"
        yield f"Deck {deck}", _where(lambda path, head=head: path.startswith(head) and "/stem/" not in path)  # type: ignore[misc]
        yield f"Stems {deck}", _by_part(_stem_rows(deck))


def _is_strip(path: str) -> bool:
    return path.split("/")[3:] in (["play"], ["volume"])


def _stem_rows(deck: int) -> _Named:
    return _below(*(f"/deck/{deck}/stem/{stem}/" for stem in STEMS))


def _practice() -> _Sections:
    yield "Song", _aliases("/transport/", "/track/", "/bpm", "/practice/")
    yield "Stems", _by_part(_aliases("/stem/"))
    yield "Speed", _where(lambda path: path.startswith("/deck/1/") and path.split("/")[3] in _SPEED)
    yield "Out", _below("/mixer/")


_SPEED: Final = (
    "position", "rate", "pitch_fader", "pitch_range", "keylock", "pitch", "bend", "loop", "duration", "click",
    "countin", "trainer",
)  # fmt: skip


def _classic() -> _Sections:
    yield "Stems", _by_part(_aliases("/stem/"))
    yield "Transport", _aliases("/transport/", "/track/", "/bpm")
    yield "Pads", _where(lambda path: path.startswith("/pad/") and path.count("/") == 2)


_LAYOUTS: Final[dict[str, tuple[str, Screen, Callable[[], Iterable[tuple[str, _Named]]]]]] = {
    "dj-phone": ("Decks, mixer and stems on a phone", PHONE, _dj),
    "dj-tablet": ("Decks, mixer and stems on a tablet", TABLET, _dj),
    "practice-phone": ("One song on a phone: stems, speed, loop", PHONE, _practice),
    "practice-tablet": ("One song on a tablet: stems, speed, loop", TABLET, _practice),
    "classic": ("The addresses of the earlier system: the deck in focus", TABLET, _classic),
}
