"""The parts of analysis by themselves: against librosa, against the standards, against music theory."""

import numpy as np
import pytest

from pipeline import songs
from pipeline.analysis import harmony, key, loudness
from pipeline.analysis.frames import HOP, WINDOW, Frames, mel_filter, scan

RATE = 44_100


@pytest.fixture(scope="module")
def pcm() -> np.ndarray:
    return songs.render(songs.shortened(songs.NIGHT_FERRY, 4)).mix


def passed(pcm: np.ndarray, rate: int = RATE) -> Frames:
    found = scan(pcm, rate, spectral=True, pitched=True, progress=lambda share, stage: None, cancelled=lambda: False)
    assert found is not None
    return found


def lufs(pcm: np.ndarray, rate: int = RATE) -> float | None:
    return loudness.integrated_lufs(passed(pcm, rate).tenths)


@pytest.fixture(scope="module")
def frames(pcm: np.ndarray) -> Frames:
    return passed(pcm)


def test_the_shared_pass_gives_librosas_numbers(pcm: np.ndarray, frames: Frames) -> None:
    import librosa

    mono = pcm.mean(axis=0)
    level = np.abs(librosa.stft(mono, n_fft=WINDOW, hop_length=HOP, pad_mode="constant"))
    loud = frames.rms > 1e-3
    np.testing.assert_allclose(
        frames.centroid[loud], librosa.feature.spectral_centroid(S=level, sr=RATE)[0][loud], rtol=1e-3
    )
    np.testing.assert_allclose(
        frames.bandwidth[loud], librosa.feature.spectral_bandwidth(S=level, sr=RATE)[0][loud], rtol=1e-3
    )
    rolloff = librosa.feature.spectral_rolloff(S=level, sr=RATE)[0]
    assert np.mean(np.abs(frames.rolloff[loud] - rolloff[loud]) < RATE / WINDOW * 1.01) > 0.995  # ties within a bin
    mel = librosa.feature.melspectrogram(S=level**2, sr=RATE, n_fft=WINDOW)
    np.testing.assert_allclose(mel_filter(RATE).T, librosa.filters.mel(sr=RATE, n_fft=WINDOW), rtol=1e-4, atol=1e-8)
    mfcc = librosa.feature.mfcc(
        S=librosa.power_to_db(mel, top_db=None, amin=1e-5 * float(np.abs(pcm).max()) ** 2), n_mfcc=13
    )
    np.testing.assert_allclose(frames.mfcc[:, loud], mfcc[:, loud], atol=0.5)
    contrast = librosa.feature.spectral_contrast(S=level, sr=RATE, linear=False)
    assert np.median(np.abs(frames.contrast[:, loud] - contrast[:, loud])) < 0.05
    flatness = librosa.feature.spectral_flatness(S=level)[0]
    np.testing.assert_allclose(frames.flatness[loud], flatness[loud], rtol=2e-3, atol=1e-7)
    assert frames.crossings == pytest.approx(librosa.zero_crossings(mono, pad=False).sum(), abs=2)
    rms = librosa.feature.rms(y=mono, frame_length=WINDOW, hop_length=HOP, pad_mode="constant")[0]
    assert np.median(np.abs(20 * np.log10(frames.rms[loud] / rms[loud]))) < 1.5  # theirs has no window


def test_loudness_of_the_reference_tone() -> None:
    for rate in (44_100, 48_000):
        t = np.arange(rate * 5) / rate
        tone = np.sin(2 * np.pi * 997 * t).astype(np.float32)
        # BS.1770: 0 dBFS at 997 Hz in one channel reads -3.01 LKFS, in both 0.0.
        assert lufs(np.stack([tone, 0 * tone]), rate) == pytest.approx(-3.01, abs=0.05)
        assert lufs(np.stack([tone, tone]), rate) == pytest.approx(0.0, abs=0.05)


def test_the_gate_leaves_pauses_out() -> None:
    rng = np.random.default_rng(2)
    music = (rng.standard_normal((2, RATE * 10)) * 0.1).astype(np.float32)
    pause = np.zeros((2, RATE * 20), np.float32)
    alone = lufs(music)
    paused = lufs(np.concatenate([music, pause], axis=1))
    assert alone is not None and paused == pytest.approx(alone, abs=0.3)


def test_filters_at_48_khz_are_those_of_the_standard() -> None:
    shelf, high_pass = loudness.k_weighting(48_000)
    np.testing.assert_allclose(
        shelf,
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        atol=1e-6,
    )
    np.testing.assert_allclose(high_pass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], atol=1e-6)


def test_energy_grows_with_level_and_stays_in_its_range() -> None:
    levels = [loudness.energy(np.full(100, level, np.float32)) for level in (0.0, 1e-5, 0.01, 0.1, 0.5, 1.0, 4.0)]
    assert levels == sorted(levels) and levels[0] == 0.0 and levels[-1] == 1.0


def test_the_wheel() -> None:
    names = {key.name(n): key.camelot(n) for n in range(24)}
    assert len(set(names.values())) == 24
    known = {"C major": "8B", "A minor": "8A", "G major": "9B", "F major": "7B", "E minor": "9A", "B major": "1B"}
    known |= {"Ab major": "4B", "F# major": "2B", "Eb minor": "2A", "G# minor": "1A", "Db major": None, "D minor": "7A"}
    for name, place in known.items():
        assert names.get(name) == place
    for n in range(24):
        assert key.relative(key.relative(n)) == n and key.camelot(n)[:-1] == key.camelot(key.relative(n))[:-1]


@pytest.mark.parametrize("tonic", range(12))
def test_scales_with_their_chord_are_recognised(tonic: int) -> None:
    for steps, triad, mode in (
        ((0, 2, 4, 5, 7, 9, 11), (0, 4, 7), "major"),
        ((0, 2, 3, 5, 7, 8, 10), (0, 3, 7), "minor"),
    ):
        chroma = np.zeros((12, 200), np.float32)
        chroma[[(tonic + s) % 12 for s in steps]] = 0.4
        chroma[[(tonic + s) % 12 for s in triad]] = 1.0
        found = key.find(chroma, 0.1)
        assert found is not None and found.name == key.name(tonic + (12 if mode == "minor" else 0))
        assert found.confidence > 0.3


def test_no_pitch_no_key() -> None:
    assert key.find(np.zeros((12, 0), np.float32), 0.1) is None
    assert key.find(np.zeros((12, 50), np.float32), 0.1) is None
    assert key.find(np.ones((12, 50), np.float32), 0.1) is None


@pytest.mark.parametrize("cents", [-30, 0, 30])
def test_a_mistuned_song_keeps_its_key_and_tells_its_tuning(pcm: np.ndarray, cents: int) -> None:
    import soxr

    ratio = 2.0 ** (cents / 1200.0)
    moved = np.ascontiguousarray(soxr.resample(pcm.T, RATE * ratio, RATE).T)
    found = passed(moved)
    tuning = harmony.tuning_cents(found.pitches)
    assert tuning == pytest.approx(cents, abs=4.0)
    named = key.find(harmony.chroma(found.pitches, tuning), found.pitch_step_s)
    assert named is not None and named.name == "F major"


def test_the_true_peak_lies_between_the_samples() -> None:
    t = np.arange(RATE) / RATE
    hidden = np.sin(2 * np.pi * RATE / 4 * t + np.pi / 4).astype(np.float32)  # samples reach 0.707, the wave 1.0
    found = loudness.true_peak_db(np.stack([hidden, 0 * hidden]), passed(np.stack([hidden, 0 * hidden])).block_peaks)
    edge = 0.35  # the tone begins and ends at once, which rings a little beyond it
    assert found is not None and -0.1 < found < edge
    steady = np.stack([hidden * np.hanning(RATE).astype(np.float32)] * 2)
    assert loudness.true_peak_db(steady, passed(steady).block_peaks) == pytest.approx(0.0, abs=0.05)
    low = np.sin(2 * np.pi * 100 * t).astype(np.float32)[None]
    assert loudness.true_peak_db(low, passed(low).block_peaks) == pytest.approx(0.0, abs=0.01)
    assert loudness.true_peak_db(0 * low, passed(0 * low).block_peaks) is None


def test_the_loudness_range_of_two_levels() -> None:
    # EBU Tech 3342, test signal 1: 20 s at -20 dBFS, then 20 s at -30 dBFS, 1 kHz in both channels: 10 LU.
    t = np.arange(RATE * 20) / RATE
    tone = np.sin(2 * np.pi * 1000 * t).astype(np.float32)
    both = np.concatenate([tone * 10 ** (-20 / 20), tone * 10 ** (-30 / 20)])
    assert loudness.range_lu(passed(np.stack([both, both])).tenths) == pytest.approx(10.0, abs=0.3)


def test_the_pass_does_not_care_where_its_blocks_end(pcm: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = passed(pcm)
    monkeypatch.setattr("pipeline.analysis.frames._STEPS", 96)
    parts = passed(pcm)
    for name in ("rms", "flux", "bands", "mfcc", "centroid", "contrast", "pitches", "attacks", "tenths"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-3, atol=1e-3, err_msg=name)
    assert parts.crossings == whole.crossings


def test_a_long_file_leaves_little(pcm: np.ndarray) -> None:
    found = passed(pcm)
    seconds = pcm.shape[1] / RATE
    held = sum(
        value.nbytes for value in (getattr(found, name) for name in Frames.__slots__) if hasattr(value, "nbytes")
    )
    assert held / seconds * 3 * 3600 < 250e6  # three hours of it
