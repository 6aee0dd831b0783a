"""What stems tell beyond the mix: on songs whose stems and truth are known."""

from __future__ import annotations

import numpy as np
import pytest

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.analysis import separated
from pipeline.analysis.track import analyse
from tests.pipeline.analysis import music

RATE = MODEL_RATE


@pytest.fixture(scope="module")
def song() -> songs.Rendered:
    return songs.render(songs.shortened(songs.NIGHT_FERRY, 16))


def hits(found: list[float], true: np.ndarray) -> float:
    if not found:
        return 0.0
    nearest = np.abs(np.subtract.outer(true, np.array(found))).min(axis=1)
    return 2.0 * float(np.sum(nearest < 0.05)) / (len(found) + len(true))


def test_beats_come_from_the_drums(song: songs.Rendered) -> None:
    """A mix whose loud harmony is struck off the beat: the mix alone is led astray, its drums are not."""
    piece = music.on_clock(songs.shortened(songs.NIGHT_FERRY, 16), music.steady(104.0), "steady")
    half = round(0.5 * 60.0 / 104.0 * RATE)
    other = 6.0 * np.roll(piece.stems["other"], half, axis=1)
    stems = {"drums": 0.3 * piece.stems["drums"], "other": other.astype(np.float32)}
    mix = (stems["drums"] + other).astype(np.float32)
    with_stems = analyse(mix, RATE, ["tempo"], stems=stems)
    assert with_stems["from_stems"] == ["drums", "other"]
    assert hits(with_stems["beats"], piece.beats) > 0.95
    assert with_stems["tempo"] == pytest.approx(104.0, rel=0.01)


def test_chords_and_key_are_those_of_the_harmony(song: songs.Rendered) -> None:
    """Drums with a loud tuned tom, and a voice beside the harmony, change nothing once stems are there."""
    rng = np.random.default_rng(3)
    time = np.arange(song.mix.shape[1]) / RATE
    tom = 0.5 * np.sin(2 * np.pi * 155.6 * time) + 0.3 * np.sin(2 * np.pi * 311.1 * time)
    drums = (song.stems["drums"] + tom + 0.02 * rng.standard_normal(song.mix.shape)).astype(np.float32)
    harmony = song.mix - song.stems["drums"] - song.stems["vocals"]
    alone = analyse(harmony, RATE, ["key", "chords"])
    mixed = (harmony + drums + song.stems["vocals"]).astype(np.float32)
    found = analyse(mixed, RATE, ["key", "chords"], stems={"drums": drums, "vocals": song.stems["vocals"]})
    assert found["key"] == alone["key"]
    names = [chord["name"] for chord in found["chords"]]
    wanted = {chord["name"] for chord in alone["chords"]}
    assert len(set(names) & wanted) >= 0.75 * len(wanted)


def test_where_somebody_sings() -> None:
    time = np.arange(int(6.0 * RATE)) / RATE
    voice = np.zeros((2, len(time)), np.float32)
    for start, stop in ((0.5, 1.5), (1.8, 2.5), (4.0, 5.0)):
        inside = (time >= start) & (time < stop)
        voice[:, inside] = 0.2 * np.sin(2 * np.pi * 220.0 * time[inside])
    voice[:, (time > 3.2) & (time < 3.21)] = 0.3  # a click is nobody
    voice += 1e-4 * np.random.default_rng(1).standard_normal(voice.shape).astype(np.float32)
    found = separated.voiced(voice, RATE)
    assert [(round(a, 1), round(b, 1)) for a, b in found] == [(0.5, 2.5), (4.0, 5.0)]
    assert separated.voiced(np.zeros((2, RATE), np.float32), RATE) == ()
    assert separated.voiced(np.zeros((2, 10), np.float32), RATE) == ()


def test_without_stems_nothing_is_said_of_voices(song: songs.Rendered) -> None:
    found = analyse(song.mix, RATE, ["vocals", "tempo"])
    assert found["vocals"] is None and found["from_stems"] == []
    heard = analyse(song.mix, RATE, ["vocals"], stems={"vocals": song.stems["vocals"]})
    assert heard["vocals"] and all(part["start"] < part["end"] for part in heard["vocals"])


def test_silent_short_and_odd_stems_do_no_harm(song: songs.Rendered) -> None:
    plain = analyse(song.mix, RATE, ["tempo", "key", "chords", "drums"])
    nothing = np.zeros((2, song.mix.shape[1] // 3), np.float32)
    found = analyse(song.mix, RATE, ["tempo", "key", "chords", "drums"], stems={"drums": nothing, "vocals": nothing})
    assert found["beats"] == plain["beats"] and found["key"] == plain["key"]
    assert analyse(song.mix, RATE, ["tempo"], cancelled=lambda: True, stems={"drums": nothing}) == {}
