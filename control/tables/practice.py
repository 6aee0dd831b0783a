"""The rows of practising: loops by section, bar and time, click, count-in, speed trainer, stems that are mute in part.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator
from typing import Final

from audio.units import CLICK_OUTPUTS
from control.control import Access, Control, Curve, Kind, toggle, trigger

MODES: Final = ("dj", "practice")
TRAINED_BY: Final = ("passes", "clean")


def _act(path: str, description: str, unit: str, minimum: float, maximum: float | None) -> Control:
    """Return a number that acts each time it is written and remembers nothing."""
    return Control(path, Kind.CONTINUOUS, description, unit, minimum, maximum, minimum, access=Access.WRITE)


def _number(path: str, description: str, unit: str, minimum: float, maximum: float, default: float) -> Control:
    return Control(path, Kind.CONTINUOUS, description, unit, minimum, maximum, default)


def _count(path: str, description: str) -> Control:
    return Control(path, Kind.CONTINUOUS, description, "", 0.0, None, 0.0, access=Access.READ)


def practice_rows(n: int) -> Iterator[Control]:
    """Yield the practice rows of deck `n` (from 1)."""
    deck, of = f"/deck/{n}", f"deck {n}"
    loop = f"{deck}/loop"
    yield _number(
        f"{loop}/section", f"Write the number of a section, from 1, to loop it on {of}; 0 where the loop is none", "",
        0.0, 999.0, 0.0,
    )  # fmt: skip
    yield _number(f"{loop}/bars", f"Write it to loop this many bars of {of}, from the bar that plays", "bars",
                  1.0, 64.0, 4.0)  # fmt: skip
    yield _act(f"{loop}/bar", f"Loop {of} from this bar on, the first is 1, for as many as loop/bars says", "bar",
               1.0, 9999.0)  # fmt: skip
    yield _number(f"{loop}/preroll", f"Beats by which each pass of {of} begins before its loop", "beats",
                  0.0, 16.0, 0.0)  # fmt: skip
    yield trigger(f"{loop}/again", f"Play {of} from the beginning of its loop, counting in; without one, of the track")
    yield _count(f"{loop}/passes", f"How often the loop of {of} has come round")
    yield from _click_rows(n)
    yield _number(f"{deck}/countin", f"Clicks before {of} starts; 0 starts at once", "beats", 0.0, 16.0, 0.0)
    yield toggle(f"{deck}/countin/passes", f"Count in before each pass of the loop of {of}, too")
    yield from _trainer_rows(n)
    yield _number(f"{deck}/zoom", f"How much of {of} the close view of its waveform shows", "s", 0.5, 600.0, 8.0)


def _click_rows(n: int) -> Iterator[Control]:
    click, of = f"/deck/{n}/click", f"the click of deck {n}"
    yield toggle(click, f"Click on the beat grid of deck {n} while it plays")
    yield Control(f"{click}/volume", Kind.CONTINUOUS, f"Volume of {of} and of its count-in", "gain", 0.0, 1.0, 0.5,
                  curve=Curve.AUDIO)  # fmt: skip
    yield toggle(f"{click}/accent", f"A higher tone of {of} on the first beat of a bar", 1)
    yield Control(f"{click}/divide", Kind.CHOICE, f"How many of {of} a beat has", default="1",
                  choices=("1", "2", "3", "4"))  # fmt: skip
    yield _number(f"{click}/bar", f"Beats that a bar has, for {of} and for loops in bars", "beats", 1.0, 16.0, 4.0)
    yield Control(f"{click}/output", Kind.CHOICE, f"Where {of} is heard", default="master", choices=CLICK_OUTPUTS)


def _trainer_rows(n: int) -> Iterator[Control]:
    trainer, of = f"/deck/{n}/trainer", f"the speed trainer of deck {n}"
    yield toggle(f"{trainer}/on", f"Start {of}: the loop begins at trainer/start and gets faster by itself")
    yield _number(f"{trainer}/start", f"Speed that {of} begins with", "ratio", 0.25, 4.0, 0.7)
    yield _number(f"{trainer}/stop", f"Speed that {of} ends with; below the start it gets slower", "ratio",
                  0.25, 4.0, 1.0)  # fmt: skip
    yield _number(f"{trainer}/step", f"How much the speed of {of} changes at a time", "ratio", 0.005, 1.0, 0.05)
    yield _number(f"{trainer}/every", f"Passes of the loop before {of} changes the speed", "passes", 1.0, 100.0, 2.0)
    yield Control(f"{trainer}/by", Kind.CHOICE, f"What {of} goes by: passes made, or only passes marked clean",
                  default="passes", choices=TRAINED_BY)  # fmt: skip
    yield trigger(f"{trainer}/clean", f"This pass is clean: {of} takes the next speed at its end")
    yield trigger(f"{trainer}/missed", f"This pass is not: {of} goes back one step at its end")
    yield _count(f"{trainer}/passes", f"Passes made under {of} at the speed it has")
    yield Control(f"{trainer}/next", Kind.CONTINUOUS, f"Speed of the next pass under {of}; 0 is the same", "ratio",
                  0.0, 4.0, 0.0, access=Access.READ)  # fmt: skip


def stem_practice_rows(n: int, stem: str) -> Iterator[Control]:
    """Yield the rows of where one stem of deck `n` (from 1) is mute."""
    mutes, of = f"/deck/{n}/stem/{stem}/mutes", f"the {stem} on deck {n}"
    yield Control(mutes, Kind.TEXT, f"Where {of} is mute, in seconds: 12.5-20 40-52.25", default="")
    yield Control(f"{mutes}/add", Kind.TEXT, f"Mute {of} there too: 12.5-20", default="", access=Access.WRITE)
    yield trigger(f"{mutes}/loop", f"Mute {of} in the loop of the deck")
    yield _act(f"{mutes}/section", f"Mute {of} in this section, counted from 1", "", 1.0, 999.0)
    yield _act(f"{mutes}/remove", f"Let {of} be heard again in the stretch that holds this place", "s", 0.0, None)
    yield trigger(f"{mutes}/clear", f"Let {of} be heard everywhere")


def mode_rows() -> Iterator[Control]:
    """Yield the row of what the session is for."""
    text = "In practice mode a song comes back as it was left, and passes are logged"
    yield Control("/session/mode", Kind.CHOICE, text, default="dj", choices=MODES)
