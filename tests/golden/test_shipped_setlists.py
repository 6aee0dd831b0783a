"""The setlists that are shipped, played with the songs of `alchemy demo` and listened to."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.songs import SONGS, write_song
from server.render import Rendered, render
from server.session.setlist_file import check_setlist

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "setlists").glob("*.toml"))
RATE = 16_000
BEAT_S = 60.0 / 108.0


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for song in SONGS:
        write_song(folder / song.title, song)
    return folder


def alone(songs: Path, stem: str) -> None:
    """Make folders beside the songs in which one stem alone sounds."""
    for song in SONGS:
        target = songs / f"{stem} of {song.title}"
        target.mkdir(exist_ok=True)
        for path in (songs / song.title / "stems").iterdir():
            if path.suffix == ".wav" and path.stem != stem:
                audio, rate = soundfile.read(path, dtype="float32")
                soundfile.write(target / path.name, audio * 0.0, rate, "PCM_24")
            else:
                (target / path.name).write_bytes(path.read_bytes())


def play(songs: Path, name: str, folder: str = "{}/stems", **options) -> tuple[np.ndarray, Rendered]:
    text = (ROOT / "setlists" / name).read_text()
    for song in SONGS:
        text = text.replace(f"Alchemy Demo - {song.title}", folder.format(song.title))
    path = songs / "played.toml"
    path.write_text(text)
    made = render(path, songs / "played.wav", rate=RATE, **options)
    audio, _ = soundfile.read(made.path)
    assert np.isfinite(audio).all()
    return audio, made


def rms(audio: np.ndarray, start_s: float, stop_s: float) -> float:
    return float(np.sqrt((audio[round(start_s * RATE) : round(stop_s * RATE)] ** 2).mean()))


def kick(audio: np.ndarray, start_s: float, stop_s: float) -> float:
    """Return when in the beat the low end swells, in seconds."""
    spectrum, hz = np.fft.rfft(audio[:, 0]), np.fft.rfftfreq(len(audio), 1 / RATE)
    spectrum[(hz > 110) | (hz < 30)] = 0
    swell = np.abs(np.fft.irfft(spectrum, len(audio)))
    at = np.arange(round(start_s * RATE), round(stop_s * RATE))
    turning = np.exp(-2j * np.pi * at / RATE / BEAT_S)
    return float(-np.angle((swell[at] * np.hanning(len(at)) * turning).sum()) / (2 * np.pi) * BEAT_S)


def test_two_are_shipped_and_sound():
    assert len(SHIPPED) >= 2
    assert [problem for path in SHIPPED for problem in check_setlist(path)] == []


def test_the_set_plays_to_its_end_and_then_ends(songs: Path):
    audio, made = play(songs, "demo.toml")
    assert made.warnings == () and made.controls["/setlist/status"] == "ended"
    # Copper Line to bar 21 at 108; Night Ferry from there less eight bars, and so on: worked out with a pencil.
    first = 80 * BEAT_S
    assert made.seconds == pytest.approx(84.8, abs=0.3)
    assert all(rms(audio, at, at + 1) > 0.01 for at in np.arange(0.0, made.seconds - 1.2)), "no hole anywhere"
    assert made.peak < 1.0 and np.abs(audio[-round(0.03 * RATE) :]).max() < 1e-3
    assert first < made.seconds


def test_drums_go_over_first_and_the_voice_last_and_both_keep_the_tempo(songs: Path):
    begins, ends = (80 - 32) * BEAT_S, 80 * BEAT_S
    stage = (ends - begins) / 4
    heard = {}
    for stem in ("drums", "vocals"):
        alone(songs, stem)
        for deck in (1, 2):
            audio, _ = play(songs, "demo.toml", f"{stem} of {{}}", seconds=ends + 1, bus=f"deck{deck}")
            heard[stem, deck] = audio
    drums1, drums2, voice1, voice2 = (heard[stem, deck] for stem in ("drums", "vocals") for deck in (1, 2))
    assert rms(drums1, begins - 4, begins) > 0.03 and rms(drums1, begins + stage + 0.1, ends) < 1e-4
    assert rms(drums2, 0, begins - 0.1) < 1e-4 and rms(drums2, begins + stage + 0.1, ends) > 0.03
    assert rms(voice1, begins + stage, ends - stage) > 0.02 and rms(voice1, ends + 0.1, ends + 1) < 1e-4
    assert rms(voice2, 0, ends - stage - 0.2) < 1e-4
    # The low end of each swells at one place of a beat of 108: neither drifts from the other's grid.
    assert kick(drums1, 6, 14) == pytest.approx(kick(drums1, 16, 24), abs=0.004)
    assert kick(drums2, begins + 2, begins + 8) == pytest.approx(kick(drums2, begins + 8, begins + 16), abs=0.004)


def test_practice_goes_through_its_passes(songs: Path):
    audio, made = play(songs, "practice.toml")
    assert made.warnings == () and made.controls["/setlist/status"] == "ended"
    bar = 4 * 60.0 / 124.0
    drill = 2 * bar * 2 * (1 / 0.6 + 1 / 0.8 + 1.0) + 4 * bar * 2
    assert made.seconds == pytest.approx(drill - 2.0 + 5 * bar + 0.1, abs=0.3)
    assert all(rms(audio, at, at + 2) > 0.01 for at in np.arange(0.0, made.seconds - 2.2))
