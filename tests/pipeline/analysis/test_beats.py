"""Tempo and beats on clocks that are known: machines, swing, drift, hands, changes, half-time and three in a bar."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline import songs
from pipeline.analysis.track import analyse
from tests.pipeline.analysis import music

RATE = 44_100


def apart(found: list[float], truth: np.ndarray) -> np.ndarray:
    """Distance in seconds of each true time from the nearest found one."""
    times = np.array(found)
    return np.array([np.abs(times - t).min() for t in truth])


@pytest.mark.parametrize("tempo", [92.0, 128.0])
def test_a_machine_gets_a_rigid_grid_to_a_fraction_of_a_frame(tempo: float) -> None:
    piece = music.on_clock(songs.shortened(songs.COPPER_LINE, 16), music.steady(tempo), "steady")
    found = analyse(piece.mix, RATE, ["tempo"])
    grid = found["beat_grid"]
    assert grid["kind"] == "steady" and grid["steady"] and len(grid["segments"]) == 1
    assert found["tempo"] == pytest.approx(tempo, rel=3e-4)
    assert np.median(apart(found["beats"], piece.beats)) < 0.004  # a step of the transform is 0.0116
    gaps = np.diff(found["beats"])
    assert np.ptp(gaps[1:]) < 3e-4


def test_a_drifting_tempo_is_followed() -> None:
    piece = music.on_clock(songs.shortened(songs.COPPER_LINE, 30), music.drifting(120.0, 0.04, 80.0), "drift")
    found = analyse(piece.mix, RATE, ["tempo"])
    assert found["beat_grid"]["kind"] != "steady" and len(found["beat_grid"]["segments"]) > 2
    assert np.percentile(apart(found["beats"], piece.beats), 90) < 0.02
    tempi = [part["tempo"] for part in found["beat_grid"]["segments"]]
    assert max(tempi) / min(tempi) > 1.04


def test_a_hand_is_followed() -> None:
    song = songs.shortened(songs.NIGHT_FERRY, 30)
    piece = music.on_clock(song, music.by_hand(120.0, 120, 120), "hand")
    found = analyse(piece.mix, RATE, ["tempo"])
    assert found["beat_grid"]["kind"] in ("following", "pieces") and len(found["beat_grid"]["segments"]) > 1
    assert np.percentile(apart(found["beats"], piece.beats), 90) < 0.025


def test_a_change_of_tempo_makes_two_pieces() -> None:
    clock = music.changing(((64, 90.0), (96, 97.2)))
    piece = music.on_clock(songs.shortened(songs.COPPER_LINE, 40), clock, "pieces")
    found = analyse(piece.mix, RATE, ["tempo"])
    segments = found["beat_grid"]["segments"]
    assert found["beat_grid"]["kind"] == "pieces" and len(segments) == 2
    assert [part["tempo"] for part in segments] == [pytest.approx(90.0, rel=2e-3), pytest.approx(97.2, rel=2e-3)]
    assert segments[1]["start"] == pytest.approx(clock(64), abs=0.7)
    assert np.percentile(apart(found["beats"], piece.beats), 90) < 0.01


@pytest.mark.parametrize("tempo", [120.0])
def test_swing_does_not_move_the_beats(tempo: float) -> None:
    piece = music.on_clock(songs.shortened(songs.NIGHT_FERRY, 16), music.swung(tempo), "swung")
    found = analyse(piece.mix, RATE, ["tempo"])
    assert found["tempo"] == pytest.approx(tempo, rel=1e-3)
    assert np.median(apart(found["beats"], piece.beats)) < 0.01


def test_half_time_tells_the_other_octave_too() -> None:
    piece = music.half_time(140.0, 16)
    found = analyse(piece.mix, RATE, ["tempo"])
    told = {found["tempo"], found["tempo_other_octave"]["tempo"]}
    assert {round(tempo) for tempo in told} == {70, 140}
    assert 0.0 <= found["tempo_other_octave"]["confidence"] <= found["tempo_confidence"] <= 1.0


def test_three_in_a_bar() -> None:
    piece = music.waltz(140.0, 16)
    found = analyse(piece.mix, RATE, ["tempo"])
    assert found["beats_per_bar"] == 3
    assert np.median(apart(found["downbeats"], piece.downbeats)) < 0.01


@pytest.mark.parametrize("song", songs.SONGS, ids=lambda song: song.title)
def test_all_twenty_four_keys(song: songs.Song) -> None:
    for semitones in (1, 4, 6, 11):
        moved, name = music.in_key(song, semitones)
        assert analyse(songs.render(moved).mix, RATE, ["key"])["key"] == name


def test_a_song_cut_at_any_place_keeps_its_grid() -> None:
    mix = songs.render(replace(songs.shortened(songs.COPPER_LINE, 12), tempo=124.0)).mix
    for cut in (0, 5_003, 12_345):
        found = analyse(mix[:, cut:], RATE, ["tempo"])
        off = (np.array(found["beats"]) + cut / RATE) / (60.0 / 124.0)
        assert np.median(np.abs(off - np.rint(off))) * 60.0 / 124.0 < 0.006
