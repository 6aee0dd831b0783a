"""The limiter that looks ahead: it holds the true peak, bends nothing, and below its ceiling there is only a delay."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.kernel.layout import LOOK_AHEAD
from tests.audio.kernel.listening import FADE, Sound, decibels, in_blocks, noise, on, steps, tone

CEILING = 10.0 ** (-1.0 / 20.0)


def ahead(sound: Sound, *sent: Commands, channels: int = 2) -> KernelHost:
    """Return a host that looks ahead, with `sound` on deck 0."""
    host = KernelHost(channels=channels, looks_ahead=True)
    host.load(0, 1, SlotMemory.whole(sound))
    host.send(join([command(CommandKind.DECK_ASSIGN, 0, a=1), on(), *sent]))
    return host


def trim(gain: float, frame: int = 0) -> Commands:
    return command(CommandKind.DECK_TRIM, a=gain, frame=frame)


def true_peak(sound: Sound) -> float:
    """Return the peak of the wave at 16 times the rate, by the transform of the whole."""
    high = 0.0
    for channel in range(2):
        spectrum = np.fft.rfft(sound[:, channel].astype(np.float64))
        high = max(high, float(np.abs(np.fft.irfft(spectrum, 16 * len(sound))).max() * 16))
    return high


def test_below_the_ceiling_it_is_a_delay_and_nothing_else() -> None:
    sound = tone(48_000, 997.0, 0.88)
    host = ahead(sound)
    out = host.render(20_000)
    assert host.delay_frames == LOOK_AHEAD == 12
    assert not out[:LOOK_AHEAD].any()
    assert np.array_equal(out[LOOK_AHEAD + FADE :], sound[FADE : 20_000 - LOOK_AHEAD])
    assert host.snapshot()["limiter_db"] == 0.0


@pytest.mark.parametrize("hz", [100.0, 997.0, 6000.0, 12_000.0, 15_000.0])
@pytest.mark.parametrize("gain", [1.3, 4.0, 16.0])
def test_the_true_peak_is_held(hz: float, gain: float) -> None:
    # The tone starts between two samples, so that its samples alone hide its peak.
    phase = 2 * np.pi * hz * (np.arange(96_000) + 0.5) / 48_000 + np.pi / 4
    sound = np.stack([0.9 * np.sin(phase), 0.6 * np.sin(phase)], 1).astype(np.float32)
    out = ahead(sound, trim(gain)).render(48_000)
    steady = out[24_000:43_200]
    peak = true_peak(steady * np.hanning(len(steady))[:, None].astype(np.float32))
    assert decibels(peak / CEILING) <= 0.3, "a detector at four times the rate reads up to 0.3 dB low at 15 kHz"
    assert decibels(peak / CEILING) > -0.6, "and what can be kept is kept"
    assert np.abs(out).max() <= 10.0 ** (-0.7 / 20.0)


def test_a_peak_that_comes_at_once_is_met_in_time() -> None:
    sound = np.zeros((24_000, 2), np.float32)
    sound[6000:] = tone(18_000, 440.0, 0.9)[:, ::-1]
    sound[12_000:12_040] *= 1.1
    out = ahead(sound, trim(8.0)).render(20_000)
    assert np.abs(out).max() <= CEILING * 1.001


@pytest.mark.parametrize("hz", [60.0, 440.0, 3000.0, 12_000.0])
def test_the_true_peak_is_held_from_the_first_wave_on(hz: float) -> None:
    k = np.arange(20_000)
    wave = np.minimum(1.0, k / 48.0) * np.minimum(1.0, k[::-1] / 480.0) * np.sin(2 * np.pi * hz * k / 48_000 + 0.7)
    sound = np.zeros((48_000, 2), np.float32)
    sound[6000:26_000] = 0.9 * wave[:, None]
    out = ahead(sound, trim(4.0)).render(30_000)
    assert decibels(true_peak(out) / CEILING) <= 0.3


def test_it_goes_down_fast_without_being_heard_to() -> None:
    level = np.interp(np.arange(48_000), [20_000, 20_240], [0.5, 2.0])
    sound = (level * tone(48_000, 100.0, 0.5)[:, 0])[:, None].repeat(2, 1).astype(np.float32)
    out = ahead(sound, trim(2.0)).render(30_000)
    spectrum = np.abs(np.fft.rfft(out[19_000:23_000, 0] * np.hanning(4000))) / 1000
    assert decibels(float(np.sqrt(np.sum(spectrum[250:] ** 2)))) < -58.0, "above 3 kHz, of a tone of 100 Hz"


def test_a_loud_wave_is_scaled_and_not_bent() -> None:
    out = ahead(tone(96_000, 100.0, 0.9), trim(4.0)).render(48_000)
    spectrum = np.abs(np.fft.rfft(out[-9600:, 0] * np.hanning(9600)))
    spectrum[15:26] = 0.0
    assert decibels(float(spectrum.max()) / (9600 / 4)) < -60.0


def test_it_goes_down_and_comes_back_without_a_click() -> None:
    host = ahead(tone(200_000, 100.0, 0.5), trim(8.0, 9000), trim(1.0, 30_000))
    out = host.render(120_000)
    assert steps(out[1000:]).max() <= 4.0 * 2 * np.pi * 100 / 48_000 + 4.0 / FADE
    assert np.allclose(out[-1000:], tone(200_000, 100.0, 0.5)[119_000 - LOOK_AHEAD : 120_000 - LOOK_AHEAD])


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512])
def test_block_size_changes_no_bit(size: int) -> None:
    sent = [trim(6.0, 1001), trim(0.5, 5003), trim(16.0, 9017)]
    sizes = [size] * (14_000 // size) + ([14_000 % size] if 14_000 % size else [])
    sound = noise(48_000, 7, 0.3)
    assert np.array_equal(in_blocks(ahead(sound, *sent), sizes), ahead(sound, *sent).render(14_000))


def test_what_is_cued_comes_as_late_as_the_master() -> None:
    host = ahead(noise(48_000, 9), command(CommandKind.DECK_PFL, a=1), command(CommandKind.CUE_MIX, a=0.0), channels=4)
    out = host.render(6000)
    assert np.array_equal(out[1000:, :2], out[1000:, 2:])


def test_silence_stays_silence() -> None:
    assert not ahead(np.zeros((20_000, 2), np.float32), trim(16.0)).render(9000).any()
