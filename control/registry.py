"""The control registry: every control has one name, and the tables joined here are where it is written.

Owner: nobody changes it at run time. OSC addresses, MIDI-learn targets, socket messages, the reference page and the
page's widgets are derived from it. Adding a control is one row in `control/tables/`.
Units: as each row says; see design of the command language for what the kernel makes of them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from audio.units import DECKS, STEMS
from control.control import Control, UnknownControl
from control.tables.deck import deck_rows
from control.tables.effects import deck_effect_rows, mixer_effect_rows, stem_effect_rows
from control.tables.mixer import mixer_rows
from control.tables.session import session_rows
from control.tables.stem import stem_rows
from control.tables.strip import deck_strip_rows, mixer_strip_rows, stem_strip_rows


def _rows() -> Iterator[Control]:
    for n in range(1, DECKS + 1):
        yield from deck_rows(n)
        yield from deck_strip_rows(n)
        yield from deck_effect_rows(n)
        for stem in STEMS:
            yield from stem_rows(n, stem)
            yield from stem_strip_rows(n, stem)
            yield from stem_effect_rows(n, stem)
    yield from mixer_rows()
    yield from mixer_strip_rows()
    yield from mixer_effect_rows()
    yield from session_rows()


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
