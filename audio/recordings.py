"""The folder of recordings: how they are called, which there are, and how long they are.

    2026-01-02 21-30-00.flac, .cue            a recording of the master alone, and its track list
    2026-01-02 22-00-00/master.flac, .cue     one of the master and of buses, which begin on the same frame:
                        deck1.flac, pads.flac, ...
                        recording.json        a SHEET: what is in which file, and where audio could not be had

Owner: the recorder adds files; whoever deletes one asks `find` first. Units: seconds; bytes; frames in the sheet.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from audio.units import RECORDED
from audio.wav import HEADER_BYTES, length_of

MASTER: Final = "master"
SHEET_NAME: Final = "recording.json"
SUFFIXES: Final = ("flac", "wav")


class Lost(msgspec.Struct, frozen=True):
    """Silence of `frames` from frame `start` of a bus's file on, for audio that could not be had."""

    bus: str
    start: int
    frames: int


class Sheet(msgspec.Struct, frozen=True):
    """What lies beside the files of a recording with buses. `files`: file names by bus; frame 0 of all of them is the
    same moment, `began`, in ISO 8601; `frames` at `rate` is their length, 0 while it is not over."""

    rate: int
    began: str
    files: dict[str, str]
    frames: int = 0
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording. `name` is where the master lies in the folder; `parts` the files of buses beside it. `length_s` is
    None for a file that another program wrote; `size` is of all its audio; `ended` in seconds since 1970."""

    name: str
    path: Path
    parts: tuple[Path, ...]
    length_s: float | None
    size: int
    ended: float

    @property
    def track_list(self) -> Path:
        """The track list beside it, which need not exist."""
        return self.path.with_suffix(".cue")

    @property
    def sheet(self) -> Path | None:
        """The sheet of a recording with buses, which need not exist."""
        return self.path.parent / SHEET_NAME if "/" in self.name else None

    def files(self) -> dict[str, Path]:
        """Return every file that is there, by its name in the folder."""
        own = [self.path, self.track_list, *self.parts, *([self.sheet] if self.sheet is not None else [])]
        top = self.path.parents[self.name.count("/")]
        return {path.relative_to(top).as_posix(): path for path in own if path.is_file()}

    def delete(self) -> None:
        """Remove its files, and its folder unless somebody has put something else there. Raises OSError."""
        for path in self.files().values():
            path.unlink(missing_ok=True)
        if "/" in self.name:
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()


def suffix_of(form: str) -> str:
    """Return the suffix of files of one of RECORDING_FORMATS, without the dot."""
    return form.split("-")[0]


def fresh(folder: Path, form: str, *, with_buses: bool = False) -> Path:
    """Return where the master of a recording that begins now is to go: named by date and time, never over another.

    With buses that is in a folder of its own, which is made. Raises OSError.
    """
    name = time.strftime("%Y-%m-%d %H-%M-%S")
    number = 1
    while True:
        base = folder / f"{name}{'' if number == 1 else f' ({number})'}"
        # A name stands for its track list too, so FLAC and WAV do not share one.
        if not any(base.with_name(f"{base.name}{end}").exists() for end in ("", ".cue", *(f".{s}" for s in SUFFIXES))):
            if not with_buses:
                return base.with_name(f"{base.name}.{suffix_of(form)}")
            base.mkdir()
            return base / f"{MASTER}.{suffix_of(form)}"
        number += 1


def listing(folder: Path) -> list[Recorded]:
    """Return all recordings of a folder, the newest first; none for a folder that is not there."""
    found = []
    for path in folder.glob("*"):
        if path.is_symlink():
            continue
        if path.is_dir():
            found += [_recorded(f"{path.name}/{own.name}", own) for own in _audio(path, MASTER)]
        elif path.suffix[1:] in SUFFIXES and path.is_file():
            found.append(_recorded(path.name, path))
    return sorted(found, key=lambda one: (one.ended, one.name), reverse=True)


def find(folder: Path, name: str) -> Recorded | None:
    """Return the recording of that name, which may be anything that came over a wire; None when it is not listed."""
    return next((one for one in listing(folder) if one.name == name), None)


def _audio(folder: Path, name: str) -> list[Path]:
    paths = (folder / f"{name}.{suffix}" for suffix in SUFFIXES)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def _recorded(name: str, path: Path) -> Recorded:
    parts = tuple(part for bus in RECORDED for part in _audio(path.parent, bus)) if "/" in name else ()
    status = path.stat()
    size = status.st_size + sum(part.stat().st_size for part in parts)
    return Recorded(name, path, parts, _length(path), size, status.st_mtime)


def _length(path: Path) -> float | None:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if path.suffix == ".wav":
        return length_of(head)
    if head[:4] != b"fLaC" or len(head) < 26:
        return None
    told = int.from_bytes(head[18:26], "big")
    return (told & (1 << 36) - 1) / (told >> 44) if told >> 44 else None
