"""What the transport of a deck does to the show: load, eject, play, stop, jump, speed.

Owner: nobody. Pure.
Units: seconds of the track in controls, track frames at the engine rate in commands; decks count from 0.
"""

from audio.commands import CommandKind
from control.control import Value
from server.session.draft import Draft, Handler, Refuse, clear
from server.session.effects import EjectDeck
from server.session.marking import forget_marks
from server.session.rows import ROWS
from server.session.state import DeckMemory


class Transport:
    """The handlers of one deck: `deck` counts from 0."""

    def __init__(self, deck: int) -> None:
        self.deck = deck
        self.path = f"/deck/{deck + 1}"

    def handlers(self) -> dict[str, Handler]:
        """Return what each of the deck's controls does, by path."""
        return {
            f"{self.path}/load": self.load,
            f"{self.path}/eject": self.eject,
            f"{self.path}/play": self.play,
            f"{self.path}/stop": self.stop,
            f"{self.path}/position": self.position,
            f"{self.path}/rate": self.rate,
            f"{self.path}/pitch_fader": self.pitch_fader,
            f"{self.path}/pitch_range": self.pitch_range,
        }

    def _held(self, draft: Draft) -> DeckMemory:
        """Return the memory of a deck that holds a track or is about to. Raises Refuse."""
        memory = draft.decks[self.deck]
        if not memory.token and not memory.loading:
            raise Refuse("deck_empty", f"Deck {self.deck + 1} is empty: load a track on it first")
        return memory

    def load(self, draft: Draft, value: Value, at: int) -> None:
        track_id = str(value).strip()
        if not track_id:
            raise Refuse("bad_value", f"{self.path}/load takes a track id; {self.path}/eject takes the track off")
        memory = draft.decks[self.deck]
        if memory.token and draft.controls[f"{self.path}/play"]:
            draft.notice(
                "warning",
                "loaded_over_playing",
                f"Deck {self.deck + 1} is playing: it plays on until the new track is loaded, and then stops there",
                f"{self.path}/load",
            )
        draft.load(self.deck, track_id)

    def eject(self, draft: Draft, value: Value, at: int) -> None:
        if not value:
            return
        draft.hold(self.deck, DeckMemory())
        clear(draft, self.deck)
        forget_marks(draft, self.deck)
        for name, empty in (("load", ""), ("title", ""), ("artist", ""), ("duration", 0.0), ("status", "empty")):
            draft.set(f"{self.path}/{name}", empty)
        draft.set(f"{self.path}/play", 0)
        if draft.connected:
            draft.effects.append(EjectDeck(self.deck))

    def play(self, draft: Draft, value: Value, at: int) -> None:
        if not value and not draft.decks[self.deck].token and not draft.decks[self.deck].loading:
            return
        memory = self._held(draft)
        draft.set(f"{self.path}/play", value)
        if memory.loading:
            draft.remember(self.deck, play_when_loaded=bool(value), play_at=at)
        if memory.token and not (memory.loading and value):
            if value and memory.at_end:
                self._seek(draft, memory, 0.0, at)
            draft.send(CommandKind.DECK_PLAY, self.deck, 0, float(value), at, memory.token)

    def stop(self, draft: Draft, value: Value, at: int) -> None:
        if not value:
            return
        memory = draft.decks[self.deck]
        draft.set(f"{self.path}/play", 0)
        if memory.loading:
            draft.remember(self.deck, play_when_loaded=False, seek_when_loaded=0.0 if memory.load_position_s else None)
        if memory.token:
            draft.send(CommandKind.DECK_PLAY, self.deck, 0, 0.0, at, memory.token)
            self._seek(draft, memory, 0.0, at)

    def position(self, draft: Draft, value: Value, at: int) -> None:
        memory = self._held(draft)
        if memory.loading:
            draft.remember(self.deck, seek_when_loaded=float(value))
            return
        self._seek(draft, memory, min(float(value), float(draft.controls[f"{self.path}/duration"])), at)

    def _seek(self, draft: Draft, memory: DeckMemory, position_s: float, at: int) -> None:
        draft.remember(self.deck, position_s=position_s, at_end=False)
        frames = float(round(position_s * draft.engine_rate))
        draft.send(CommandKind.DECK_SEEK, self.deck, 0, frames, at, memory.token)

    def rate(self, draft: Draft, value: Value, at: int) -> None:
        ROWS[f"{self.path}/rate"].apply(draft, value, at)
        reach = float(draft.controls[f"{self.path}/pitch_range"])
        draft.set(f"{self.path}/pitch_fader", max(-1.0, min(1.0, (float(value) - 1.0) / reach)))

    def pitch_fader(self, draft: Draft, value: Value, at: int) -> None:
        draft.set(f"{self.path}/pitch_fader", value)
        rate = 1.0 + float(value) * float(draft.controls[f"{self.path}/pitch_range"])
        ROWS[f"{self.path}/rate"].apply(draft, max(0.25, min(4.0, rate)), at)

    def pitch_range(self, draft: Draft, value: Value, at: int) -> None:
        draft.set(f"{self.path}/pitch_range", value)
        self.pitch_fader(draft, draft.controls[f"{self.path}/pitch_fader"], at)
