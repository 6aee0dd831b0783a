"""KernelHost: what it takes, what it refuses, when it gives memory back; and the readers of the shared rings."""

import numpy as np
import pytest

from audio.commands import CHUNK_FRAMES, CommandKind, EventKind, command, join
from audio.host import HostBusy, KernelHost, SlotMemory, private_block
from audio.kernel.layout import HOST_CAPACITY
from audio.rings import BUS_CAPACITY, SNAPSHOT_SLOTS, ring
from tests.audio.kernel.listening import FADE, constant, host_with, in_blocks, kinds, mixed, on, stems_of, tone, whole


def test_load_and_eject_are_told() -> None:
    host = host_with(constant(9000), position=777)
    host.render(64)
    deck = host.snapshot()["decks"][0]
    assert (deck["token"], deck["position"], deck["duration"], deck["playing"]) == (1, 777.0, 9000, 0)
    host.eject(0)
    host.render(64)
    assert host.snapshot()["decks"][0]["token"] == 0
    assert kinds(host.events()) == [EventKind.DECK_LOADED, EventKind.DECK_EJECTED]


def test_memory_is_kept_while_it_fades_and_given_back_after() -> None:
    host = host_with(constant(9000), on())
    host.render(1000)
    host.load(0, 2, SlotMemory.whole(constant(9000)))
    host.render(FADE - 40)
    assert host.holds == 2
    assert host.collect() == []
    host.render(41)
    assert len(host.collect()) == 1
    assert host.holds == 1
    events = host.events()
    assert kinds(events) == [EventKind.DECK_LOADED, EventKind.DECK_LOADED, EventKind.DECK_EJECTED]
    assert [int(token) for token in events["token"]] == [1, 2, 1]


def test_a_load_that_was_overtaken_is_given_back() -> None:
    host = KernelHost()
    for token in range(1, 6):
        host.load(0, token, SlotMemory.whole(constant(9000)))
    assert host.collect() == []
    host.render(64)
    assert len(host.collect()) == 4
    assert host.snapshot()["decks"][0]["token"] == 5


def test_loads_faster_than_fades_all_end_well() -> None:
    host = host_with(constant(9000, 0.1), on())
    host.render(1000)
    for token in range(2, 40):
        host.load(0, token, SlotMemory.whole(constant(9000, 0.1)))
        out = host.render(16)
        assert np.abs(out).max() <= 0.11
    host.render(3 * FADE)
    assert len(host.collect()) == 38
    assert host.snapshot()["decks"][0]["token"] == 39
    assert host.snapshot()["decks"][0]["playing"] == 1


def test_a_stem_that_is_replaced_is_given_back() -> None:
    stems = stems_of(20_000)
    host = host_with(mixed(stems), on(), stems=whole(stems))
    host.render(1000)
    host.bind_stem(0, 1, 1, SlotMemory.whole(stems[1].copy()))
    host.render(1000)
    assert [memory.audio.ctypes.data for memory in host.collect()] == [stems[1].ctypes.data]


def test_the_same_memory_on_two_decks_stays_until_both_are_done() -> None:
    memory = SlotMemory.whole(constant(9000))
    host = KernelHost()
    host.load(0, 1, memory)
    host.load(1, 2, memory)
    host.render(64)
    host.eject(0)
    host.render(64)
    assert host.collect() == []
    host.eject(1)
    host.render(64)
    assert host.collect() == [memory]


def test_eject_of_another_token_does_nothing() -> None:
    host = host_with(constant(9000), on())
    host.eject(0, 5)
    assert host.render(1000)[-1, 0] == 0.5


def test_the_host_says_when_it_is_full() -> None:
    host = KernelHost()
    memory = SlotMemory.whole(constant(100))
    for _ in range(HOST_CAPACITY):
        host.load(0, 1, memory)
    with pytest.raises(HostBusy):
        host.load(0, 1, memory)
    host.render(16)
    host.load(0, 1, memory)


@pytest.mark.parametrize(("deck", "token"), [(-1, 1), (4, 1), (0, 0), (0, 1 << 64), (0, -1)])
def test_a_deck_or_token_that_cannot_be_is_refused(deck: int, token: int) -> None:
    with pytest.raises(ValueError, match=r"deck|token"):
        KernelHost().load(deck, token, SlotMemory.whole(constant(100)))


def test_memory_of_the_wrong_shape_is_refused() -> None:
    good = np.zeros((5000, 2), np.float32)
    ready = np.zeros(2, np.uint8)
    for audio, map_ in [
        (good.astype(np.float64), ready),
        (good[:, :1], ready),
        (good, ready[:1]),
        (good, ready.astype(np.int8)),
        (np.zeros((2, 5000), np.float32).T, ready),
    ]:
        with pytest.raises(ValueError, match=r"audio|ready"):
            SlotMemory(audio, map_)
    with pytest.raises(ValueError, match="slots"):
        KernelHost().bind_stem(0, 1, 8, SlotMemory(good, ready))


@pytest.mark.parametrize("settings", [{"rate": 100}, {"channels": 3}, {"block": np.zeros((), np.uint8)}])
def test_a_kernel_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"rate|channels|block"):
        KernelHost(**settings)  # type: ignore[arg-type]


def test_two_hosts_do_not_know_of_each_other() -> None:
    first, second = host_with(tone(9000), on()), KernelHost(block=private_block())
    assert np.abs(first.render(1000)).max() > 0.1
    assert not second.render(1000).any()


def test_an_empty_track_ends_at_once() -> None:
    host = host_with(constant(0), on())
    assert not host.render(200).any()
    assert kinds(host.events()) == [EventKind.DECK_LOADED, EventKind.DECK_ENDED]


@pytest.mark.parametrize("frames", [1, 10, 31, CHUNK_FRAMES, CHUNK_FRAMES + 1])
@pytest.mark.parametrize("rate", [1.0, 1.37, -1.0])
def test_short_tracks_are_never_read_beyond(frames: int, rate: float) -> None:
    # The memory around the track is poison.
    room = np.full((frames + 512, 2), 1e4, np.float32)
    room[256 : 256 + frames] = 0.25
    track = SlotMemory(room[256 : 256 + frames], np.ones(-(-frames // CHUNK_FRAMES), np.uint8))
    host = KernelHost()
    host.load(0, 1, track, 0 if rate > 0 else frames)
    host.send(join([command(CommandKind.DECK_RATE, a=rate), on()]))
    assert np.abs(host.render(frames * 2 + 100)).max() <= 0.3
    assert host.snapshot()["decks"][0]["playing"] == 0


def test_the_engine_rate_scales_the_fades() -> None:
    host = KernelHost(96_000)
    host.load(0, 1, SlotMemory.whole(constant(9000)))
    host.send(join([command(CommandKind.DECK_ASSIGN, a=1), on()]))
    out = host.render(1000)[:, 0]
    assert out[:480] == pytest.approx(0.5 * np.arange(1, 481) / 480, abs=1e-5)


def test_the_frame_counter_can_go_on_from_elsewhere() -> None:
    host = KernelHost()
    host.set_frame(123_456)
    host.load(0, 1, SlotMemory.whole(constant(9000)))
    host.send(on(frame=123_500))
    out = host.render(100)
    assert not out[:44].any()
    assert out[44, 0] > 0.0
    assert host.snapshot()["frame"] == 123_556
    assert np.array_equal(host.master.read(123_456, 100)[0], out)
    with pytest.raises(ValueError, match="before the first block"):
        host.set_frame(0)


def test_the_master_is_read_back_across_the_end_of_its_ring() -> None:
    host = host_with(tone(400_000), on())
    cursor, parts, heard = 0, [], []
    for size in [4096, 10_001, 65_536, 131, 40_000, 70_000, 9]:
        heard.append(in_blocks(host, [size // 2, size - size // 2]))
        part, cursor = host.master.read(cursor, 1 << 20)
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), np.concatenate(heard))
    assert host.master.written == cursor


def test_a_reader_of_the_master_that_sleeps_is_moved_forward() -> None:
    host = host_with(tone(600_000), on())
    heard = in_blocks(host, [4096] * 100)
    audio, cursor = host.master.read(0, 1 << 20)
    assert cursor == 409_600
    assert BUS_CAPACITY // 2 < len(audio) <= BUS_CAPACITY
    assert np.array_equal(audio, heard[cursor - len(audio) :])
    assert len(host.master.read(cursor, 100)[0]) == 0
    assert len(host.master.read(cursor + 5000, 100)[0]) == 0


def test_a_snapshot_that_is_being_written_is_not_returned() -> None:
    host = host_with(constant(90_000), on())
    host.render(64)
    host.render(64)
    slots = host.block["snapshots"]["slots"]
    newest = slots[2 % SNAPSHOT_SLOTS]
    assert int(newest["sequence"]) == 4
    newest["sequence"] = 3
    assert int(host.snapshot()["frame"]) == 0
    newest["sequence"] = 4
    assert int(host.snapshot()["frame"]) == 128


def test_rings_have_a_power_of_two_of_places() -> None:
    with pytest.raises(ValueError, match="power of two"):
        ring(np.dtype("<f8"), 12)


def test_no_commands_are_an_array_too() -> None:
    assert len(join([])) == 0
    host = KernelHost()
    host.send(join([]))
    assert host.render(10).shape == (10, 2)
