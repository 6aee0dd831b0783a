"""What the surfaces are shown of an open setlist.

Owner: one step of the session. Pure.
Units: entries count from 1 in controls, from 0 in the memory.
"""

from server.session.setlist_open import OpenSetlist
from server.session.setlist_state import Standing
from server.session.setlist_tracks import plays


def tell(setlist: OpenSetlist) -> None:
    """Show what plays and what comes."""
    memory, draft = setlist.memory, setlist.draft
    now, coming = memory.now, memory.coming
    planned = memory.entries[now.index] if now is not None else None
    after = memory.entries[coming.index] if coming is not None else None
    draft.set("/setlist/entry", float(now.index + 1) if now is not None else 0.0)
    draft.set("/setlist/next/deck", float(coming.deck) if coming is not None else 0.0)
    for name, one in (("current", planned), ("next", after)):
        draft.set(f"/setlist/{name}/title", one.title if one is not None else "")
        draft.set(f"/setlist/{name}/notes", one.entry.notes if one is not None else "")
    draft.set("/setlist/scene", planned.entry.scene if planned is not None else "")
    show_status(setlist)


def show_status(setlist: OpenSetlist) -> None:
    """Show what the setlist is doing, and which pass of a practice loop this is."""
    memory, draft = setlist.memory, setlist.draft
    if memory.passage is not None:
        status = "transition"
    elif memory.coming is not None and not memory.coming.ready and (memory.go or _is_over(setlist, memory.now)):
        status = "waiting"
    elif memory.now is None:
        status = "ready"
    elif memory.over:
        status = "ended"
    else:
        status = "playing" if plays(draft, memory.now.deck) else "ready"
    draft.set("/setlist/status", status)
    draft.set("/setlist/pass", float(memory.drill.pass_ + 1) if memory.drill is not None else 0.0)


def _is_over(setlist: OpenSetlist, now: Standing | None) -> bool:
    return now is not None and setlist.draft.decks[now.deck - 1].at_end
