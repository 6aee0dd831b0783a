"""Sending files and PCM: ranges, validators, caching, and many files as one ZIP.

Owner: one response. Nothing here takes a path from a request: files come from rows that the asker owns.
Units: bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from io import RawIOBase
from typing import Final
from urllib.parse import quote

import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from server.errors import ServerError
from server.library.records import StoredFile

_BLOCK: Final = 1 << 20


class RangeNotSatisfiable(ServerError):
    """There is nothing in that range."""

    code = "range_not_satisfiable"
    http_status = 416


def send_file(request: Request, file: StoredFile, *, download: bool = False) -> Response:
    """Return a file, or the range of it that was asked for; 304 when the asker has it already."""
    headers = {
        "ETag": file.etag,
        "Cache-Control": "private, max-age=86400, immutable" if file.immutable else "private, no-cache",
        "Accept-Ranges": "bytes",
    }
    if file.etag in _etags(request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    kind = "attachment" if download else "inline"
    headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(file.name)}"
    return FileResponse(file.path, headers=headers, media_type=file.media_type)


class SentOnce(Response):
    """A response whose file goes when it was sent, or could not be."""

    def __init__(self, inner: Response, drop: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._drop = drop

    @property
    def headers(self) -> MutableHeaders:
        """Those of the response inside."""
        return self._inner.headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._inner(scope, receive, send)
        finally:
            await self._drop()


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (start, stop) of a single byte range, None for the whole thing.

    A header that is not a byte range, or names several, is ignored as RFC 9110 section 14.2 allows.
    Raises RangeNotSatisfiable.
    """
    match = re.fullmatch(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", header or "")
    if match is None or match[0].strip() == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        if not int(last):
            raise RangeNotSatisfiable(size=size)
        return max(0, size - int(last)), size
    start = int(first)
    stop = min(size, int(last) + 1) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(size=size)
    return start, stop


async def send_computed(
    request: Request, size: int, etag: str, media_type: str, read: Callable[[int, int], Awaitable[bytes]], block: int,
    more: Mapping[str, str],
) -> Response:  # fmt: skip
    """Send `size` bytes that `read(start, stop)` makes, in blocks of `block` bytes; ranges as for a file.

    `more` are headers that go along.

    The first block is made before the answer begins, so that what cannot be read is an error and not half an answer.
    """
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **more}
    if etag in _etags(request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    wanted = request.headers.get("range")
    condition = request.headers.get("if-range")
    if condition is not None and condition != etag:
        wanted = None
    part = parse_range(wanted, size)
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 206 if part is not None else 200
    if request.method == "HEAD":
        return Response(None, status, headers, media_type)
    head = await read(start, min(stop, start + block))

    async def body() -> AsyncIterator[bytes]:
        yield head
        for at in range(start + block, stop, block):
            yield await read(at, min(stop, at + block))

    return StreamingResponse(body(), status, headers, media_type)


def send_zip(files: Sequence[StoredFile], name: str) -> Response:
    """Send files as one ZIP, made while it is sent: FLAC does not get smaller, so it is stored as it is."""

    async def body() -> AsyncIterator[bytes]:
        sink = _Sink()
        archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True)
        taken: set[str] = set()
        for file in files:
            entry_name = file.name
            while entry_name in taken:
                entry_name = f"_{entry_name}"
            taken.add(entry_name)
            source = await anyio.to_thread.run_sync(file.path.open, "rb")
            try:
                entry = archive.open(zipfile.ZipInfo(entry_name), "w", force_zip64=True)
                while block := await anyio.to_thread.run_sync(source.read, _BLOCK):
                    await anyio.to_thread.run_sync(entry.write, block)
                    yield sink.take()
                entry.close()
            finally:
                source.close()
        archive.close()
        yield sink.take()

    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(body(), 200, headers, "application/zip")


class _Sink(RawIOBase):
    """Where a ZIP is written to and taken from, a little at a time; it cannot seek."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._held += piece
        return len(piece)

    def take(self) -> bytes:
        """Return and forget what was written."""
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _etags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}
