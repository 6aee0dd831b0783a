"""What the sampler holds: pads, what they play, the steps of a pattern. Values that the session and the library share.

Owner: whoever built them; frozen. Pure.
Units: seconds of the sample; banks and pads count from 0 here, in texts and rows from 1.
"""

import re
from dataclasses import dataclass
from typing import Final

from audio.units import BANKS, LONGEST_SAMPLE_S, PADS, STEM_TYPES, STEPS

NO_STEPS: Final = "." * STEPS
_LOUDEST: Final = 9
_SOURCE: Final = re.compile(
    r"(?P<name>.+?)(?:#(?P<stem>[a-z_]+))?(?:@(?P<start>\d+(?:\.\d+)?)-(?P<stop>\d+(?:\.\d+)?)?)?", re.DOTALL
)
_DECK: Final = re.compile(r"(?P<deck>[1-4])(?:#(?P<stem>[a-z_]+))?")


@dataclass(frozen=True, slots=True)
class PadSource:
    """What a pad plays: a track by id (in scripts also a file's path), the stem or the mix (""), and which stretch, in
    seconds of the track; `stop_s` of None is the track's end."""

    name: str
    stem: str = ""
    start_s: float = 0.0
    stop_s: float | None = None

    def __str__(self) -> str:
        stem = f"#{self.stem}" if self.stem else ""
        if self.start_s == 0.0 and self.stop_s is None:
            return f"{self.name}{stem}"
        stop = "" if self.stop_s is None else f"{self.stop_s:.6f}".rstrip("0").rstrip(".")
        return f"{self.name}{stem}@{f'{self.start_s:.6f}'.rstrip('0').rstrip('.')}-{stop}"


def read_source(text: str) -> PadSource:
    """Return what a pad's source means. Raises ValueError with a sentence."""
    found = _SOURCE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text[:80]!r} names no track: write its id, then #drums for a stem, then @12.5-14 for a part"
        )
    start_s, stop_s = float(found["start"] or 0.0), float(found["stop"]) if found["stop"] else None
    if stop_s is not None and stop_s <= start_s:
        raise ValueError(f"A part of a track ends after it begins, not @{start_s:g}-{stop_s:g}")
    return PadSource(found["name"], _stem(found["stem"]), start_s, stop_s)


def read_deck(text: str) -> tuple[int, str]:
    """Return the deck (from 0) and the stem ("" for the mix) whose loop is meant. Raises ValueError with a sentence."""
    found = _DECK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:80]!r} names no deck: write its number, then #drums for a stem")
    return int(found["deck"]) - 1, _stem(found["stem"])


def _stem(name: str | None) -> str:
    if name and name not in STEM_TYPES:
        raise ValueError(f"{name!r} is no stem: there are {', '.join(STEM_TYPES)}")
    return name or ""


def stretch_of(source: PadSource, duration_s: float) -> tuple[float, float]:
    """Return the stretch of a track of that length that a pad plays, in seconds; at most LONGEST_SAMPLE_S.

    Raises ValueError with a sentence when nothing of the track lies there.
    """
    stop_s = duration_s if source.stop_s is None else min(source.stop_s, duration_s)
    if source.start_s >= stop_s:
        raise ValueError(f"The track ends at {duration_s:.2f} s: nothing of it lies after {source.start_s:g} s")
    return source.start_s, min(stop_s, source.start_s + LONGEST_SAMPLE_S)


@dataclass(frozen=True, slots=True)
class Pad:
    """A pad as the show knows it. `loading` is the number of the load of `wanted` that is on its way, 0 for none;
    `start_s` and `end_s` lie in the sample, an end of 0 is its own. `pfl` is of the show and not kept with the bank."""

    source: str = ""
    name: str = ""
    status: str = "empty"
    duration_s: float = 0.0
    loading: int = 0
    wanted: str = ""
    mode: str = "one-shot"
    choke: str = "0"
    gain: float = 1.0
    pfl: int = 0
    pan: float = 0.0
    pitch: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    quantize: str = "0"
    steps: str = NO_STEPS


PADS_AT_REST: Final = (Pad(),) * (BANKS * PADS)
"""A sampler that nobody has touched: all pads of all banks, bank by bank."""


def read_steps(text: str) -> str:
    """Return a pattern's steps as they are kept, one sign each; what is missing at its end is empty.

    Raises ValueError with a sentence.
    """
    steps = text.strip().replace("x", str(_LOUDEST)).replace("-", ".").replace("0", ".")
    if len(steps) > STEPS or not re.fullmatch(r"[.1-9]*", steps):
        raise ValueError(f"A pattern has up to {STEPS} signs: a dot for none, 1 to 9 (or x) for how hard")
    return steps.ljust(STEPS, ".")


def velocity_of(sign: str) -> float:
    """Return how hard a step is hit, 0 to 1."""
    return 0.0 if sign == "." else int(sign) / _LOUDEST


def sign_of(velocity: float) -> str:
    """Return the sign of a step that is hit so hard."""
    return "." if velocity <= 0.0 else str(min(_LOUDEST, max(1, round(velocity * _LOUDEST))))
