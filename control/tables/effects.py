"""The rows of the effects: two units a deck, one on the master, and what of each stem goes through them.

Owner: nobody changes them at run time. Units: as each row says; what a parameter does depends on the type.
"""

from collections.abc import Iterator

from audio.units import EFFECT_PARAMS, EFFECT_UNITS, EFFECTS
from control.control import Control, Kind, level, toggle


def _unit(path: str, of: str, default: str) -> Iterator[Control]:
    yield Control(f"{path}/type", Kind.CHOICE, f"What {of} is", default=default, choices=EFFECTS)
    yield toggle(f"{path}/on", f"Let the sound into {of}; switched off, echo and reverb ring out")
    yield Control(f"{path}/wet", Kind.CONTINUOUS, f"How much is heard of {of}; 0 is nothing", "", 0.0, 1.0, 0.5)
    for n in range(1, EFFECT_PARAMS + 1):
        yield Control(f"{path}/param/{n}", Kind.CONTINUOUS, f"Parameter {n} of {of}, see effects.md", "", 0.0, 1.0, 0.5)


def deck_effect_rows(n: int) -> Iterator[Control]:
    """Yield the effects of deck `n` (from 1)."""
    for unit in range(EFFECT_UNITS):
        yield from _unit(f"/deck/{n}/fx/{unit + 1}", f"effect {unit + 1} of deck {n}", EFFECTS[unit])


def stem_effect_rows(n: int, stem: str) -> Iterator[Control]:
    """Yield how much of a stem of deck `n` (from 1) goes through the deck's effects."""
    yield level(f"/deck/{n}/stem/{stem}/send", f"How much of the {stem} on deck {n} goes through the deck's effects")


def mixer_effect_rows() -> Iterator[Control]:
    """Yield the effect on the master."""
    yield from _unit("/mixer/fx", "the effect on the master", EFFECTS[0])
