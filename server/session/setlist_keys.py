"""The keys of a setlist: what each takes, and what is said of a value that does not fit.

Owner: nobody; tables. Pure.
Units: as in `docs/setlists.md`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from audio.units import STEMS
from control.control import Control, ControlError, Kind, check
from control.registry import REGISTRY
from server.session.script import LONGEST_S, did_you_mean
from server.session.setlist import SHAPES, TRANSITIONS, UNITS
from server.session.setlist_places import WANTS, read_place

MOST_POINTS: Final = 500
LONGEST_TEXT: Final = 500
"""Characters of notes; a text control carries no more."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key: how to check its value, and what to say of one that does not fit."""

    check: Callable[[Any], bool]
    wants: str


def _is_number(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and low <= value <= high


def number(low: float, high: float) -> Key:
    """Return a key that takes a number of a range."""
    return Key(lambda value: _is_number(value, low, high), f"takes a number from {low:g} to {high:g}")


def _whole(low: int, high: int, wants: str) -> Key:
    return Key(lambda value: type(value) is int and low <= value <= high, wants)


def _text(longest: int, wants: str, *, empty: bool = True) -> Key:
    return Key(lambda value: isinstance(value, str) and (empty or bool(value.strip())) and len(value) <= longest, wants)


def _choice(choices: tuple[str, ...]) -> Key:
    words = ", ".join(f'"{choice}"' for choice in choices[:-1]) + f' or "{choices[-1]}"'
    return Key(lambda value: value in choices, f"is {words}")


def _points(value: Any, low: float, high: float) -> bool:
    """Say whether it is a list of [place, value], places growing."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_POINTS:
        return False
    if not all(isinstance(point, list) and len(point) == 2 and _is_number(point[0], 0.0, 100_000.0) for point in value):
        return False
    return all(a[0] <= b[0] for a, b in pairwise(value)) and all(
        _is_number(y, low, high) or isinstance(y, str) for _, y in value
    )


def _is_tempo(value: Any) -> bool:
    if isinstance(value, list):
        return _points(value, 20.0, 400.0) and not any(isinstance(bpm, str) for _, bpm in value)
    return _is_number(value, 20.0, 400.0)


_TEMPO: Final = Key(_is_tempo, "takes 20 to 400 BPM, or a curve like [[0, 120], [64, 126]] of beats and BPM")
_PLACE: Final = Key(lambda value: read_place(value) is not None, WANTS)
_SWITCH: Final = Key(lambda value: isinstance(value, bool), "is true or false")
_TABLES: Final = Key(
    lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value), "stands in double brackets"
)
LEVEL: Final = number(0.0, 1.0)
_SPEED: Final = number(0.25, 1.5)

TOP_KEYS: Final[dict[str, Key]] = {
    "title": _text(200, "takes a text"),
    "tempo": _TEMPO,
    "crossfader": _SWITCH,
    "entry": Key(lambda value: True, ""),
}

ENTRY_KEYS: Final[dict[str, Key]] = {
    "track": _text(500, 'takes a file, a track id or "Artist - Title"', empty=False),
    "deck": _whole(1, 4, "takes a deck, 1 to 4"),
    "start": _PLACE,
    "end": _PLACE,
    "at": number(0.0, LONGEST_S),
    "rate": number(0.25, 4.0),
    "tempo": _TEMPO,
    "keylock": _SWITCH,
    "key": number(-12.0, 12.0),
    "volume": LEVEL,
    "stems": Key(lambda value: isinstance(value, dict), "takes levels by stem, like { vocals = 0.0, drums = 1.0 }"),
    "transition": _choice(TRANSITIONS),
    "seconds": number(0.05, 120.0),
    "beats": number(0.25, 512.0),
    "bars": number(0.25, 128.0),
    "quantize": _SWITCH,
    "sync": _SWITCH,
    "order": Key(
        lambda value: isinstance(value, list) and len(value) > 0 and len(set(map(str, value))) == len(value)
        and all(stem in STEMS for stem in value),
        f"takes stems in the order they change, of {', '.join(STEMS)}, each once",
    ),
    "notes": _text(LONGEST_TEXT, f"takes a text of at most {LONGEST_TEXT} characters"),
    "scene": _text(120, "takes the name of a page of the controllers"),
    "lane": _TABLES,
    "loop": _TABLES,
}  # fmt: skip

LANE_KEYS: Final[dict[str, Key]] = {
    "control": _text(200, "takes the name of a control", empty=False),
    "points": Key(lambda value: _points(value, -1e9, 1e9), "takes pairs of time and value, like [[0, 1.0], [16, 0.0]]"),
    "unit": _choice(UNITS),
    "shape": _choice(SHAPES),
}

LOOP_KEYS: Final[dict[str, Key]] = {
    "from": _PLACE,
    "to": _PLACE,
    "bars": number(0.25, 128.0),
    "passes": _whole(0, 999, "takes a number of passes, 0 to 999; 0 until you go on"),
    "speed": _SPEED,
    "speed_to": _SPEED,
    "step": number(0.001, 1.0),
    "every": _whole(1, 99, "takes a number of passes, 1 to 99"),
}


def control_named(name: str) -> Control | None:
    """Return the control that a lane moves, the decks of the transition taken for decks 1 and 2."""
    return REGISTRY.get(name.replace("/deck/out/", "/deck/1/").replace("/deck/in/", "/deck/2/"))


def lane_fault(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and what is wrong with it where a lane's control cannot be moved, or not to its points."""
    name, points = given.get("control"), given.get("points")
    if not isinstance(name, str) or not name.strip():
        return None
    control = control_named(name)
    if control is None:
        known = [path.replace("/deck/1/", "/deck/out/").replace("/deck/2/", "/deck/in/") for path in REGISTRY]
        return "control", f"no control is called {name[:120]!r}" + did_you_mean(name, (*known, *REGISTRY))
    if not control.is_writable:
        return "control", f"{name} can only be read"
    if control.kind is Kind.TEXT or name.startswith("/setlist/"):
        return "control", f"{name} cannot be automated"
    if not isinstance(points, list) or not LANE_KEYS["points"].check(points):
        return None
    for point in points:
        try:
            check(control, point[1])
        except ControlError as error:
            return "points", str(error)
    return None


def shown(value: Any) -> str:
    """Return a value as an error shows it."""
    return repr(value)[:60]
