"""Laws of the one resampler: any cut equals the whole, no delay, flat to 20 kHz, silent above."""

import itertools

import numpy as np
import pytest

from audio.decode import resampled
from audio.resample import Resampler
from tests.audio.material import decibels, music

RATES = [(44_100, 48_000), (48_000, 44_100), (96_000, 48_000), (22_050, 44_100), (8_000, 48_000), (37_800, 48_000)]


def tone(hz: float, rate: int, frames: int) -> np.ndarray:
    wave = np.sin(2 * np.pi * hz * np.arange(frames) / rate)
    return np.stack((wave, wave), 1).astype(np.float32)


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
@pytest.mark.parametrize("chunk", [1, 64, 65, 4096, "random"])
def test_any_cut_equals_the_whole_bit_for_bit(rate_in: int, rate_out: int, chunk: int | str) -> None:
    rng = np.random.default_rng(7)
    frames = 400 if chunk == 1 else 20_000
    source = rng.standard_normal((frames, 2)).astype(np.float32)
    change = Resampler(rate_in, rate_out)
    whole = change.resample(source)
    if isinstance(chunk, str):
        cuts = [0, *sorted(rng.integers(0, len(whole), 20)), len(whole)]
    else:
        cuts = [*range(0, len(whole), chunk), len(whole)]
    parts = [
        change.resample_range(lambda a, b: source[a:b], frames, int(a), int(b)) for a, b in itertools.pairwise(cuts)
    ]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("block", [100, 4096, 65_536])
def test_a_stream_equals_the_whole_bit_for_bit(block: int) -> None:
    source = np.random.default_rng(8).standard_normal((150_000, 2)).astype(np.float32)
    change = Resampler(96_000, 44_100)
    parts = resampled((source[at : at + block] for at in range(0, len(source), block)), change)
    assert np.array_equal(np.concatenate(list(parts)), change.resample(source))


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES[:3])
@pytest.mark.parametrize("hz", [100, 1000, 10_000, 15_000, 19_900])
def test_tones_pass_unchanged_and_in_time(rate_in: int, rate_out: int, hz: float) -> None:
    source = tone(hz, rate_in, rate_in)
    made = Resampler(rate_in, rate_out).resample(source)
    meant = tone(hz, rate_out, len(made))
    edge = 2000
    assert decibels(float(np.abs(made - meant)[edge:-edge].max())) < -110


@pytest.mark.parametrize("hz", [22_050, 22_500, 23_500])
def test_what_the_lower_rate_cannot_hold_is_gone(hz: float) -> None:
    made = Resampler(48_000, 44_100).resample(tone(hz, 48_000, 48_000))
    assert decibels(float(np.abs(made)[2000:-2000].max())) < -110


@pytest.mark.parametrize("hz", [2_000, 15_000, 19_900])
def test_no_image_appears_above_the_old_limit(hz: float) -> None:
    made = Resampler(44_100, 48_000).resample(tone(hz, 44_100, 44_100))[2000:-2000, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(made * np.blackman(len(made)))) / (len(made) * 0.21)
    hz_of = np.fft.rfftfreq(len(made), 1 / 48_000)
    assert decibels(float(spectrum[hz_of > 22_050].max())) < -110


def test_a_click_stays_where_it_was() -> None:
    source = np.zeros((44_100, 2), np.float32)
    source[14_700] = 1
    made = Resampler(44_100, 48_000).resample(source)
    assert int(np.argmax(made[:, 0])) == 16_000
    assert np.allclose(made[16_000 - 50 : 16_000, 0], made[16_050:16_000:-1, 0], atol=1e-7)


def test_there_and_back_keeps_music() -> None:
    source = music(1).astype(np.float32)
    up, down = Resampler(44_100, 48_000), Resampler(48_000, 44_100)
    back = down.resample(up.resample(source))
    assert len(back) >= len(source)
    assert decibels(float(np.abs(back[: len(source)] - source)[500:-500].max())) < -110


def test_lengths_cover_the_input_exactly() -> None:
    for rate_in, rate_out in RATES:
        change = Resampler(rate_in, rate_out)
        for frames in (0, 1, 2, 147, 160, 4097):
            made = change.frames_out(frames)
            assert (made - 1) * rate_in < frames * rate_out <= made * rate_in
            assert len(change.resample(np.zeros((frames, 2), np.float32))) == made


def test_equal_rates_change_nothing() -> None:
    source = music(0.1).astype(np.float32)
    assert np.array_equal(Resampler(48_000, 48_000).resample(source), source)


@pytest.mark.parametrize("rates", [(0, 48_000), (44_100, -1), (767_999, 767_993)])
def test_rates_that_make_no_sense_are_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        Resampler(*rates)
