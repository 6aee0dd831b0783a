"""What each fact from below does to the show.

Owner: nobody; one table. Pure.
Units: as in `server.session.facts`.
"""

from collections.abc import Callable
from typing import Any, Final

from audio.commands import NOW, CommandKind
from audio.units import STEMS
from server.session import auto_gain, facts
from server.session.draft import Draft, clear
from server.session.effects import AdoptDeck, LoadRefused
from server.session.intent import Refused
from server.session.marking import take_marks
from server.session.marks_heard import MARKS_HEARD
from server.session.rehearsing import place_left, take_rehearsal
from server.session.rows import ROWS
from server.session.sampling import SAMPLING_HEARD, meet_sampler
from server.session.setlist_controls import SETLIST_FACTS
from server.session.state import DeckMemory


def _deck_loaded(draft: Draft, fact: facts.DeckLoaded) -> None:
    memory = draft.decks[fact.deck]
    if fact.token != memory.loading:
        return
    path = f"/deck/{fact.deck + 1}"
    plays, play_at, seek = memory.play_when_loaded, memory.play_at, memory.seek_when_loaded
    if seek is None and not memory.load_position_s:
        seek = place_left(draft, fact.rehearsal)
    # The engine goes on playing what is loaded over a playing deck: stop it, and take back the frames that ran.
    runs = bool(memory.token and draft.controls[f"{path}/play"]) and not (plays and play_at == NOW)
    if runs:
        draft.send(CommandKind.DECK_PLAY, fact.deck, 0, 0.0, NOW, fact.token)
        seek = memory.load_position_s if seek is None else seek
    draft.hold(fact.deck, DeckMemory(fact.token, memory.wanted, position_s=memory.load_position_s))
    clear(draft, fact.deck)
    auto_gain.measured(draft, fact.deck, None)
    draft.set(f"{path}/title", fact.title)
    draft.set(f"{path}/artist", fact.artist)
    draft.set(f"{path}/duration", fact.duration_s)
    draft.set(f"{path}/status", "ready")
    draft.set(f"{path}/play", int(plays))
    take_marks(draft, fact.deck, fact.analysed, fact.marks, fresh=True)
    take_rehearsal(draft, fact.deck, fact.rehearsal)
    if seek is not None:
        position_s = min(seek, fact.duration_s)
        draft.remember(fact.deck, position_s=position_s)
        frames = float(round(position_s * draft.engine_rate))
        draft.send(CommandKind.DECK_SEEK, fact.deck, 0, frames, NOW, fact.token)
    if plays or not runs:
        draft.send(CommandKind.DECK_PLAY, fact.deck, 0, float(plays), play_at, fact.token)


def _deck_load_failed(draft: Draft, fact: facts.DeckLoadFailed) -> None:
    memory = draft.decks[fact.deck]
    path = f"/deck/{fact.deck + 1}/load"
    draft.effects.append(LoadRefused(fact.token, Refused(fact.code, fact.message, path)))
    if fact.token != memory.loading:
        return
    draft.remember(fact.deck, loading=0, wanted="", play_when_loaded=False, play_at=NOW, seek_when_loaded=None)
    draft.set(path, memory.track_id)
    draft.set(f"/deck/{fact.deck + 1}/status", "failed")
    if not memory.token:
        draft.set(f"/deck/{fact.deck + 1}/play", 0)
    draft.notice("error", fact.code, fact.message, path)


def _deck_ended(draft: Draft, fact: facts.DeckEnded) -> None:
    if fact.token == draft.decks[fact.deck].token:
        draft.remember(fact.deck, position_s=fact.position_s, at_end=True)
        if not draft.decks[fact.deck].play_when_loaded:
            draft.set(f"/deck/{fact.deck + 1}/play", 0)


def _track_measured(draft: Draft, fact: facts.TrackMeasured) -> None:
    if fact.token == draft.decks[fact.deck].token:
        auto_gain.measured(draft, fact.deck, fact.loudness)


def _stems_ready(draft: Draft, fact: facts.StemsReady) -> None:
    if fact.token == draft.decks[fact.deck].token and fact.stem < len(STEMS):
        draft.set(f"/deck/{fact.deck + 1}/stem/{STEMS[fact.stem]}/ready", max(0.0, min(1.0, fact.ready)))


def _gap_changed(draft: Draft, fact: facts.GapChanged) -> None:
    draft.set(f"/deck/{fact.deck + 1}/gap", int(fact.gap))


def _pending_changed(draft: Draft, fact: facts.PendingChanged) -> None:
    for slot, stem in enumerate(STEMS):
        draft.set(f"/deck/{fact.deck + 1}/stem/{stem}/pending", fact.mask >> slot & 1)


def _tempo_changed(draft: Draft, fact: facts.TempoChanged) -> None:
    draft.set("/session/tempo", fact.tempo)


def _engine_lost(draft: Draft, fact: facts.EngineLost) -> None:
    draft.connected = False
    for deck, audible in enumerate(fact.decks):
        if audible.token and audible.token == draft.decks[deck].token:
            draft.remember(deck, position_s=audible.position_s)
    draft.notice("error", "engine_lost", "The engine stopped; it is being started again")


def _engine_restored(draft: Draft, fact: facts.EngineRestored) -> None:
    """Bring engine and show together: what sounds is the engine's to say, everything else is the show's."""
    draft.connected = True
    draft.engine_rate = fact.rate
    draft.next_token = max(draft.next_token, 1 + max((audible.token for audible in fact.decks), default=0))
    for path, row in ROWS.items():
        draft.send(row.kind, row.deck, row.slot, row.convert(draft.controls[path]))
    if not any(audible.token for audible in fact.decks):
        draft.send(CommandKind.TEMPO, 0, 0, float(draft.controls["/session/tempo"]))
    for deck in range(len(fact.decks)):
        if draft.controls[f"/deck/{deck + 1}/auto_gain"]:
            auto_gain.follow(draft, deck)
    for deck, audible in enumerate(fact.decks):
        _meet(draft, deck, audible)
    meet_sampler(draft)


def _meet(draft: Draft, deck: int, audible: facts.AudibleDeck) -> None:
    path = f"/deck/{deck + 1}"
    memory = draft.decks[deck]
    if not audible.token:
        wanted = memory.wanted or memory.track_id
        if wanted:
            where = _place_wanted(memory) if memory.loading else memory.position_s
            plays = memory.play_when_loaded if memory.loading else bool(draft.controls[f"{path}/play"])
            draft.remember(deck, token=0, track_id="")
            draft.load(deck, wanted, where, plays)
        return
    if audible.token != memory.token:
        # The file the show was restored from is older than what the engine plays: never touch what is heard.
        memory = draft.hold(deck, DeckMemory(audible.token))
        for name, value in (("load", ""), ("title", "still playing"), ("artist", ""), ("status", "ready")):
            draft.set(f"{path}/{name}", value)
    draft.remember(deck, position_s=audible.position_s, at_end=False)
    draft.set(f"{path}/play", int(audible.playing))
    draft.set(f"{path}/status", "ready")
    draft.set(f"{path}/duration", audible.duration_s)
    draft.set(f"{path}/loop/active", int(audible.loop_active))
    draft.set(f"{path}/loop/start", audible.loop_s[0])
    draft.set(f"{path}/loop/end", audible.loop_s[1])
    if memory.loading:
        draft.load(deck, memory.wanted, _place_wanted(memory), memory.play_when_loaded)
    elif memory.track_id:
        draft.effects.append(AdoptDeck(deck, memory.token, memory.track_id))


def _place_wanted(memory: DeckMemory) -> float:
    """Return where a track on its way is to start, in seconds."""
    return memory.load_position_s if memory.seek_when_loaded is None else memory.seek_when_loaded


def _reported(draft: Draft, fact: facts.Reported) -> None:
    for path, value in fact.values:
        draft.set(path, value)


FACTS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    facts.DeckLoaded: _deck_loaded,
    facts.DeckLoadFailed: _deck_load_failed,
    facts.DeckEnded: _deck_ended,
    facts.TrackMeasured: _track_measured,
    facts.StemsReady: _stems_ready,
    facts.GapChanged: _gap_changed,
    facts.PendingChanged: _pending_changed,
    facts.EngineLost: _engine_lost,
    facts.EngineRestored: _engine_restored,
    facts.Reported: _reported,
    facts.TempoChanged: _tempo_changed,
    **MARKS_HEARD,
    **SETLIST_FACTS,
    **SAMPLING_HEARD,
}
"""What each kind of fact does."""
