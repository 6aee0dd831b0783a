"""Gain laws: crossfader curves, pan, trim, limiter and meters."""

import numpy as np
import pytest

from audio.commands import CommandKind, command, join
from audio.host import PEAK_FALL_DB_S, KernelHost, SlotMemory
from tests.audio.kernel.listening import FADE, constant, decibels, host_with, mixed, on, steps, tone, whole


def cross(curve: int, position: float, side: int) -> float:
    """Return what the crossfader leaves of a deck, by listening."""
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(constant(9000, 0.25)))
    host.send(
        join([
            command(CommandKind.DECK_ASSIGN, 0, a=side),
            command(CommandKind.CROSSFADER_CURVE, a=curve),
            command(CommandKind.CROSSFADER, a=position),
            on(),
        ])
    )  # fmt: skip
    return float(host.render(1000)[-1, 0]) / 0.25


@pytest.mark.parametrize("position", np.linspace(-1, 1, 9))
def test_constant_power(position: float) -> None:
    assert cross(1, position, 0) ** 2 + cross(1, position, 2) ** 2 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("position", np.linspace(-1, 1, 9))
def test_linear(position: float) -> None:
    assert cross(0, position, 0) + cross(0, position, 2) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("position", [-0.9, -0.5, 0.0, 0.5, 0.9])
def test_cut_leaves_both_up_but_for_the_ends(position: float) -> None:
    assert cross(2, position, 0) == 1.0
    assert cross(2, position, 2) == 1.0


@pytest.mark.parametrize("curve", [0, 1, 2])
def test_ends_and_thru(curve: int) -> None:
    assert [cross(curve, -1, side) for side in (0, 1, 2)] == [1.0, 1.0, 0.0]
    assert [cross(curve, 1, side) for side in (0, 1, 2)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(("pan", "left", "right"), [(0, 1, 1), (-1, 1, 0), (1, 0, 1), (-0.5, 1, 0.5), (0.25, 0.75, 1)])
def test_pan_is_a_balance(pan: float, left: float, right: float) -> None:
    stems = {0: constant(9000, 0.25)}
    out = host_with(mixed(stems), on(), command(CommandKind.STEM_PAN, a=pan), stems=whole(stems)).render(1000)
    assert out[-1] / 0.25 == pytest.approx([left, right])


def test_trim_and_volume_multiply() -> None:
    sent = [command(CommandKind.DECK_TRIM, a=2.0), command(CommandKind.DECK_VOLUME, a=0.25)]
    assert host_with(constant(9000, 0.5), on(), *sent).render(1000)[-1, 0] == pytest.approx(0.25)


@pytest.mark.parametrize("level", [0.99, 1.0])
def test_the_limiter_touches_nothing_below_full_scale(level: float) -> None:
    sound = tone(48_000, 997.0, level)
    host = host_with(sound, on())
    assert np.array_equal(host.render(20_000)[FADE:], sound[FADE:20_000])
    assert host.snapshot()["limiter_db"] == 0.0


@pytest.mark.parametrize("trim", [1.5, 4.0, 16.0])
def test_the_limiter_holds_the_ceiling(trim: float) -> None:
    sent = [on(), command(CommandKind.DECK_TRIM, a=trim)]
    host = host_with(tone(96_000, 100.0, 0.9), *sent)
    out = host.render(48_000)
    assert np.abs(out).max() <= 1.0
    assert np.abs(out[24_000:]).max() > 0.95
    assert host.snapshot()["limiter_db"] == pytest.approx(decibels(0.9 * trim), abs=0.2)
    # Once it has found its gain it scales the wave and does not bend it.
    spectrum = np.abs(np.fft.rfft(out[-9600:, 0] * np.hanning(9600)))
    spectrum[15:26] = 0.0
    assert decibels(float(spectrum.max()) / (9600 / 4)) < -60.0


def test_the_limiter_adds_no_latency_and_no_click() -> None:
    host = host_with(tone(96_000, 100.0, 0.9), on(), command(CommandKind.DECK_TRIM, a=8.0, frame=5000))
    out = host.render(10_000)
    assert not np.array_equal(out[5000], tone(96_000, 100.0, 0.9)[5000])
    assert steps(out).max() <= 8.0 * 0.9 * 2 * np.pi * 100 / 48_000 + 8.0 / FADE


def test_meters_show_peak_and_rms() -> None:
    host = host_with(tone(96_000, 1000.0, 0.5), on())
    host.render(72_000)
    snapshot = host.snapshot()
    for view in (snapshot["decks"][0]["peak"], snapshot["master_peak"]):
        assert view == pytest.approx([0.5, 0.5], abs=1e-3)
    for view in (snapshot["decks"][0]["rms"], snapshot["master_rms"]):
        assert view == pytest.approx([0.5 / np.sqrt(2)] * 2, rel=0.02)


def test_peaks_fall_as_documented() -> None:
    host = host_with(constant(96_000, 0.5), on())
    host.render(24_000)
    host.send(command(CommandKind.DECK_VOLUME, a=0.0))
    host.render(FADE)
    before = float(host.snapshot()["decks"][0]["peak"][0])
    host.render(24_000)
    after = float(host.snapshot()["decks"][0]["peak"][0])
    assert decibels(after / before) == pytest.approx(-PEAK_FALL_DB_S / 2, abs=0.1)


def test_stem_peaks_are_after_the_fader() -> None:
    stems = {0: constant(9000, 0.25), 3: constant(9000, -0.5)}
    host = host_with(mixed(stems), on(), command(CommandKind.STEM_VOLUME, 0, 3, a=0.5), stems=whole(stems))
    host.render(2000)
    assert host.snapshot()["decks"][0]["stem_peak"][:4] == pytest.approx([0.25, 0, 0, 0.25])
