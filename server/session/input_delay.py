"""What the controls of the input do that the engine does not know by itself.

    /practice/input/measure --> noise on the master --> status `measuring` --> `server/round_trip.py` --> latency

Owner: nobody; one table. Pure.
Units: seconds in controls.
"""

from typing import Final

from audio.commands import CommandKind
from control.control import Value
from server.session.draft import Draft, Handler

STATUS: Final = "/practice/input/status"
LATENCY: Final = "/practice/input/latency"
MEASURING: Final = "measuring"


def _measure(draft: Draft, value: Value, at: int) -> None:
    if value:
        draft.send(CommandKind.INPUT_PROBE, 0, 0, 1.0, at)
        draft.set(STATUS, MEASURING)


INPUT_DELAY: Final[dict[str, Handler]] = {"/practice/input/measure": _measure}
"""What each of these controls does."""
