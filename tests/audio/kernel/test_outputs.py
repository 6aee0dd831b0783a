"""Headphones, booth and outputs of their own: what goes where, and that it gets there without a click."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import BUS_CHANNELS
from tests.audio.kernel.listening import FADE, Sound, constant, in_blocks, mixed, noise, on, steps, tone, whole

KIND = CommandKind
PHONES, BOOTH = slice(8, 10), slice(10, 12)
"""Channels of the buses without a device."""


def deck_bus(deck: int) -> slice:
    return slice(12 + 2 * deck, 14 + 2 * deck)


def playing(*sent: Commands, channels: int = BUS_CHANNELS, levels: tuple[float, float] = (0.25, 0.125)) -> KernelHost:
    """Return a host with a constant on deck 0 and another on deck 1, both past the crossfader."""
    host = KernelHost(channels=channels)
    for deck, level in enumerate(levels):
        host.load(deck, deck + 1, SlotMemory.whole(constant(48_000, level)))
        host.send(join([command(KIND.DECK_ASSIGN, deck, a=1), on(deck)]))
    if sent:
        host.send(join(sent))
    return host


def settled(*sent: Commands, **how: int) -> Sound:
    """Return one frame of every channel, once all has settled."""
    return playing(*sent, **how).render(2000)[-1]


def test_nothing_is_cued_until_it_is_asked_for() -> None:
    frame = settled()
    assert not frame[PHONES].any()
    assert frame[:2] == pytest.approx([0.375, 0.375])


def test_pfl_is_heard_before_the_fader() -> None:
    frame = settled(command(KIND.DECK_PFL, 0, a=1), command(KIND.DECK_VOLUME, 0, a=0.0))
    assert frame[PHONES] == pytest.approx([0.25, 0.25])
    assert frame[:2] == pytest.approx([0.125, 0.125])


def test_pfl_is_after_trim_and_eq() -> None:
    sent = [command(KIND.DECK_EQ, 0, band, a=0.5) for band in range(3)]
    frame = settled(command(KIND.DECK_PFL, 0, a=1), command(KIND.DECK_TRIM, 0, a=2.0), *sent)
    assert frame[PHONES] == pytest.approx([0.25, 0.25], rel=1e-3)


@pytest.mark.parametrize("mix", [0.0, 0.25, 1.0])
def test_cue_mix_and_level(mix: float) -> None:
    sent = [command(KIND.DECK_PFL, 1, a=1), command(KIND.CUE_MIX, a=mix), command(KIND.HEADPHONES, a=0.5)]
    wanted = 0.5 * (0.125 * (1 - mix) + 0.375 * mix)
    assert settled(*sent)[PHONES] == pytest.approx([wanted, wanted])


def test_split_cue_puts_the_cue_left_and_the_master_right() -> None:
    frame = settled(command(KIND.DECK_PFL, 1, a=1), command(KIND.SPLIT_CUE, a=1), command(KIND.CUE_MIX, a=0.3))
    assert frame[PHONES] == pytest.approx([0.125, 0.375])


def test_the_booth_has_a_level_of_its_own() -> None:
    frame = settled(command(KIND.BOOTH, a=0.5), command(KIND.MASTER_VOLUME, a=0.0))
    assert frame[BOOTH] == pytest.approx([0.1875, 0.1875])
    assert not frame[:2].any()


def test_headphones_and_booth_lie_on_their_pairs() -> None:
    frame = settled(command(KIND.DECK_PFL, 0, a=1), channels=8)
    assert frame == pytest.approx([0.375, 0.375, 0.25, 0.25, 0.375, 0.375, 0.0, 0.0])
    sent = [command(KIND.DECK_PFL, 0, a=1), command(KIND.HEADPHONES_OUTPUT, a=3), command(KIND.BOOTH_OUTPUT, a=0)]
    assert settled(*sent, channels=8) == pytest.approx([0.375, 0.375, 0.0, 0.0, 0.0, 0.0, 0.25, 0.25])


@pytest.mark.parametrize("pair", [1, 2, 3])
def test_a_deck_goes_to_its_own_output_after_its_fader(pair: int) -> None:
    sent = [
        command(KIND.HEADPHONES_OUTPUT, a=0), command(KIND.BOOTH_OUTPUT, a=0), command(KIND.DECK_OUTPUT, 0, a=pair),
        command(KIND.DECK_VOLUME, 0, a=0.5), command(KIND.CROSSFADER, a=1.0), command(KIND.DECK_ASSIGN, 0, a=0),
    ]  # fmt: skip
    frame = settled(*sent, channels=8)
    assert frame[:2] == pytest.approx([0.125, 0.125])
    assert frame[2 * pair : 2 * pair + 2] == pytest.approx([0.125, 0.125])
    assert np.count_nonzero(frame) == 4


def test_a_stem_goes_to_its_own_output() -> None:
    stems = {0: constant(48_000, 0.25), 1: constant(48_000, 0.0625)}
    host = KernelHost(channels=4)
    host.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
    host.send(join([command(KIND.DECK_ASSIGN, 0, a=1), on(), command(KIND.HEADPHONES_OUTPUT, a=0)]))
    host.send(join([command(KIND.STEM_OUTPUT, 0, 1, a=1), command(KIND.DECK_TRIM, 0, a=2.0)]))
    assert host.render(2000)[-1] == pytest.approx([0.5, 0.5, 0.125, 0.125])


@pytest.mark.parametrize("kind", [KIND.DECK_OUTPUT, KIND.STEM_OUTPUT])
def test_an_output_that_the_device_has_not_is_the_master(kind: CommandKind) -> None:
    stems = {0: constant(48_000, 0.25)}
    for channels in (2, 4):
        host = KernelHost(channels=channels)
        host.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
        host.send(join([command(KIND.DECK_ASSIGN, 0, a=1), on(), command(kind, 0, 0, a=3)]))
        assert host.render(2000)[-1, :2] == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("kind", [KIND.DECK_OUTPUT, KIND.STEM_OUTPUT])
def test_a_change_of_output_is_a_fade(kind: CommandKind) -> None:
    stems = {0: constant(48_000, 0.25)}
    host = KernelHost(channels=4)
    host.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
    sent = [command(kind, 0, 0, a=n % 2, frame=2000 + 150 * n) for n in range(1, 8)]
    host.send(join([command(KIND.DECK_ASSIGN, 0, a=1), on(), *sent]))
    out = host.render(6000)
    assert steps(out[1000:]).max() <= 0.25 / FADE + 1e-6
    assert out[-1, :2] == pytest.approx([0.0, 0.0])


def test_every_bus_can_be_listened_to() -> None:
    frame = settled(command(KIND.DECK_VOLUME, 1, a=0.5), command(KIND.MASTER_VOLUME, a=0.0))
    assert frame[deck_bus(0)] == pytest.approx([0.25, 0.25])
    assert frame[deck_bus(1)] == pytest.approx([0.0625, 0.0625])
    assert not frame[deck_bus(2)].any() and not frame[deck_bus(3)].any()


def test_the_crossfader_can_be_reversed() -> None:
    sent = [command(KIND.DECK_ASSIGN, 0, a=0), command(KIND.DECK_ASSIGN, 1, a=2), command(KIND.CROSSFADER, a=-1.0)]
    assert settled(*sent)[0] == pytest.approx(0.25)
    assert settled(*sent, command(KIND.CROSSFADER_REVERSE, a=1))[0] == pytest.approx(0.125)


def test_more_channels_change_nothing_of_the_master() -> None:
    assert np.array_equal(playing().render(4000)[:, :2], playing(channels=2).render(4000))


@pytest.mark.parametrize("channels", [0, 1, 3, 10, 21])
def test_channels_that_cannot_be_are_refused(channels: int) -> None:
    with pytest.raises(ValueError, match="channels"):
        KernelHost(channels=channels)
    with pytest.raises(ValueError, match="channels"):
        KernelHost().set_channels(channels)


def test_the_device_may_change_between_blocks() -> None:
    host = playing(command(KIND.DECK_PFL, 0, a=1), channels=2)
    assert host.render(1000).shape == (1000, 2)
    host.set_channels(4)
    assert host.render(1000)[-1] == pytest.approx([0.375, 0.375, 0.25, 0.25])


@pytest.mark.parametrize("size", [1, 64, 65, 128, 512])
def test_block_size_changes_no_bit(size: int) -> None:
    def host() -> KernelHost:
        made = KernelHost(channels=BUS_CHANNELS)
        stems = {slot: noise(20_000, slot) for slot in range(2)}
        made.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
        made.load(1, 2, SlotMemory.whole(tone(20_000)))
        numbers = np.random.default_rng(3)
        sent = [on(0), on(1, 333)]
        for n in range(60):
            kind = [KIND.DECK_OUTPUT, KIND.STEM_OUTPUT, KIND.DECK_PFL, KIND.CUE_MIX, KIND.STEM_SEND, KIND.BOOTH][n % 6]
            value = numbers.integers(0, 4) if n % 6 < 2 else numbers.uniform()
            sent.append(command(kind, n % 2, n % 2, a=float(value), frame=int(numbers.integers(1, 6000))))
        made.send(join(sent))
        return made

    sizes = [size] * (6000 // size) + ([6000 % size] if 6000 % size else [])
    assert np.array_equal(in_blocks(host(), sizes), host().render(6000))


def test_a_send_of_any_size_leaves_the_sum_alone() -> None:
    stems = {0: tone(20_000), 1: noise(20_000, 2)}
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(mixed(stems)), 0, whole(stems))
    sent = [command(KIND.STEM_SEND, 0, slot, a=0.3, frame=3000 * slot + 1000) for slot in range(2)]
    host.send(join([command(KIND.DECK_ASSIGN, 0, a=1), on(), *sent]))
    assert np.allclose(host.render(9000)[FADE:], mixed(stems)[FADE:9000], atol=1e-6)
