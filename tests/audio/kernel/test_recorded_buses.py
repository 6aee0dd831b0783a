"""The rings of the buses: what is in them is what is heard on the bus, frame by frame, beside a master that never
changes."""

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.rings import BUS_CAPACITY, BusReader
from audio.units import BUS_CHANNELS, BUSES, MOST_CHANNELS
from tests.audio.kernel.listening import Sound, in_blocks, noise, on, steps, tone

KIND = CommandKind
LENGTH = 9000
PAD = len(BUSES) - 1


def arm(bus: int, wanted: bool = True, frame: int = 0) -> Commands:
    return command(KIND.RECORD_BUS, 0, bus, a=float(wanted), frame=frame)


def busy(channels: int, *sent: Commands, looks_ahead: bool = False) -> KernelHost:
    """Return a host with two decks, one of them cued, and a pad that is hit."""
    host = KernelHost(channels=channels, looks_ahead=looks_ahead)
    host.load(0, 1, SlotMemory.whole(tone(30_000)))
    host.load(1, 2, SlotMemory.whole(noise(30_000, 2)))
    host.load_pad(0, 0, SlotMemory.whole(noise(3000, 5)))
    moves = [
        on(0), on(1, 700), command(KIND.DECK_PFL, 0, a=1, frame=300), command(KIND.DECK_VOLUME, 1, a=0.3, frame=2000),
        command(KIND.HEADPHONES, a=0.8, frame=1000), command(KIND.BOOTH, a=0.4, frame=1500),
        command(KIND.MASTER_VOLUME, a=0.6, frame=2500), command(KIND.PAD_HIT, 0, 0, a=0.9, frame=1234),
    ]  # fmt: skip
    host.send(join([*sent, *moves]))
    return host


def ring(host: KernelHost, bus: int) -> BusReader:
    return BusReader(host.block["buses"][bus])


def taken(host: KernelHost, bus: int, start: int = 0) -> Sound:
    return ring(host, bus).read(start, LENGTH)[0]


EVERY = [arm(bus) for bus in range(len(BUSES))]


@pytest.mark.parametrize("channels", [2, 4, BUS_CHANNELS])
def test_each_ring_holds_its_bus(channels: int) -> None:
    host = busy(channels, *EVERY)
    host.render(LENGTH)
    heard = busy(BUS_CHANNELS).render(LENGTH)
    for bus, name in enumerate(BUSES):
        first = MOST_CHANNELS + 2 * bus
        assert np.array_equal(taken(host, bus), heard[:, first : first + 2]), name
        assert heard[:, first : first + 2].any() == (name not in ("deck3", "deck4"))


def test_recording_changes_nothing_of_the_master() -> None:
    assert np.array_equal(busy(2, *EVERY).render(LENGTH), busy(2).render(LENGTH))


@pytest.mark.parametrize("sizes", [[1], [64], [65], [128], [512], [7, 400, 1, 129]])
def test_block_size_changes_no_bit_of_a_ring(sizes: list[int]) -> None:
    cut, whole = (busy(2, *EVERY, arm(2, False, 3333), arm(2, True, 4444), looks_ahead=True) for _ in range(2))
    in_blocks(cut, [sizes[n % len(sizes)] for n in range(LENGTH // (sum(sizes) // len(sizes)) + len(sizes))])
    whole.render(cut.frame)
    for bus in range(len(BUSES)):
        start = ring(whole, bus).since
        assert np.array_equal(taken(cut, bus, start), taken(whole, bus, start))


def test_a_ring_tells_from_when_it_was_filled_and_how_late_its_bus_is() -> None:
    host = busy(2, arm(3, frame=2000), arm(3, False, 4000), arm(0), looks_ahead=True)
    host.render(LENGTH)
    assert (ring(host, 3).since, ring(host, 3).written) == (2000, 4000)
    audio, cursor = ring(host, 3).read(0, LENGTH)
    assert len(audio) == 2000 and cursor == 4000
    assert ring(host, 2).written == 0  # never asked for
    # Headphones and master have waited for the limiter, decks and pads have not.
    assert [ring(host, bus).delay_frames for bus in (0, 1, 2, PAD)] == [host.delay_frames, 0, 0, 0]
    assert host.master.delay_frames == host.delay_frames > 0


def test_the_delays_told_bring_a_deck_and_the_master_together() -> None:
    host = KernelHost(looks_ahead=True)
    impulse = np.zeros((5000, 2), np.float32)
    impulse[1000] = 0.5
    host.load(0, 1, SlotMemory.whole(impulse))
    host.send(join([arm(2), command(KIND.DECK_ASSIGN, 0, a=1), on()]))
    host.render(3000)
    deck, master = taken(host, 2), host.master.read(0, 3000)[0]
    assert int(np.argmax(deck[:, 0])) + host.master.delay_frames == int(np.argmax(master[:, 0]))


def test_a_ring_goes_round_and_begins_anew_without_what_it_held() -> None:
    host = busy(2, arm(2))
    host.render(BUS_CAPACITY + 1000)
    assert ring(host, 2).written == BUS_CAPACITY + 1000
    host.send(arm(2, False))
    host.render(500)
    host.send(arm(2))
    host.render(100)
    audio, cursor = ring(host, 2).read(0, LENGTH)
    assert (len(audio), cursor) == (100, BUS_CAPACITY + 1600)


def test_a_bus_that_is_none_is_refused() -> None:
    host = KernelHost()
    host.send(arm(len(BUSES)))
    host.render(10)
    assert [int(event["kind"]) for event in host.events()] == [7] and host.snapshot()["commands_applied"] == 0


# --- pads in the headphones -------------------------------------------------------------------------------------------


def cued(*sent: Commands, channels: int = BUS_CHANNELS) -> Sound:
    host = KernelHost(channels=channels)
    host.load_pad(0, 0, SlotMemory.whole(tone(6000)))
    host.load_pad(0, 1, SlotMemory.whole(noise(6000, 1)))
    host.send(join([*sent, command(KIND.PAD_HIT, 0, 0, a=1.0)]))
    return host.render(5000)


PFL = command(KIND.PAD_PFL, 0, 0, a=1)
PHONES, PADS = slice(8, 10), slice(20, 22)


def test_a_pad_goes_to_the_headphones_and_not_to_the_audience() -> None:
    plain, aside = cued(), cued(PFL)
    assert plain[:, :2].any() and not plain[:, PHONES].any()
    assert not aside[:, :2].any() and not aside[:, PADS].any()
    assert np.array_equal(aside[:, PHONES], plain[:, :2])


def test_a_cued_pad_is_heard_whatever_the_volume_of_all_pads() -> None:
    host = cued(PFL, command(KIND.SAMPLER_VOLUME, a=0.0))
    assert np.array_equal(host[:, PHONES], cued(PFL)[:, PHONES])


def test_other_pads_stay_where_they_are() -> None:
    other = command(KIND.PAD_HIT, 0, 1, a=1.0)
    assert np.array_equal(cued(PFL, other)[:, :2], cued(command(KIND.PAD_GAIN, 0, 0, a=0.0), other)[:, :2])


def test_without_headphones_a_cued_pad_is_heard_nowhere() -> None:
    assert cued(channels=2).any() and not cued(PFL, channels=2).any()


def test_a_sounding_pad_goes_over_without_a_step() -> None:
    moves = [command(KIND.PAD_PFL, 0, 0, a=value, frame=frame) for value, frame in ((1, 1000), (0, 2500))]
    plain, moved = cued(), cued(*moves)
    for bus in (slice(0, 2), PHONES):
        assert steps(moved[:, bus]).max() <= steps(plain[:, :2]).max() + 1 / 240
    assert np.allclose(moved[:, :2] + moved[:, PHONES], plain[:, :2], atol=1e-6)
