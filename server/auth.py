"""Who is asking: the owner's account, login links, page sessions, API tokens, worker tokens.

Owner: one `Authentication` per server. Tokens are 256 random bits; the database keeps only their SHA-256.
Who was known keeps being known while the database is away, so that the show can still be played.
Units: seconds.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import HTTPConnection

from server.db import Database
from server.errors import DatabaseGone, NotFound, ServerError, StorageFull

LOGIN_S: Final = 24 * 3600.0
"""How long an unused login link works."""

SESSION_DAYS: Final = 30
REFRESH_DAYS: Final = 1
"""A session that is used is prolonged, at most once in this time."""

CACHE_S: Final = 30.0
"""How long a revoked token may still be believed."""

_CACHE_LIMIT: Final = 1024
_COMMAND_LINE: Final = "command line option"
_T = TypeVar("_T")


class NotLoggedIn(ServerError):
    """Log in first: open the link that `alchemy run` printed, or send a token."""

    code = "not_logged_in"
    http_status = 401


class LoginLinkSpent(ServerError):
    """This login link has been used or is too old; take a new one from the terminal."""

    code = "login_link_spent"
    http_status = 401


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and how that was proven."""

    user_id: int
    email: str
    role: str
    is_owner: bool
    via: Literal["session", "api"]


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and what it may take work from. `local` workers run on this machine."""

    id: UUID
    user_id: int
    name: str
    queues: tuple[str, ...]
    local: bool


class _UserRow(msgspec.Struct, frozen=True):
    id: int
    email: str
    role: str
    is_owner: bool
    status: str


class _WorkerRow(msgspec.Struct, frozen=True):
    id: UUID
    user_id: int
    name: str
    queues: tuple[str, ...]
    local: bool


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def bearer(connection: HTTPConnection) -> str | None:
    """Return the token of an `Authorization: Bearer` header, or None."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Authentication:
    """Call `start` once, before the first request."""

    def __init__(self, db: Database, *, token: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        """`token` is the owner's API token of this run (`--token`); empty means none."""
        self._db = db
        self._token = token
        self._clock = clock
        self._known: dict[bytes, tuple[Identity, float]] = {}
        self._workers: dict[bytes, tuple[Worker, float]] = {}
        self._owner: Identity | None = None

    @property
    def owner_id(self) -> int:
        """The owner's user id. Raises NotFound before `start`."""
        if self._owner is None:
            raise NotFound
        return self._owner.user_id

    async def start(self) -> None:
        """Make the owner's account if this is the first start, and take the token of this run."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "INSERT INTO users (email, role, is_owner, confirmed_at) "
                "VALUES ('owner@localhost', 'platform_admin', true, now()) ON CONFLICT DO NOTHING"
            )
            row = await tx.one(_UserRow, "SELECT id, email, role, is_owner, status FROM users WHERE is_owner")
            # A token given on the command line is good for that run only.
            await tx.execute(
                "DELETE FROM users_tokens WHERE user_id = $1 AND context = 'api' AND label = $2", row.id, _COMMAND_LINE
            )
            if self._token:
                await tx.execute(
                    "INSERT INTO users_tokens (user_id, token, context, label) VALUES ($1, $2, 'api', $3) "
                    "ON CONFLICT DO NOTHING", row.id, digest(self._token), _COMMAND_LINE,
                )  # fmt: skip
            await tx.execute("DELETE FROM users_tokens WHERE expires_at < now()")
        self._owner = Identity(row.id, row.email, row.role, True, "api")
        if self._token:
            self._known[digest(self._token)] = (self._owner, float("inf"))

    # ---- pages

    async def login_token(self, user_id: int | None = None) -> str:
        """Return a token that opens one session, once: for the printed link."""
        return await self._issue("login", user_id, LOGIN_S / 86400, label=None)

    async def redeem(self, token: str) -> str:
        """Spend a login token and return a session token. Raises LoginLinkSpent."""
        async with self._db.transaction() as tx:
            user = await tx.value(
                "DELETE FROM users_tokens WHERE context = 'login' AND token = $1 AND expires_at > now() "
                "RETURNING user_id", digest(token),
            )  # fmt: skip
            if user is None:
                raise LoginLinkSpent
            session = secrets.token_urlsafe(32)
            await tx.execute(
                "INSERT INTO users_tokens (user_id, token, context, authenticated_at, expires_at) "
                "VALUES ($1, $2, 'session', now(), now() + $3 * interval '1 day')", user, digest(session), SESSION_DAYS,
            )  # fmt: skip
        return session

    async def log_out(self, session: str) -> None:
        """End a session."""
        self._known.pop(digest(session), None)
        await self._db.execute("DELETE FROM users_tokens WHERE context = 'session' AND token = $1", digest(session))

    # ---- programs

    async def issue_api_token(self, label: str, user_id: int | None = None) -> str:
        """Return a new API token; one with the same label before it ends."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "DELETE FROM users_tokens WHERE user_id = $1 AND context = 'api' AND label = $2",
                user_id or self.owner_id, label,
            )  # fmt: skip
        return await self._issue("api", user_id, None, label=label)

    async def _issue(self, context: str, user_id: int | None, days: float | None, *, label: str | None) -> str:
        token = secrets.token_urlsafe(32)
        await self._db.execute(
            "INSERT INTO users_tokens (user_id, token, context, label, expires_at) "
            "VALUES ($1, $2, $3, $4, now() + $5 * interval '1 day')",
            user_id or self.owner_id, digest(token), context, label, days,
        )  # fmt: skip
        return token

    # ---- who is it

    async def identify(self, *, api_token: str | None, session: str | None) -> Identity | None:
        """Return who holds these tokens, or None. Raises DatabaseGone if that cannot be known now."""
        if api_token is not None:
            return await self._identify(api_token, "api")
        if session is not None:
            return await self._identify(session, "session")
        return None

    def is_known(self, token: str) -> bool:
        """Say whether the token was seen lately, so that asking about it costs nothing."""
        found = self._known.get(digest(token))
        return found is not None and found[1] > self._clock()

    async def _identify(self, token: str, via: Literal["session", "api"]) -> Identity | None:
        key = digest(token)
        cached = self._known.get(key)
        if cached is not None and cached[1] > self._clock():
            return cached[0] if cached[0].via == via else None
        try:
            row = await self._db.first(
                _UserRow,
                "SELECT u.id, u.email, u.role, u.is_owner, u.status "
                "FROM users_tokens t JOIN users u ON u.id = t.user_id "
                "WHERE t.context = $1 AND t.token = $2 AND (t.expires_at IS NULL OR t.expires_at > now())",
                via, key,
            )  # fmt: skip
            if row is None or row.status != "active":
                self._known.pop(key, None)
                return None
            if via == "session":
                with suppress(StorageFull):  # a full disk must not lock the performer out
                    await self._db.execute(
                        "UPDATE users_tokens SET expires_at = now() + $2 * interval '1 day' WHERE context = 'session' "
                        "AND token = $1 AND expires_at < now() + $3 * interval '1 day'",
                        key, float(SESSION_DAYS), float(SESSION_DAYS - REFRESH_DAYS),
                    )  # fmt: skip
        except DatabaseGone:
            if cached is not None and cached[0].via == via:
                return cached[0]
            raise
        identity = Identity(row.id, row.email, row.role, row.is_owner, via)
        _remember(self._known, key, identity, self._clock() + CACHE_S)
        return identity

    async def authorise(self, connection: HTTPConnection) -> int:
        """Return the user behind a request or socket. Raises NotLoggedIn.

        Host and Origin were checked by the middleware (server/http/guard.py), which also read the tokens.
        """
        identity = connection.scope.get("state", {}).get("identity")
        if not isinstance(identity, Identity):
            raise NotLoggedIn
        return identity.user_id

    # ---- workers

    async def issue_worker_token(
        self, name: str, queues: Sequence[str] = ("download", "processing", "analysis"), *, local: bool = False
    ) -> str:
        """Return a new token for the worker `name`; the one it had before ends."""
        token = secrets.token_urlsafe(32)
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE worker_tokens SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL AND user_id = $2",
                name, self.owner_id,
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO worker_tokens (user_id, name, token_hash, queues, local) VALUES ($1, $2, $3, $4, $5)",
                self.owner_id, name, digest(token), list(queues), local,
            )  # fmt: skip
        self._workers.clear()
        return token

    async def revoke_worker(self, worker_id: UUID) -> None:
        """End a worker's token. Raises NotFound."""
        self._workers.clear()
        if not await self._db.execute(
            "UPDATE worker_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", worker_id
        ):
            raise NotFound

    async def worker(self, token: str) -> Worker | None:
        """Return the worker that holds `token`, None when it is unknown or revoked. Raises DatabaseGone."""
        key = digest(token)
        cached = self._workers.get(key)
        if cached is not None and cached[1] > self._clock():
            return cached[0]
        try:
            row = await self._db.first(
                _WorkerRow,
                "UPDATE worker_tokens SET last_seen_at = now() WHERE token_hash = $1 AND revoked_at IS NULL "
                "RETURNING id, user_id, name, queues, local", key,
            )  # fmt: skip
        except DatabaseGone:
            if cached is not None:
                return cached[0]
            raise
        if row is None:
            self._workers.pop(key, None)
            return None
        worker = Worker(row.id, row.user_id, row.name, row.queues, row.local)
        _remember(self._workers, key, worker, self._clock() + CACHE_S)
        return worker


def _remember(cache: dict[bytes, tuple[_T, float]], key: bytes, value: _T, until: float) -> None:
    cache.pop(key, None)
    while len(cache) >= _CACHE_LIMIT:
        del cache[next(iter(cache))]
    cache[key] = (value, until)
