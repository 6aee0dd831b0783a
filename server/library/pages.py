"""Pages of a long list: sort orders, and cursors that say where the next page starts.

Owner: one request. A cursor holds the sort key and the id of the last row shown (keyset pagination), so a page costs
the same wherever it is, and rows that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import datetime
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from server.errors import BadRequest
from server.library.errors import CursorRejected
from server.library.filters import ENERGY

DEFAULT_LIMIT: Final = 50
LARGEST_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort: SQL expression, never NULL, and the Python type of its values."""

    expression: str
    kind: type


ORDERS: Final = {
    "inserted_at": Order("t.inserted_at", datetime.datetime),
    "updated_at": Order("t.updated_at", datetime.datetime),
    "title": Order("lower(t.title)", str),
    "artist": Order("lower(coalesce(t.artist, ''))", str),
    "album": Order("lower(coalesce(t.album, ''))", str),
    "duration": Order("coalesce(t.duration, 0)", float),
    "bpm": Order("coalesce(t.bpm, 0)", float),
    "key": Order("coalesce(t.key, '')", str),
    "energy": Order(f"coalesce({ENERGY}, 0)", float),
}


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order and its direction, as `sort=title` or `sort=-title` asks for it."""

    name: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> Sorting:
        """Raises BadRequest with the names there are."""
        descending, name = text.startswith("-"), text.removeprefix("-")
        if name not in ORDERS:
            raise BadRequest(f"Cannot sort by {name!r}.", sort=sorted(ORDERS))
        return cls(name, descending)

    @property
    def order(self) -> Order:
        return ORDERS[self.name]

    @property
    def clause(self) -> str:
        """The ORDER BY of it, ended by the id so that no two rows are equal."""
        direction = "DESC" if self.descending else "ASC"
        return f"{self.order.expression} {direction}, t.id {direction}"

    def after(self, first: int) -> str:
        """The condition for rows after a cursor whose value and id are parameters `first` and the next."""
        return f"({self.order.expression}, t.id) {'<' if self.descending else '>'} (${first}, ${first + 1})"


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    sort: str
    value: Any
    id: UUID


def write_cursor(sorting: Sorting, value: object, row: UUID) -> str:
    """Return the cursor after a row."""
    raw = msgspec.json.encode(_Cursor(_name(sorting), value, row))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(sorting: Sorting, text: str) -> tuple[Any, UUID]:
    """Return the sort value and the id of a cursor. Raises CursorRejected."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=_Cursor)
        value: Any = msgspec.convert(cursor.value, sorting.order.kind)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise CursorRejected from error
    if cursor.sort != _name(sorting) or (isinstance(value, datetime.datetime) and value.tzinfo is None):
        raise CursorRejected
    return value, cursor.id


def _name(sorting: Sorting) -> str:
    return f"{'-' if sorting.descending else ''}{sorting.name}"
