"""Receiving an upload: multipart parsed as it comes, the file straight to disk, never whole in memory; and working on
it for as long as its sender is there.

Owner: one request. The size is bounded, field by field; the file's name is only words for people.
Units: bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import anyio
import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from server.errors import BadRequest
from server.library.errors import UploadTooLarge
from server.library.storage import full_disk_is_our_error

FIELDS: Final = frozenset({"title", "artist"})
_FIELD_LIMIT: Final = 4096
_OVERHEAD: Final = 64 << 10
"""What boundaries, headers and the other fields may take beside the file."""

_WRITE_AT: Final = 1 << 20

T = TypeVar("T")


@dataclass(slots=True)
class Upload:
    """What was received. `fields` are the texts beside the file."""

    filename: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    has_file: bool = False
    size: int = 0


async def receive_upload(request: Request, target: Path, limit: int) -> Upload:
    """Stream the part `file` to `target`. Raises BadRequest, UploadTooLarge, StorageFull."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadRequest("Send the file as multipart/form-data, in a field called file.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit + _OVERHEAD:
        raise _too_large(limit)
    parts = _Parts(limit)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # a TypedDict of the same
        file = await anyio.to_thread.run_sync(target.open, "wb")
        try:
            async for chunk in request.stream():
                parser.write(chunk)
                if len(parts.pending) >= _WRITE_AT:
                    await anyio.to_thread.run_sync(_write, file, parts.take())
            await anyio.to_thread.run_sync(_write, file, parts.take())
        finally:
            await anyio.to_thread.run_sync(file.close)
        parser.finalize()
    except FormParserError as error:
        raise BadRequest("The upload is not valid multipart/form-data.") from error
    if not parts.finished:
        raise BadRequest("The upload ended too early.")
    if not parts.upload.has_file:
        raise BadRequest("There is no field called file in the upload.")
    return parts.upload


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return what `work` returns; it is cancelled when the client hangs up. Call with the body read to its end.

    What `work` raises comes out as it is. Raises ClientDisconnect.
    """
    done: list[T] = []
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            done.append(await work)
        except Exception as error:  # not through the group, which would wrap it
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not done:
        raise ClientDisconnect
    return done[0]


async def receive_raw(request: Request, target: Path, limit: int) -> int:
    """Stream a body that is the file itself to `target`; return its size. Raises UploadTooLarge, StorageFull."""
    size = 0
    pending = bytearray()
    file = await anyio.to_thread.run_sync(target.open, "wb")
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            pending += chunk
            if len(pending) >= _WRITE_AT:
                await anyio.to_thread.run_sync(_write, file, bytes(pending))
                pending.clear()
        await anyio.to_thread.run_sync(_write, file, bytes(pending))
    finally:
        await anyio.to_thread.run_sync(file.close)
    return size


def _write(file: BinaryIO, data: bytes) -> None:
    with full_disk_is_our_error():
        file.write(data)
        file.flush()


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(f"The file is larger than the {limit >> 20} MiB this server takes.", limit=limit)


class _Parts:
    """What the parser calls; collects texts, and bytes of the file until they are written."""

    def __init__(self, limit: int) -> None:
        self.upload = Upload()
        self.pending = bytearray()
        self.finished = False
        self._limit = limit
        self._name = b""
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._part = ""
        self._text = bytearray()

    def callbacks(self) -> Mapping[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def take(self) -> bytes:
        data = bytes(self.pending)
        self.pending.clear()
        return data

    def _begin(self) -> None:
        self._headers, self._text = {}, bytearray()
        self._name, self._value = b"", bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = bytes(self._value)
        self._name, self._value = b"", bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part == "file":
            if self.upload.has_file:
                raise BadRequest("Send one file at a time.")
            self.upload.has_file = True
            self.upload.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        elif self._part not in FIELDS or self._part in self.upload.fields:
            raise BadRequest(f"The upload has a field {self._part[:60]!r}; it takes file, title and artist, once each.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part == "file":
            self.upload.size += end - start
            if self.upload.size > self._limit:
                raise _too_large(self._limit)
            self.pending += data[start:end]
        else:
            self._text += data[start:end]
            if len(self._text) > _FIELD_LIMIT:
                raise BadRequest(f"{self._part} is too long.")

    def _end(self) -> None:
        if self._part != "file":
            self.upload.fields[self._part] = self._text.decode("utf-8", "replace")

    def _all(self) -> None:
        self.finished = True
