"""The control registry: every control has one name, and the tables joined here are where it is written.

Owner: nobody changes it at run time. OSC addresses, MIDI-learn targets, socket messages, the reference page and the
page's widgets are derived from it. Adding a control is one row in `control/tables/`.
Units: as each row says; see design of the command language for what the kernel makes of them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from audio.units import DECKS, STEMS
from control.control import Control, UnknownControl
from control.tables.clocks import clock_rows
from control.tables.daw import daw_rows
from control.tables.deck import deck_rows
from control.tables.effects import deck_effect_rows, mixer_effect_rows, stem_effect_rows
from control.tables.input import input_rows
from control.tables.mixer import mixer_rows
from control.tables.pitch import pitch_rows
from control.tables.practice import mode_rows, practice_rows, stem_practice_rows
from control.tables.sampler import sampler_rows
from control.tables.session import session_rows
from control.tables.setlist import setlist_rows
from control.tables.stem import stem_rows
from control.tables.strip import deck_strip_rows, mixer_strip_rows, stem_strip_rows
from control.tables.takes import take_rows
from control.tables.transport import stem_loop_rows, tempo_rows, transport_rows


def _rows() -> Iterator[Control]:
    for n in range(1, DECKS + 1):
        yield from deck_rows(n)
        yield from deck_strip_rows(n)
        yield from deck_effect_rows(n)
        yield from transport_rows(n)
        yield from pitch_rows(n)
        yield from practice_rows(n)
        yield from take_rows(n)
        for stem in STEMS:
            yield from stem_rows(n, stem)
            yield from stem_strip_rows(n, stem)
            yield from stem_effect_rows(n, stem)
            yield from stem_loop_rows(n, stem)
            yield from stem_practice_rows(n, stem)
    yield from mixer_rows()
    yield from mixer_strip_rows()
    yield from mixer_effect_rows()
    yield from sampler_rows()
    yield from session_rows()
    yield from mode_rows()
    yield from input_rows()
    yield from tempo_rows()
    yield from setlist_rows()
    yield from clock_rows()
    yield from daw_rows()


REGISTRY: Final[Mapping[str, Control]] = {control.path: control for control in _rows()}
"""Every control by its path, in the order of the reference page."""


_PRACTICE: Final = {
    "a": "loop/start",
    "b": "loop/end",
    "loop": "loop/active",
    "in": "loop/in",
    "out": "loop/out",
    "again": "loop/again",
    "passes": "loop/passes",
    "bars": "loop/bars",
    "section": "loop/section",
    "speed": "rate",
    "pitch": "pitch",
    "countin": "countin",
    "click": "click",
    "zoom": "zoom",
    **{f"take/{name}": f"take/{name}" for name in ("record", "volume", "mute", "pan")},
    **{
        f"trainer/{name}": f"trainer/{name}"
        for name in ("on", "start", "step", "every", "stop", "by", "clean", "missed", "passes", "next")
    },
}
"""What a player's controls are called, and what they are on the deck that has the focus."""


def _aliases(focus: str) -> Iterator[tuple[str, str]]:
    deck = f"/deck/{focus}"
    yield "/transport/play", f"{deck}/play"
    yield "/transport/stop", f"{deck}/stop"
    yield "/transport/next", "/setlist/next"
    yield "/transport/prev", "/setlist/previous"
    yield "/track/title", f"{deck}/title"
    yield "/bpm", f"{deck}/bpm"
    yield "/practice/deck", "/session/focus"
    for name, path in _PRACTICE.items():
        yield f"/practice/{name}", f"{deck}/{path}"
    for slot, stem in enumerate(STEMS, start=1):
        for part in ("volume", "mute", "solo"):
            yield f"/stem/{slot}/{part}", f"{deck}/stem/{stem}/{part}"


FOCUSED: Final[Mapping[str, Mapping[str, Control]]] = {
    str(focus): {alias: REGISTRY[path] for alias, path in _aliases(str(focus)) if path in REGISTRY}
    for focus in range(1, DECKS + 1)
}
"""What each alias names while a deck has the focus."""

ALIASES: Final[tuple[str, ...]] = tuple(FOCUSED["1"])
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
    control = FOCUSED[focus].get(path)
    if control is not None:
        return control
    raise UnknownControl(f"no control is called {path[:120]!r}")
