"""One recording: the master ring on one side, a file on the other, and no lost time between them.

    master ring --pull--> Recording --> FlacWriter or WavWriter
       a stretch that was overwritten before it was read, or that no engine played, becomes silence of its length

Owner: the recorder process. Units: frames at the engine rate; a cursor is a frame of the engine that plays now.
"""

from pathlib import Path
from typing import Final, Protocol

import numpy as np

from audio.flac import FlacWriter, Float32
from audio.rings import MasterReader
from audio.wav import WavWriter

CHUNK: Final = 16_384
"""Frames taken at once."""


class Writer(Protocol):
    """Where the audio goes; see `WavWriter`."""

    def write(self, block: Float32) -> None: ...
    def checkpoint(self) -> None: ...
    def give_up(self) -> None: ...
    def close(self) -> None: ...


def open_writer(path: Path, rate: int) -> Writer:
    """Begin a 24-bit stereo file, FLAC or WAV by its suffix. Raises StorageFull, AudioError."""
    return WavWriter(path, rate) if path.suffix == ".wav" else FlacWriter(path, rate, 1.0)


class Recording:
    """Takes the master from `cursor` on. `frames` is the length so far; `gaps` counts stretches of silence put in for
    what could not be had, `gap_frames` their length together.

    Thread-safe: no. Realtime-safe: no, but the kernel never waits for it.
    """

    def __init__(self, reader: MasterReader, writer: Writer, cursor: int) -> None:
        self._reader, self._writer = reader, writer
        self.cursor = cursor
        self.frames = self.gaps = self.gap_frames = 0

    def pull(self) -> int:
        """Write what the ring holds by now; return how many frames that were. Raises StorageFull, AudioError."""
        before, stop = self.frames, self._reader.written
        while self.cursor < stop:
            audio, cursor = self._reader.read(self.cursor, min(CHUNK, stop - self.cursor))
            self._fill(cursor - len(audio) - self.cursor)
            self._writer.write(audio)
            self.frames += len(audio)
            self.cursor = cursor
        return self.frames - before

    def go_on(self, reader: MasterReader, cursor: int, gap_frames: int) -> None:
        """Take up the master of another engine from its frame `cursor`, `gap_frames` after the last one's end."""
        self._fill(gap_frames)
        self._reader, self.cursor = reader, cursor

    def _fill(self, frames: int) -> None:
        if frames <= 0:
            return
        self.gaps += 1
        self.gap_frames += frames
        self.frames += frames
        for start in range(0, frames, CHUNK):
            self._writer.write(np.zeros((min(CHUNK, frames - start), 2), np.float32))
