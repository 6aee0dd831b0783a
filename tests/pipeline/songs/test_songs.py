"""The demo songs: their stems are true, their truth is told, and they are the same each time."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline import songs
from pipeline.analysis.key import NAMES

SHORT = [songs.shortened(song, 4) for song in songs.SONGS]


@pytest.fixture(scope="module", params=SHORT, ids=lambda song: song.title)
def rendered(request: pytest.FixtureRequest) -> songs.Rendered:
    return songs.render(request.param)


def test_the_mix_is_the_exact_sum_of_the_stems_with_headroom(rendered: songs.Rendered) -> None:
    assert tuple(rendered.stems) == songs.STEM_NAMES
    total = np.zeros_like(rendered.mix)
    for audio in rendered.stems.values():
        assert audio.dtype == np.float32 and audio.shape == (2, rendered.song.frames)
        np.testing.assert_array_equal(audio * np.float32(2**21), np.rint(audio * np.float32(2**21)))
        total += audio
    np.testing.assert_array_equal(total, rendered.mix)
    assert 0.5 < np.abs(rendered.mix).max() < 1.0


def test_the_same_song_twice_is_the_same_sound(rendered: songs.Rendered) -> None:
    np.testing.assert_array_equal(songs.render(rendered.song).mix, rendered.mix)


def test_every_stem_sounds_and_no_stem_clicks(rendered: songs.Rendered) -> None:
    for name, audio in rendered.stems.items():
        assert np.sqrt(np.mean(audio**2)) > 0.01, name
        assert np.abs(audio[:, :2]).max() < 0.05 and np.abs(audio[:, -2:]).max() < 0.01, name
        if name in ("vocals", "bass", "other"):  # drums may: that is what an attack is
            assert np.abs(np.diff(audio, axis=1)).max() < 0.25 * np.abs(audio).max() + 0.02, name


@pytest.mark.parametrize("song", songs.SONGS, ids=lambda song: song.title)
def test_the_truth_is_consistent(song: songs.Song) -> None:
    truth = songs.truth(song)
    assert 55 <= truth["duration"] <= 70
    beats = np.array(truth["beats"])
    np.testing.assert_allclose(np.diff(beats), 60 / song.tempo, atol=1e-5)
    np.testing.assert_allclose(truth["downbeats"], beats[::4])
    sections = truth["sections"]
    assert sections[0]["start"] == 0.0
    assert all(a["end"] == b["start"] for a, b in pairwise(sections))
    assert sections[-1]["end"] <= truth["duration"]
    assert len(truth["chords"]) == song.bars
    tonic = song.key.split()[0]
    assert song.chords[0].name.removesuffix("m") == tonic and song.chords[0].root % 12 == NAMES.index(tonic)


def test_the_voice_and_the_chords_keep_to_the_key() -> None:
    scales = {"A minor": {9, 11, 0, 2, 4, 5, 7}, "F major": {5, 7, 9, 10, 0, 2, 4}}
    for song in songs.SONGS:
        pitches = {note % 12 for _, _, note, _ in song.melody}
        pitches |= {note % 12 for chord in song.chords for note in (*chord.notes, chord.root)}
        assert pitches <= scales[song.key]


def test_written_songs_are_read_back_to_the_bit(tmp_path: Path, rendered: songs.Rendered) -> None:
    written = songs.write_song(tmp_path, rendered.song)
    mix, rate = soundfile.read(written.mix, dtype="float32")
    assert rate == 44_100
    np.testing.assert_array_equal(mix.T, rendered.mix)
    total = np.zeros_like(mix)
    for name in songs.STEM_NAMES:
        total += soundfile.read(written.stems / f"{name}.wav", dtype="float32")[0]
    np.testing.assert_array_equal(total, mix)
    truth = json.loads(written.analysis.read_text())
    assert truth["tempo"] == rendered.song.tempo and {"beats", "downbeats", "sections"} <= set(truth)
    with soundfile.SoundFile(written.mix) as file:
        assert file.title == rendered.song.title and file.artist == songs.ARTIST
