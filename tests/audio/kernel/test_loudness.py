"""Loudness meters against the readings that ITU-R BS.1770 and EBU Tech 3341 give for known tones."""

import numpy as np
import pytest

from audio.commands import CommandKind, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import DECKS
from pipeline.analysis.loudness import lufs_of
from tests.audio.kernel.listening import Sound, decibels, host_with, noise, on


def sine(seconds: float, dbfs: float, hz: float = 1000.0, rate: int = 48_000, channels: str = "both") -> Sound:
    """Return a sine with the same phase in both channels, or in one of them."""
    wave = 10.0 ** (dbfs / 20.0) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    silent = np.zeros_like(wave)
    parts = {"both": (wave, wave), "left": (wave, silent)}[channels]
    return np.stack(parts, 1).astype(np.float32)


@pytest.mark.parametrize(("dbfs", "reading"), [(-23.0, -23.0), (-33.0, -33.0), (-6.0, -6.0)])
def test_a_stereo_tone_of_1_khz_reads_its_level(dbfs: float, reading: float) -> None:
    """EBU Tech 3341, case 1 and 2: 1 kHz at -23 and -33 dBFS in both channels reads -23.0 and -33.0 LUFS, +-0.1."""
    host = host_with(sine(5.0, dbfs), on())
    host.render(4 * 48_000)
    snapshot = host.snapshot()
    assert float(snapshot["loudness"]) == pytest.approx(reading, abs=0.1)
    assert float(snapshot["momentary"]) == pytest.approx(reading, abs=0.1)
    assert float(snapshot["decks"][0]["loudness"]) == pytest.approx(reading, abs=0.1)
    assert float(snapshot["decks"][1]["loudness"]) == -70.0


@pytest.mark.parametrize("deck", range(DECKS))
def test_every_deck_is_read_alike(deck: int) -> None:
    host = KernelHost()
    host.load(deck, 1, SlotMemory.whole(sine(5.0, -23.0)))
    host.send(join([command(CommandKind.DECK_ASSIGN, deck, a=1), on(deck)]))
    host.render(4 * 48_000)
    readings = [float(one["loudness"]) for one in host.snapshot()["decks"]]
    assert readings.pop(deck) == pytest.approx(-23.0, abs=0.1) and readings == [-70.0] * (DECKS - 1)


def test_one_channel_reads_3_db_less() -> None:
    """BS.1770: 997 Hz at 0 dBFS in one channel reads -3.01 LKFS."""
    host = host_with(sine(5.0, -10.0, 997.0, channels="left"), on())
    host.render(4 * 48_000)
    assert float(host.snapshot()["loudness"]) == pytest.approx(-13.01, abs=0.1)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_noise_reads_as_the_analysis_of_tracks_reads_it(rate: int) -> None:
    sound = noise(5 * rate, 3, 0.05)
    host = KernelHost(rate)
    host.load(0, 1, SlotMemory.whole(sound))
    host.send(join([command(CommandKind.DECK_ASSIGN, 0, a=1), on()]))
    host.render(4 * rate)
    wanted = lufs_of(np.ascontiguousarray(sound[rate : 4 * rate].T), rate)
    assert float(host.snapshot()["loudness"]) == pytest.approx(wanted, abs=0.15)


def test_low_tones_count_less_and_high_tones_more() -> None:
    readings = []
    for hz in (40.0, 1000.0, 8000.0):
        host = host_with(sine(5.0, -23.0, hz), on())
        host.render(4 * 48_000)
        readings.append(float(host.snapshot()["loudness"]))
    assert readings[0] < readings[1] - 4.0 and readings[2] == pytest.approx(readings[1] + 3.3, abs=0.3)


def test_the_fader_shows_and_silence_falls_to_the_floor() -> None:
    host = host_with(sine(12.0, -23.0), on())
    host.render(4 * 48_000)
    host.send(command(CommandKind.DECK_VOLUME, a=0.5))
    host.render(4 * 48_000)
    assert float(host.snapshot()["loudness"]) == pytest.approx(-23.0 + decibels(0.5), abs=0.1)
    host.send(command(CommandKind.DECK_PLAY, a=0))
    host.render(4 * 48_000)
    assert float(host.snapshot()["loudness"]) == -70.0 and float(host.snapshot()["momentary"]) == -70.0
