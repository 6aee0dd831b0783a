"""The rows of one stem of a deck.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from control.control import Access, Control, Curve, Kind, level, telemetry, toggle


def stem_rows(n: int, stem: str) -> Iterator[Control]:
    """Yield every row of `stem` on deck `n` (from 1)."""
    path = f"/deck/{n}/stem/{stem}"
    of = f"the {stem} on deck {n}"
    yield level(f"{path}/volume", f"Fader of {of}")
    yield toggle(f"{path}/mute", f"Mute {of}")
    yield toggle(f"{path}/solo", f"Solo {of}; several solos add up")
    yield Control(f"{path}/pan", Kind.CONTINUOUS, f"Balance of {of}", "", -1.0, 1.0, 0.0, curve=Curve.CENTRED)
    yield Control(
        f"{path}/pending",
        Kind.TOGGLE,
        f"1 while a mute or solo of {of} waits for a ready stretch",
        "",
        0,
        1,
        0,
        access=Access.READ,
    )
    yield Control(
        f"{path}/ready", Kind.CONTINUOUS, f"How much of {of} is ready to play", "", 0.0, 1.0, 0.0, access=Access.READ
    )
    yield telemetry(f"{path}/level", f"Peak level of {of}", "gain", 0.0, None)
