"""Takes: what is played along with a deck comes back on the track's own frames, whatever the deck does meanwhile."""

import tempfile
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from audio.commands import CommandKind, Commands, command, join
from audio.errors import AudioError
from audio.host import KernelHost, SlotMemory
from audio.kernel.layout import LOOK_AHEAD
from audio.rings import BusReader, PlaceReader
from audio.stretcher import STEP_FRAMES
from audio.take_laying import lay
from audio.take_pass import Label, OpenPass, Pass, kept_pass
from audio.taking import Taker
from tests.audio.kernel.listening import Sound, decibels, noise, off, on, tone
from tests.audio.kernel.test_input import hear

KIND = CommandKind
RATE = 48_000
DELAY = 300
EDGE = 400
"""Frames at both ends of a pass where the deck's fades and the take's are."""


class Loopback:
    """A deck whose master comes back by a cable after DELAY frames, and who takes it."""

    def __init__(self, track: Sound, *sent: Commands, looks_ahead: bool = False) -> None:
        self.host = KernelHost(looks_ahead=looks_ahead)
        self.host.set_input(2, DELAY)
        self.host.load(0, 7, SlotMemory.whole(track))
        take = command(KIND.INPUT_TAKE, a=1)
        self.host.send(join([command(KIND.DECK_ASSIGN, 0, a=1), take, *sent]))
        self._played = np.zeros((DELAY, 2), np.float32)
        self._block = np.zeros((0, 2), np.float32)
        self.taker: Taker | None = None
        self.passes: list[OpenPass] = []
        self._kept = tempfile.TemporaryDirectory(prefix="sfa-")
        self._names = count()

    def _begin(self, token: int) -> OpenPass:
        return OpenPass(Path(self._kept.name) / str(next(self._names)), Label(str(token), RATE))

    def run(self, frames: int, sizes: list[int]) -> "Loopback":
        done, turn = 0, 0
        while done < frames:
            size = min(sizes[turn % len(sizes)], DELAY, frames - done)
            if self.host.frame % STEP_FRAMES == 0:
                self.host.stretchers.step()
            back, self._played = self._played[:size], self._played[size:]
            self._played = np.concatenate([self._played, hear(self.host, back, [size])])
            done, turn = done + size, turn + 1
            if self.taker is None:
                block = self.host.block
                self.taker = Taker(PlaceReader(block["places"]), BusReader(block["input"]), RATE, 0, self._begin)
            if done % 8192 < size:
                self.passes += self.taker.pull()
        assert self.taker is not None
        self.passes += self.taker.pull()
        return self

    def taker_passes(self) -> list[Pass]:
        assert self.taker is not None
        made = [kept_pass(one.folder) for one in self.passes + self.taker.end()]
        self._kept.cleanup()
        return made

    def end(self) -> list[tuple[int, Sound]]:
        return [lay(one, RATE) for one in self.taker_passes()]


def lies_on(track: Sound, take: tuple[int, Sound]) -> bool:
    start, sound = take
    return np.array_equal(sound[EDGE:-EDGE], track[start + EDGE : start + len(sound) - EDGE])


@pytest.mark.parametrize("sizes", [[1], [64], [65], [128], [300], [3, 250, 1]])
def test_what_comes_back_lies_on_the_track_bit_for_bit(sizes: list[int]) -> None:
    track = noise(40_000, 1)
    [take] = Loopback(track, on(frame=1000)).run(20_000 if sizes != [1] else 8000, sizes).end()
    assert take[0] == 0 and lies_on(track, take)


def test_the_limiters_delay_is_made_up_for() -> None:
    track = noise(40_000, 1)
    [take] = Loopback(track, on(frame=1000), looks_ahead=True).run(20_000, [128]).end()
    assert LOOK_AHEAD > 0 and lies_on(track, take)


@pytest.mark.parametrize("sizes", [[64], [65], [300]])
def test_each_pass_of_a_loop_is_a_take_and_so_is_what_follows_a_seek_and_a_stop(sizes: list[int]) -> None:
    track = noise(60_000, 2)
    sent = [
        command(KIND.LOOP_PUT, a=6000.0, b=14_000.0), command(KIND.LOOP_ACTIVE, a=1), on(frame=100),
        command(KIND.LOOP_ACTIVE, a=0, frame=32_000), command(KIND.DECK_SEEK, a=40_000, frame=36_000),
        off(frame=44_000), on(frame=46_000),
    ]  # fmt: skip
    takes = Loopback(track, *sent).run(56_000, sizes).end()
    assert [start for start, _ in takes] == [0, 5760, 5760, 5760, 40_000, 48_000]
    assert [len(sound) for _, sound in takes][:4] == [13_760, 8000, 8000, 6140]
    assert all(lies_on(track, take) for take in takes)


@pytest.mark.parametrize("speed", [0.5, 0.93, 1.08, 2.0])
def test_a_take_at_another_speed_is_where_the_track_was(speed: float) -> None:
    rough = np.fft.rfft(noise(60_000, 3), axis=0)
    rough[5000:] = 0.0
    track = np.fft.irfft(rough, 60_000, axis=0).astype(np.float32)
    [(start, sound)] = Loopback(track, command(KIND.DECK_RATE, a=speed), on(frame=100)).run(24_000, [128]).end()
    inner = slice(3 * EDGE, -3 * EDGE)
    assert abs(len(sound) - speed * (24_000 - 100 - DELAY)) < 500
    rest = sound[inner] - track[start : start + len(sound)][inner]
    assert decibels(np.sqrt(np.mean(rest**2)) / np.sqrt(np.mean(track**2))) < -60.0


@pytest.mark.parametrize("speed", [0.7, 1.2])
def test_a_take_made_under_keylock_is_brought_to_the_tracks_own_speed_at_its_pitch(speed: float) -> None:
    track = tone(90_000, 330.0, 0.3)
    track[:, 1] = 0.0
    sent = [command(KIND.DECK_KEYLOCK, a=1), command(KIND.DECK_RATE, a=speed), on(frame=100)]
    [made] = [*Loopback(track, *sent).run(60_000, [128]).taker_passes()]
    assert made.stretched
    start, sound = lay(made, RATE)
    assert abs(len(sound) - speed * (60_000 - 100 - DELAY)) < 500 and start == 0
    middle = sound[9600:-9600, 0]
    level = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    assert abs(int(level.argmax()) * RATE / (1 << 18) - 330.0) < 1.0
    assert 0.15 < np.sqrt(np.mean(middle**2)) < 0.25


def test_a_take_made_to_a_transposed_track_is_in_the_tracks_own_key() -> None:
    track = tone(90_000, 330.0, 0.3)
    [made] = Loopback(track, command(KIND.DECK_PITCH, a=2), on(frame=100)).run(60_000, [128]).taker_passes()
    assert made.stretched and made.pitch == pytest.approx(2 ** (2 / 12))
    start, sound = lay(made, RATE)
    middle = sound[9600:-9600, 0]
    level = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    assert abs(int(level.argmax()) * RATE / (1 << 18) - 330.0) < 1.0 and start == 0


def test_a_knock_under_keylock_is_where_the_track_was() -> None:
    places = 10_000 + 0.8 * np.arange(60_000)
    sound = noise(60_000, 6, 0.001)
    sound[30_000:30_300] += noise(300, 7, 0.3)
    start, laid = lay(Pass(1, places, sound, 1.0), RATE)
    energy = np.convolve(laid[:, 0] ** 2, np.ones(240))
    assert start == 10_000 and abs(int(energy.argmax()) - 120 - 0.8 * 30_150) < 480


def test_nobody_who_makes_takes_leaves_the_ring_alone_and_a_gap_ends_a_pass() -> None:
    loop = Loopback(noise(300_000, 4), on(frame=100), command(KIND.INPUT_TAKE, a=0, frame=20_000)).run(24_000, [300])
    assert PlaceReader(loop.host.block["places"]).written == 20_000
    assert [start for start, _ in loop.end()] == [0]


def test_a_pass_backwards_or_of_a_moment_is_none() -> None:
    sent = [command(KIND.REVERSE, a=1), on(frame=100)]
    assert Loopback(noise(40_000, 5), *sent).run(9000, [128]).end() == []
    assert Loopback(noise(40_000, 5), on(frame=100), off(frame=2000)).run(9000, [128]).end() == []


def test_a_pass_that_was_cut_off_while_it_was_written_is_there_as_far_as_both_of_its_files_go(tmp_path: Path) -> None:
    track = noise(40_000, 8)
    loop = Loopback(track, on(frame=100)).run(20_000, [128])
    assert loop.taker is not None
    [made] = loop.taker.end()
    with (made.folder / "sound.raw").open("r+b") as file:
        file.truncate(8 * 9000 + 3)
    start, sound = lay(kept_pass(made.folder), RATE)
    assert (start, len(sound)) == (0, 9000) and lies_on(track, (start, sound))
    (made.folder / "places.raw").write_bytes(b"")
    with pytest.raises(AudioError, match="empty"):
        kept_pass(made.folder)
