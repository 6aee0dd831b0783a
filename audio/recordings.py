"""The folder of recordings: how they are called, which there are, and how long they are.

Owner: the recorder adds files; whoever deletes one asks `find` first. Units: seconds; bytes.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from audio.units import RECORDING_FORMATS
from audio.wav import HEADER_BYTES, length_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording. `length_s` is None for a file that another program wrote; `ended` in seconds since 1970."""

    path: Path
    length_s: float | None
    size: int
    ended: float

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def sheet(self) -> Path:
        """The track list beside it, which need not exist."""
        return self.path.with_suffix(".cue")


def fresh(folder: Path, form: str) -> Path:
    """Return where a recording that begins now is to go: named by date and time, never over another file."""
    name = time.strftime("%Y-%m-%d %H-%M-%S")
    number = 1
    while True:
        path = folder / f"{name}{'' if number == 1 else f' ({number})'}.{form}"
        # A name stands for its track list too, so FLAC and WAV do not share one.
        if not any(path.with_suffix(f".{suffix}").exists() for suffix in (*RECORDING_FORMATS, "cue")):
            return path
        number += 1


def listing(folder: Path) -> list[Recorded]:
    """Return all recordings of a folder, the newest first; none for a folder that is not there."""
    found = []
    for path in folder.glob("*"):
        if path.suffix[1:] in RECORDING_FORMATS and path.is_file() and not path.is_symlink():
            status = path.stat()
            found.append(Recorded(path, _length(path), status.st_size, status.st_mtime))
    return sorted(found, key=lambda one: (one.ended, one.name), reverse=True)


def find(folder: Path, name: str) -> Recorded | None:
    """Return the recording of that name, which may be anything that came over a wire; None when it is not listed."""
    return next((one for one in listing(folder) if one.name == name), None)


def _length(path: Path) -> float | None:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if path.suffix == ".wav":
        return length_of(head)
    if head[:4] != b"fLaC" or len(head) < 26:
        return None
    told = int.from_bytes(head[18:26], "big")
    return (told & (1 << 36) - 1) / (told >> 44) if told >> 44 else None
