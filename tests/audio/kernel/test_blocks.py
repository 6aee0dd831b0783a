"""Laws of the whole: block sizes change nothing, silence stays silence, everything is finite, starts are exact."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.listening import FADE, constant, host_with, in_blocks, mixed, on, stems_of, tone, whole

FRAMES = 24_000


def busy_host() -> KernelHost:
    """Return a host on which something happens all the time, also in the middle of blocks."""
    host = KernelHost()
    stems = whole(stems_of(60_000))
    stems[2].ready[2:5] = 0
    host.load(0, 1, SlotMemory.whole(mixed(stems_of(60_000))), 0, stems)
    host.load(1, 2, SlotMemory.whole(tone(9_000, 1000.0)), 100)
    host.load(2, 3, SlotMemory.whole(tone(60_000, 330.0)))
    kind = CommandKind
    sent: list[Commands] = [on(0), on(1, 777), on(2, 1)]
    for number, (what, deck, slot, value) in enumerate(
        [
            (kind.DECK_RATE, 0, 0, 1.0003), (kind.STEM_MUTE, 0, 0, 1), (kind.CROSSFADER, 0, 0, 0.7),
            (kind.DECK_SEEK, 0, 0, 3333), (kind.STEM_PAN, 0, 1, -0.4), (kind.DECK_PLAY, 2, 0, 0),
            (kind.DECK_SEEK, 2, 0, 50), (kind.DECK_PLAY, 2, 0, 1), (kind.DECK_RATE, 2, 0, 1.5),
            (kind.DECK_SEEK, 2, 0, 20_000), (kind.DECK_SEEK, 2, 0, 30_000), (kind.DECK_SEEK, 2, 0, 40_000),
            (kind.DECK_SEEK, 2, 0, 50_000), (kind.DECK_RATE, 2, 0, -0.7), (kind.STEM_SOLO, 0, 2, 1),
            (kind.CROSSFADER_CURVE, 0, 0, 2), (kind.DECK_TRIM, 0, 0, 4.0), (kind.DECK_RATE, 0, 0, 2.3),
            (kind.DECK_SOURCE, 0, 0, 0), (kind.DECK_SOURCE, 0, 0, 1), (kind.MASTER_VOLUME, 0, 0, 0.5),
            (kind.STEM_SOLO, 0, 2, 0), (kind.DECK_RATE, 0, 0, 1.0), (kind.DECK_SEEK, 0, 0, 15_000),
        ]
    ):  # fmt: skip
        # Some fall inside each other's fades.
        sent.append(command(what, deck, slot, a=value, frame=1000 + 83 * number + 700 * (number // 5)))
    host.send(join(sent))
    return host


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return busy_host().render(FRAMES)


@pytest.mark.parametrize("size", [1, 37, 64, 65, 127, 128, 129, 512, 4096])
def test_block_size_changes_no_bit(size: int, reference: np.ndarray) -> None:
    sizes = [size] * (FRAMES // size) + ([FRAMES % size] if FRAMES % size else [])
    assert np.array_equal(in_blocks(busy_host(), sizes), reference)


@pytest.mark.parametrize("seed", range(4))
def test_random_blocks_change_no_bit(seed: int, reference: np.ndarray) -> None:
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, FRAMES), 200, replace=False))
    sizes = np.diff(np.concatenate([[0], cuts, [FRAMES]]))
    assert np.array_equal(in_blocks(busy_host(), sizes), reference)


def test_the_reference_sounds_and_is_finite(reference: np.ndarray) -> None:
    assert np.isfinite(reference).all()
    assert np.abs(reference).max() > 0.1
    assert np.abs(reference).max() <= 1.0


def test_silence_in_is_silence_out() -> None:
    assert not KernelHost().render(5000).any()
    host = host_with(constant(20_000, 0.0), on(), command(CommandKind.DECK_RATE, a=1.0371))
    assert not host.render(10_000).any()


@pytest.mark.parametrize("frame", [1, 63, 64, 500, 1000])
def test_play_sounds_in_its_very_frame(frame: int) -> None:
    out = host_with(constant(20_000), on(frame=frame)).render(2000)
    assert not out[:frame].any()
    assert (out[frame] > 0.0).all()


def test_a_command_for_now_acts_on_the_first_frame_of_the_block() -> None:
    host = host_with(constant(20_000), on())
    before = host.render(1000)
    host.send(command(CommandKind.MASTER_VOLUME, a=0.0))
    after = host.render(FADE)
    assert after[0, 0] < before[-1, 0]
    assert after[-1, 0] == 0.0
    assert np.allclose(np.diff(after[:, 0]), -0.5 / FADE, atol=1e-6)


def test_rate_one_is_a_copy() -> None:
    sound = tone(20_000)
    out = host_with(sound, on(), position=1234).render(8000)
    assert np.array_equal(out[FADE:], sound[1234 + FADE : 1234 + 8000])


def test_four_channels_keep_two_for_headphones() -> None:
    two, four = KernelHost(), KernelHost(channels=4)
    for host in (two, four):
        host.load(0, 1, SlotMemory.whole(tone(20_000)))
        host.send(on())
    wide = four.render(3000)
    assert wide.shape == (3000, 4)
    assert np.array_equal(wide[:, :2], two.render(3000))
    assert not wide[:, 2:].any()
    assert np.array_equal(four.master.read(0, 3000)[0], wide[:, :2])
