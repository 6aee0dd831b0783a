"""The rows of the session as a whole.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from audio.units import DECKS
from control.control import Control, Kind, trigger


def session_rows() -> Iterator[Control]:
    """Yield every row of the session."""
    yield Control(
        "/session/focus",
        Kind.CHOICE,
        "Deck that the transport and stem aliases move",
        default="1",
        choices=tuple(str(n) for n in range(1, DECKS + 1)),
    )
    yield trigger("/session/tap", "Tap the tempo of the session: the second tap sets it, each further makes it surer")
