"""What the controls of the setlist do, and what it hears of the rest of the show.

Owner: nobody; tables and one listener. Pure.
Units: entries count from 1 in controls, from 0 in the memory; decks from 0 in facts, from 1 in the memory.
"""

from collections.abc import Callable
from typing import Any, Final

from control.control import Value
from server.session import facts
from server.session.draft import Draft, Handler, Refuse
from server.session.setlist_player import PLACE, Player, ask_for, opened


def _player(draft: Draft) -> Player:
    """Return the player of the open setlist. Raises Refuse."""
    if draft.setlist is None:
        raise Refuse("no_setlist", "No setlist is open: write the name of one to /setlist/load")
    return Player(draft)


def _load(draft: Draft, value: Value, at: int) -> None:
    ask_for(draft, str(value).strip())


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


def _go(player: Player, index: int) -> None:
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
    opened(draft, fact.name, fact.title, fact.entries, crossfader=fact.crossfader, resumed=fact.resumed)


def _failed(draft: Draft, fact: facts.SetlistFailed) -> None:
    draft.notice("error", fact.code, fact.message, "/setlist/load")
    memory = draft.setlist
    draft.set("/setlist/load", memory.name if memory is not None else "")
    draft.set("/setlist/status", "failed" if memory is None else "ready")
    draft.echo("/setlist/load")


def _tick(draft: Draft, fact: facts.SetlistTick) -> None:
    if draft.setlist is not None:
        Player(draft).tick(fact.frame)


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
            Player(draft).told(fact.deck + 1, fact.frame, fact.position_s)
        case facts.DeckLoaded() if fact.token == draft.decks[fact.deck].token:
            Player(draft).loaded(fact.deck + 1)
        case facts.EngineRestored():
            Player(draft).engine_restored()
        case facts.DeckLoadFailed() if not draft.decks[fact.deck].loading:
            Player(draft).failed(fact.deck + 1, fact.message)


def touched(draft: Draft, path: str, value: Value) -> None:
    """Tell the open setlist that a surface has set a control."""
    if draft.setlist is not None and not path.startswith("/setlist/"):
        Player(draft).touched(path, value)
