"""What is on the generated surfaces: sections of the registry, in the order in which their pages stand.

Owner: whoever makes a layout. Pure.
Units: none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from audio.units import DECKS, PADS, STEMS
from control.control import Control
from control.registry import FOCUSED, REGISTRY

_Named = dict[str, Control]
"""Controls by the path they are moved by."""


@dataclass(frozen=True, slots=True)
class Section:
    """Controls of one kind, by the path they are moved by: a page, or several. `columns` of 0 are the screen's own."""

    title: str
    named: _Named
    columns: int = 0


Sections = Iterator[Section]


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


def dj() -> Sections:
    """Yield mixer, decks, their stems, pads and setlist."""
    yield Section(
        "Mixer", _below("/mixer/", "/session/") | _where(lambda path: path.startswith("/deck/") and _is_strip(path))
    )
    for deck in range(1, DECKS + 1):
        head = f"/deck/{deck}/"
        named = _where(lambda path, head=head: path.startswith(head) and "/stem/" not in path)  # type: ignore[misc]
        yield Section(f"Deck {deck}", named)
        yield Section(f"Stems {deck}", _by_part(_stem_rows(deck)))
    yield from _sampler()
    yield _setlist()


def _is_strip(path: str) -> bool:
    return path.split("/")[3:] in (["play"], ["volume"])


def _stem_rows(deck: int) -> _Named:
    return _below(*(f"/deck/{deck}/stem/{stem}/" for stem in STEMS))


def _sampler() -> Sections:
    """Four by four, the first pad in the lower left corner as on hardware."""
    pads = [f"/pad/{4 * row + column}" for row in (3, 2, 1, 0) for column in (1, 2, 3, 4)]
    yield Section("Pads", _of("/pad/bank", "/pad/stop", *pads, "/pad/volume"), columns=4)
    names = [f"/pad/{pad}/{what}" for pad in range(1, PADS + 1) for what in ("name", "playing")]
    yield Section("Pad names", _of(*names))
    yield Section(
        "Sequencer", _where(lambda path: path.startswith("/sequencer/") and not path.startswith("/sequencer/pattern/"))
    )


def _setlist() -> Section:
    return Section(
        "Setlist",
        _of("/setlist/previous", "/setlist/next", "/setlist/autopilot", "/setlist/goto") | _below("/setlist/"),
    )


def _of(*paths: str) -> _Named:
    return {path: REGISTRY[path] for path in paths}


def practice() -> Sections:
    """Yield what one song needs: practice, trainer, takes, stems, setlist and pads."""
    yield Section("Song", _aliases("/transport/", "/track/", "/bpm", "/practice/deck"))
    loose = _aliases("/practice/")
    trainer = {path: control for path, control in loose.items() if path.startswith("/practice/trainer/")}
    takes = {path: control for path, control in loose.items() if path.startswith("/practice/take/")}
    apart = trainer.keys() | takes.keys() | {"/practice/deck"}
    yield Section("Practice", {path: control for path, control in loose.items() if path not in apart})
    yield Section("Trainer", trainer)
    yield Section("Takes", takes)
    yield Section("Stems", _by_part(_aliases("/stem/")))
    yield Section("Speed", _where(lambda path: path.startswith("/deck/1/") and path.split("/")[3] in _SPEED))
    yield _setlist()
    yield from _sampler()
    yield Section("Out", _below("/mixer/"))


_SPEED: Final = (
    "position", "rate", "pitch_fader", "pitch_range", "keylock", "pitch", "bend", "loop", "duration", "click",
    "countin", "trainer",
)  # fmt: skip


def classic() -> Sections:
    """Yield the addresses of the earlier system."""
    yield Section("Stems", _by_part(_aliases("/stem/")))
    yield Section("Transport", _aliases("/transport/", "/track/", "/bpm"))
    yield next(_sampler())
