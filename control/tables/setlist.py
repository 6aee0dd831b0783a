"""The rows of the setlist: which one is open, where it is, and how to go on.

Owner: nobody changes them at run time. Units: entries count from 1, 0 is none.
"""

from collections.abc import Iterator
from typing import Final

from control.control import Access, Control, Kind, toggle, trigger

MOST_ENTRIES: Final = 999

STATUSES: Final = ("closed", "opening", "ready", "playing", "transition", "waiting", "ended", "failed")
"""What a setlist may be doing: waiting is for a track that is still being loaded."""


def _text(path: str, description: str) -> Control:
    return Control(path, Kind.TEXT, description, default="", access=Access.READ)


def _count(path: str, description: str, unit: str = "") -> Control:
    return Control(path, Kind.CONTINUOUS, description, unit, 0.0, None, 0.0, access=Access.READ)


def setlist_rows() -> Iterator[Control]:
    """Yield every row of the setlist."""
    yield Control(
        "/setlist/load", Kind.TEXT, "Setlist that is open: write its name to open it, nothing to close it", "setlist",
        default="",
    )  # fmt: skip
    yield Control(
        "/setlist/status", Kind.CHOICE, "What the setlist is doing", default="closed", choices=STATUSES,
        access=Access.READ,
    )  # fmt: skip
    yield toggle("/setlist/autopilot", "The setlist goes on by itself: transitions are played in time")
    yield trigger("/setlist/next", "Play the transition into the next entry; during one, finish it at once")
    yield trigger("/setlist/previous", "Play the transition back into the entry before")
    yield Control(
        "/setlist/goto", Kind.CONTINUOUS, "Play the transition into this entry", "entry", 1.0, float(MOST_ENTRIES),
        1.0, access=Access.WRITE,
    )  # fmt: skip
    yield _count("/setlist/entry", "Entry that plays, counted from 1", "entry")
    yield _count("/setlist/count", "How many entries the setlist has")
    yield _count("/setlist/pass", "Which pass of a practice loop this is; 0 outside one")
    yield _text("/setlist/title", "Title of the setlist")
    yield _text("/setlist/current/title", "Track of the entry that plays")
    yield _text("/setlist/current/notes", "Notes of the entry that plays")
    yield _text("/setlist/next/title", "Track of the entry that comes next")
    yield _text("/setlist/next/notes", "Notes of the entry that comes next")
    for unit, name in (("s", "seconds"), ("beats", "beats")):
        yield Control(
            f"/setlist/next/{name}", Kind.CONTINUOUS,
            f"{name.capitalize()} until the transition into the next entry, or the end of the set; -1 where unknown",
            unit, -1.0, None, -1.0, access=Access.TELEMETRY,
        )  # fmt: skip
    yield _count("/setlist/next/deck", "Deck that the next entry is loaded on; 0 while there is none", "deck")
    yield _text("/setlist/scene", "Page that controllers turn to for the entry that plays")
