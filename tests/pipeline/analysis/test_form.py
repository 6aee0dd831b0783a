"""Sections, chords, drums, loops and cues of a song whose score is known."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipeline import songs
from pipeline.analysis import chords, drums, sections
from pipeline.analysis.track import analyse

RATE = 44_100


def _part(label: str, bars: int, plays: str) -> songs.Section:
    return songs.Section(label, bars, frozenset(plays.split()))


SONG = replace(
    songs.COPPER_LINE,
    sections=(
        _part("intro", 8, "kick hats"),
        _part("verse", 8, "kick snare hats bass keys voice"),
        _part("break", 8, "pad keys"),
        _part("drop", 16, "kick snare hats ride bass keys pad"),
        _part("outro", 8, "kick hats"),
    ),
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return analyse(songs.render(SONG).mix, RATE, ["structure", "chords", "drums", "loops", "cues", "tempo"])


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return songs.truth(SONG)


def test_the_form_is_found_with_its_names(found: dict[str, Any], truth: dict[str, Any]) -> None:
    told = [(section["label"], section["bars"]) for section in found["sections"]]
    assert [label for label, _ in told] == ["intro", "verse", "break", "drop", "outro"]
    for section, true in zip(found["sections"], truth["sections"], strict=True):
        assert section["start"] == pytest.approx(true["start"], abs=0.02)
        assert section["label"] in sections.LABELS and 0.0 <= section["confidence"] <= 1.0


def test_sections_meet_and_lie_on_bars(found: dict[str, Any]) -> None:
    parts = found["sections"]
    assert parts[0]["start"] == 0.0 and parts[-1]["end"] == pytest.approx(found["duration"], abs=1e-3)
    for before, after in pairwise(parts):
        assert before["end"] == after["start"]
        assert min(abs(after["start"] - bar) for bar in found["downbeats"]) < 1e-3


def test_cues_stand_where_the_form_changes(found: dict[str, Any], truth: dict[str, Any]) -> None:
    at = {cue["kind"]: cue["time"] for cue in found["cues"]}
    starts = {section["label"]: section["start"] for section in truth["sections"]}
    assert at["intro_end"] == pytest.approx(starts["verse"], abs=0.02)
    assert at["break"] == pytest.approx(starts["break"], abs=0.02)
    assert at["drop"] == pytest.approx(starts["drop"], abs=0.02)
    assert at["mix_out"] == pytest.approx(starts["outro"], abs=0.02)
    assert [cue["time"] for cue in found["cues"]] == sorted(cue["time"] for cue in found["cues"])


def test_chords_are_those_of_the_score(found: dict[str, Any], truth: dict[str, Any]) -> None:
    for chord in truth["chords"]:
        bar = int(chord["start"] / (240.0 / SONG.tempo) + 0.5)
        if not {"keys", "pad"} & SONG.sections[_section_of(bar)].plays:
            continue  # drums alone have no chord
        middle = (chord["start"] + chord["end"]) / 2
        told = next(c["name"] for c in found["chords"] if c["start"] <= middle <= c["end"])
        assert told == chord["name"]


def _section_of(bar: int) -> int:
    ends = np.cumsum([section.bars for section in SONG.sections])
    return int(np.searchsorted(ends, bar, side="right"))


def test_kicks_are_found_where_they_were_struck(found: dict[str, Any], truth: dict[str, Any]) -> None:
    kicks = np.array([hit["time"] for hit in found["drum_hits"] if hit["kind"] == "kick"])
    beats = np.array(truth["beats"])
    played = beats[(beats < truth["sections"][2]["start"]) | (beats >= truth["sections"][3]["start"])]
    hit = [np.abs(kicks - beat).min() < 0.03 for beat in played]
    assert np.mean(hit) > 0.95
    assert all(0.0 < hit["strength"] <= 1.0 and hit["kind"] in drums.KINDS for hit in found["drum_hits"])
    times = [hit["time"] for hit in found["drum_hits"]]
    assert times == sorted(times)


def test_loops_are_whole_bars_within_a_section(found: dict[str, Any]) -> None:
    bar_s = 240.0 / SONG.tempo
    assert found["loops"] and len(found["loops"]) <= 12
    scores = [loop["score"] for loop in found["loops"]]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.9
    for loop in found["loops"]:
        assert loop["end"] - loop["start"] == pytest.approx(loop["bars"] * bar_s, rel=0.01)
        inside = [s for s in found["sections"] if s["start"] - 1e-3 <= loop["start"] and loop["end"] <= s["end"] + 1e-3]
        assert inside and inside[0]["label"] == loop["label"]
    assert any(loop["bars"] % len(SONG.chords) == 0 for loop in found["loops"][:3])


@pytest.mark.parametrize("suffix", ["", "m", "dim"])
def test_every_triad_is_told_by_its_own_notes(suffix: str) -> None:
    steps = {"": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6)}[suffix]
    for root in range(12):
        chroma = np.zeros((12, 40), np.float32)
        chroma[[(root + step) % 12 for step in steps], :20] = 1.0
        told = chords.find(chroma, 0.1, np.arange(0.0, 4.01, 0.5))
        assert [chord.name for chord in told] == [chords.NAMES[root] + suffix, chords.NONE]
        assert told[0].end == told[1].start == pytest.approx(2.0)


def test_silence_has_no_form() -> None:
    quiet = analyse(np.zeros((2, RATE * 20), np.float32), RATE, ["all"])
    assert quiet["sections"] == quiet["cues"] == quiet["loops"] == quiet["drum_hits"] == []
    assert {chord["name"] for chord in quiet["chords"]} <= {chords.NONE}
