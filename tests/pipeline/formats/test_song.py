import random

import pytest

from pipeline.formats.song import GRID_TOLERANCE_S, Song, grid_of
from tests.pipeline.formats.songs import drifting, steady


def off_the_grid(song: Song) -> float:
    """Return how far the worst beat lies from its place in the grid, in seconds."""
    grid = grid_of(song)
    worst = 0.0
    for index, at in enumerate(song.beats):
        stretch = next(s for s in reversed(grid.stretches) if s.beat <= index)
        worst = max(worst, abs(stretch.start_s + (index - stretch.beat) * 60.0 / stretch.bpm - at))
    return worst


def test_steady_music_is_one_stretch() -> None:
    grid = grid_of(steady(128.0))
    assert len(grid.stretches) == 1
    assert grid.stretches[0].bpm == pytest.approx(128.0)
    assert grid.stretches[0].in_bar == 1


@pytest.mark.parametrize("seed", range(5))
def test_every_beat_lies_within_tolerance(seed: int) -> None:
    chance = random.Random(seed)
    at, beats = 0.3, []
    for _ in range(300):
        beats.append(at)
        at += 60.0 / chance.uniform(110.0, 112.0) + chance.gauss(0.0, 0.001)
    song = Song("Live", beats=tuple(beats), downbeats=tuple(beats[::4]), duration_s=at)
    assert off_the_grid(song) <= GRID_TOLERANCE_S + 1e-9
    assert len(grid_of(song).stretches) < 300


def test_a_drift_takes_few_stretches() -> None:
    song = drifting()
    assert off_the_grid(song) <= GRID_TOLERANCE_S + 1e-9
    assert 2 <= len(grid_of(song).stretches) <= 30


def test_stretches_meet() -> None:
    grid = grid_of(drifting())
    for before, after in zip(grid.stretches, grid.stretches[1:], strict=False):
        assert before.start_s + (after.beat - before.beat) * 60.0 / before.bpm == pytest.approx(after.start_s, abs=1e-9)


def test_beats_and_seconds_agree() -> None:
    song = drifting()
    grid = grid_of(song)
    for stretch in grid.stretches:
        assert grid.beat_at(stretch.start_s) == pytest.approx(stretch.beat)
    assert grid.beat_at(-1.0) < 0.0
    assert grid.beat_at(song.duration_s) > len(song.beats) - 1


def test_a_pickup_is_counted() -> None:
    grid = grid_of(steady(pickup=3))
    assert grid.first_downbeat == 3
    assert grid.stretches[0].in_bar == 2
    assert (grid.first_downbeat + grid.bar_shift) % grid.beats_per_bar == 0
    assert grid.beat_at(0.0) + grid.bar_shift >= 0.0


def test_without_beats_the_tempo_makes_a_grid() -> None:
    assert grid_of(Song("x", tempo=90.0)).stretches[0].bpm == 90.0
    assert grid_of(Song("x")).stretches == ()
    with pytest.raises(ValueError, match="no beat grid"):
        grid_of(Song("x")).beat_at(1.0)
