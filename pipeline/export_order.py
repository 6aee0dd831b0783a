"""An order for an export, as it goes to the process that carries it out.

Owner: whoever wants the file. Light to import: no codec is loaded here.
Units: as in `pipeline.formats.song`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import PermanentFailure
from pipeline.formats.song import Song


class CannotExport(PermanentFailure):
    """This cannot be exported like that."""

    code = "cannot_export"


class ExportOrder(msgspec.Struct, frozen=True):
    """What to write: `kind` is a key of `pipeline.export.WRITERS`, `out` the file to make, `version` that of this
    program, `name` what a list is called, `options` as each writer says."""

    kind: str
    songs: tuple[Song, ...]
    out: str
    version: str
    name: str = ""
    options: dict[str, str] = {}


def encode(order: ExportOrder) -> bytes:
    """Return an order as `decode` reads it."""
    return msgspec.json.encode(order, enc_hook=_to_plain)


def decode(data: bytes) -> ExportOrder:
    """Return the order that `encode` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=ExportOrder, dec_hook=_from_plain)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _from_plain(kind: type, value: Any) -> Any:
    if issubclass(kind, Path):
        return Path(value)
    raise NotImplementedError(kind)
