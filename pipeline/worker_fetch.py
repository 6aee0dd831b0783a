"""Audio between a worker and its server: a track's, fetched once as it is needed and kept for the next job on it; and
a download's, handed over.

Owner: the thread of the job that needs it. Processes share the folder; a kept file appears in it whole or not at all.
Units: frames at `rate` (Hz); arrays are float32 (2, frames), mapped from the file.
"""

import contextlib
import hashlib
import math
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import httpx2
import numpy as np

from pipeline.errors import AudioRejected, DiskFull, PermanentFailure, TransientFailure
from pipeline.pcm import FRAME_BYTES, Audio
from pipeline.worker_mix import FetchedMix

KEEP_BYTES: Final = 4 << 30
"""How much fetched audio is kept; the files longest unused go first."""

PATIENCE_S: Final = 60.0
"""How long to wait for a server from which nothing comes, before the job goes back to the queue."""

PAUSE_S: Final = 0.25
"""How long to wait before asking again after nothing came."""

LEVELS_HEADER: Final = "Alchemy-Levels"
"""Header with mean and standard deviation of the whole track's mono sum, `MEAN,STD`."""

SEND_BYTES: Final = 1 << 18
"""How much is sent between two looks whether the job is still wanted."""

IMPORT_S: Final = 600.0
"""How long the server may take to decode and keep a download."""

_TIMEOUT_S: Final = 120.0


class AudioChanged(TransientFailure):
    """The track is another one than when the job began; the next attempt reads it from its start."""

    code = "audio_changed"


class Source:
    """Fetches from one server. `check` is called between blocks and raises to give up.

    Thread-safe: jobs of one process share it.
    """

    def __init__(
        self,
        server: str,
        token: str,
        spool: Path,
        pause: Callable[[float], None] = time.sleep,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._client = httpx2.Client(
            base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=False,
            verify=tls or True,
        )  # fmt: skip
        self._folder = spool / "pcm"
        self._pause = pause

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def open(self, track: str, rate: int, check: Callable[[], None], stem: str = "") -> FetchedMix:
        """Return the track's audio, of which each stretch comes when it is asked for; close it at the end.

        Raises AudioRejected, DiskFull, TransientFailure and whatever `check` raises, as reading from it does.
        """
        path = f"/api/worker/tracks/{track}/stems/{stem}/pcm" if stem else f"/api/worker/tracks/{track}/pcm"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskFull(f"There is no place for the audio in {self._folder}: {error.strerror}.") from error
        etag, size, levels = self._head(path, rate)
        if size == 0 or size % FRAME_BYTES:
            raise AudioRejected("The track has no audio.")
        name = f"{track}-{rate}-{hashlib.sha256(etag.encode()).hexdigest()[:16]}.f32"

        def fetch(start: int, stop: int, take: Callable[[int, bytes], None]) -> None:
            self._fetch(path, rate, etag, start * FRAME_BYTES, stop * FRAME_BYTES, take, check)

        mix = FetchedMix(self._folder / name, size // FRAME_BYTES, levels, fetch)
        self._tidy(self._folder / name)
        return mix

    def load(self, track: str, rate: int, check: Callable[[], None], stem: str = "") -> Audio:
        """Return all of the track's audio, or of one of its stems, mapped from the file. Raises as `open` does."""
        with contextlib.closing(self.open(track, rate, check, stem)) as mix:
            frames = mix.shape[1]
            mix.need(0, frames)
            mapped: Audio = np.memmap(mix.path, dtype="<f4", mode="r", shape=(frames, 2)).T
            return mapped

    def hand_over(self, job: str, path: Path, name: str, check: Callable[[], None]) -> dict[str, Any]:
        """Send a downloaded file to the server, which imports it; return what it says. May be done again.

        Raises PermanentFailure with the server's sentence when it is no audio or too large, TransientFailure.
        """

        def blocks(file: BinaryIO) -> Iterator[bytes]:
            while block := file.read(SEND_BYTES):
                check()
                yield block

        with path.open("rb") as file:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
            try:
                answer = self._client.put(
                    f"/api/worker/jobs/{job}/audio", params={"name": name}, content=blocks(file), headers=headers,
                    timeout=IMPORT_S,
                )  # fmt: skip
            except httpx2.TransportError as error:
                check()
                raise TransientFailure(f"The server does not take the download: {error}") from error
        check()
        try:
            content = answer.json()
        except ValueError:
            content = {}
        if answer.is_success and isinstance(content, dict):
            return content
        told = content.get("error", {}) if isinstance(content, dict) else {}
        why = told.get("message") or f"The server does not take the download (status {answer.status_code})."
        raise (PermanentFailure if answer.status_code in (401, 403, 413, 422) else TransientFailure)(why)

    def secrets(self, job: str) -> dict[str, str]:
        """Return what a job needs at another service, in its user's name. Raises PermanentFailure, TransientFailure."""
        try:
            answer = self._client.get(f"/api/worker/jobs/{job}/secrets")
            if answer.is_success:
                return {str(name): str(value) for name, value in answer.json().items()}
            told = answer.json()["error"]["message"]
        except httpx2.TransportError as error:
            raise TransientFailure(f"The server does not answer: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TransientFailure("The server answers in a way that is not understood.") from error
        raise (PermanentFailure if answer.status_code < 500 else TransientFailure)(told)

    def _head(self, path: str, rate: int) -> tuple[str, int, tuple[float, float] | None]:
        """Return what identifies the audio, its length in bytes and its levels, from the first byte of it."""
        answer = self._get(path, rate, 0, 0, None)
        try:
            total = re.fullmatch(r"bytes (?:0-0|\*)/(\d+)", answer.headers.get("Content-Range", ""))
            if total is None:
                raise TransientFailure("The server sent the audio in a way that is not understood.")
            return answer.headers.get("ETag", ""), int(total[1]), _levels(answer.headers)
        finally:
            answer.close()

    def _fetch(
        self, path: str, rate: int, etag: str, at: int, stop: int, take: Callable[[int, bytes], None],
        check: Callable[[], None],
    ) -> None:  # fmt: skip
        """Bring bytes [at, stop), going on where a transfer broke off; wait for a server that is away for a while."""
        waited_s = 0.0
        while at < stop:
            before = at
            try:
                with contextlib.closing(self._get(path, rate, at, stop - 1, etag)) as answer:
                    for block in answer.iter_bytes():  # as it comes: a block size would lose what a break cuts
                        check()
                        piece = block[: stop - at]
                        take(at, piece)
                        at += len(piece)
            except (httpx2.TransportError, TransientFailure) as error:
                if isinstance(error, AudioChanged | DiskFull):
                    raise
                waited_s = 0.0 if at > before else waited_s + PAUSE_S
                if waited_s > PATIENCE_S:
                    raise TransientFailure(f"The audio stopped coming: {error}") from error
                check()
                if at == before:
                    self._pause(PAUSE_S)

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
            raise AudioChanged("The audio has changed while it was fetched.")
        if answer.status_code in (404, 410):
            raise AudioRejected("The track is not there any more.")
        if answer.status_code in (401, 403):
            raise PermanentFailure("This worker may not have the track's audio.")
        raise TransientFailure(f"The server does not give the audio (status {answer.status_code}).")

    def _tidy(self, newest: Path) -> None:
        """Remove what is longest unused beyond `KEEP_BYTES`. A file that is mapped lives on until it is let go."""
        found = []
        for path in self._folder.glob("*.f32"):
            with contextlib.suppress(OSError):  # another process may tidy at the same time
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        held = 0
        for _, size, path in sorted(found, reverse=True):
            held += size
            if held > KEEP_BYTES and path != newest:
                path.unlink(missing_ok=True)


def _levels(headers: Mapping[str, str]) -> tuple[float, float] | None:
    """Read the levels of the whole track, None where the server names none that make sense."""
    try:
        mean, std = (float(part) for part in headers.get(LEVELS_HEADER, "").split(","))
    except ValueError:
        return None
    return (mean, std) if math.isfinite(mean) and math.isfinite(std) and std >= 0 else None
