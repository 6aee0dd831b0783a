"""The spectrogram of htdemucs without PyTorch: laws, and the definition by the book at a few places."""

import numpy as np
import pytest

from pipeline.engines import spectrogram


def noise(frames: int) -> np.ndarray:
    return (np.random.default_rng(3).standard_normal((2, frames)) * 0.3).astype(np.float32)


@pytest.mark.parametrize("frames", [343_980, 1024 * 40, 12_345])
def test_back_and_forth_is_the_same_wave(frames: int) -> None:
    wave = noise(frames)
    spectrum = spectrogram.spectrum(wave)
    assert spectrum.shape == (4, 2048, spectrogram.steps(frames)) and spectrum.dtype == np.float32
    back = spectrogram.wave(spectrum[None], frames)
    assert back.shape == (1, 2, frames)
    # The Nyquist bin is dropped, and so are the windows that hang over the ends, as in the network's own code.
    inside = slice(4096, frames - 4096)
    loss = back[0][:, inside] - wave[:, inside]
    assert np.sqrt(np.mean(loss**2)) < 0.3 * np.sqrt(1 / 2048) * 1.5


def test_a_wave_without_its_highest_octave_comes_back_to_rounding() -> None:
    t = np.arange(50_000) / 44_100
    wave = np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 5000 * t)]).astype(np.float32)
    back = spectrogram.wave(spectrogram.spectrum(wave)[None], 50_000)[0]
    np.testing.assert_allclose(back[:, 4096:-4096], wave[:, 4096:-4096], atol=1e-4)


def test_each_number_is_what_the_definition_says() -> None:
    wave = noise(343_980)
    spectrum = spectrogram.spectrum(wave)
    padded = np.pad(wave.astype(np.float64), ((0, 0), (1536, 1536 + 336 * 1024 - 343_980)), mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
    for channel, step, bin_ in ((0, 0, 0), (0, 335, 7), (1, 100, 1000), (1, 335, 2047)):
        window = padded[channel, step * 1024 : step * 1024 + 4096] * hann
        value = np.sum(window * np.exp(-2j * np.pi * bin_ * np.arange(4096) / 4096)) / 64.0
        found = complex(spectrum[2 * channel, bin_, step], spectrum[2 * channel + 1, bin_, step])
        assert abs(found - value) < 1e-4


def test_threads_change_nothing() -> None:
    wave = noise(100_000)
    one, two = spectrogram.spectrum(wave, 1), spectrogram.spectrum(wave, 2)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(spectrogram.wave(one[None], 100_000, 1), spectrogram.wave(one[None], 100_000, 2))
