"""What the switches of takes do: one deck at a time is played along with.

    /deck/N/take/record --> the engine tells its places --> `server/take_keeper.py` makes takes of what is played

Owner: nobody; one table. Pure. Units: decks count from 0, in the command from 1.
"""

from typing import Final

from audio.commands import CommandKind
from audio.units import DECKS
from control.control import Value
from server.session.draft import Draft, Handler

RECORD: Final = tuple(f"/deck/{deck + 1}/take/record" for deck in range(DECKS))
"""The switch of each deck."""


def _record(deck: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        was = any(draft.controls[path] for path in RECORD)
        if not value and not draft.controls[RECORD[deck]]:
            return
        for path in RECORD:
            draft.set(path, 0)
        draft.set(RECORD[deck], int(bool(value)))
        if value or was:
            draft.send(CommandKind.INPUT_TAKE, 0, 0, float(deck + 1) if value else 0.0, at)

    return handler


TAKING: Final[dict[str, Handler]] = {path: _record(deck) for deck, path in enumerate(RECORD)}
"""What each of these controls does."""
