"""The interpolation: what is not the tone stays below -80 dB, and whole frames are copies."""

import numpy as np
import pytest

from audio.commands import CommandKind, command
from audio.kernel.sinc import PHASES, TAPS, table
from tests.audio.kernel.listening import Sound, decibels, host_with, on, tone

LENGTH = 32_768


def played(sound: Sound, rate: float, position: int = 2000) -> np.ndarray:
    """Return the left channel at `rate`, once it is steady."""
    out = host_with(sound, command(CommandKind.DECK_RATE, a=rate), on(), position=position).render(LENGTH + 4096)
    return out[4096:, 0].astype(np.float64)


def residue_db(heard: np.ndarray, hz: float) -> tuple[float, float]:
    """Return the level of the tone `hz`, and the loudest line and all of the rest below it in dB."""
    phase = 2 * np.pi * hz * np.arange(len(heard)) / 48_000
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    found, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    level = float(np.hypot(*found))
    rest = heard - basis @ found
    return level, decibels(float(rest.std()) * np.sqrt(2) / level)


@pytest.mark.parametrize("hz", [100.0, 997.0, 3000.0, 6000.0, 10_000.0])
@pytest.mark.parametrize("rate", [0.92, 0.97, 1.0003, 1.03, 1.08, 0.5, 1.25])
def test_alias_and_noise_stay_below_80_db(rate: float, hz: float) -> None:
    level, rest = residue_db(played(tone(90_000, hz), rate), hz * rate)
    assert level == pytest.approx(0.5, rel=1e-3)
    assert rest < -80.0


@pytest.mark.parametrize(("rate", "hz"), [(2.0, 18_000.0), (3.0, 15_000.0), (4.0, 10_000.0), (1.5, 20_000.0)])
def test_what_would_fold_over_is_kept_out(rate: float, hz: float) -> None:
    heard = played(tone(200_000, hz), rate)
    assert decibels(float(np.abs(heard).max()) / 0.5) < -80.0


@pytest.mark.parametrize("rate", [0.25, 0.5, 2.0, 4.0, -1.0003, -2.0])
def test_a_constant_stays_a_constant(rate: float) -> None:
    sound = np.full((400_000, 2), 0.5, np.float32)
    assert played(sound, rate, 190_000) == pytest.approx(0.5, abs=1e-6)


def test_reverse_at_rate_one_is_a_copy_backwards() -> None:
    sound = tone(90_000, 377.0)
    heard = played(sound, -1.0, 60_000)
    assert np.array_equal(heard, sound[60_000 - 4096 - LENGTH + 1 : 60_000 - 4096 + 1, 0][::-1])


def test_rows_of_the_table_add_up_to_one_and_mirror_each_other() -> None:
    rows = table()
    assert np.allclose(rows.sum(axis=2, dtype=np.float64), 1.0, atol=1e-6)
    middle = TAPS // 2 - 1
    for level in range(len(rows)):
        for phase in range(0, PHASES + 1, 37):
            mirrored = rows[level, PHASES - phase, ::-1]
            assert np.allclose(rows[level, phase], mirrored, atol=1e-6)
    assert rows[0, 0, middle] == 1.0
    assert np.count_nonzero(rows[0, 0]) == 1


def test_a_position_does_not_drift() -> None:
    host = host_with(np.zeros((2_000_000, 2), np.float32), command(CommandKind.DECK_RATE, a=1.0625), on())
    for _ in range(1000):
        host.render(1024)
    assert host.snapshot()["decks"][0]["position"] == 1024 * 1000 * 1.0625
