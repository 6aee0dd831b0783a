"""A deckhand with manners: loads what its library has, one fact for each wish, and keeps what it was told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.marks import Marks
from server.pads import Pad
from server.practice import Pass, Practice
from server.session.effects import EngineCommand
from server.session.facts import AudibleDeck, DeckLoaded, DeckLoadFailed, Fact, PadLoaded, PadLoadFailed


@dataclass
class FakeDeckhand:
    """`tracks` are lengths in seconds by id; with `prompt` off, loads wait for `finish`."""

    tracks: dict[str, float] = field(default_factory=dict)
    prompt: bool = True
    report: Callable[[Fact], None] = lambda fact: None
    commands: list[EngineCommand] = field(default_factory=list)
    batches: int = 0
    loads: list[tuple[int, int, str, float]] = field(default_factory=list)
    ejected: list[int] = field(default_factory=list)
    adopted: list[tuple[int, int, str]] = field(default_factory=list)
    grids: list[tuple[int, int, tuple[float, ...], int]] = field(default_factory=list)
    saved: list[tuple[str, Marks]] = field(default_factory=list)
    setlists: list[str] = field(default_factory=list)
    practised: list[tuple[int, int, str, Practice]] = field(default_factory=list)
    passes: list[tuple[str, Pass, bool]] = field(default_factory=list)
    pads: list[tuple[int, int, int, str]] = field(default_factory=list)
    banks: list[tuple[int, tuple[Pad, ...]]] = field(default_factory=list)
    heard: list[AudibleDeck] = field(default_factory=lambda: [AudibleDeck()] * 4)

    def send(self, commands: Sequence[EngineCommand]) -> None:
        assert commands, "an empty batch is a waste of the ring"
        self.batches += 1
        self.commands.extend(commands)

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        assert token > 0 and 0 <= deck < 4
        assert all(token != earlier[1] for earlier in self.loads), "a token was used twice"
        self.loads.append((deck, token, track_id, position_s))
        if self.prompt:
            self.finish(len(self.loads) - 1)

    def finish(self, index: int) -> None:
        deck, token, track_id, position_s = self.loads[index]
        if track_id in self.tracks:
            self.heard[deck] = AudibleDeck(token, position_s, False, self.tracks[track_id])
            self.report(DeckLoaded(deck, token, f"Title of {track_id}", "Artist", self.tracks[track_id]))
        else:
            self.report(DeckLoadFailed(deck, token, "unknown_track", f"There is no track {track_id!r}"))

    def eject(self, deck: int) -> None:
        self.heard[deck] = AudibleDeck()
        self.ejected.append(deck)

    def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int) -> None:
        self.grids.append((deck, token, tuple(beats), origin))

    def save_marks(self, track_id: str, marks: Marks) -> None:
        self.saved.append((track_id, marks))

    def open_setlist(self, name: str) -> None:
        self.setlists.append(name)

    def save_practice(self, deck: int, token: int, track_id: str, practice: Practice) -> None:
        self.practised.append((deck, token, track_id, practice))

    def log_pass(self, track_id: str, made: Pass, *, clean: bool) -> None:
        self.passes.append((track_id, made, clean))

    def load_pad(self, bank: int, pad: int, token: int, source: str) -> None:
        self.pads.append((bank, pad, token, source))
        name, _, _ = source.partition("@")
        if not source:
            return
        if name in self.tracks:
            self.report(PadLoaded(bank, pad, token, source, f"Title of {name}", self.tracks[name]))
        else:
            self.report(PadLoadFailed(bank, pad, token, "unknown_track", f"There is no track {name!r}"))

    def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        self.banks.append((bank, pads))

    def adopt(self, deck: int, token: int, track_id: str) -> None:
        self.adopted.append((deck, token, track_id))

    def audible(self) -> tuple[AudibleDeck, ...]:
        return tuple(self.heard)
