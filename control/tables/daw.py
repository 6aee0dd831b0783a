"""The rows of the DAW that plays beside us.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from control.clocks.wire import OFF
from control.control import Control, Kind
from control.daw_names import NAMES


def daw_rows() -> Iterator[Control]:
    """Yield every row of the DAW."""
    yield Control(
        "/daw/profile",
        Kind.CHOICE,
        "DAW whose transport, tempo and faders go with the deck in focus, both ways",
        default=OFF,
        choices=(OFF, *NAMES),
    )
    yield Control("/daw/host", Kind.TEXT, "Address of the machine the DAW runs on", default="127.0.0.1")
