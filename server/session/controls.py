"""What each writable control does to the show.

Owner: nobody; one table, joined from those of each family. Pure.
Units: seconds of the track in controls, track frames at the engine rate in commands; decks count from 0.
"""

from typing import Final

from audio.units import DECKS
from server.session.auto_gain import HANDLERS as AUTO_GAIN
from server.session.clocks import CLOCK_HANDLERS
from server.session.draft import Handler
from server.session.input_delay import INPUT_DELAY
from server.session.marking import MARKING
from server.session.muting import MUTING
from server.session.performing import PERFORMING
from server.session.practising import PRACTISING
from server.session.rehearsing import MODES
from server.session.rows import ROWS
from server.session.sampling import SAMPLING
from server.session.setlist_controls import SETLIST_HANDLERS
from server.session.taking import TAKING
from server.session.tapping import TAPPING
from server.session.transport import Transport


def _keep(path: str) -> Handler:
    """Return the handler of a control that the engine knows nothing of: who acts on it hears the change."""
    return lambda draft, value, at: draft.set(path, value)


HANDLERS: Final[dict[str, Handler]] = {
    **{path: row.apply for path, row in ROWS.items()},
    **{path: handler for deck in range(DECKS) for path, handler in Transport(deck).handlers().items()},
    **PERFORMING,
    **MARKING,
    **PRACTISING,
    **MUTING,
    **MODES,
    **INPUT_DELAY,
    **SAMPLING,
    **TAKING,
    **AUTO_GAIN,
    **{path: _keep(path) for path in ("/mixer/record", "/mixer/record/bus/input")},
    **{f"/deck/{deck}/zoom": _keep(f"/deck/{deck}/zoom") for deck in range(1, DECKS + 1)},
    **CLOCK_HANDLERS,
    **TAPPING,
    **SETLIST_HANDLERS,
}
"""What each writable control does; a test holds this table against the registry."""
