"""The rows of one deck: what it holds, how it plays, and its channel.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from audio.units import CROSSFADER_SIDES, DECK_SOURCES
from control.control import Access, Control, Curve, Kind, level, telemetry, toggle, trigger


def deck_rows(n: int) -> Iterator[Control]:
    """Yield every row of deck `n` (from 1) but those of its stems."""
    deck = f"/deck/{n}"
    side = "left" if n % 2 else "right"
    yield Control(f"{deck}/load", Kind.TEXT, f"Track on deck {n}: write a track id to load it", "track id", default="")
    yield trigger(f"{deck}/eject", f"Take the track off deck {n}")
    yield toggle(f"{deck}/play", f"Deck {n} plays (1) or pauses (0)")
    yield trigger(f"{deck}/stop", f"Stop deck {n} and return to the start of the track")
    yield Control(
        f"{deck}/position", Kind.CONTINUOUS, f"Place in the track on deck {n}; write it to jump", "s", 0.0, None, 0.0,
        access=Access.TELEMETRY_WRITE,
    )  # fmt: skip
    yield Control(f"{deck}/rate", Kind.CONTINUOUS, f"Speed of deck {n}; 1 is as recorded", "ratio", 0.25, 4.0, 1.0)
    yield Control(
        f"{deck}/pitch_fader",
        Kind.CONTINUOUS,
        f"Pitch fader of deck {n}: rate = 1 + fader x pitch range",
        "",
        -1.0,
        1.0,
        0.0,
        curve=Curve.CENTRED,
    )
    yield Control(
        f"{deck}/pitch_range",
        Kind.CHOICE,
        f"How far the pitch fader of deck {n} reaches",
        "ratio",
        default="0.08",
        choices=("0.06", "0.08", "0.16", "0.5", "1.0"),
    )
    yield level(f"{deck}/volume", f"Channel fader of deck {n}")
    yield Control(
        f"{deck}/trim_db", Kind.CONTINUOUS, f"Trim of deck {n} before the fader", "dB", -24.0, 12.0, 0.0,
        curve=Curve.CENTRED,
    )  # fmt: skip
    yield Control(
        f"{deck}/assign",
        Kind.CHOICE,
        f"Crossfader side of deck {n}",
        default=side,
        choices=CROSSFADER_SIDES,
    )
    yield Control(
        f"{deck}/source",
        Kind.CHOICE,
        f"Deck {n} plays its stems where they are ready, or the mix",
        default="stems",
        choices=DECK_SOURCES,
    )
    yield Control(
        f"{deck}/duration", Kind.CONTINUOUS, f"Length of the track on deck {n}", "s", 0.0, None, 0.0,
        access=Access.READ,
    )  # fmt: skip
    yield Control(f"{deck}/title", Kind.TEXT, f"Title of the track on deck {n}", default="", access=Access.READ)
    yield Control(f"{deck}/artist", Kind.TEXT, f"Artist of the track on deck {n}", default="", access=Access.READ)
    yield Control(
        f"{deck}/status",
        Kind.CHOICE,
        f"What deck {n} is doing with its track",
        default="empty",
        choices=("empty", "loading", "ready", "failed"),
        access=Access.READ,
    )
    yield Control(
        f"{deck}/gap",
        Kind.TOGGLE,
        f"1 while deck {n} plays the mix because the stems asked for are not ready here",
        "",
        0,
        1,
        0,
        access=Access.READ,
    )
    yield telemetry(f"{deck}/level", f"Peak level of deck {n} after its fader", "gain", 0.0, None)
