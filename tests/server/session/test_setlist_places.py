"""Places in a track by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.marks import Grid, HotCue
from server.practice import Section
from server.session.setlist_places import TrackView, bar_line, beat_at, find_place, read_place, tempo_of, time_of_beat

GRID = Grid(tuple(0.25 + 0.5 * n for n in range(64)), 1)
TRACK = TrackView(
    30.0,
    GRID,
    3.0,
    (HotCue(1, 4.0, None, "Intro"), HotCue(3, 8.0, None, "2")),
    (Section(0.0, 8.0, "verse"), Section(8.0, 16.0, "Chorus"), Section(16.0, 30.0, "verse")),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (12.5, 12.5), (0, 0.0), ("12.5", 12.5), ("12.5 s", 12.5), ("0:07.5", 7.5), ("end", 30.0), ("end - 2 s", 28.0),
        ("bar 1", 0.75), ("bar 2", 2.75), ("bar 2.3", 3.75), ("bar 1 - 1 beat", 0.25), ("bar 1 + 2 bars", 4.75),
        ("cue", 3.0), ("cue 1", 4.0), ("cue intro", 4.0), ("cue 3 + 1 bar", 10.0), ("cue 4", None), ("cue Drop", None),
        ("section verse", 0.0), ("section verse #2", 16.0), ("section chorus end", 16.0), ("section verse #3", None),
        ("section chorus + 4 beats", 10.0), ("section bridge", None), ("bar 500", 30.0), ("0 - 5 s", 0.0),
    ],
)  # fmt: skip
def test_a_place_is_found_where_it_is(text, found):
    place = read_place(text)
    assert place is not None
    assert find_place(place, TRACK) == (None if found is None else pytest.approx(found))


@pytest.mark.parametrize(
    "text", ["", "bar", "bar 0", "bar x", "-1", -1, True, None, "1:75", "section", "cue + bars", []]
)
def test_what_names_no_place_is_none(text):
    assert read_place(text) is None


def test_bars_need_a_grid():
    bare = TrackView(30.0)
    for text in ("bar 3", "2 + 1 bar", "cue + 2 beats"):
        assert find_place(read_place(text), bare) is None
    assert find_place(read_place("2 + 1 s"), bare) == 3.0


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_none(text):
    place = read_place(text)
    assert place is None or str(place)


@given(st.floats(-5.0, 60.0))
def test_beats_and_times_are_each_others_inverse(position_s):
    assert time_of_beat(GRID, beat_at(GRID, position_s)) == pytest.approx(position_s, abs=1e-9)


def test_bar_lines_and_tempo():
    assert bar_line(GRID, 3.0) == pytest.approx(2.75) and bar_line(GRID, 3.0, after=True) == pytest.approx(4.75)
    assert bar_line(GRID, 2.75, after=True) == pytest.approx(2.75) and bar_line(GRID, 0.0) == pytest.approx(0.75)
    assert tempo_of(GRID) == pytest.approx(120.0)
