"""Tags and cover art of an imported file, made harmless.

Owner: the import of one track. Reading happens in a child process (`tag_reader.py`); what comes back is cleaned here.
A file whose tags cannot be read has none: that never fails an import.
Units: bytes, seconds.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Final

import anyio
import msgspec

TIMEOUT_S: Final = 20.0
_READER: Final = Path(__file__).with_name("tag_reader.py")
_OUTPUT_LIMIT: Final = 16 << 20

TITLE_LIMIT: Final = 500
GENRE_LIMIT: Final = 200
NAME_LIMIT: Final = 255

_JOINER: Final = "\u200d"
"""The one invisible character that is kept: it holds emoji together."""

_IMAGES: Final = (
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"GIF87a", "gif", "image/gif"),
    (b"GIF89a", "gif", "image/gif"),
)
IMAGE_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}


class _Raw(msgspec.Struct):
    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""
    cover: str = ""


class Cover(msgspec.Struct, frozen=True):
    """A picture, known by its first bytes; `extension` is one of `IMAGE_TYPES`."""

    data: bytes
    extension: str


class Tags(msgspec.Struct, frozen=True):
    """What a file says about itself; texts are clean, None where it says nothing."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    year: int | None = None
    cover: Cover | None = None


def clean(text: str, limit: int) -> str:
    """Return `text` on one line without control, direction-changing or broken characters, at most `limit` long."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or character == _JOINER or not unicodedata.category(character).startswith("C")
    )
    return " ".join("".join(kept).split())[:limit].strip()


def clean_name(filename: str) -> str:
    """Return a file's name for people to read: no folders, no control characters."""
    return clean(re.split(r"[/\\]", filename)[-1], NAME_LIMIT)


def from_name(filename: str) -> tuple[str, str | None]:
    """Guess (title, artist) from a name like `Artist - Title.mp3`; a track number in front falls away."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", clean_name(filename)).replace("_", " ").strip()
    stem = re.sub(r"^\d{1,3}(?:[.)]\s*|\s+-\s+)", "", stem) or stem
    artist, dash, title = stem.partition(" - ")
    if dash and artist.strip() and title.strip():
        return title.strip(), artist.strip()
    return stem or "Untitled", None


def sniff_image(data: bytes) -> str | None:
    """Return the extension for a picture's first bytes, None for anything else (SVG can carry scripts)."""
    for magic, extension, _ in _IMAGES:
        if data.startswith(magic):
            return extension
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


async def read_tags(path: Path) -> Tags:
    """Return the tags of `path`; empty ones when there are none or they cannot be read."""
    try:
        with anyio.fail_after(TIMEOUT_S):
            done = await anyio.run_process(
                [sys.executable, "-I", str(_READER), str(path)], check=False, stderr=subprocess.DEVNULL
            )
        raw = msgspec.json.decode(done.stdout[:_OUTPUT_LIMIT] or b"{}", type=_Raw)
    except (TimeoutError, OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Tags()
    return tags_of(raw)


def tags_of(raw: _Raw) -> Tags:
    """Clean what the reader has found."""
    year = re.search(r"\d{4}", raw.year)
    return Tags(
        title=clean(raw.title, TITLE_LIMIT) or None,
        artist=clean(raw.artist, TITLE_LIMIT) or None,
        album=clean(raw.album, TITLE_LIMIT) or None,
        genre=clean(raw.genre, GENRE_LIMIT) or None,
        year=int(year[0]) if year and int(year[0]) else None,
        cover=_cover(raw.cover),
    )


def _cover(encoded: str) -> Cover | None:
    try:
        data = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return None
    extension = sniff_image(data)
    return Cover(data, extension) if extension else None
