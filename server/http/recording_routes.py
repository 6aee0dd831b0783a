"""Routes of recordings: which there are, to listen to and download, and to throw away.

Owner: one request each. Recordings are of the whole show, so they are the owner's. Units: seconds; bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec
from starlette.responses import Response

from audio import recordings
from audio.recordings import Recorded
from server.errors import Conflict, NotAllowed, NotFound
from server.http.files import send_file
from server.http.table import Call, Row
from server.library.records import StoredFile

_MEDIA: Final = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".cue": "text/plain; charset=utf-8",
    ".json": "application/json",
}


class Recording(msgspec.Struct, frozen=True):
    """One recording. `length` in seconds, none for a file of another program; `size` in bytes, of all its files;
    `tracks` says whether there is a track list, which has the same name with `.cue`; `recording` whether it still
    grows; `files` are all its files, by names to fetch them with, those of its buses among them."""

    name: str
    length: float | None
    size: int
    ended: datetime
    tracks: bool
    recording: bool
    files: tuple[str, ...]


async def list_recordings(call: Call) -> list[Recording]:
    _owner_only(call)
    growing = _growing(call)
    found = await anyio.to_thread.run_sync(_listed, _folder(call))
    return [
        Recording(
            one.name, one.length_s, one.size, datetime.fromtimestamp(one.ended, UTC),
            any(name.endswith(".cue") for name in files), one.name == growing, tuple(files),
        )
        for one, files in found
    ]  # fmt: skip


async def send_recording(call: Call) -> Response:
    """Send a recording, or one of the files beside it."""
    name = _name(call)
    path = await anyio.to_thread.run_sync(_file, _folder(call), name)
    status = await anyio.Path(path).stat()
    etag = f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
    return send_file(
        call.request, StoredFile(path, _MEDIA[path.suffix], etag, name.replace("/", " "), False), download=True
    )


async def delete_recording(call: Call) -> None:
    """Delete a recording and all that is beside it."""
    name = _name(call)
    if name == _growing(call):
        raise Conflict("This is being recorded now: stop recording first.")
    one = await anyio.to_thread.run_sync(recordings.find, _folder(call), name)
    if one is None:
        raise NotFound
    await anyio.to_thread.run_sync(one.delete)


def _listed(folder: Path) -> list[tuple[Recorded, dict[str, Path]]]:
    return [(one, one.files()) for one in recordings.listing(folder)]


def _file(folder: Path, name: str) -> Path:
    """Return the file of that name, if it is part of a recording. Raises NotFound."""
    for _, files in _listed(folder):
        if name in files:
            return files[name]
    raise NotFound


def _name(call: Call) -> str:
    _owner_only(call)
    return str(call.request.path_params["name"])


def _folder(call: Call) -> Path:
    return call.services.library.storage.data / "recordings"


def _growing(call: Call) -> str:
    """Return the name of the recording that is being made, or nothing."""
    controls = call.services.show.controls
    return str(controls.get("/mixer/record/file", "")) if controls.get("/mixer/record") else ""


def _owner_only(call: Call) -> None:
    if call.who is None or not call.who.is_owner:
        raise NotAllowed("Recordings are the owner's.")


ROWS: Final = (
    Row("GET", "/api/recordings", list_recordings, "All recordings, newest first", list[Recording], tag="show"),
    Row("GET", "/api/recordings/{name:path}", send_recording, "A recording, or another of its files",
        media="application/octet-stream", rate="file", tag="show"),
    Row("DELETE", "/api/recordings/{name:path}", delete_recording, "Delete a recording and all its files", status=204,
        tag="show"),
)  # fmt: skip
