"""Laws of what is filled when: playhead first, whole stretches only, nothing outside the window, a closed sum."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio.commands import CHUNK_FRAMES
from audio.errors import AudioError, LoadRefused
from audio.fill import OTHER, Holding, SlotFault, chunks_in, merged, runs
from audio.fill_messages import Hold, HoldStems, ToFiller
from audio.resample import Resampler
from audio.residency import Residency, Track
from audio.source import DeckSource, StemSource
from audio.store import CHUNK_BYTES, SlotStore, chunks_of
from tests.audio.engines import at_engine, store
from tests.audio.material import Audio, music

RATE = 48_000


def at_48(frames: int) -> int:
    return -(-frames * 160 // 147)


@pytest.fixture
def song() -> Audio:
    return music(6)


class Held:
    """A holding with its memory, seen from both sides."""

    def __init__(self, folder: Path, song: Audio, playhead: int = 0) -> None:
        store(folder / "reference.flac", song)
        frames = at_48(len(song))
        self.memory = SlotStore.create(frames, "test")
        message = Hold(
            1, str(folder / "reference.flac"), 1.0, 44_100, len(song), RATE, frames, playhead
        )  # fmt: skip
        self.holding = Holding(message, os.dup(self.memory.segment.descriptor))
        self.stems: dict[int, SlotStore] = {}
        self.said: list[tuple[int, str]] = []

    def stem(self, *sources: StemSource) -> None:
        self.stems = {source.slot: SlotStore.create(self.memory.frames, "stem") for source in sources}
        descriptors = [os.dup(made.segment.descriptor) for made in self.stems.values()]
        self.holding.hold_stems(HoldStems(1, 1, sources), descriptors, self.say)

    def say(self, slot: int, text: str) -> None:
        self.said.append((slot, text))

    def fill_all(self) -> list[tuple[int, int]]:
        """Fill the mix to the end, in the order of need."""
        order = []
        while (need := self.holding.next_mix()) is not None:
            self.holding.fill_mix(*need[1])
            order.append(need[1])
        return order

    def close(self) -> None:
        self.holding.close()
        for memory in (self.memory, *self.stems.values()):
            memory.close()


@pytest.fixture
def held(tmp_path: Path, song: Audio) -> Iterator[Held]:
    made = Held(tmp_path, song, playhead=3 * RATE)
    yield made
    made.close()


def test_the_playhead_comes_first_then_what_lies_ahead_then_what_lies_behind(held: Held) -> None:
    order = held.fill_all()
    here = 3 * RATE // CHUNK_FRAMES
    starts = [start for start, _ in order]
    turn = next(index for index, start in enumerate(starts) if start < here)
    assert starts[0] == here
    assert starts[:turn] == sorted(starts[:turn]) and starts[turn:] == sorted(starts[turn:], reverse=True)
    covered = sorted(order)
    assert covered[0][0] == 0 and covered[-1][1] == held.memory.chunks
    assert all(a[1] == b[0] for a, b in itertools.pairwise(covered))


def test_filled_in_any_order_it_equals_the_whole(held: Held, song: Audio, tmp_path: Path) -> None:
    held.fill_all()
    meant = at_engine(store(tmp_path / "again.flac", song))
    assert np.array_equal(held.memory.audio[: held.memory.frames], meant)
    assert not held.memory.audio[held.memory.frames :].any()
    assert held.memory.ready.all()


def test_nothing_is_filled_outside_the_window_and_what_leaves_it_is_freed(held: Held) -> None:
    holding = held.holding
    holding.window, holding.playhead = 16, 10 * CHUNK_FRAMES
    held.fill_all()
    assert runs(held.memory.ready == 1) == [(6, 22)]
    holding.playhead = 50 * CHUNK_FRAMES
    holding.tidy()
    held.fill_all()
    assert runs(held.memory.ready == 1) == [(46, 62)]


def test_no_chunk_is_ready_before_all_that_it_needs_is_there() -> None:
    change = Resampler(44_100, RATE)
    length = 10 * 44_100
    frames = change.frames_out(length)
    chunks = chunks_of(frames)
    for start, stop in ((0, 44_100), (44_100, 3 * 44_100), (9 * 44_100, length), (0, length), (5, 5)):
        found = chunks_in(((start, stop),), length, change, frames, chunks)
        for chunk in range(chunks):
            a, b = change.needs(chunk * CHUNK_FRAMES, min((chunk + 1) * CHUNK_FRAMES, frames))
            inside = max(a, 0) >= start and min(b, length) <= stop and stop > start
            assert bool(found[chunk]) == inside
    assert chunks_in(None, length, change, frames, chunks).all()
    assert not chunks_in((), length, change, frames, chunks).any()


def test_stretches_that_touch_are_one() -> None:
    assert merged(((5, 9), (0, 5), (20, 30), (25, 26), (40, 40))) == [(0, 9), (20, 30)]


def test_other_takes_what_the_rest_leaves(held: Held, song: Audio, tmp_path: Path) -> None:
    voice = music(6, seed=5) * 0.3
    store(tmp_path / "vocals.flac", voice)
    store(tmp_path / "other.flac", song * 0)
    held.stem(StemSource(0, "vocals", tmp_path / "vocals.flac"), StemSource(OTHER, "other", tmp_path / "other.flac"))
    held.holding.fill_stems(0, 4)
    total = held.stems[0].audio[: 4 * CHUNK_FRAMES] + held.stems[OTHER].audio[: 4 * CHUNK_FRAMES]
    assert np.abs(total - held.memory.audio[: 4 * CHUNK_FRAMES]).max() < 2e-7
    assert held.stems[0].ready[:4].all() and held.stems[OTHER].ready[:4].all()


def test_stems_without_other_are_what_their_files_hold(held: Held, tmp_path: Path) -> None:
    stored = store(tmp_path / "vocals.flac", music(6, seed=5) * 0.3)
    held.stem(StemSource(0, "vocals", tmp_path / "vocals.flac"))
    held.holding.fill_stems(0, 4)
    assert np.array_equal(held.stems[0].audio[: 4 * CHUNK_FRAMES], at_engine(stored)[: 4 * CHUNK_FRAMES])


def test_stems_wait_for_the_last_of_them(held: Held, tmp_path: Path) -> None:
    for name in ("vocals", "other"):
        (tmp_path / f"{name}.part").write_bytes(np.zeros((6 * 44_100, 2), "<f4").tobytes())
    vocals = StemSource(0, "vocals", tmp_path / "vocals.part", "part", 1.0, ((0, 6 * 44_100),))
    held.stem(vocals, StemSource(OTHER, "other", tmp_path / "other.part", "part", 1.0, ()))
    held.fill_all()
    assert held.holding.next_stems() is None
    held.holding.update(StemSource(OTHER, "other", tmp_path / "other.part", "part", 1.0, ((44_100, 88_200),)), held.say)
    need = held.holding.next_stems()
    assert need is not None
    # Behind the playhead (3 s), so backwards; one second less the resampler's reach at both ends.
    assert 1.0 < need[1][0] * CHUNK_FRAMES / RATE < need[1][1] * CHUNK_FRAMES / RATE < 2.0


def test_a_part_that_is_shorter_than_promised_is_not_ready(held: Held, tmp_path: Path) -> None:
    (tmp_path / "vocals.part").write_bytes(np.zeros((44_100, 2), "<f4").tobytes())
    held.stem(StemSource(0, "vocals", tmp_path / "vocals.part", "part", 1.0, ((0, 88_200),)))
    with pytest.raises(SlotFault, match="ends too early") as fault:
        held.holding.fill_stems(13, 15)
    assert fault.value.slot == 0
    assert not held.stems[0].ready[13:15].any()
    held.holding.fill_stems(0, 8)
    assert held.stems[0].ready[:8].all()


def test_a_missing_stem_file_is_said(held: Held, tmp_path: Path) -> None:
    held.stem(StemSource(0, "vocals", tmp_path / "gone.flac"))
    assert held.said and held.said[0][0] == 0 and "gone.flac" in held.said[0][1]
    held.fill_all()
    assert held.holding.next_stems() is None


def test_a_reference_that_is_not_what_was_announced_is_refused(tmp_path: Path, song: Audio) -> None:
    store(tmp_path / "reference.flac", song)
    memory = SlotStore.create(100, "test")
    message = Hold(1, str(tmp_path / "reference.flac"), 1.0, 44_100, 99, RATE, 100, 0)
    with pytest.raises(AudioError, match="264600 frames at 44100 Hz where 99"):
        Holding(message, os.dup(memory.segment.descriptor))
    memory.close()


# Memory.


def test_memory_is_sparse_and_holes_give_it_back() -> None:
    made = SlotStore.create(3 * 3600 * RATE, "three-hours")
    status = os.fstat(made.segment.descriptor)
    assert status.st_size > 4_000_000_000
    assert status.st_blocks * 512 < 1 << 20
    made.write(1000, np.ones((8 * CHUNK_FRAMES, 2), np.float32))
    assert made.resident_bytes == 8 * CHUNK_BYTES
    assert runs(made.ready == 1) == [(1000, 1008)]
    made.withdraw(1000, 1008)
    if made.punch(1000, 1008):
        assert os.fstat(made.segment.descriptor).st_blocks * 512 < 1 << 20
        assert not made.audio[1000 * CHUNK_FRAMES : 1008 * CHUNK_FRAMES].any()
    made.close()


def test_memory_cannot_be_cut_short_under_its_readers() -> None:
    made = SlotStore.create(RATE, "sealed")
    try:
        os.ftruncate(made.segment.descriptor, 100)
    except PermissionError:
        pass
    else:
        pytest.skip("this system has no sealed memory")
    finally:
        made.close()


# Residency.


class Desk:
    """A residency whose filler is a list."""

    def __init__(self, budget: int) -> None:
        self.sent: list[ToFiller] = []
        self.residency = Residency(
            RATE,
            budget,
            0.0,
            send=lambda message, _: self.sent.append(message),
            on_ready=lambda track: None,
            on_refused=lambda track, text: None,
            on_bind=lambda track, new, old: None,
            say=lambda text: None,
        )

    def hold(self, minutes: float, stems: int = 0) -> Track:
        sources = tuple(StemSource(slot, "", Path(f"{slot}.part"), "part", 1.0, ()) for slot in range(stems))
        frames = round(minutes * 60 * 44_100)
        return self.residency.hold(0, 1, DeckSource(Path("r.flac"), 1.0, 44_100, frames, 0.0, sources))


def test_small_tracks_stay_whole_beside_a_long_one() -> None:
    desk = Desk(budget=512 << 20)
    short, long = desk.hold(4, stems=1), desk.hold(180)
    assert short.window == 0
    needed = 2 * short.mix.chunks * CHUNK_BYTES
    assert 0.95 * (desk.residency.budget_bytes - needed) < long.window * CHUNK_BYTES
    assert long.window * CHUNK_BYTES <= desk.residency.budget_bytes - needed
    for store_ in desk.residency.let_go(short):
        store_.close()
    assert long.window * CHUNK_BYTES > 511 << 20
    for store_ in desk.residency.let_go(long):
        store_.close()


def test_stems_that_come_one_by_one_make_one_set() -> None:
    desk = Desk(budget=1 << 30)
    track = desk.hold(1)
    for slot in range(4):
        desk.residency.update(track, StemSource(slot, "", Path(f"{slot}.part"), "part", 1.0, ((0, 100),)))
        assert track.stems is None
    desk.residency.settle(track.undeclared_s + 10)
    assert track.stems is not None and sorted(track.stems.stores) == [0, 1, 2, 3]
    assert sum(isinstance(message, HoldStems) for message in desk.sent) == 1
    for store_ in desk.residency.let_go(track):
        store_.close()


@pytest.mark.parametrize("frames", [0, -1])
def test_a_track_without_frames_is_refused(frames: int) -> None:
    with pytest.raises(LoadRefused):
        Desk(1 << 30).residency.hold(0, 1, DeckSource(Path("r.flac"), 1.0, 44_100, frames))
