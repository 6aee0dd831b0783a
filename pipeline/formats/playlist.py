"""M3U8: a list of files that every player reads.

Owner: nobody; text in, entries out. UTF-8, one path or link a line, `#EXTINF:seconds,Artist - Title` before it.
Units: seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from pipeline.errors import PermanentFailure
from pipeline.formats.song import Song


class NotAPlaylist(PermanentFailure):
    """This is not a playlist that can be read."""

    code = "not_a_playlist"


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in a list. `location` is a path (as the file wrote it, `file://` undone) or a link; `name` and
    `duration_s` are None where the list does not say."""

    location: str
    name: str | None = None
    duration_s: float | None = None

    @property
    def is_link(self) -> bool:
        """Whether it lies on the network."""
        return urlsplit(self.location).scheme in ("http", "https")


def write_m3u8(songs: Iterable[Song]) -> str:
    """Return a list of the songs' files, in order. Raises ValueError for a song without a file."""
    lines = ["#EXTM3U"]
    for song in songs:
        if song.path is None:
            raise ValueError(f"{song.display} has no file to list")
        lines += [f"#EXTINF:{round(song.duration_s)},{_one_line(song.display)}", str(song.path)]
    return "\n".join(lines) + "\n"


def read_m3u8(data: bytes) -> list[Entry]:
    """Return the entries of an M3U or M3U8 file, in order; lines that say nothing of them are passed over.

    Text is UTF-8, with or without a byte order mark, or Latin-1 where it is not valid UTF-8 (plain M3U).
    Raises NotAPlaylist for something that is not text.
    """
    if b"\0" in data:
        raise NotAPlaylist("This is not a playlist: it is not text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    entries: list[Entry] = []
    name: str | None = None
    duration: float | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#EXTINF:"):
            duration, name = _extinf(line[8:])
        elif line and not line.startswith("#"):
            entries.append(Entry(local_path(line), name, duration))
            name, duration = None, None
    return entries


def local_path(location: str) -> str:
    """Return a `file://` URI as the path it names, and anything else as it stands."""
    parts = urlsplit(location)
    if parts.scheme != "file":
        return location
    path = unquote(parts.path)
    # file://localhost/C:/Music: the slash before a drive letter is not part of the path.
    return path[1:] if len(path) > 2 and path[2] == ":" else path


def file_uri(path: str) -> str:
    """Return the `file://localhost/` URI of an absolute path, POSIX or Windows, percent-encoded."""
    pure = PureWindowsPath(path) if len(path) > 1 and path[1] == ":" else PurePosixPath(path)
    return pure.as_uri().replace("file:///", "file://localhost/", 1)


def _extinf(text: str) -> tuple[float | None, str | None]:
    """Return duration and name; a duration of -1, or one that is no number, is not known."""
    length, _, name = text.partition(",")
    try:
        # Some programs put attributes behind the number.
        seconds = float(length.split()[0])
    except (ValueError, IndexError):
        seconds = -1.0
    return (seconds if seconds >= 0.0 and seconds < 1e9 else None), name.strip() or None


def _one_line(text: str) -> str:
    return " ".join(text.split())
