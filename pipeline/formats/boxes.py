"""The boxes an MP4 file is made of: found, read and grafted, without touching the media in it.

    file = box*        box = size (4, or 1 and then 8), kind (4), body
    moov > trak > tkhd (flags: 1 is enabled), moov > udta > whatever programs keep beside the music

Owner: nobody; bytes of the `moov` box and places in the file. Source: ISO/IEC 14496-12.
Units: bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from pipeline.errors import PermanentFailure

MOST_MOOV: Final = 64 << 20
"""Largest table of contents that is read: a day of music has a few megabytes."""


class NotMp4(PermanentFailure):
    """This is not an MP4 file that can be read."""

    code = "not_mp4"


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its kind, where it begins, where its body begins, where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def top_boxes(file: BinaryIO) -> list[Box]:
    """Return the boxes of a file, in order. Raises NotMp4 where their sizes do not add up."""
    end = file.seek(0, 2)
    boxes = []
    at = 0
    while at < end:
        file.seek(at)
        box = _box(file.read(16), at, end)
        boxes.append(box)
        at = box.end
    return boxes


def boxes_in(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that lie one after the other in `data`, from `start` to `end`. Raises NotMp4."""
    stop = len(data) if end is None else end
    at = start
    while at < stop:
        box = _box(data[at : at + 16], at, stop)
        yield box
        at = box.end


def find(data: bytes, *kinds: bytes, start: int = 0, end: int | None = None) -> Box | None:
    """Return the box that a path of kinds leads to, the first of each kind; None where there is none. Raises NotMp4."""
    found = None
    for kind in kinds:
        found = next((box for box in boxes_in(data, start, end) if box.kind == kind), None)
        if found is None:
            return None
        start, end = found.body, found.end
    return found


def pack(kind: bytes, body: bytes) -> bytes:
    """Return a box. Raises ValueError for a body over 4 GiB."""
    if len(body) > 0xFFFFFFF0:
        raise ValueError("the box is too large")
    return struct.pack(">I4s", len(body) + 8, kind) + body


def with_child(parent: bytes, child: bytes) -> bytes:
    """Return a whole box with `child`, a whole box, at the end of its body in place of one of its kind."""
    (head,) = boxes_in(parent)
    kept = b"".join(parent[b.start : b.end] for b in boxes_in(parent, head.body, head.end) if b.kind != child[4:8])
    return pack(head.kind, kept + child)


def _box(head: bytes, at: int, stop: int) -> Box:
    if len(head) < 8:
        raise NotMp4("This is not an MP4 file, or it is cut short.")
    size, kind = struct.unpack(">I4s", head[:8])
    body = at + 8
    if size == 1 and len(head) >= 16:
        (size,) = struct.unpack(">Q", head[8:16])
        body = at + 16
    elif size == 0:
        size = stop - at
    if size < body - at or at + size > stop:
        raise NotMp4("This is not an MP4 file, or it is cut short.")
    return Box(kind, at, body, at + size)
