"""How a recorder is started, found and told to end, by programs that do not record themselves.

    server --spawn--> `python -m audio.recorder`       holds recorder.lock while it lives
    server <--look--- recorder.json, once a second     and once more at its end, with the reason
    server --end----> SIGTERM

Owner: the recorder writes lock and note; it is in a session of its own and outlives who started it.
Units: frames at `rate`; nanoseconds of the monotonic clock.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from audio import children
from audio.adoption import is_held

LOCK_NAME: Final = "recorder.lock"
NOTE_NAME: Final = "recorder.json"

STOPPED: Final = "stopped"
ENGINE_ENDED: Final = "engine_ended"
FULL: Final = "full"
FAILED: Final = "failed"


class RecorderNote(msgspec.Struct, frozen=True):
    """What a recorder last said. `reason` is empty while it records: then `STOPPED` (it was told to), `ENGINE_ENDED`,
    `FULL` (no room) or `FAILED`, with a sentence in `message`. `gap_frames` of the `frames` are silence put in for
    audio that could not be had, in `gaps` stretches. `began_ns` is when the first frame began; `buses` are recorded
    beside the master."""

    pid: int
    file: str
    rate: int
    began_ns: int
    frames: int = 0
    gaps: int = 0
    gap_frames: int = 0
    reason: str = ""
    message: str = ""
    buses: tuple[str, ...] = ()


def spawn(
    runtime_dir: Path, folder: Path, form: str, cursor: int, log: Path, buses: Sequence[str] = ()
) -> "subprocess.Popen[bytes]":
    """Start a recorder of the engine of `runtime_dir` that writes into `folder`, from engine frame `cursor` on: the
    master, and `buses` beside it, which the engine has to be told to keep."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            children.command(
                "audio.recorder", f"--runtime-dir={runtime_dir}", f"--folder={folder}", f"--format={form}",
                f"--cursor={cursor}", *(f"--bus={bus}" for bus in buses),
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=children.environment(),
            start_new_session=True,
        )  # fmt: skip


def is_recording(runtime_dir: Path) -> bool:
    """Say whether a recorder lives."""
    return is_held(runtime_dir / LOCK_NAME)


def read_note(runtime_dir: Path) -> RecorderNote | None:
    """Return what the last recorder said last; None when there is nothing that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((runtime_dir / NOTE_NAME).read_bytes(), type=RecorderNote)
    return None


def write_note(runtime_dir: Path, note: RecorderNote) -> None:
    """Say something, whole or not at all."""
    making = runtime_dir / f".{NOTE_NAME}.making"
    making.write_bytes(msgspec.json.encode(note))
    making.replace(runtime_dir / NOTE_NAME)


def end(note: RecorderNote) -> None:
    """Tell the recorder that wrote `note`, and lives, to finish its file and end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(note.pid, signal.SIGTERM)
