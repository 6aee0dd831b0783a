"""The rows of takes: what is played along with a track, recorded on its frames and played back beside it.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from control.control import Control, Curve, Kind, toggle


def take_rows(n: int) -> Iterator[Control]:
    """Yield the rows of deck `n` (from 1)."""
    path, of = f"/deck/{n}/take", f"the take beside the track on deck {n}"
    yield toggle(f"{path}/record", f"Record the input along with deck {n}, each pass as a take of its own")
    yield Control(f"{path}/volume", Kind.CONTINUOUS, f"Volume of {of}", "gain", 0.0, 1.0, 1.0, curve=Curve.AUDIO)
    yield toggle(f"{path}/mute", f"Mute {of}")
    yield Control(f"{path}/pan", Kind.CONTINUOUS, f"Pan of {of}", "", -1.0, 1.0, 0.0)
