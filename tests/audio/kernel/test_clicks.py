"""No clicks: between two frames the sound moves no further than the signal and one ramp allow."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.listening import FADE, constant, host_with, mixed, off, on, steps, tone, whole

HZ = 200.0
LEVEL = 0.5
SLEW = LEVEL * 2 * np.pi * HZ / 48_000
"""Largest step of the tone between two frames at rate 1."""


def bound(heads: float = 2.0, ramps: float = 2.0) -> float:
    """Return the largest step: `heads` that sound at once move as the tone does, `ramps` move full level over one
    fade."""
    return heads * SLEW + ramps * LEVEL / FADE + 1e-6


@pytest.mark.parametrize(
    "sent",
    [
        [off(frame=2003)],
        [off(frame=2003), on(frame=2010), off(frame=2017), on(frame=2024), off(frame=2031)],
        [command(CommandKind.DECK_SEEK, a=10_123, frame=2003)],
        [command(CommandKind.DECK_SEEK, a=10_000 + 731 * n, frame=2003 + 20 * n) for n in range(12)],
        [command(CommandKind.DECK_VOLUME, a=0, frame=2003), command(CommandKind.DECK_VOLUME, a=1, frame=2100)],
        [command(CommandKind.CROSSFADER, a=-1, frame=2003), command(CommandKind.DECK_ASSIGN, a=2, frame=2050)],
        [command(CommandKind.MASTER_VOLUME, a=0.1, frame=2003)],
        [command(CommandKind.DECK_RATE, a=1.08, frame=2003), command(CommandKind.DECK_RATE, a=0.9, frame=2500)],
        [command(CommandKind.DECK_RATE, a=-1.0, frame=2003)],
    ],
    ids=["pause", "stutter", "seek", "seeks", "volume", "assign", "master", "rate", "reverse"],
)
def test_no_step(sent: list[Commands]) -> None:
    out = host_with(tone(48_000, HZ, LEVEL), on(), *sent).render(6000)
    assert np.abs(out[:2000]).max() > 0.4
    assert steps(out[1000:]).max() <= bound()


def test_play_and_pause_are_ramps() -> None:
    out = host_with(constant(48_000, LEVEL), on(frame=100), off(frame=1000)).render(2000)
    assert np.allclose(out[100 : 100 + FADE, 0], LEVEL * np.arange(1, FADE + 1) / FADE, atol=1e-6)
    assert np.allclose(out[1000 : 1000 + FADE, 0], LEVEL * (1 - np.arange(1, FADE + 1) / FADE), atol=1e-6)
    assert not out[1000 + FADE :].any()


def test_a_pause_stands_on_the_frame_it_was_asked_for() -> None:
    host = host_with(tone(48_000), on(), off(frame=1500))
    host.render(4000)
    assert host.snapshot()["decks"][0]["position"] == 1500.0


def test_a_seek_between_equal_places_is_not_heard() -> None:
    # 240 frames are a whole number of periods: both heads play the same, and the fades add up to one.
    sound = tone(48_000, HZ, LEVEL)
    out = host_with(sound, on(), command(CommandKind.DECK_SEEK, a=2400 + 2000, frame=2000)).render(6000)
    assert np.allclose(out[1000:], np.roll(sound, 0, axis=0)[1000:6000], atol=2e-6)


def test_a_seek_lands_on_its_frame() -> None:
    sound = tone(48_000, 377.0)
    out = host_with(sound, on(), command(CommandKind.DECK_SEEK, a=20_000, frame=2000)).render(4000)
    assert np.array_equal(out[2000 + FADE :], sound[20_000 + FADE : 22_000])


def test_swap_is_a_cross_fade() -> None:
    host = host_with(constant(48_000, 0.5), on())
    host.render(1000)
    host.load(0, 2, SlotMemory.whole(constant(48_000, -0.5)))
    out = host.render(1000)
    assert np.allclose(out[:FADE, 0], 0.5 - np.arange(1, FADE + 1) / FADE, atol=1e-6)
    assert np.allclose(out[FADE:, 0], -0.5)


def test_eject_fades() -> None:
    host = host_with(constant(48_000, LEVEL), on())
    host.render(1000)
    host.eject(0)
    out = host.render(1000)
    assert steps(out).max() <= LEVEL / FADE + 1e-6
    assert not out[FADE:].any()
    assert host.snapshot()["decks"][0]["playing"] == 0


@pytest.mark.parametrize("rate", [1.0, 0.5, 1.9, -1.0])
def test_the_end_of_the_track_fades(rate: float) -> None:
    host = host_with(constant(9000, LEVEL), command(CommandKind.DECK_RATE, a=rate), on(), position=3000)
    out = host.render(20_000)
    assert np.abs(out[1000]).max() == pytest.approx(LEVEL, abs=1e-4)
    assert not out[-1000:].any()
    # The interpolation rings a little at the edge of the track, under the fade.
    assert steps(out).max() <= 1.6 * LEVEL / FADE
    assert host.snapshot()["decks"][0]["playing"] == 0
    assert host.snapshot()["decks"][0]["position"] == (9000 if rate > 0 else 0)


def test_mute_and_solo_are_ramps() -> None:
    stems = {0: constant(48_000, 0.25), 1: constant(48_000, 0.125)}
    sent = [
        command(CommandKind.STEM_MUTE, 0, 0, a=1, frame=1000),
        command(CommandKind.STEM_SOLO, 0, 0, a=1, frame=2000),
        command(CommandKind.STEM_MUTE, 0, 0, a=0, frame=3000),
        command(CommandKind.STEM_SOLO, 0, 0, a=0, frame=4000),
    ]
    out = host_with(mixed(stems), on(), *sent, stems=whole(stems)).render(5000)[:, 0]
    assert [float(out[at]) for at in (999, 1999, 2999, 3999, 4999)] == pytest.approx([0.375, 0.125, 0.0, 0.25, 0.375])
    assert np.abs(np.diff(out[500:])).max() <= 0.25 / FADE + 1e-6


def test_levels_set_before_the_start_are_there_at_the_start() -> None:
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(constant(48_000)))
    host.send(join([on(), command(CommandKind.DECK_VOLUME, a=0.0), command(CommandKind.CROSSFADER, a=-1.0)]))
    assert not host.render(2000).any()
