"""One recording: the rings of the master and the buses on one side, files on the other, and no lost time between them.

    master ring --pull--> Recording --> FlacWriter or WavWriter
    bus rings ----pull------^   '-----> one file each, as long as the master's and beginning on the same frame
       a stretch that was overwritten before it was read, or that no engine played, becomes silence of its length

Owner: the recorder process. Units: frames at the engine rate; a cursor is a frame of the engine that plays now.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from audio.flac import FlacWriter, Float32
from audio.rings import BusReader
from audio.wav import WavWriter

CHUNK: Final = 16_384
"""Frames taken at once."""


class Writer(Protocol):
    """Where the audio goes; see `WavWriter`."""

    def write(self, block: Float32) -> None: ...
    def checkpoint(self) -> None: ...
    def give_up(self) -> None: ...
    def close(self) -> None: ...


def open_writer(path: Path, rate: int, form: str) -> Writer:
    """Begin a stereo file of one of RECORDING_FORMATS. Raises StorageFull, AudioError."""
    return FlacWriter(path, rate, 1.0) if form == "flac" else WavWriter(path, rate, floats=form == "wav-float")


class _Track:
    """One ring on its way into one file. `lost` are the stretches that could not be had: first frame, frames."""

    def __init__(self, reader: BusReader, writer: Writer, cursor: int) -> None:
        self.reader, self.writer, self.cursor = reader, writer, cursor
        self.frames = 0
        self.lost: list[tuple[int, int]] = []

    def pull(self, stop: int) -> None:
        """Write what comes before frame `stop`; where the ring does not hold it, silence."""
        while self.cursor < stop:
            audio, cursor = self.reader.read(self.cursor, min(CHUNK, stop - self.cursor))
            first = cursor - len(audio)
            if first >= stop or cursor <= self.cursor:
                # A bus that is not recorded now: silence, and nothing is lost.
                self._silence(stop - self.cursor)
                self.cursor = stop
                return
            self._miss(first - self.cursor, self.reader.since)
            audio = audio[: stop - first]
            self.writer.write(audio)
            self.frames += len(audio)
            self.cursor = first + len(audio)

    def lose(self, frames: int) -> None:
        """Put in silence for `frames` that could not be had."""
        if frames > 0:
            self.lost.append((self.frames, frames))
            self._silence(frames)

    def _miss(self, frames: int, since: int) -> None:
        if self.cursor < since:
            self._silence(frames)
        else:
            self.lose(frames)

    def _silence(self, frames: int) -> None:
        self.frames += frames
        for start in range(0, frames, CHUNK):
            self.writer.write(np.zeros((min(CHUNK, frames - start), 2), np.float32))


class Recording:
    """Takes the master from `cursor` on, and `buses` beside it, each on its own file and all in step. `frames` is the
    length so far; `gaps` counts stretches of silence put in for what could not be had, `gap_frames` their length
    together, in the file that lost most.

    Thread-safe: no. Realtime-safe: no, but the kernel never waits for it.
    """

    def __init__(
        self, reader: BusReader, writer: Writer, cursor: int, buses: Sequence[tuple[BusReader, Writer]] = ()
    ) -> None:
        self._tracks = [_Track(reader, writer, cursor)]
        self._tracks += [_Track(of, to, cursor - _earlier(of, reader)) for of, to in buses]

    @property
    def cursor(self) -> int:
        return self._tracks[0].cursor

    @property
    def frames(self) -> int:
        return self._tracks[0].frames

    @property
    def gaps(self) -> int:
        return max(len(track.lost) for track in self._tracks)

    @property
    def gap_frames(self) -> int:
        return max(sum(frames for _, frames in track.lost) for track in self._tracks)

    @property
    def lost(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The stretches of silence of each file, the master's first: first frame, frames."""
        return tuple(tuple(track.lost) for track in self._tracks)

    def pull(self) -> int:
        """Write what the rings hold by now; return how many frames that were. Raises StorageFull, AudioError."""
        # The kernel fills the master's ring last: what is there of the master is there of every bus. The input comes
        # later than what it was played to, and is waited for.
        ahead = max(track.cursor for track in self._tracks) - self.cursor
        count = max(0, self._tracks[0].reader.written - self.cursor - max(0, ahead))
        for track in self._tracks:
            track.pull(track.cursor + count)
        return count

    def checkpoint(self) -> None:
        """Make every file whole, whatever happens next. Raises StorageFull."""
        for track in self._tracks:
            track.writer.checkpoint()

    def close(self) -> None:
        """Finish all files. Raises StorageFull, AudioError."""
        for track in self._tracks:
            track.writer.close()

    def give_up(self) -> None:
        """Close after a failed write, leaving the files as they were at the last checkpoint."""
        for track in self._tracks:
            track.writer.give_up()

    def go_on(self, reader: BusReader, cursor: int, gap_frames: int, buses: Sequence[BusReader] = ()) -> None:
        """Take up the master of another engine from its frame `cursor`, `gap_frames` after the last one's end, and its
        buses, in the order that they had."""
        for track, ring in zip(self._tracks, (reader, *buses), strict=True):
            track.lose(gap_frames)
            track.reader, track.cursor = ring, cursor - _earlier(ring, reader)


def _earlier(ring: BusReader, master: BusReader) -> int:
    """Return how many frames before the master the same moment lies in another ring."""
    return master.delay_frames - ring.delay_frames
