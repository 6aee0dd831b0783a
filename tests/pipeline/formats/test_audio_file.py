from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.formats.audio_file import CLICK_RATE, AudioGone, convert, stored, write_click
from pipeline.formats.song import Song, StemFile
from tests.pipeline.formats.songs import drifting, steady
from tests.pipeline.formats.stored import RATE, SECONDS, store


@pytest.mark.parametrize(("kind", "error"), [("wav", 1e-6), ("flac", 1e-6), ("mp3", 0.01)])
def test_audio_leaves_as_it_was(tmp_path: Path, kind: str, error: float) -> None:
    part = store(tmp_path, "vocals", 441.0, gain=2.0)
    convert(part, tmp_path / f"out.{kind}", kind)
    audio, rate = soundfile.read(tmp_path / f"out.{kind}", dtype="float32")
    assert rate == RATE
    expected = 0.5 * np.sin(2 * np.pi * 441.0 * np.arange(SECONDS * RATE) / RATE)
    middle = slice(RATE // 2, RATE)
    assert np.abs(audio[middle, 0] - expected[middle]).max() < error


def test_peaks_over_one_stay_in_a_float_wav_and_clip_elsewhere(tmp_path: Path) -> None:
    part = store(tmp_path, "vocals", 441.0, gain=8.0)
    convert(part, tmp_path / "a.wav", "wav")
    convert(part, tmp_path / "a.flac", "flac")
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() == pytest.approx(2.0, rel=1e-3)
    assert np.abs(soundfile.read(tmp_path / "a.flac")[0]).max() == pytest.approx(1.0, rel=1e-3)


def test_reading_beyond_the_end_is_silence(tmp_path: Path) -> None:
    with stored(store(tmp_path, "bass", 100.0)) as audio:
        block = audio.read(audio.frames - 10, audio.frames + 10)
        assert block.shape == (20, 2) and not block[10:].any() and block[:10].any()


def test_what_is_missing_or_odd_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioGone, match=r"none\.flac"):
        convert(StemFile("x", tmp_path / "none.flac"), tmp_path / "out.wav", "wav")
    soundfile.write(tmp_path / "mono.flac", np.zeros(100), RATE)
    with pytest.raises(AudioGone, match="1 channels"):
        convert(StemFile("x", tmp_path / "mono.flac"), tmp_path / "out.wav", "wav")
    with pytest.raises(ValueError, match="aac"):
        convert(store(tmp_path, "v", 100.0), tmp_path / "out", "aac")


def onsets(audio: np.ndarray, gap_s: float = 0.1) -> list[float]:
    """Return where sound begins after `gap_s` of silence, in seconds."""
    loud = np.flatnonzero(np.abs(audio) > 1e-3)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-10 * CLICK_RATE) > gap_s * CLICK_RATE)]
    return [float(at) / CLICK_RATE for at in starts]


@pytest.mark.parametrize("song", [steady(), drifting()])
def test_clicks_fall_on_the_beats(tmp_path: Path, song: Song) -> None:
    write_click(song, tmp_path / "click.wav")
    audio, rate = soundfile.read(tmp_path / "click.wav")
    assert rate == CLICK_RATE and len(audio) >= song.duration_s * rate
    assert onsets(audio) == pytest.approx(song.beats, abs=2 / CLICK_RATE)
    levels = [np.abs(audio[round(at * rate) : round(at * rate) + 200]).max() for at in song.beats]
    assert min(levels[::4]) > 1.3 * max(level for n, level in enumerate(levels) if n % 4)


def test_a_count_in_leads_into_the_song(tmp_path: Path) -> None:
    song = steady(first_s=0.25)
    write_click(song, tmp_path / "click.wav", count_in=4)
    found = onsets(soundfile.read(tmp_path / "click.wav")[0])
    period = 0.5
    assert len(found) == len(song.beats) + 4
    assert found[4] == pytest.approx(4 * period + song.beats[0], abs=1e-4)
    assert np.diff(found[:6]) == pytest.approx([period] * 5, abs=1e-4)


def test_without_beats_there_is_no_click(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="beat grid"):
        write_click(Song("x"), tmp_path / "click.wav")
