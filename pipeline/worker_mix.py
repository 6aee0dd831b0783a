"""A track's audio as an engine reads it: what it asks for comes from the server, once, and lies in a sparse file.

Owner: the thread of the job; closed at the job's end. Memory holds no more than what is asked for at once.
Units: frames at `rate` (Hz); arrays are float32 (2, frames).

What came is kept when all of it came, so that the next job on the track fetches nothing; a part of it is thrown away.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import DiskFull
from pipeline.pcm import FRAME_BYTES, Audio, Ranges, RawFile, difference, from_bytes, total, union

FETCH_FRAMES: Final = 1 << 16
"""Audio is fetched on this grid, half a MiB: a segment's neighbours need little that is not there already."""

Fetch = Callable[[int, int, Callable[[int, bytes], None]], None]
"""`fetch(start, stop, take)` brings frames [start, stop) and hands `take(byte, raw)` what came, in order."""

PREFIX: Final = ".fetching-"


class FetchedMix:
    """Looks like a float32 array (2, frames) of which stretches can be taken: `mix[:, start:stop]`.

    `levels` are mean and standard deviation of the mono sum of the whole track, None where the server has none.
    """

    ndim: Final = 2

    def __init__(self, kept: Path, frames: int, levels: tuple[float, float] | None, fetch: Fetch) -> None:
        """`kept` is where the whole will lie, and lies already if it was fetched before. Raises DiskFull."""
        self.shape = (2, frames)
        self.levels = levels
        self._kept = kept
        self._fetch = fetch
        self._have: Ranges = ()
        self._part: Path | None = None
        if kept.is_file() and kept.stat().st_size == frames * FRAME_BYTES:
            self._have = ((0, frames),)
            self._file = RawFile(kept)
            with contextlib.suppress(OSError):
                os.utime(kept)
        else:
            with _full_disk(kept):
                handle, name = tempfile.mkstemp(prefix=PREFIX, dir=kept.parent)
                os.close(handle)
            self._part = Path(name)
            self._file = RawFile(self._part)

    def __getitem__(self, key: tuple[slice, slice]) -> Audio:
        """Return a stretch of both channels. Raises what `fetch` raises, DiskFull, TypeError for anything else."""
        channels, frames = key
        if channels != slice(None) or frames.step not in (None, 1):
            raise TypeError("only stretches of both channels can be taken: mix[:, start:stop]")
        start, stop, _ = frames.indices(self.shape[1])
        stop = max(start, stop)
        self.need(start, stop)
        with _full_disk(self._kept):
            return from_bytes(self._file.read(start, stop))

    @property
    def path(self) -> Path:
        """Where what is here lies."""
        return self._file.path

    @property
    def missing(self) -> int:
        """How many frames have not come yet."""
        return self.shape[1] - total(self._have)

    def need(self, start: int, stop: int) -> None:
        """Fetch what of frames [start, stop) is not here. Raises as `__getitem__`."""
        if not difference(((start, stop),), self._have):
            return
        frames = self.shape[1]
        wide = start // FETCH_FRAMES * FETCH_FRAMES, min(frames, -(-stop // FETCH_FRAMES) * FETCH_FRAMES)
        for low, high in difference((wide,), self._have):
            self._fetch(low, high, self._take)
            self._have = union((*self._have, (low, high)))
        if not self.missing and self._part is not None:
            with _full_disk(self._kept):
                self._part.replace(self._kept)
            self._part = None
            self._file = RawFile(self._kept)

    def close(self) -> None:
        """Throw away what is not whole."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def _take(self, at: int, raw: bytes) -> None:
        with _full_disk(self._kept):
            self._file.write_bytes(at, raw)


@contextlib.contextmanager
def _full_disk(kept: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFull(f"The audio cannot be kept in {kept.parent}: {error.strerror}.") from error
