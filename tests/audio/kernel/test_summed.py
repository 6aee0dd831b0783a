"""Stems that are summed before they are interpolated: the same sound, meters and bits as stems one by one."""

from collections.abc import Iterable

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command
from audio.host import KernelHost
from tests.audio.kernel.listening import FADE, Sound, decibels, host_with, in_blocks, mixed, noise, on, tone, whole

KIND = CommandKind
FRAMES = 9_000


def playing(rate: float, *sent: Commands, position: int = 0) -> KernelHost:
    """Return a host on which deck 0 plays three stems at `rate`."""
    stems = {slot: noise(30_000, slot) for slot in range(3)}
    return host_with(
        mixed(stems), command(KIND.DECK_RATE, 0, a=rate), on(), *sent, stems=whole(stems), position=position
    )


def apart(host: KernelHost) -> KernelHost:
    """Keep the stems of `host` from being summed: half of one goes past the effects."""
    host.send(command(KIND.STEM_SEND, 0, 0, a=0.5))
    return host


@pytest.mark.parametrize("rate", [0.7, 0.9997, 1.0003, 1.08])
@pytest.mark.parametrize("position", [0, 5_000, 24_500])
def test_the_sum_of_the_stems_is_the_stems_one_by_one(rate: float, position: int) -> None:
    levels = [command(KIND.STEM_VOLUME, 0, 0, a=0.5), command(KIND.STEM_PAN, 0, 1, a=-0.6)]
    together = playing(rate, *levels, position=position).render(FRAMES)
    one_by_one = apart(playing(rate, *levels, position=position)).render(FRAMES)
    assert together.any() and not np.array_equal(together, one_by_one), "they took the same way"
    assert decibels(float(np.abs(together - one_by_one).max())) < -120.0


def moves() -> Iterable[Commands]:
    """Yield commands that take stems out of the sum, and back into it, on frames that no block knows of."""
    rows = (
        (KIND.STEM_VOLUME, 0, 0.5), (KIND.STEM_MUTE, 1, 1), (KIND.STEM_MUTE, 1, 0), (KIND.STEM_FILTER, 2, 0.4),
        (KIND.STEM_FILTER, 2, 0.0), (KIND.STEM_EQ_LOW, 0, 0.5), (KIND.STEM_EQ_LOW, 0, 1.0), (KIND.STEM_SEND, 1, 0.5),
        (KIND.STEM_SEND, 1, 1.0), (KIND.STEM_SEND, 1, 1.0), (KIND.STEM_EQ_LOW, 0, 1.0), (KIND.STEM_FILTER, 2, 0.0),
        (KIND.STEM_OUTPUT, 0, 1), (KIND.STEM_OUTPUT, 0, 0), (KIND.STEM_PAN, 1, -0.5), (KIND.DECK_SEEK, 0, 700),
        (KIND.STEM_SOLO, 2, 1), (KIND.STEM_SOLO, 2, 0), (KIND.DECK_SOURCE, 0, 0), (KIND.DECK_SOURCE, 0, 1),
    )  # fmt: skip
    for number, (kind, slot, value) in enumerate(rows):
        yield command(kind, 0, slot, a=value, frame=613 + 1009 * number)


@pytest.fixture(scope="module", params=[0.7, 1.0003, 1.05, -1.0003])
def moved(request: pytest.FixtureRequest) -> tuple[float, Sound]:
    rate = request.param
    return rate, playing(rate, *moves(), position=29_000 if rate < 0.0 else 0).render(24_000)


@pytest.mark.parametrize("size", [1, 37, 64, 65, 128, 512])
def test_block_size_changes_no_bit(size: int, moved: tuple[float, Sound]) -> None:
    rate, wanted = moved
    sizes = [size] * (len(wanted) // size) + ([len(wanted) % size] if len(wanted) % size else [])
    host = playing(rate, *moves(), position=29_000 if rate < 0.0 else 0)
    assert wanted[:20_000].any() and np.array_equal(in_blocks(host, sizes), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_random_blocks_change_no_bit(seed: int, moved: tuple[float, Sound]) -> None:
    rate, wanted = moved
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, len(wanted)), 300, replace=False))
    sizes = np.diff(np.concatenate([[0], cuts, [len(wanted)]]))
    host = playing(rate, *moves(), position=29_000 if rate < 0.0 else 0)
    assert np.array_equal(in_blocks(host, sizes), wanted)


def test_nothing_steps_where_the_sum_begins_and_ends() -> None:
    stems = {0: tone(30_000, 100.0, 0.4), 1: tone(30_000, 150.0, 0.3)}
    moved = [command(KIND.STEM_SEND, 0, 0, a=value, frame=frame) for frame, value in ((2000, 0.5), (4000, 1.0))]
    rate = command(KIND.DECK_RATE, 0, a=1.0003)
    out = host_with(mixed(stems), rate, on(), *moved, stems=whole(stems)).render(6000)[FADE:]
    assert np.abs(np.diff(out, 2, axis=0)).max() < 0.001


@pytest.mark.parametrize("rate", [0.7, 1.0003])
def test_meters_show_the_same(rate: float) -> None:
    levels = [command(KIND.STEM_VOLUME, 0, 0, a=0.5), command(KIND.STEM_MUTE, 0, 1, a=1)]
    together, one_by_one = playing(rate, *levels), apart(playing(rate, *levels))
    for host in (together, one_by_one):
        host.render(FRAMES)
    peaks = [host.snapshot()["decks"][0]["stem_peak"][:4] for host in (together, one_by_one)]
    assert peaks[0][0] > 0.05 and peaks[0][3] == 0.0
    assert np.allclose(peaks[0], peaks[1], rtol=0.15)
