"""How an engine is found: a lock file that only a living engine holds, and a note beside it that says where it is.

Owner: the engine holds `engine.lock` for its life and writes `engine.json` when it is ready.
Units: none. The kernel of the system drops the lock when the engine ends, however it ends.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from audio.errors import AudioError, EngineMissing, EngineRunning

LOCK_NAME: Final = "engine.lock"
NOTE_NAME: Final = "engine.json"
SOCKET_NAME: Final = "engine.sock"
LONGEST_SOCKET_PATH: Final = 100


class Note(msgspec.Struct, frozen=True):
    """Where a ready engine is."""

    pid: int
    segment: str
    version: int


def socket_path(runtime_dir: Path) -> Path:
    """Return the engine's control socket. Raises AudioError when the path is too long for a socket."""
    path = runtime_dir / SOCKET_NAME
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise AudioError(f"{runtime_dir} is too long a path for a socket: choose a shorter runtime folder")
    return path


def take_lock(runtime_dir: Path) -> BinaryIO:
    """Take the engine's lock; it is held until the returned file is closed. Raises EngineRunning."""
    runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (runtime_dir / LOCK_NAME).open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        file.close()
        note = read_note(runtime_dir)
        who = f" (process {note.pid})" if note else ""
        raise EngineRunning(f"An engine already runs for {runtime_dir}{who}: attach to it, or stop it first.") from held
    return file


def is_alive(runtime_dir: Path) -> bool:
    """Say whether an engine holds the lock of `runtime_dir` now."""
    return is_held(runtime_dir / LOCK_NAME)


def is_held(lock: Path) -> bool:
    """Say whether a living process holds the file `lock` now."""
    try:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except OSError:
        return False


def read_note(runtime_dir: Path) -> Note | None:
    """Return the note, None when there is none that can be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((runtime_dir / NOTE_NAME).read_bytes(), type=Note)
    return None


def write_note(runtime_dir: Path, note: Note) -> None:
    """Put the note where clients look, whole or not at all."""
    making = runtime_dir / f".{NOTE_NAME}.making"
    making.write_bytes(msgspec.json.encode(note))
    making.replace(runtime_dir / NOTE_NAME)


def find(runtime_dir: Path) -> Note:
    """Return the note of the living engine of `runtime_dir`. Raises EngineMissing."""
    note = read_note(runtime_dir)
    if note is None or not is_alive(runtime_dir):
        raise EngineMissing(f"No engine runs for {runtime_dir}.")
    return note
