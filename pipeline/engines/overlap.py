"""Overlap-add of a segment model in any order: every finished piece equals the whole-file result bit for bit.

Owner: the thread that iterates. A track is cut on the grid k * stride from frame 0, whatever is wanted first:

    segment k-1  |--------------------|
    segment k                   |--------------------|
    segment k+1                                |--------------------|
    pieces        body k-1      | head k | body k    | head k+1 | ...

A body needs its own segment only, a head the segment before it too. Segments are weighted with a triangle and divided
by the sum of weights, with real audio around a short segment, as Demucs does (`demucs.apply.apply_model`,
`TensorChunk.padded`). Two terms are added at most, and IEEE addition commutes, so the order of work cannot be heard.
Units: frames at 44.1 kHz; arrays float32 (channels, frames).
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import IO, Final, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.engines.base import Audio, Cancelled, Focus, Mix, Stretch
from pipeline.engines.pace import Pace
from pipeline.errors import AudioRejected, ModelFailed

GRID: Final = 2.0**21
"""Steps per unit of sample value: stems are whole multiples of 1 / GRID."""

LIMIT: Final = 2**23 - 1
"""Largest stem value in grid steps, just under 4.0: what 24 bits hold."""

_HALVES_IN_MEMORY: Final = 48
"""Waiting halves kept in memory (about 2.8 MB each for htdemucs); more of them, after many jumps, go to a file."""

Ranges = Sequence[tuple[int, int]]
"""Half-open ranges of frames, (start, stop)."""

Levels = tuple[float, float]
"""Mean and standard deviation of the mono sum of a whole mix."""

_BLOCK: Final = 1 << 20
_QUIETEST_STD: Final = 1e-6


class SegmentModel(Protocol):
    """What the scheduler drives. `segment` frames overlap by `segment - stride`, at most half of it."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Stem types, in the order of the model's output."""

    @property
    def segment(self) -> int:
        """Frames of one segment on the grid."""

    @property
    def stride(self) -> int:
        """Frames from one segment to the next: from half of `segment` to all of it."""

    @property
    def normalise(self) -> bool:
        """Whether the model wants the mix with mean 0 and standard deviation 1."""

    @property
    def elsewhere(self) -> bool:
        """Whether the model computes on another processor than ours (a GPU): then it runs one segment ahead."""

    def padded(self, frames: int) -> int:
        """How many frames the model wants to hear to answer for `frames` in their middle."""

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        """Separate float32 (2, padded) into float32 (sources, 2, padded); None when cancelled in the middle."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where segments and pieces of a track lie."""

    frames: int
    segment: int
    stride: int

    def __post_init__(self) -> None:
        if not 0 <= self.segment - self.stride <= self.stride:
            raise ValueError(f"segments of {self.segment} every {self.stride} frames overlap by more than half")

    @property
    def count(self) -> int:
        """Segments that cover the track."""
        return -(-self.frames // self.stride)

    @property
    def overlap(self) -> int:
        """Frames that a segment shares with its neighbour."""
        return self.segment - self.stride

    def length(self, k: int) -> int:
        """Frames of the track that segment k covers."""
        return min(self.segment, self.frames - k * self.stride)

    def head(self, k: int) -> tuple[int, int]:
        """The piece that segments k-1 and k share."""
        start = k * self.stride
        return start, min(start + self.overlap, self.frames)

    def body(self, k: int) -> tuple[int, int]:
        """The piece that is segment k's alone; empty at the end of some tracks."""
        start = k * self.stride
        return min(start + self.overlap, self.frames), min(start + self.stride, self.frames)


class Plan:
    """Which segment is next: the first one that the playhead lacks. Never the same twice.

    `done` are ranges of frames that are final already: a segment is left out when nothing waits for it.
    """

    def __init__(self, grid: Grid, start_frame: int, done: Ranges = ()) -> None:
        self._grid = grid
        self._done = bytearray(grid.count)
        self._ranges = _merged(done)
        self._at = [start_frame]
        for k in range(grid.count):
            following = grid.head(k + 1) if k + 1 < grid.count else (0, 0)
            self._done[k] = all(self.there(piece) for piece in (grid.head(k), grid.body(k), following))

    def there(self, piece: tuple[int, int]) -> bool:
        """Whether a piece was final before the work began; an empty one always was."""
        start, stop = piece
        return start >= stop or any(low <= start and stop <= high for low, high in self._ranges)

    def finish(self, k: int) -> None:
        """Take segment k off the plan."""
        self._done[k] = 1

    def finished(self, k: int) -> bool:
        """Whether segment k has been computed; segments off the track count as done."""
        return not 0 <= k < self._grid.count or bool(self._done[k])

    def next(self, focus: int | Sequence[int] | None) -> int | None:
        """Give the segment to compute now, or None when all are done.

        With several playheads the one whose finished audio runs out first is served. None as focus means: go on.
        """
        wanted = [focus] if isinstance(focus, int | np.integer) else list(focus or ())
        if wanted:
            self._at = [int(frame) for frame in wanted]
        if 0 not in self._done:
            return None
        ahead = [(found[0] - frame, found[1]) for frame in self._at if (found := self._missing(frame)) is not None]
        if ahead:
            return min(ahead, key=lambda item: item[0])[1]
        from_start = self._missing(0)
        return self._done.index(0) if from_start is None else from_start[1]

    def _missing(self, frame: int) -> tuple[int, int] | None:
        """The first frame at or after `frame` that is not final, and a segment that it waits for."""
        grid = self._grid
        frame = min(max(frame, 0), grid.frames - 1)
        for k in range(frame // grid.stride, grid.count):
            if frame < grid.head(k)[1] and not self.there(grid.head(k)):
                if not self.finished(k):  # first the one whose body lies ahead of the playhead
                    return max(frame, k * grid.stride), k
                if not self.finished(k - 1):
                    return max(frame, k * grid.stride), k - 1
            if not self.finished(k) and frame < grid.body(k)[1] and not self.there(grid.body(k)):
                return max(frame, grid.body(k)[0]), k
            frame = max(frame, (k + 1) * grid.stride)
        return None


class Halves:
    """Weighted halves of segments that wait for their neighbour; beyond a bound they lie in an unnamed file."""

    def __init__(self, in_memory: int = _HALVES_IN_MEMORY) -> None:
        self._limit = in_memory
        self._kept: dict[int, Audio] = {}
        self._filed: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._free: list[int] = []
        self._slots = 0
        self._slot_bytes = 0
        self._file: IO[bytes] | None = None

    def put(self, key: int, half: Audio) -> None:
        """Keep a half; the array is copied."""
        if len(self._kept) < self._limit:
            self._kept[key] = half.copy()
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object, see `close`
            self._slot_bytes = half.nbytes
        if half.nbytes > self._slot_bytes:  # cannot be: the first half is as long as any, but never write over another
            self._kept[key] = half.copy()
            return
        slot = self._free.pop() if self._free else self._slots
        self._slots = max(self._slots, slot + 1)
        self._file.seek(slot * self._slot_bytes)
        self._file.write(half.tobytes())
        self._filed[key] = (slot, half.shape)

    def pop(self, key: int) -> Audio | None:
        """Give a half back and forget it; None when it is not here."""
        if key in self._kept:
            return self._kept.pop(key)
        if key not in self._filed or self._file is None:
            return None
        slot, shape = self._filed.pop(key)
        self._free.append(slot)
        self._file.seek(slot * self._slot_bytes)
        size = int(np.prod(shape)) * 4
        return np.frombuffer(self._file.read(size), np.float32).reshape(shape)

    def __len__(self) -> int:
        return len(self._kept) + len(self._filed)

    def close(self) -> None:
        """Drop the file."""
        if self._file is not None:
            self._file.close()


def separate(
    mix: Mix, model: SegmentModel, start_frame: int, focus: Focus, cancelled: Cancelled, done: Ranges = (),
    levels: Levels | None = None,
) -> Iterator[Stretch]:  # fmt: skip
    """Yield the stems of a mix, float32 (2, frames), as `SeparationEngine.separate` promises.

    Of the mix no more is read than the segments at hand need, if its `levels` are given or the model wants none.
    Segments are chosen for where the playheads will be when they are done.
    The mean that was taken off stays in `other` alone, so muting a stem steps no offset.

    Raises AudioRejected, ModelFailed, and whatever the model raises.
    """
    if mix.ndim != 2 or mix.shape[0] != 2:
        raise AudioRejected(f"Separation takes stereo audio, (2, frames); this is {mix.shape}.")
    if mix.shape[1] == 0:
        return
    mean, scale = 0.0, 1.0
    if model.normalise:
        levels = levels or _levels(mix, cancelled)
        if levels is None:
            return
        mean, std = levels
        scale = std if std > _QUIETEST_STD else 1.0
    grid = Grid(mix.shape[1], model.segment, model.stride)
    plan = Plan(grid, start_frame, done)
    pace = Pace()
    adder = _Adder(grid, model.sources)
    closed = threading.Event()
    ahead = ThreadPoolExecutor(1, "separation") if model.elsewhere else None

    def begin() -> tuple[int, Callable[[], Audio | None]] | None:
        """Choose a segment, and give it with what waits for its answer; None when all are done."""
        k = plan.next(pace.aim(focus()))
        if k is None:
            return None
        run = partial(
            model.run, _chunk(mix, grid, k, model.padded(grid.length(k)), mean, scale),
            lambda: closed.is_set() or cancelled(),
        )  # fmt: skip
        return k, (ahead.submit(run).result if ahead else run)

    try:
        running = begin()
        while running is not None and not cancelled():
            k, wait = running
            answer = wait()
            if answer is None:
                return
            plan.finish(k)
            running = begin() if ahead else None
            trim = (answer.shape[-1] - grid.length(k)) // 2
            for start, sound in adder.add(k, answer[..., trim : trim + grid.length(k)], plan):
                stop = start + sound.shape[-1]
                yield Stretch(start, stop, settle(mix[:, start:stop], sound * np.float32(scale), model.sources))
            running = running if ahead else begin()
    finally:
        closed.set()
        if ahead:
            ahead.shutdown()
        adder.close()


class _Adder:
    """Weights segments, adds what overlaps, hands out what is final."""

    def __init__(self, grid: Grid, sources: tuple[str, ...]) -> None:
        self._grid = grid
        self._shape = (len(sources), 2)
        rise = np.arange(1, grid.segment // 2 + 1, dtype=np.float32)
        fall = np.arange(grid.segment - grid.segment // 2, 0, -1, dtype=np.float32)
        self._weight: Audio = np.concatenate([rise, fall]) / fall[0]
        self._heads = Halves()
        self._tails = Halves()

    def add(self, k: int, answer: Audio, plan: Plan) -> list[tuple[int, Audio]]:
        """Take in segment k; give (start, audio) of everything that became final, neighbours joined."""
        grid = self._grid
        if answer.shape != (*self._shape, grid.length(k)):
            raise ModelFailed(f"The model answered {answer.shape} for a segment of {grid.length(k)} frames.")
        if not np.isfinite(answer).all():
            raise ModelFailed("The model answered with numbers that are not finite; try precision f32.")
        if grid.overlap == 0:
            return [(k * grid.stride, answer)]
        weight = self._weight[: grid.length(k)]
        weighted = answer * weight
        pieces: list[tuple[int, Audio]] = []
        start, stop = grid.head(k)
        head = weighted[..., : stop - start]
        if plan.there((start, stop)):
            pass
        elif k == 0:
            pieces.append((start, head / weight[: stop - start]))
        elif (tail := self._tails.pop(k - 1)) is not None:
            pieces.append((start, self._joined(tail, head)))
        else:
            self._heads.put(k, head)
        start, stop = grid.body(k)
        if not plan.there((start, stop)):
            at = slice(start - k * grid.stride, stop - k * grid.stride)
            pieces.append((start, weighted[..., at] / weight[at]))
        if k + 1 < grid.count and not plan.there(grid.head(k + 1)):
            tail = weighted[..., grid.stride :]
            if (waiting := self._heads.pop(k + 1)) is not None:
                pieces.append(((k + 1) * grid.stride, self._joined(tail, waiting)))
            elif not plan.finished(k + 1):
                self._tails.put(k, tail)
        return _join(pieces)

    def _joined(self, tail: Audio, head: Audio) -> Audio:
        frames = head.shape[-1]
        total = self._weight[self._grid.stride : self._grid.stride + frames] + self._weight[:frames]
        out: Audio = (tail[..., :frames] + head) / total
        return out

    def close(self) -> None:
        self._heads.close()
        self._tails.close()


def _merged(ranges: Ranges) -> list[tuple[int, int]]:
    """Ranges in order, joined where they touch."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted((int(start), int(stop)) for start, stop in ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def _join(pieces: list[tuple[int, Audio]]) -> list[tuple[int, Audio]]:
    """Join pieces that touch; they come in order."""
    joined: list[tuple[int, Audio]] = []
    for start, audio in pieces:
        if joined and joined[-1][0] + joined[-1][1].shape[-1] == start:
            joined[-1] = (joined[-1][0], np.concatenate([joined[-1][1], audio], axis=-1))
        else:
            joined.append((start, audio))
    return joined


def _chunk(mix: Mix, grid: Grid, k: int, target: int, mean: float, scale: float) -> Audio:
    """What the model hears of segment k: `target` frames with the segment in the middle, zeros beyond the track."""
    start = k * grid.stride - (target - grid.length(k)) // 2
    low, high = max(start, 0), min(start + target, grid.frames)
    chunk = np.zeros((2, target), np.float32)
    heard = mix[:, low:high]
    if not np.isfinite(heard).all():
        raise AudioRejected("This audio holds numbers that are not finite (NaN or infinity); import it again.")
    chunk[:, low - start : high - start] = (heard - np.float32(mean)) / np.float32(scale)
    return chunk


def _levels(mix: Mix, cancelled: Cancelled) -> Levels | None:
    """Mean and standard deviation of the mono mix; None when cancelled. In fixed blocks: a memory map will do."""
    frames = mix.shape[1]
    total = squares = 0.0
    for start in range(0, frames, _BLOCK):
        if cancelled():
            return None
        mono = mix[:, start : start + _BLOCK].mean(axis=0, dtype=np.float64)
        total += float(mono.sum())
        squares += float(mono @ mono)
    if not (np.isfinite(total) and np.isfinite(squares)):
        return 0.0, 1.0  # the segment that holds what is not a number says so
    mean = total / frames
    return mean, float(np.sqrt(max(squares - total * mean, 0.0) / max(frames - 1, 1)))


def settle(mix: Audio, estimates: Audio, sources: Sequence[str]) -> dict[str, Audio]:
    """Round estimates, (sources, 2, n), to the grid, and put what they leave of the mix into `other`.

    Every stem is within +-4; the stems add up to the mix (rounded to the grid) exactly, in float32 too, unless `other`
    itself would have to pass +-4.
    """
    limit = np.float32(LIMIT)
    steps = {
        name: np.clip(np.rint(estimate * np.float32(GRID)), -limit, limit).astype(np.int32)
        for name, estimate in zip(sources, estimates, strict=True)
        if name != "other"
    }
    rest = np.clip(np.rint(mix * np.float32(GRID)), -limit, limit).astype(np.int32)
    for part in steps.values():
        rest -= part
    steps["other"] = np.clip(rest, -LIMIT, LIMIT)
    names = [*sources, *(() if "other" in sources else ("other",))]
    return {name: _to_float(steps[name]) for name in names}


def _to_float(steps: npt.NDArray[np.int32]) -> Audio:
    out: Audio = steps.astype(np.float32) * np.float32(1.0 / GRID)
    return out
