"""Linear timecode: it is read back by a reader that is not ours, follows the playhead, and minds no block sizes."""

import ctypes
import ctypes.util
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import BUS_CHANNELS, TIMECODE_RATES
from tests.audio.kernel.listening import constant, in_blocks, off, on
from tests.audio.kernel.ltc_reader import Read, read_ltc

KIND = CommandKind
PER_SECOND = {"24": Fraction(24), "25": Fraction(25), "29.97": Fraction(30_000, 1001), "30": Fraction(30)}
NAMES = {"24": 24, "25": 25, "29.97": 30, "30": 30}
CHANNEL = 2
"""Channel 3 of the device."""
LEVEL = 10 ** (-10 / 20)


def host(rate: str, *sent: Commands, offset: float = 0.0, channels: int = 4, seconds: int = 20) -> KernelHost:
    """Return a host with a track on deck 0 and timecode of it on channel 3."""
    made = KernelHost(channels=channels)
    made.load(0, 1, SlotMemory.whole(constant(48_000 * seconds, 0.25)))
    asked = [
        command(KIND.TIMECODE_RATE, a=TIMECODE_RATES.index(rate)),
        command(KIND.TIMECODE_OFFSET, a=offset),
        *sent,
    ]
    made.send(join(asked))
    return made


def number_of(read: Read, rate: str) -> int:
    """Return which frame since midnight has this name."""
    minutes = read.hours * 60 + read.minutes
    number = (minutes * 60 + read.seconds) * NAMES[rate] + read.frames
    return number - 2 * (minutes - minutes // 10) if read.drops else number


def heard(made: KernelHost, frames: int) -> list[Read]:
    return read_ltc(made.render(frames)[:, CHANNEL])


@pytest.mark.parametrize("rate", TIMECODE_RATES)
def test_every_name_is_read_and_stands_where_the_playhead_is(rate: str) -> None:
    found = heard(host(rate, on()), 48_000 * 4)
    first = number_of(found[0], rate)
    assert [number_of(one, rate) for one in found] == list(range(first, first + len(found)))
    assert len(found) >= 4 * float(PER_SECOND[rate]) - 4
    assert all(one.drops == (rate == "29.97") for one in found)
    for one in found:
        # Frame n begins when the playhead is at n frames, to less than a sample.
        assert one.begin == pytest.approx(float(number_of(one, rate) / PER_SECOND[rate]) * 48_000, abs=0.6)
        assert one.end - one.begin == pytest.approx(float(48_000 / PER_SECOND[rate]), abs=0.6)


@pytest.mark.parametrize("rate", TIMECODE_RATES)
@pytest.mark.parametrize("offset", [0.0, 59.0, 599.0, 3600.0, 86_398.0])
def test_minutes_hours_and_midnight(rate: str, offset: float) -> None:
    found = heard(host(rate, on(), offset=offset), 48_000 * 3)
    day = 24 * 3600 * NAMES[rate] - (24 * 6 * 18 if rate == "29.97" else 0)
    numbers = [number_of(one, rate) for one in found]
    assert all((after - before) % day == 1 for before, after in pairwise(numbers))
    for one in found[1:]:
        place = one.begin / 48_000 + offset
        assert number_of(one, rate) == round(place * float(PER_SECOND[rate])) % day
    if rate == "29.97" and offset == 59.0:
        names = [one.name for one in found]
        assert names[names.index("00:00:59;29") + 1] == "00:01:00;02"  # two names are dropped


@pytest.mark.parametrize("speed", [0.5, 0.92, 1.06, 2.0])
def test_it_runs_with_the_speed_of_the_deck(speed: float) -> None:
    found = heard(host("30", command(KIND.DECK_RATE, a=speed), on()), 48_000 * 3)
    numbers = [number_of(one, "30") for one in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for one in found[10:]:
        assert number_of(one, "30") == pytest.approx(one.begin * speed * 30 / 48_000, abs=0.05)


def test_a_speed_that_changes_never_breaks_the_bits() -> None:
    bends = [command(KIND.DECK_RATE, a=1.0 + 0.08 * (-1) ** n, frame=4000 * n) for n in range(1, 30)]
    found = heard(host("25", on(), *bends), 48_000 * 3)
    numbers = [number_of(one, "25") for one in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 70


def test_a_jump_names_the_new_place_and_the_bits_go_on() -> None:
    found = heard(host("25", on(), command(KIND.DECK_SEEK, a=480_000, frame=50_000)), 96_000)
    numbers = [number_of(one, "25") for one in found]
    at = next(index for index, one in enumerate(found) if one.end > 50_000)
    assert numbers[: at + 1] == list(range(numbers[0], numbers[0] + at + 1))
    assert found[at + 1].begin == pytest.approx(found[at].end, abs=0.6)
    assert numbers[at + 1] == pytest.approx((480_000 + found[at].end - 50_000) / 48_000 * 25, abs=0.51)
    assert numbers[at + 1 :] == list(range(numbers[at + 1], numbers[at + 1] + len(numbers) - at - 1))
    last = found[-1]
    assert (480_000 + last.begin - 50_000) / 48_000 * 25 == pytest.approx(numbers[-1], abs=0.01)


def test_it_ends_with_a_whole_frame_and_starts_on_a_new_one() -> None:
    made = host("30", on(), off(frame=30_000), on(frame=60_000))
    out = made.render(96_000)[:, CHANNEL]
    found = read_ltc(out)
    before, after = [one for one in found if one.end < 40_000], [one for one in found if one.begin > 50_000]
    ended = np.flatnonzero(out[:50_000])[-1]
    # a reader needs the edge after a frame to be sure of it: the last one is whole, and not read
    assert 30_000 <= ended < 30_000 + 1601
    assert ended - before[-1].end == pytest.approx(1600, abs=1)
    assert not out[ended + 1 : 60_000].any()
    assert 60_000 <= after[0].begin < 60_000 + 2 * 1601
    assert number_of(after[0], "30") >= number_of(before[-1], "30")


def test_backwards_is_silence() -> None:
    made = host("25", command(KIND.DECK_SEEK, a=480_000), command(KIND.REVERSE, a=1), on())
    assert not made.render(48_000)[:, CHANNEL].any()


def test_off_is_silence_and_never_touches_the_master() -> None:
    plain = host("25", command(KIND.TIMECODE_RATE, a=-1), on()).render(9600)
    coded = host("25", on()).render(9600)
    assert not plain[:, CHANNEL].any()
    assert np.array_equal(plain[:, :2], coded[:, :2])
    assert not coded[:, CHANNEL + 1].any()
    # a device of two channels has no place for it
    assert np.array_equal(host("25", on(), channels=2).render(9600), plain[:, :2])


def test_the_channel_is_its_own() -> None:
    sent = (on(), command(KIND.DECK_OUTPUT, a=1))
    out = host("25", *sent).render(48_000)
    assert len(read_ltc(out[:, CHANNEL])) > 20
    assert out[4000:, CHANNEL + 1] == pytest.approx(0.25)  # the other one of the pair keeps its music


@pytest.mark.parametrize("channel", range(6))
def test_channel_and_level(channel: int) -> None:
    made = host("25", on(), command(KIND.TIMECODE_CHANNEL, a=channel), channels=8)
    out = made.render(24_000)[:, 2 + channel]
    assert len(read_ltc(out)) > 10
    assert np.abs(out).max() == pytest.approx(LEVEL, rel=1e-4)
    made.send(command(KIND.TIMECODE_LEVEL, a=0.5))
    assert np.abs(made.render(24_000)[2000:, 2 + channel]).max() == pytest.approx(0.5, rel=1e-4)


def test_it_follows_the_deck_it_is_told() -> None:
    made = host("25", on())
    made.load(2, 9, SlotMemory.whole(constant(480_000)), 240_000)
    made.send(join([on(2), command(KIND.TIMECODE_DECK, a=2)]))
    assert number_of(heard(made, 48_000)[5], "25") == pytest.approx(5 * 25 + 6, abs=2)


def test_libltc_reads_the_same() -> None:
    name = ctypes.util.find_library("ltc")
    if name is None:
        pytest.skip("libltc is not installed")
    library = ctypes.CDLL(name)
    library.ltc_decoder_create.restype = ctypes.c_void_p
    library.ltc_decoder_create.argtypes = [ctypes.c_int, ctypes.c_int]
    library.ltc_decoder_write_float.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_longlong]
    library.ltc_decoder_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.ltc_frame_to_time.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    library.ltc_decoder_free.argtypes = [ctypes.c_void_p]
    for rate in TIMECODE_RATES:
        sound = np.ascontiguousarray(host(rate, on(), offset=3599.0).render(96_000)[:, CHANNEL])
        decoder = library.ltc_decoder_create(round(48_000 / PER_SECOND[rate]), 256)
        frame, stamp = ctypes.create_string_buffer(1024), (ctypes.c_ubyte * 64)()
        names = []
        for at in range(0, len(sound), 1000):
            part = np.ascontiguousarray(sound[at : at + 1000])
            library.ltc_decoder_write_float(decoder, part.ctypes.data, len(part), at)
            while library.ltc_decoder_read(decoder, frame):
                library.ltc_frame_to_time(stamp, frame, 0)
                hours, minutes, seconds, frames = stamp[9:13]  # after the zone (6), year, month and day
                names.append((hours, minutes, seconds, frames))
        library.ltc_decoder_free(decoder)
        ours = [(one.hours, one.minutes, one.seconds, one.frames) for one in read_ltc(sound)]
        assert names[-len(ours) :] == ours or names[: len(ours)] == ours or names[1 : len(ours) + 1] == ours
        assert abs(len(names) - len(ours)) <= 2


def _show() -> list[Commands]:
    return [
        on(), command(KIND.DECK_RATE, a=1.03, frame=7001), command(KIND.DECK_SEEK, a=200_000, frame=15_013),
        off(frame=20_011), on(frame=24_001), command(KIND.BEND, a=0.7, frame=30_000),
        command(KIND.TIMECODE_RATE, a=1, frame=35_000), command(KIND.TIMECODE_LEVEL, a=0.1, frame=36_001),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 64, 65, 512])
def test_block_sizes_change_nothing(size: int) -> None:
    frames = 40_000 if size > 1 else 6_000
    wanted = host("29.97", *_show(), channels=BUS_CHANNELS).render(frames)
    sizes = [size] * (frames // size) + ([frames % size] if frames % size else [])
    assert np.array_equal(in_blocks(host("29.97", *_show(), channels=BUS_CHANNELS), sizes), wanted)


def test_random_splits_change_nothing() -> None:
    chance = np.random.default_rng(4)
    wanted = host("24", *_show()).render(40_000)
    cuts = [0, *np.unique(chance.integers(1, 40_000, 150)).tolist(), 40_000]
    assert np.array_equal(in_blocks(host("24", *_show()), np.diff(cuts).tolist()), wanted)


def test_edges_are_bounded_and_all_is_finite() -> None:
    out = host("30", *_show()).render(40_000)[:, CHANNEL]
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= LEVEL * (1 + 1e-6)
    assert np.abs(np.diff(out)).max() <= 2 * LEVEL * (1 + 1e-6)
