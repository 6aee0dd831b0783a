"""The rows of a deck's pitch: what it does when the tempo moves, and where it is shifted to.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from control.control import Control, Curve, Kind, toggle


def pitch_rows(n: int) -> Iterator[Control]:
    """Yield the pitch rows of deck `n` (from 1)."""
    deck = f"/deck/{n}"
    yield toggle(f"{deck}/keylock", f"Deck {n} keeps its key at any speed (1), or its pitch goes with the speed (0)")
    yield Control(
        f"{deck}/pitch",
        Kind.CONTINUOUS,
        f"Shift of pitch of deck {n} at unchanged tempo; cents are the fraction",
        "semitones",
        -12.0,
        12.0,
        0.0,
        curve=Curve.CENTRED,
    )
    yield Control(
        f"{deck}/tuning",
        Kind.CONTINUOUS,
        f"What a' of the track on deck {n}, recorded at 440 Hz, shall be",
        "Hz",
        432.0,
        445.0,
        440.0,
    )
