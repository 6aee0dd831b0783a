"""The port through which the show reaches the engine and the library.

Owner: `Show` calls it from the event loop; the real one is `server.session.deckhand`, tests have a fake with the same
manners. Answers come back as facts through `Show.report`.
Units: decks count from 0; positions in seconds of the track.
"""

from collections.abc import Sequence
from typing import Protocol

from server.marks import Marks
from server.pads import Pad
from server.practice import Pass, Practice
from server.session.effects import EngineCommand
from server.session.facts import AudibleDeck


class Deckhand(Protocol):
    """Performs what a step asks for. No method blocks, waits or raises: what goes wrong comes back as a fact."""

    def send(self, commands: Sequence[EngineCommand]) -> None:
        """Hand commands to the engine, in order, none dropped while there is an engine."""

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        """Start bringing a track to a deck. DeckLoaded or DeckLoadFailed with `token` follows, unless a later load
        or eject of the deck overtakes it."""

    def eject(self, deck: int) -> None:
        """Take off what the deck holds and forget what is on its way to it."""

    def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int) -> None:
        """Give the track `token` on a deck its beats, in seconds; the last that was asked for wins."""

    def save_marks(self, track_id: str, marks: Marks) -> None:
        """Keep a track's marks in the library; the last that was asked for wins."""

    def open_setlist(self, name: str) -> None:
        """Start reading a setlist. SetlistOpened or SetlistFailed follows, unless a later one overtakes it."""

    def save_practice(self, deck: int, token: int, track_id: str, practice: Practice) -> None:
        """Keep how the song `token` on a deck stands, with the place where it is; the last that was asked for wins."""

    def log_pass(self, track_id: str, made: Pass, *, clean: bool) -> None:
        """Write a pass of a loop down; `clean` says only that the latest one was."""

    def load_pad(self, bank: int, pad: int, token: int, source: str) -> None:
        """Start bringing a source to a pad, or empty it. PadLoaded or PadLoadFailed with `token` follows, unless a
        later wish for the pad overtakes it."""

    def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        """Keep a bank's pads; the last that was asked for wins."""

    def adopt(self, deck: int, token: int, track_id: str) -> None:
        """Look after a deck that the engine kept playing while there was no server: its stems may still be coming."""

    def audible(self) -> tuple[AudibleDeck, ...]:
        """Return what each deck sounds like at this moment, its position extrapolated to it; the last that was known
        while there is no engine."""
