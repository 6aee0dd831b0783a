"""What the controls of the setlist do, and what it hears of the rest of the show.

Owner: nobody; tables and one listener. Pure.
Units: entries count from 1 in controls, from 0 in the memory; decks from 0 in facts, from 1 in the memory.
"""

from collections.abc import Callable
from typing import Any, Final

from audio.units import DECKS
from control.control import Value
from server.session import facts
from server.session.draft import Draft, Handler, Refuse
from server.session.effects import OpenSetlist
from server.session.setlist_shown import tell
from server.session.setlist_state import SetlistMemory, Standing
from server.session.setlist_timing import PLACE, Clocked
from server.session.setlist_tracks import plays


def _player(draft: Draft) -> Clocked:
    """Return the player of the open setlist. Raises Refuse."""
    if draft.setlist is None:
        raise Refuse("no_setlist", "No setlist is open: write the name of one to /setlist/load")
    return Clocked(draft)


_CLOSED: Final[tuple[tuple[str, Value], ...]] = (
    ("/setlist/load", ""), ("/setlist/status", "closed"), ("/setlist/autopilot", 0), ("/setlist/entry", 0.0),
    ("/setlist/count", 0.0), ("/setlist/pass", 0.0), ("/setlist/title", ""), ("/setlist/current/title", ""),
    ("/setlist/current/notes", ""), ("/setlist/next/title", ""), ("/setlist/next/notes", ""),
    ("/setlist/next/deck", 0.0), ("/setlist/scene", ""),
)  # fmt: skip


def _load(draft: Draft, value: Value, at: int) -> None:
    """Open another setlist, or close the one that is open."""
    name = str(value).strip()
    if name:
        draft.set("/setlist/status", "opening")
        draft.effects.append(OpenSetlist(name))
        return
    draft.setlist = None
    for path, closed in _CLOSED:
        draft.set(path, closed)


def _autopilot(draft: Draft, value: Value, at: int) -> None:
    if not value and draft.setlist is None:
        draft.set("/setlist/autopilot", 0)
        return
    player = _player(draft)
    draft.set("/setlist/autopilot", value)
    if value:
        player.start_at_once()
    else:
        player.let_go()


def _next(draft: Draft, value: Value, at: int) -> None:
    if not value:
        return
    player = _player(draft)
    if player.memory.passage is not None:
        player.finish()
    elif player.memory.coming is None:
        raise Refuse("setlist_ended", "That was the last entry of the setlist: go to another, or open another setlist")
    else:
        player.go_to(player.memory.coming.index)


def _previous(draft: Draft, value: Value, at: int) -> None:
    if not value:
        return
    player = _player(draft)
    now = player.memory.now
    _go(player, max(0, now.index - 1) if now is not None else 0)


def _goto(draft: Draft, value: Value, at: int) -> None:
    _go(_player(draft), round(float(value)) - 1)


def _go(player: Clocked, index: int) -> None:
    entries = player.memory.entries
    if index >= len(entries):
        raise Refuse("no_entry", f"The setlist has {len(entries)} entries, and no entry {index + 1}")
    if not entries[index].track_id:
        raise Refuse("setlist_missing", f"Entry {index + 1} ({entries[index].title}) is not in the library")
    player.go_to(index)


SETLIST_HANDLERS: Final[dict[str, Handler]] = {
    "/setlist/load": _load,
    "/setlist/autopilot": _autopilot,
    "/setlist/next": _next,
    "/setlist/previous": _previous,
    "/setlist/goto": _goto,
}
"""What each control of the setlist does."""


def _opened(draft: Draft, fact: facts.SetlistOpened) -> None:
    """Take a setlist that was read; one that was open before, by a file since changed perhaps, goes on where it is."""
    entries = fact.entries
    resumed = fact.resumed or (draft.setlist is not None and draft.setlist.name == fact.name)
    at = int(float(draft.controls["/setlist/entry"])) - 1 if resumed else -1
    draft.setlist = SetlistMemory(fact.name, fact.title, entries, fact.crossfader)
    player = Clocked(draft)
    draft.set("/setlist/load", fact.name)
    draft.set("/setlist/title", fact.title)
    draft.set("/setlist/count", float(len(entries)))
    if 0 <= at < len(entries):
        for deck in range(1, DECKS + 1):
            memory = draft.decks[deck - 1]
            if entries[at].track_id in (memory.track_id, memory.wanted) and entries[at].track_id:
                player.remember(now=Standing(at, deck, True, bool(memory.token)))
    now = player.memory.now
    goes_on = now is not None and plays(draft, now.deck)
    if not goes_on and (resumed or any(plays(draft, deck) for deck in range(1, DECKS + 1))):
        draft.set("/setlist/autopilot", 0)  # nothing begins by itself over what plays, or after a start
    for number, planned in enumerate(entries, start=1):
        if not planned.track_id:
            text = f"Setlist entry {number} ({planned.title}) is not in the library and will be passed over"
            draft.notice("warning", "setlist_missing", text)
    player.bring_next()
    tell(player)


def _failed(draft: Draft, fact: facts.SetlistFailed) -> None:
    draft.notice("error", fact.code, fact.message, "/setlist/load")
    memory = draft.setlist
    draft.set("/setlist/load", memory.name if memory is not None else "")
    draft.set("/setlist/status", "failed" if memory is None else "ready")
    draft.echo("/setlist/load")


def _tick(draft: Draft, fact: facts.SetlistTick) -> None:
    if draft.setlist is not None:
        Clocked(draft).tick(fact.frame)


SETLIST_FACTS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    facts.SetlistOpened: _opened,
    facts.SetlistFailed: _failed,
    facts.SetlistTick: _tick,
}
"""What each fact about the setlist does."""


def hear(draft: Draft, fact: facts.Fact) -> None:
    """Tell the open setlist what has just happened to the show."""
    if draft.setlist is None:
        return
    match fact:
        case facts.PlaceTold() if fact.what == PLACE and fact.token == draft.decks[fact.deck].token:
            Clocked(draft).told(fact.deck + 1, fact.frame, fact.position_s)
        case facts.DeckLoaded() if fact.token == draft.decks[fact.deck].token:
            Clocked(draft).loaded(fact.deck + 1)
        case facts.EngineRestored():
            Clocked(draft).engine_restored()
        case facts.DeckLoadFailed() if not draft.decks[fact.deck].loading:
            Clocked(draft).failed(fact.deck + 1, fact.message)


def touched(draft: Draft, path: str, value: Value) -> None:
    """Tell the open setlist that a surface has set a control."""
    if draft.setlist is not None and not path.startswith("/setlist/"):
        Clocked(draft).touched(path, value)
