"""A track of the library by what people write for one: its id, "Artist - Title", its title, or the name of its file.

Owner: the library. What is written is compared with rows and never opened as a path.
"""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Final
from uuid import UUID

from server.db import Queries

_BY_WORDS: Final = """
SELECT id FROM tracks WHERE user_id = $1 AND reference_path IS NOT NULL
AND fold($2) IN (fold(coalesce(artist, '') || ' - ' || title), fold(title)) ORDER BY inserted_at DESC, id LIMIT 1
"""

_BY_FILE: Final = """
SELECT id FROM tracks WHERE user_id = $1 AND reference_path IS NOT NULL AND lower(original_name) = lower($2)
ORDER BY inserted_at DESC, id LIMIT 1
"""


async def find(db: Queries, user_id: int, name: str) -> UUID | None:
    """Return the track that `name` means, the newest of several; None where there is none that can be played."""
    name = name.strip()
    try:
        known = await db.value("SELECT id FROM tracks WHERE id = $1 AND user_id = $2", UUID(name), user_id)
    except ValueError:
        known = await db.value(_BY_WORDS, user_id, name)
        if known is None:
            known = await db.value(_BY_FILE, user_id, PurePosixPath(PureWindowsPath(name).as_posix()).name)
    return known if isinstance(known, UUID) else None
