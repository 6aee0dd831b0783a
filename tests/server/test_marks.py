"""Grids and marks as values: what an edit does, and that it can be undone by hand."""

import numpy as np
import pytest

from server.marks import Grid, grid_of, tapped_grid

EVEN = Grid(tuple(0.25 + 0.5 * n for n in range(64)), 2)


def test_an_analysis_becomes_a_grid_that_counts_from_its_first_downbeat() -> None:
    grid = grid_of([0.5, 1.0, 1.51, 2.0], [1.5])
    assert grid == Grid((0.5, 1.0, 1.51, 2.0), 2)


@pytest.mark.parametrize("beats", [[], [1.0], [1.0, 1.01]])
def test_without_a_pulse_there_is_no_grid(beats: list[float]) -> None:
    assert grid_of(beats) is None


def test_halve_and_double_keep_the_downbeat() -> None:
    halved, doubled = EVEN.halved(), EVEN.doubled()
    assert halved.beats[1] - halved.beats[0] == 1.0 and halved.beats[halved.origin] == EVEN.beats[EVEN.origin]
    assert doubled.beats[1] - doubled.beats[0] == 0.25 and doubled.beats[doubled.origin] == EVEN.beats[EVEN.origin]
    assert doubled.halved() == EVEN


def test_a_grid_is_never_halved_or_doubled_out_of_reason() -> None:
    grid = EVEN
    for _ in range(20):
        grid = grid.halved()
    assert grid.beats[1] - grid.beats[0] <= 4.0
    for _ in range(20):
        grid = grid.doubled()
    assert grid.beats[1] - grid.beats[0] >= 0.1


def test_shift_anchor_and_downbeat() -> None:
    assert EVEN.shifted(0.01).beats[0] == pytest.approx(0.26)
    assert min(abs(beat - 7.3) for beat in EVEN.anchored(7.3).beats) < 1e-9
    assert EVEN.with_downbeat(3.30).origin == 6 % 4
    assert EVEN.shifted(0.1).shifted(-0.1).beats == pytest.approx(EVEN.beats)


@pytest.mark.parametrize("bpm", [60, 127.5, 174])
def test_taps_make_an_even_grid(bpm: float) -> None:
    step = 60 / bpm
    taps = 10.0 + step * np.arange(16) + np.random.default_rng(1).normal(0, 0.01, 16)
    grid = tapped_grid(taps.tolist(), 60.0)
    assert grid is not None
    assert grid.beats[1] - grid.beats[0] == pytest.approx(step, rel=0.01)
    assert min(abs(beat - 10.0) for beat in grid.beats) < 0.02
    assert grid.beats[0] < step and grid.beats[-1] >= 60.0 - step


@pytest.mark.parametrize("taps", [[], [1.0, 2.0, 3.0], [1.0, 1.01, 1.02, 1.03], [0.0, 9.0, 18.0, 27.0]])
def test_too_few_taps_or_none_that_make_a_tempo(taps: list[float]) -> None:
    assert tapped_grid(taps, 60.0) is None
