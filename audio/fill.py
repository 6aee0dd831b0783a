"""Fill slot memory from files: what is needed next, and how it is made.

Owner: the filler child; a `Holding` is one loaded track there. Units: frames at the rate their name says;
chunks of CHUNK_FRAMES engine frames.

    reference.flac --> resample --> mix slot
    stems (FLAC, .part) --> resample --> stem slots;  other = mix - sum of the rest, so that all faders up equal the mix
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from audio.commands import CHUNK_FRAMES
from audio.errors import AudioError
from audio.fill_messages import FillPad, Hold, HoldStems
from audio.flac import FlacReader
from audio.resample import Resampler, resampler
from audio.source import Range, StemSource
from audio.store import SlotStore
from audio.units import MODEL_RATE, STEMS

Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

MIX: Final = -1
OTHER: Final = STEMS.index("other")
"""The slot that takes what the other stems leave of the mix."""

FIRST_CHUNKS: Final = 4
"""Chunks made before anything else when a track is loaded: a third of a second."""

UNIT_CHUNKS: Final = 12
"""Chunks made in one go afterwards: about a second."""

BEHIND_SHARE: Final = 0.25
"""Share of a window that lies behind the playhead."""

PUNCH_DELAY_S: Final = 0.1
"""Between withdrawing a chunk and freeing it: a block that had begun to read it is over."""


class Reader(Protocol):
    """A file that gives stretches of float32 (n, 2)."""

    rate: int
    frames: int

    def read(self, start: int, stop: int) -> Float32:
        """Return frames [start, stop), shorter when they are not there."""

    def close(self) -> None:
        """Let the file go."""


class PartReader:
    """A `.part` file: raw float32 LE stereo at 44.1 kHz that grows; frame k at byte 8k."""

    def __init__(self, path: Path, gain: float) -> None:
        self.rate, self._gain = MODEL_RATE, np.float32(gain)
        self.frames = 1 << 60
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as fault:
            raise AudioError(f"{path.name} cannot be read: {fault.strerror}") from fault

    def read(self, start: int, stop: int) -> Float32:
        raw = os.pread(self._descriptor, (stop - start) * 8, start * 8)
        audio = np.frombuffer(raw[: len(raw) // 8 * 8], "<f4").reshape(-1, 2).astype(np.float32)
        return audio * self._gain

    def close(self) -> None:
        os.close(self._descriptor)


def open_reader(source: StemSource) -> Reader:
    """Open a stem's file. Raises AudioError."""
    return (PartReader if source.kind == "part" else FlacReader)(source.path, source.gain)


class Part:
    """One slot being filled: its memory, its file, and which chunks the file can give."""

    def __init__(self, slot: int, store: SlotStore, reader: Reader, engine_rate: int, length: int) -> None:
        """`length` in frames at the reader's rate."""
        self.slot, self.store = slot, store
        self.engine_rate = engine_rate
        self.take(reader, length, ())

    def take(self, reader: Reader, length: int, ranges: tuple[Range, ...] | None) -> None:
        """Read from `reader` from now on; `ranges` (None: all) are there."""
        self.reader, self.length = reader, length
        self.change: Resampler = resampler(reader.rate, self.engine_rate)
        self.available: Bools = chunks_in(ranges, length, self.change, self.store.frames, self.store.chunks)

    def make(self, start: int, stop: int) -> Float32:
        """Return engine frames of chunks [start, stop). Raises AudioError when the file does not hold them."""
        missing = False

        def read(a: int, b: int) -> Float32:
            nonlocal missing
            got = self.reader.read(a, b)
            missing = len(got) < b - a
            return got

        first, last = start * CHUNK_FRAMES, min(stop * CHUNK_FRAMES, self.store.frames)
        audio = self.change.resample_range(read, self.length, first, last)
        if missing:
            raise AudioError("the file ends too early")
        return audio


def chunks_in(ranges: tuple[Range, ...] | None, length: int, change: Resampler, frames: int, chunks: int) -> Bools:
    """Say for each chunk whether every input frame it needs lies in one of `ranges` (or outside the track)."""
    if ranges is None:
        return np.ones(chunks, np.bool_)
    found = np.zeros(chunks, np.bool_)
    for start, stop in merged(ranges):
        # Beyond the ends of the track there is silence, which is always there.
        low = -(1 << 62) if start <= 0 else start
        high = 1 << 62 if stop >= length else stop
        for chunk in range(
            max(0, start * change.up // change.down // CHUNK_FRAMES - 1),
            min(chunks, stop * change.up // change.down // CHUNK_FRAMES + 2),
        ):
            a, b = change.needs(chunk * CHUNK_FRAMES, min((chunk + 1) * CHUNK_FRAMES, frames))
            found[chunk] |= low <= a and b <= high
    return found


def merged(ranges: tuple[Range, ...]) -> list[Range]:
    """Return `ranges` in order with those that touch joined."""
    out: list[Range] = []
    for start, stop in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1] = out[-1][0], max(out[-1][1], stop)
        elif stop > start:
            out.append((start, stop))
    return out


class Holding:
    """One loaded track in the filler. `guard` is held while its parts are changed or filled."""

    def __init__(self, hold: Hold, descriptor: int) -> None:
        """Raises AudioError when the reference is missing or is not what was announced."""
        self.id, self.engine_rate = hold.holding, hold.engine_rate
        self.guard = threading.RLock()
        self.playhead, self.playing, self.window = hold.playhead, False, 0
        self.generation = 0
        self.stems: dict[int, Part] = {}
        self.sources: dict[int, StemSource] = {}
        self.failed: dict[int, set[int]] = {}
        self._withdrawn: list[tuple[float, SlotStore, int, int]] = []
        store = SlotStore.from_descriptor(descriptor, hold.engine_frames)
        try:
            reader = FlacReader(Path(hold.path), hold.gain)
            if (reader.rate, reader.frames) != (hold.rate, hold.frames):
                raise AudioError(
                    f"{Path(hold.path).name} has {reader.frames} frames at {reader.rate} Hz "
                    f"where {hold.frames} at {hold.rate} Hz were announced: import the track again"
                )
        except AudioError:
            store.close()
            raise
        self.mix = Part(MIX, store, reader, hold.engine_rate, hold.frames)
        self._length_s = hold.frames / hold.rate

    def hold_stems(self, message: HoldStems, descriptors: list[int], trouble: Callable[[int, str], None]) -> None:
        """Begin a new set of stems; a stem whose file cannot be read yet simply stays empty."""
        with self.guard:
            self._drop_stems()
            self.generation = message.generation
            for source, descriptor in zip(message.stems, descriptors, strict=True):
                store = SlotStore.from_descriptor(descriptor, self.mix.store.frames)
                part = Part(source.slot, store, _Nothing(), self.engine_rate, 0)
                self.stems[source.slot] = part
                self.update(source, trouble)

    def update(self, source: StemSource, trouble: Callable[[int, str], None]) -> None:
        """Take a stem's file and ranges."""
        with self.guard:
            part, before = self.stems.get(source.slot), self.sources.get(source.slot)
            if part is None:
                return
            self.failed.pop(source.slot, None)
            reader = part.reader
            same_file = before is not None and (before.path, before.gain) == (source.path, source.gain)
            if isinstance(reader, _Nothing) or not same_file:
                if source.ranges == () and not source.path.exists():
                    self.sources[source.slot] = source
                    return
                try:
                    fresh = open_reader(source)
                except AudioError as fault:
                    trouble(source.slot, str(fault))
                    return
                reader.close()
                reader = fresh
            self.sources[source.slot] = source
            length = -(-self.mix.length * reader.rate // self.mix.reader.rate)
            part.take(reader, min(length, reader.frames), source.ranges)

    def close(self) -> None:
        """Let files and memory go."""
        with self.guard:
            self._drop_stems()
            self.mix.reader.close()
            self.mix.store.close()

    def _drop_stems(self) -> None:
        for part in self.stems.values():
            part.reader.close()
            part.store.close()
        mix = self.mix.store
        self._withdrawn = [entry for entry in self._withdrawn if entry[1] is mix]
        self.stems, self.sources = {}, {}
        self.failed = {slot: chunks for slot, chunks in self.failed.items() if slot == MIX}

    # What is needed next.

    def span(self) -> Range:
        """Return the chunks that may be resident."""
        chunks = self.mix.store.chunks
        if not self.window:
            return 0, chunks
        behind = int(self.window * BEHIND_SHARE)
        start = max(0, min(self.playhead // CHUNK_FRAMES - behind, chunks - self.window))
        return start, min(chunks, start + self.window)

    def next_mix(self) -> tuple[float, Range] | None:
        """Return how far (seconds) the next stretch of mix lies from the playhead, and its chunks."""
        return self._next(self.mix.store.ready == 0, self.failed.get(MIX, set()), 0.0)

    def next_stems(self) -> tuple[float, Range] | None:
        """The same for the stems, where all of them are available."""
        if not self.stems:
            return None
        wanted = np.zeros(self.mix.store.chunks, np.bool_)
        there = np.ones(self.mix.store.chunks, np.bool_)
        failed: set[int] = set()
        for part in self.stems.values():
            wanted |= part.store.ready == 0
            there &= part.available
            failed |= self.failed.get(part.slot, set())
        return self._next(wanted & there, failed | self.failed.get(MIX, set()), 0.5)

    def _next(self, wanted: Bools, failed: set[int], handicap: float) -> tuple[float, Range] | None:
        low, high = self.span()
        wanted = wanted.copy()
        wanted[:low] = wanted[high:] = False
        wanted[[chunk for chunk in failed if chunk < len(wanted)]] = False
        here = min(self.playhead // CHUNK_FRAMES, len(wanted) - 1)
        second = CHUNK_FRAMES / self.engine_rate
        ahead = np.flatnonzero(wanted[here:])
        if len(ahead):
            start = here + int(ahead[0])
            stop = start + 1
            # Right at the playhead a little, at once; further on a second in one go.
            most = FIRST_CHUNKS if start - here < FIRST_CHUNKS else UNIT_CHUNKS
            while stop < high and stop - start < most and wanted[stop]:
                stop += 1
            cost = (start - here) * second
        else:
            behind = np.flatnonzero(wanted[:here])
            if not len(behind):
                return None
            stop = int(behind[-1]) + 1
            start = stop - 1
            while start > low and stop - start < UNIT_CHUNKS and wanted[start - 1]:
                start -= 1
            # Behind the playhead comes after half a minute ahead of it.
            cost = 30.0 + (here - stop) * second
        return cost + handicap + (0.0 if self.playing else 5.0), (start, stop)

    # How it is made.

    def fill_mix(self, start: int, stop: int) -> None:
        """Make chunks [start, stop) of the mix. Raises AudioError when none of them can be made."""
        self.mix.store.write(start, self.mix.make(start, stop))

    def fill_stems(self, start: int, stop: int) -> None:
        """Make chunks [start, stop) of every stem and publish them together. Raises SlotFault."""
        first, last = start * CHUNK_FRAMES, min(stop * CHUNK_FRAMES, self.mix.store.frames)
        if not self.mix.store.ready[start:stop].all():
            try:
                self.fill_mix(start, stop)
            except AudioError as fault:
                raise SlotFault(MIX, str(fault)) from fault
        rest = self.mix.store.audio[first:last].astype(np.float64)
        made: list[tuple[Part, Float32]] = []
        for slot, part in self.stems.items():
            if slot == OTHER:
                continue
            try:
                audio = part.make(start, stop)
            except (AudioError, OSError) as fault:
                raise SlotFault(slot, str(fault)) from fault
            rest -= audio
            made.append((part, audio))
        if OTHER in self.stems:
            # other + (mix - sum of all stems) is the mix without the rest: its own file need not be read.
            made.append((self.stems[OTHER], rest.astype(np.float32)))
        for part, audio in made:
            part.store.write(start, audio)

    def fail(self, slot: int, start: int, stop: int) -> None:
        """Do not try these chunks again until the slot's file changes."""
        self.failed.setdefault(slot, set()).update(range(start, stop))

    def tidy(self) -> None:
        """Withdraw what lies outside the window, and free what was withdrawn a moment ago."""
        now = time.monotonic()
        due = [entry for entry in self._withdrawn if entry[0] <= now]
        self._withdrawn = [entry for entry in self._withdrawn if entry[0] > now]
        for _, store, start, stop in due:
            for a, b in runs(store.ready[start:stop] == 0):
                store.punch(start + a, start + b)
        if not self.window:
            return
        low, high = self.span()
        slack = max(1, self.window // 16)
        for part in (self.mix, *self.stems.values()):
            store = part.store
            for start, stop in ((0, max(0, low - slack)), (min(store.chunks, high + slack), store.chunks)):
                for a, b in runs(store.ready[start:stop] == 1):
                    store.withdraw(start + a, start + b)
                    self._withdrawn.append((now + PUNCH_DELAY_S, store, start + a, start + b))


class PadFilling:
    """A pad's memory being filled, a second at a time."""

    def __init__(self, message: FillPad, descriptor: int) -> None:
        """Raises AudioError when the file cannot be read."""
        self.number, self._first = message.number, message.first
        self._store = SlotStore.from_descriptor(descriptor, message.frames)
        source = message.source
        try:
            self._reader = open_reader(StemSource(0, "", source.path, source.kind, source.gain))
        except AudioError:
            self._store.close()
            raise
        self._change = resampler(self._reader.rate, message.engine_rate)
        self._chunk = 0

    def fill(self) -> bool:
        """Fill the next second; return whether there is more. Raises AudioError for a file that ends too early."""
        start = self._chunk * CHUNK_FRAMES
        stop = min(start + UNIT_CHUNKS * CHUNK_FRAMES, self._store.frames)
        missing = False

        def read(a: int, b: int) -> Float32:
            nonlocal missing
            got = self._reader.read(a, b)
            missing = len(got) < b - a
            return got

        audio = self._change.resample_range(read, self._reader.frames, self._first + start, self._first + stop)
        if missing:
            raise AudioError("the file ends too early")
        self._store.write(self._chunk, audio)
        self._chunk += UNIT_CHUNKS
        return stop < self._store.frames

    def close(self) -> None:
        """Let file and memory go."""
        self._reader.close()
        self._store.close()


class SlotFault(AudioError):
    """A slot's file cannot give what it should."""

    def __init__(self, slot: int, message: str) -> None:
        super().__init__(message)
        self.slot = slot


class _Nothing:
    """The file of a stem that has not arrived."""

    rate, frames = MODEL_RATE, 0

    def read(self, start: int, stop: int) -> Float32:
        return np.zeros((0, 2), np.float32)

    def close(self) -> None:
        """Nothing to let go."""


def runs(flags: Bools) -> list[Range]:
    """Return the half-open stretches where `flags` hold."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
