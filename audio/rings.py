"""The shared block's rings, seen from Python: where commands go in and where events, snapshots and the master come out.

    producer (server) --> command ring --> kernel --> event ring ------> consumer (server)
                                             |-----> snapshot slots --> any number of readers
                                             |-----> clock -----------> any number of readers
                                             '-----> bus rings -------> any number of readers

Owner: each ring has one writer; whoever holds one of the classes below is on the other side of the kernel.
Units: frames at the engine rate; heads, tails and counters only ever grow, and are taken modulo the capacity.

Order of stores: a record is written before the tail that publishes it. On x86-64 the processor keeps that order. On ARM
`fence` keeps it: the release and the acquire of one lock, in that order, are a full barrier. The kernel's side uses
atomic loads and stores with acquire and release order (`audio/kernel/atomics.py`).
"""

import threading
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from audio.commands import COMMAND, EVENT, SNAPSHOT, Commands
from audio.errors import AudioError, EngineBusy
from audio.units import BUSES

LINE: Final = 64
"""Bytes of a cache line: what two sides write lies on different lines."""

COMMAND_CAPACITY: Final = 8192
EVENT_CAPACITY: Final = 4096
SNAPSHOT_SLOTS: Final = 8
BUS_CAPACITY: Final = 131_072
"""Frames of a bus that can be read back: 2.7 s at 48 kHz."""

Record = np.ndarray[Any, np.dtype[np.void]]


class ProducerReplaced(AudioError):
    """Another program has taken the engine's command ring: this one may not send any more."""


class ClockPair(NamedTuple):
    """Engine frame `frame` began at `monotonic_ns`; it is heard `latency_frames` later. `rate` is the filtered rate
    in Hz."""

    frame: int
    monotonic_ns: int
    latency_frames: int
    rate: float


def _lined(fields: list[tuple[str, npt.DTypeLike]]) -> np.dtype[np.void]:
    """Return a struct whose fields each begin on a cache line of their own."""
    names, formats, offsets, end = [], [], [], 0
    for name, form in fields:
        dtype = np.dtype(form)
        names.append(name)
        formats.append(dtype)
        offsets.append(end)
        end += -(-dtype.itemsize // LINE) * LINE
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": end})


PRODUCED: Final = np.dtype([("tail", "<u8"), ("epoch", "<u8")], align=True)
"""The producer's half of a ring: records written so far; how often a producer has claimed the ring."""

CONSUMED: Final = np.dtype([("head", "<u8")], align=True)
"""The consumer's half of a ring: records taken so far."""


def ring(record: np.dtype[Any], capacity: int) -> np.dtype[np.void]:
    """Return the layout of a ring of `capacity` records, a power of two."""
    if capacity < 1 or capacity & (capacity - 1):
        raise ValueError(f"a ring's capacity is a power of two, not {capacity}")
    return _lined([("produced", PRODUCED), ("consumed", CONSUMED), ("records", np.dtype((record, (capacity,))))])


COMMAND_RING: Final = ring(COMMAND, COMMAND_CAPACITY)
EVENT_RING: Final = ring(EVENT, EVENT_CAPACITY)

SNAPSHOT_SLOT: Final = _lined([("sequence", "<u8"), ("snapshot", SNAPSHOT)])
"""One snapshot. `sequence` is odd while the kernel writes, and 2 x the snapshot's number when it stands."""

SNAPSHOTS: Final = _lined([("published", "<u8"), ("slots", np.dtype((SNAPSHOT_SLOT, (SNAPSHOT_SLOTS,))))])
"""The last snapshots; number n (from 1) lies in slot n modulo SNAPSHOT_SLOTS, `published` is the newest number."""

CLOCK: Final = np.dtype(
    [
        ("sequence", "<u8"),
        ("frame", "<i8"),
        ("monotonic_ns", "<i8"),
        ("latency_frames", "<i8"),
        ("rate", "<f8"),
    ],
    align=True,
)
"""The filtered clock pair: `frame` begins at `monotonic_ns` (the clock of `time.monotonic_ns`). `sequence` is odd while
the kernel writes. `latency_frames` is set by whoever opened the device."""

BUS_RING: Final = _lined(
    [
        ("written", "<u8"),
        ("since", "<u8"),
        ("delay_frames", "<i8"),
        ("samples", np.dtype(("<f4", (BUS_CAPACITY, 2)))),
    ]
)
"""A bus as it went out, stereo; `written` counts frames since the engine's frame 0, and nothing stands from before
frame `since`. What lies on a frame was made `delay_frames` before it."""

PLACE: Final = np.dtype(
    [("place", "<f8"), ("token", "<u8"), ("speed", "<f4"), ("pitch", "<f4")],
    align=True,
)
"""Where a deck was in its track on an engine frame: in track frames, in which track (`token`, 0 where it did not
sound), how far it moves in a frame, and how many times as high as the track it is heard."""

PLACE_RING: Final = _lined(
    [
        ("written", "<u8"),
        ("since", "<u8"),
        ("delay_frames", "<i8"),
        ("samples", np.dtype((PLACE, (BUS_CAPACITY,)))),
    ]
)
"""Where the deck was that is played along with, frame by frame, in the form of a BUS_RING."""

KERNEL_BLOCK: Final = _lined(
    [
        ("commands", COMMAND_RING),
        ("events", EVENT_RING),
        ("snapshots", SNAPSHOTS),
        ("clock", CLOCK),
        ("master", BUS_RING),
        ("buses", np.dtype((BUS_RING, (len(BUSES),)))),
        ("input", BUS_RING),
        ("places", PLACE_RING),
    ]
)
"""All that the kernel shares with other processes, as one struct that starts on a cache line."""


_barrier: Final = threading.Lock()
_barrier.acquire()
_turn: Final = threading.Lock()


def fence() -> None:
    """Keep stores and loads before this call before those after it, on every processor."""
    with _turn:
        _barrier.release()
        _barrier.acquire()


class CommandProducer:
    """The one writer of a command ring. A new producer takes the ring over; the one before can no longer send.

    Thread-safe: no, one thread at a time. Realtime-safe: no, but it never waits.
    """

    def __init__(self, ring: Record) -> None:
        """Claim `ring`, a COMMAND_RING (or any ring of COMMAND) in memory that stays mapped."""
        self._produced = ring["produced"]
        self._consumed = ring["consumed"]
        records = ring["records"]
        self._capacity = int(records.shape[-1])
        # Copied as bytes and not field by field: a press waits for it.
        self._cell = np.dtype((np.void, records.dtype.itemsize))
        self._cells = records.view(self._cell)
        self.epoch = int(self._produced["epoch"]) + 1
        self._produced["epoch"] = self.epoch

    @property
    def free(self) -> int:
        """Records that fit now."""
        return self._capacity - (int(self._produced["tail"]) - int(self._consumed["head"]))

    def send(self, commands: Commands) -> None:
        """Put all records into the ring, or none.

        Raises EngineBusy when they do not fit, ProducerReplaced when another producer has claimed the ring.
        """
        count = len(commands)
        if count == 0:
            return
        if int(self._produced["epoch"]) != self.epoch:
            raise ProducerReplaced
        tail = int(self._produced["tail"])
        if count > self._capacity - (tail - int(self._consumed["head"])):
            raise EngineBusy
        start = tail % self._capacity
        first = min(count, self._capacity - start)
        cells = commands.view(self._cell)
        self._cells[start : start + first] = cells[:first]
        self._cells[: count - first] = cells[first:]
        fence()
        self._produced["tail"] = tail + count


class EventConsumer:
    """The one reader of an event ring.

    Thread-safe: no, one thread at a time. Realtime-safe: no, but it never waits.
    """

    def __init__(self, ring: Record) -> None:
        """Read `ring`, an EVENT_RING (or any ring of EVENT) in memory that stays mapped."""
        self._produced = ring["produced"]
        self._consumed = ring["consumed"]
        self._records = ring["records"]
        self._capacity = int(self._records.shape[-1])

    def read(self) -> npt.NDArray[np.void]:
        """Return a copy of all events that wait, oldest first, and free their places."""
        head, tail = int(self._consumed["head"]), int(self._produced["tail"])
        fence()
        count = min(tail - head, self._capacity)
        if count <= 0:
            return np.zeros(0, EVENT)
        places = np.arange(tail - count, tail) % self._capacity
        events: npt.NDArray[np.void] = self._records[places]
        fence()
        self._consumed["head"] = tail
        return events


class SnapshotReader:
    """A reader of the snapshots; there may be many.

    Thread-safe: yes. Realtime-safe: no, but it never waits for the kernel.
    """

    def __init__(self, snapshots: Record) -> None:
        """Read `snapshots`, a SNAPSHOTS struct in memory that stays mapped."""
        self._snapshots = snapshots

    def read(self) -> np.void:
        """Return a copy of the newest whole snapshot; all zero before the first block."""
        slots = self._snapshots["slots"]
        for _ in range(64):
            number = int(self._snapshots["published"])
            fence()
            if number == 0:
                break
            slot = slots[number % SNAPSHOT_SLOTS]
            copy: np.void = slot["snapshot"].copy()
            fence()
            if int(slot["sequence"]) == 2 * number:
                return copy
        empty: np.void = np.zeros(1, SNAPSHOT)[0]
        return empty


class ClockReader:
    """A reader of the clock pair; there may be many.

    Thread-safe: yes. Realtime-safe: no, but it never waits for the kernel.
    """

    def __init__(self, clock: Record) -> None:
        """Read `clock`, a CLOCK struct in memory that stays mapped."""
        self._clock = clock

    def read(self) -> ClockPair:
        """Return the newest clock pair; all zero before a device has called."""
        clock = self._clock
        for _ in range(64):
            before = int(clock["sequence"])
            fence()
            pair = ClockPair(
                int(clock["frame"]), int(clock["monotonic_ns"]), int(clock["latency_frames"]), float(clock["rate"])
            )
            fence()
            if before % 2 == 0 and int(clock["sequence"]) == before:
                return pair
        return pair


class BusReader:
    """A reader of the master or of a bus as it went out; there may be many, each with a cursor of its own.

    Thread-safe: yes. Realtime-safe: no, but it never waits for the kernel.
    """

    def __init__(self, ring: Record) -> None:
        """Read `ring`, a BUS_RING in memory that stays mapped."""
        self._ring = ring

    @property
    def since(self) -> int:
        """Frame from which on the ring was filled."""
        return int(self._ring["since"])

    @property
    def delay_frames(self) -> int:
        """How long before a frame what lies on it was made."""
        return int(self._ring["delay_frames"])

    @property
    def written(self) -> int:
        """Frames written since the engine's frame 0: where a reader that wants only what comes next begins."""
        return int(self._ring["written"])

    def read(self, cursor: int, limit_frames: int) -> tuple[npt.NDArray[np.float32], int]:
        """Return float32 (frames, 2) from engine frame `cursor` on, at most `limit_frames`, and the cursor to go on
        with.

        A reader that has fallen behind the ring is moved forward to the oldest frame that still stands, so the
        returned cursor minus the frames returned tells where the audio begins.
        """
        samples = self._ring["samples"]
        written = int(self._ring["written"])
        fence()
        # A quarter of the ring is left to the writer, which goes on while this copies.
        oldest = max(self.since, written - 3 * BUS_CAPACITY // 4)
        start = min(max(cursor, oldest), written)
        count = max(0, min(limit_frames, written - start))
        places = np.arange(start, start + count) % BUS_CAPACITY
        audio: npt.NDArray[np.float32] = samples[places]
        fence()
        gone = int(self._ring["written"]) - BUS_CAPACITY - start
        if gone > 0:
            audio = audio[gone:]
        return audio, start + count


class PlaceReader(BusReader):
    """A reader of where the deck was; as BusReader, with PLACE records for samples."""

    def read(self, cursor: int, limit_frames: int) -> tuple[npt.NDArray[Any], int]:
        """Return PLACE records (frames,) from engine frame `cursor` on, as `BusReader.read` does."""
        return super().read(cursor, limit_frames)
