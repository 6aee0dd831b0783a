"""A deckhand without an engine and a library: whatever the show asks of it, it does nothing."""

from collections.abc import Sequence

from audio.units import DECKS
from server.marks import Marks
from server.pads import Pad
from server.practice import Pass, Practice
from server.session.effects import EngineCommand
from server.session.facts import AudibleDeck


class QuietDeckhand:
    """See `server.session.port.Deckhand`; subclasses do what they are about."""

    def send(self, commands: Sequence[EngineCommand]) -> None:
        pass

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        pass

    def eject(self, deck: int) -> None:
        pass

    def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int) -> None:
        pass

    def save_marks(self, track_id: str, marks: Marks) -> None:
        pass

    def open_setlist(self, name: str) -> None:
        pass

    def save_practice(self, deck: int, token: int, track_id: str, practice: Practice) -> None:
        pass

    def log_pass(self, track_id: str, made: Pass, *, clean: bool) -> None:
        pass

    def load_pad(self, bank: int, pad: int, token: int, source: str) -> None:
        pass

    def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        pass

    def adopt(self, deck: int, token: int, track_id: str) -> None:
        pass

    def audible(self) -> tuple[AudibleDeck, ...]:
        return (AudibleDeck(),) * DECKS
