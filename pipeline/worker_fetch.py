"""A track's audio, fetched from the server once and kept for the next job on it.

Owner: the thread of the job that needs it. Processes share the folder; a file appears in it whole or not at all.
Units: frames at `rate` (Hz); arrays are float32 (2, frames), mapped from the file.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx2
import numpy as np

from pipeline.errors import AudioRejected, DiskFull, PermanentFailure, TransientFailure
from pipeline.pcm import FRAME_BYTES, Audio

KEEP_BYTES: Final = 4 << 30
"""How much fetched audio is kept; the files longest unused go first."""

TRIES: Final = 6
"""How often a transfer that broke off is taken up where it stopped, before the job goes back to the queue."""

_TIMEOUT_S: Final = 120.0


class Source:
    """Fetches from one server. `check` is called between blocks and raises to give up."""

    def __init__(self, server: str, token: str, spool: Path) -> None:
        self._client = httpx2.Client(
            base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=False
        )
        self._folder = spool / "pcm"

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def load(self, track: str, rate: int, check: Callable[[], None]) -> Audio:
        """Return the track's audio. Raises AudioRejected, DiskFull, TransientFailure and whatever `check` raises."""
        path = f"/api/worker/tracks/{track}/pcm"
        self._folder.mkdir(parents=True, exist_ok=True)
        etag, size = self._head(path, rate)
        name = f"{track}-{rate}-{hashlib.sha256(etag.encode()).hexdigest()[:16]}.f32"
        kept = self._folder / name
        if not (kept.is_file() and kept.stat().st_size == size):
            try:
                self._fetch(path, rate, etag, size, kept, check)
            except OSError as error:
                raise DiskFull(f"The audio cannot be kept in {self._folder}: {error.strerror}.") from error
            self._tidy(kept)
        with contextlib.suppress(OSError):
            os.utime(kept)
        if size == 0 or size % FRAME_BYTES:
            raise AudioRejected("The track has no audio.")
        mapped: Audio = np.memmap(kept, dtype="<f4", mode="r", shape=(size // FRAME_BYTES, 2)).T
        return mapped

    def _head(self, path: str, rate: int) -> tuple[str, int]:
        """Return what identifies the audio and its length in bytes, from the first byte of it."""
        answer = self._get(path, rate, 0, 0, None)
        try:
            total = re.fullmatch(r"bytes (?:0-0|\*)/(\d+)", answer.headers.get("Content-Range", ""))
            if total is None:
                raise TransientFailure("The server sent the audio in a way that is not understood.")
            return answer.headers.get("ETag", ""), int(total[1])
        finally:
            answer.close()

    def _fetch(self, path: str, rate: int, etag: str, size: int, kept: Path, check: Callable[[], None]) -> None:
        handle, name = tempfile.mkstemp(prefix=".fetching-", dir=self._folder)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123  a descriptor, not a path
                tries = 0
                while file.tell() < size:
                    before = file.tell()
                    try:
                        answer = self._get(path, rate, before, size - 1, etag)
                        with contextlib.closing(answer):
                            for block in answer.iter_bytes():  # as it comes: a block size would lose what a break cuts
                                check()
                                file.write(block[: size - file.tell()])
                    except (httpx2.TransportError, TransientFailure) as error:
                        tries = 0 if file.tell() > before else tries + 1
                        if tries >= TRIES:
                            raise TransientFailure(f"The audio stopped coming: {error}") from error
                        check()
            Path(name).replace(kept)
        finally:
            Path(name).unlink(missing_ok=True)

    def _get(self, path: str, rate: int, start: int, last: int, etag: str | None) -> httpx2.Response:
        headers = {"Range": f"bytes={start}-{last}"}
        if etag:
            headers["If-Range"] = etag
        try:
            request = self._client.build_request("GET", path, params={"rate": rate}, headers=headers)
            answer = self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            raise TransientFailure(f"The server does not give the audio: {error}") from error
        if answer.status_code == 206 or (answer.status_code == 416 and start == 0):
            return answer
        answer.close()
        if answer.status_code == 200:
            raise TransientFailure("The audio has changed while it was fetched.")
        if answer.status_code in (404, 410):
            raise AudioRejected("The track is not there any more.")
        if answer.status_code in (401, 403):
            raise PermanentFailure("This worker may not have the track's audio.")
        raise TransientFailure(f"The server does not give the audio (status {answer.status_code}).")

    def _tidy(self, newest: Path) -> None:
        """Remove what is longest unused beyond `KEEP_BYTES`. A file that is mapped lives on until it is let go."""
        files = sorted(
            (p for p in self._folder.glob("*.f32") if p != newest), key=lambda p: p.stat().st_mtime, reverse=True
        )
        held = newest.stat().st_size
        for path in files:
            held += path.stat().st_size
            if held > KEEP_BYTES:
                path.unlink(missing_ok=True)
