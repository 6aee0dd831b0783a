"""Automatic cues: where a performer would set them, told from the sections.

Owner: pure functions. Units: seconds; confidence 0..1.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.analysis.sections import Section

KINDS: Final = ("mix_in", "intro_end", "drop", "break", "build", "mix_out")
_MOST_EACH: Final = 8


@dataclass(frozen=True, slots=True)
class Cue:
    """A place worth jumping to, always on the first beat of a bar."""

    time: float
    kind: str
    label: str
    confidence: float


def find(sections: tuple[Section, ...], first_downbeat: float) -> tuple[Cue, ...]:
    """The cues, in order of time; () where there are no sections."""
    if not sections:
        return ()
    found = [Cue(first_downbeat, "mix_in", "Mix in", 1.0)]
    if sections[0].label == "intro" and len(sections) > 1:
        found.append(Cue(sections[1].start, "intro_end", "Intro ends", sections[1].confidence))
    for kind in ("drop", "break", "build"):
        named = [section for section in sections[1:] if section.label == kind][:_MOST_EACH]
        for number, section in enumerate(named, 1):
            label = kind.capitalize() if len(named) == 1 else f"{kind.capitalize()} {number}"
            found.append(Cue(section.start, kind, label, section.confidence))
    if len(sections) > 1:
        last = sections[-1]
        sure = last.confidence if last.label == "outro" else 0.5 * last.confidence
        found.append(Cue(last.start, "mix_out", "Mix out", sure))
    return tuple(sorted(found, key=lambda cue: cue.time))
