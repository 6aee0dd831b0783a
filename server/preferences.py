"""What a user has chosen beside the program's settings: one typed value of the rows of `user_settings`.

Owner: whoever asks; nothing is kept in memory. None means: what the program is set to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from pipeline.analysis.features import FEATURES
from pipeline.engines.choices import ExtractionLevel, Splitter
from pipeline.settings import ENGINE_NAMES
from server.db import Database, Queries
from server.errors import BadRequest


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this user's tracks are worked on where a request leaves it open."""

    separation_engine: str | None = None
    demucs_model: Literal["htdemucs", "htdemucs_ft", "htdemucs_6s", "mdx_extra"] | None = None
    analysis_features: tuple[str, ...] | None = None
    analyze_on_import: bool | None = None
    separate_on_load: bool | None = None
    lalalai_splitter: Splitter | None = None
    lalalai_extraction_level: ExtractionLevel | None = None
    lalalai_dereverb: bool | None = None

    def cloud_options(self) -> dict[str, Any]:
        """Return the options of a job for lalal.ai that were chosen here."""
        chosen = {
            "splitter": self.lalalai_splitter,
            "extraction_level": self.lalalai_extraction_level,
            "dereverb": self.lalalai_dereverb,
        }
        return {name: value for name, value in chosen.items() if value is not None}


NAMES: Final = Preferences.__struct_fields__


async def load(db: Queries, user_id: int) -> Preferences:
    """Return what a user has chosen. Raises DatabaseGone."""
    found = await db.all(Preferences, f"SELECT {', '.join(NAMES)} FROM user_settings WHERE user_id = $1", user_id)
    return found[0] if found else Preferences()


async def change(db: Database, user_id: int, changes: dict[str, Any]) -> Preferences:
    """Write the preferences that are named, all or none, and return what holds. Raises BadRequest, DatabaseGone."""
    try:
        wanted = msgspec.convert(changes, Preferences)
    except msgspec.ValidationError as error:
        raise BadRequest(f"These settings do not fit: {error}. There are {', '.join(NAMES)}.") from error
    if wanted.separation_engine is not None and wanted.separation_engine not in ENGINE_NAMES:
        raise BadRequest(f"No separation engine is called {wanted.separation_engine!r}; "
                         f"there are {', '.join(ENGINE_NAMES)}.")  # fmt: skip
    known_features(wanted.analysis_features or ())
    async with db.transaction() as tx:
        await row(tx, user_id)
        for name in changes:
            value = getattr(wanted, name)
            stored = list(value) if isinstance(value, tuple) else value
            await tx.execute(f"UPDATE user_settings SET {name} = $2 WHERE user_id = $1", user_id, stored)
        return await load(tx, user_id)


def known_features(names: Iterable[str]) -> list[str]:
    """Return the features that are named, each once, sorted. Raises BadRequest for one that there is not."""
    wanted = sorted(set(names))
    if unknown := [name for name in wanted if name not in FEATURES]:
        raise BadRequest(f"No feature is called {unknown[0]!r}; there are {', '.join(FEATURES)}.")
    return wanted


async def row(tx: Queries, user_id: int) -> int:
    """Return the key of a user's row, which is there from now on."""
    await tx.execute("INSERT INTO user_settings (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING", user_id)
    return int(await tx.value("SELECT id FROM user_settings WHERE user_id = $1", user_id))
