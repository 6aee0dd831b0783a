"""Read the tags and the cover of one audio file: a program of its own, `python tag_reader.py FILE`.

Owner: `server/library/tags.py`, which runs it as a child: tags come from anywhere, and a file that makes the reader
crash, hang or eat memory ends the child, not the show. Needs only mutagen. Writes one JSON object to stdout.
Units: bytes.
"""

import base64
import json
import resource
import struct
import sys
from pathlib import Path
from typing import Any

import mutagen
from mutagen import flac

MEMORY_LIMIT_BYTES = 1 << 30
CPU_LIMIT_S = 20
COVER_LIMIT_BYTES = 8 << 20
TEXT_LIMIT = 2000
CHUNKS_LIMIT = 1000

NAMES = {
    "title": ("TIT2", "title", "\xa9nam", "Title", "TITLE"),
    "artist": ("TPE1", "artist", "\xa9ART", "Author", "ARTIST", "TPE2", "albumartist", "aART"),
    "album": ("TALB", "album", "\xa9alb", "WM/AlbumTitle", "ALBUM"),
    "genre": ("TCON", "genre", "\xa9gen", "WM/Genre", "GENRE"),
    "year": ("TDRC", "TYER", "date", "year", "\xa9day", "WM/Year", "DATE"),
}
"""Where each container keeps a field: ID3 (MP3, WAV, AIFF), Vorbis (FLAC, OGG), MP4, ASF, APE."""

CHUNKS = {
    b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"IGNR": "genre", b"ICRD": "year",
    b"NAME": "title", b"AUTH": "artist",
}  # fmt: skip
"""Where WAV and AIFF keep a field."""


def read(path: str) -> dict[str, Any]:
    """Return the fields that are there, texts cut to `TEXT_LIMIT`, the cover as base64."""
    found: dict[str, Any] = _chunks(path)
    file = mutagen.File(path)
    if file is None or file.tags is None:
        return found
    for field, keys in NAMES.items():
        for key in keys:
            text = _text(file.tags, key)
            if text:
                found[field] = text[:TEXT_LIMIT]
                break
    cover = _cover(file)
    if cover is not None and 0 < len(cover) <= COVER_LIMIT_BYTES:
        found["cover"] = base64.b64encode(cover).decode()
    return found


def _chunks(path: str) -> dict[str, Any]:
    """Return what the chunks of a WAV (LIST INFO) or AIFF (NAME, AUTH) say, which mutagen does not read."""
    found: dict[str, Any] = {}
    with Path(path).open("rb") as file:
        form, _, kind = struct.unpack("4sI4s", file.read(12).ljust(12, b"\0"))
        if (form, kind) not in ((b"RIFF", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC")):
            return found
        order = "<" if form == b"RIFF" else ">"
        for _ in range(CHUNKS_LIMIT):
            header = file.read(8)
            if len(header) < 8:
                break
            name, size = struct.unpack(f"{order}4sI", header)
            after = file.tell() + size + size % 2
            if name == b"LIST" and file.read(4) == b"INFO":
                continue  # its chunks follow each other as those of the file do
            if name in CHUNKS:
                text = file.read(min(size, TEXT_LIMIT)).split(b"\0")[0]
                found[CHUNKS[name]] = text.decode("utf-8", "replace")
            file.seek(after)
    return found


def _text(tags: Any, key: str) -> str:
    try:
        value = tags[key]
    except (KeyError, ValueError, TypeError):
        return ""
    value = getattr(value, "text", value)
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    return str(value)


def _cover(file: Any) -> bytes | None:
    for picture in getattr(file, "pictures", ()):
        return bytes(picture.data)
    tags = file.tags
    if hasattr(tags, "getall"):
        for picture in tags.getall("APIC"):
            return bytes(picture.data)
    for key in ("covr", "metadata_block_picture"):
        try:
            value = tags[key]
        except (KeyError, ValueError, TypeError):
            continue
        if not value:
            continue
        if key == "covr":
            return bytes(value[0])
        return bytes(flac.Picture(base64.b64decode(value[0])).data)  # type: ignore[no-untyped-call]
    return None


def _bound() -> None:
    for kind, limit in (("RLIMIT_AS", MEMORY_LIMIT_BYTES), ("RLIMIT_CPU", CPU_LIMIT_S), ("RLIMIT_CORE", 0)):
        try:
            resource.setrlimit(getattr(resource, kind), (limit, limit))
        except (AttributeError, OSError, ValueError):
            continue  # macOS knows not all of them


if __name__ == "__main__":
    _bound()
    try:
        answer = read(sys.argv[1])
    except Exception as error:  # whatever a file can do to a parser: no tags, and the import goes on
        answer = {"error": f"{type(error).__name__}: {error}"[:200]}
    json.dump(answer, sys.stdout)
