"""What a musician practises: sections of a track, where stems are mute, how a song was left, passes that were made.

Values that the session and the library share. Owner: whoever built them; frozen. Pure.
Units: seconds of the track; speed as ratio.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from control.control import Value

REGIONS: Final = 32
"""Most stretches in which one stem is mute."""
SHORTEST_S: Final = 0.02
"""No such stretch is shorter."""
SECTIONS: Final = 999

Region = tuple[float, float]


class BadRegion(ValueError):
    """A stretch is written as two times in seconds with a dash between, 12.5-20, and ends after it begins."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the track that the analysis has found; `label` is verse, chorus and so on."""

    start_s: float
    end_s: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Practice:
    """How a song was left: controls of its deck that are not as they were made, by their path below the deck."""

    controls: Mapping[str, Value] = field(default_factory=dict)
    position_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is known of a track for practising; no `practice` where nobody has practised it."""

    sections: tuple[Section, ...] = ()
    practice: Practice | None = None


NO_REHEARSAL: Final = Rehearsal()


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of a loop; `section` is what it is called, "" where it has no name."""

    start_s: float
    end_s: float
    rate: float
    section: str = ""


def sections_of(found: object) -> tuple[Section, ...]:
    """Return the sections of an analysis; what is none is passed over."""
    kept = []
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict):
            start, end = seconds_of(item.get("start")), seconds_of(item.get("end"))
            if start is not None and end is not None and end > start:
                kept.append(Section(start, end, str(item.get("label") or "")[:120]))
    return tuple(kept[:SECTIONS])


def seconds_of(value: Any) -> float | None:
    """Return a place in seconds that an analysis tells; None for what is none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0.0
    return float(value) if fits else None


def name_of(sections: tuple[Section, ...], start_s: float, end_s: float) -> tuple[int, str]:
    """Return the number, from 1, and the name of the section that a loop is; 0 and "" for none.

    Sections of one label are told apart by their order: `chorus 2`.
    """
    for number, section in enumerate(sections, start=1):
        if abs(section.start_s - start_s) < 0.05 and abs(section.end_s - end_s) < 0.05:
            same = sum(other.label == section.label for other in sections[:number])
            alone = sum(other.label == section.label for other in sections) == 1
            label = section.label or "section"
            return number, label if alone else f"{label} {same}"
    return 0, ""


def read_regions(text: str) -> tuple[Region, ...]:
    """Return the stretches of a text like `12.5-20 40-52.25`, joined and in order. Raises BadRegion."""
    found: list[Region] = []
    for word in text.replace(",", " ").split():
        start, dash, end = word.partition("-")
        try:
            region = (float(start), float(end))
        except ValueError:
            raise BadRegion(f"{word[:40]!r} is not a stretch like 12.5-20, in seconds") from None
        if not dash or not all(map(math.isfinite, region)) or not 0.0 <= region[0] < region[1]:
            raise BadRegion(f"{word[:40]!r} is not a stretch like 12.5-20: it ends after it begins")
        found.append(region)
    return joined(found)


def joined(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Return the same stretches in order, those that touch as one, none too short. Raises BadRegion for too many."""
    made: list[Region] = []
    for start, end in sorted(regions):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    kept = tuple(region for region in made if region[1] - region[0] >= SHORTEST_S)
    if len(kept) > REGIONS:
        raise BadRegion(f"A stem is mute in {REGIONS} stretches at most")
    return kept


def write_regions(regions: Iterable[Region]) -> str:
    """Return stretches as `read_regions` reads them, to the tenth of a millisecond."""
    return " ".join(f"{_short(start)}-{_short(end)}" for start, end in regions)


def _short(seconds: float) -> str:
    return f"{seconds:.4f}".rstrip("0").rstrip(".")
