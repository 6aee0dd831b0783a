"""Users' accounts at lalal.ai: their keys, sealed in the database, and what the accounts say of themselves.

Owner: one `Accounts` per server. A key is tested before it is kept, goes to workers that run a job of its user, and is
shown to nobody. Who has none uses the program's (`lalalai_key` of the settings), if it has one.
Units: minutes of the account; seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import anyio.to_thread

from pipeline import lalalai
from pipeline.errors import PipelineError
from server import preferences
from server.db import Database
from server.errors import BadRequest, Conflict, ServerError
from server.secrets import Vault

VOICES_S: Final = 3600.0
"""How long the list of an account's voices is kept."""

PATIENCE_S: Final = 6.0
"""How long somebody who waits for an answer on the page waits for the service."""

_PLACE: Final = ("user_settings", "lalalai_api_key")
_LONGEST: Final = 200
_T = TypeVar("_T")


class NoAccount(Conflict):
    """lalal.ai needs your licence key; enter it in the settings."""

    code = "lalalai_not_set"


class ServiceAway(ServerError):
    """lalal.ai does not answer in a way that makes sense; try again in a while."""

    code = "lalalai_away"
    http_status = 502


class Accounts:
    """Keys of users at lalal.ai. `key` is the program's own, `url` where the service is."""

    def __init__(self, db: Database, vault: Vault, key: str = "", url: str = "") -> None:
        self._db = db
        self._vault = vault
        self._key = key
        self.url = url or lalalai.BASE
        self._voices: dict[str, tuple[float, tuple[lalalai.Voice, ...]]] = {}

    async def has_key(self, user_id: int) -> bool:
        """Say whether a user's jobs can be done at lalal.ai."""
        return bool(self._key) or await self._sealed(user_id) is not None

    async def has_own(self, user_id: int) -> bool:
        """Say whether a user has entered a key."""
        return await self._sealed(user_id) is not None

    async def key_of(self, user_id: int) -> str:
        """Return the key that pays for a user's jobs. Raises NoAccount, SecretUnreadable, DatabaseGone."""
        sealed = await self._sealed(user_id)
        if sealed is None:
            if not self._key:
                raise NoAccount
            return self._key
        row_id, envelope = sealed
        key = self._vault.open_text(envelope, *_PLACE, row_id)
        if not self._vault.is_current(envelope):
            await self._store(user_id, key)
        return key

    async def keep(self, user_id: int, key: str) -> float:
        """Test a key and keep it; return the minutes it has left. Raises BadRequest when the service refuses it."""
        key = key.strip()
        if not 1 <= len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
            raise BadRequest("That is no licence key of lalal.ai.")
        minutes = await self._ask(key, lambda client: client.minutes_left())
        await self._store(user_id, key)
        return minutes

    async def forget(self, user_id: int) -> None:
        """Forget a user's key."""
        await self._db.execute("UPDATE user_settings SET lalalai_api_key = NULL WHERE user_id = $1", user_id)

    async def minutes_left(self, user_id: int) -> float:
        """Return the minutes that are left. Raises NoAccount, BadRequest, ServiceAway."""
        return await self._ask(await self.key_of(user_id), lambda client: client.minutes_left())

    async def voices(self, user_id: int) -> tuple[lalalai.Voice, ...]:
        """Return the voices of the account, at most an hour old. Raises as `minutes_left`."""
        key = await self.key_of(user_id)
        at, found = self._voices.get(key, (-VOICES_S, ()))
        if time.monotonic() - at > VOICES_S or not found:
            found = await self._ask(key, lambda client: client.voices())
            self._voices = {key: (time.monotonic(), found), **dict(list(self._voices.items())[:100])}
        return found

    async def cancel_all(self, user_id: int) -> None:
        """Stop all that runs at lalal.ai for the account. Raises as `minutes_left`."""
        await self._ask(await self.key_of(user_id), lambda client: client.cancel_all())

    async def _sealed(self, user_id: int) -> tuple[int, bytes] | None:
        rows = await self._db.rows(
            "SELECT id, lalalai_api_key FROM user_settings WHERE user_id = $1 AND lalalai_api_key IS NOT NULL", user_id
        )
        return (rows[0]["id"], rows[0]["lalalai_api_key"]) if rows else None

    async def _store(self, user_id: int, key: str) -> None:
        async with self._db.transaction() as tx:
            row_id = await preferences.row(tx, user_id)
            sealed = self._vault.seal(key, *_PLACE, row_id)
            await tx.execute("UPDATE user_settings SET lalalai_api_key = $2 WHERE id = $1", row_id, sealed)

    async def _ask(self, key: str, question: Callable[[lalalai.Lalalai], _T]) -> _T:
        def ask() -> _T:
            with lalalai.Lalalai(key, self.url, patience_s=PATIENCE_S, timeout_s=PATIENCE_S) as client:
                return question(client)

        try:
            return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
        except lalalai.Away as error:
            raise ServiceAway from error
        except PipelineError as error:
            raise BadRequest(str(error)) from error
