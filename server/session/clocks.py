"""What the controls of tempo, clocks and DAW do to the show: they are remembered, and their surfaces act on them.

Owner: nobody. Pure.
Units: as the registry says.
"""

from typing import Final

from control.control import Value
from control.registry import REGISTRY
from control.tables.clocks import clock_rows
from control.tables.daw import daw_rows
from server.session.draft import Draft, Handler
from server.session.rows import ROWS


def _remember(path: str) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        draft.set(path, value)

    return handler


CLOCK_HANDLERS: Final[dict[str, Handler]] = {
    row.path: _remember(row.path)
    for row in (*clock_rows(), *daw_rows())
    if REGISTRY[row.path].is_writable and row.path not in ROWS
}
"""What each writable control of the clocks and the DAW does that the engine knows nothing of, by path."""
