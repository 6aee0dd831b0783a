"""Users' own accounts at Spotify: OAuth with PKCE (RFC 7636, method S256), tokens sealed in the database, refreshed.

Owner: one `SpotifyAccounts` per server, on the event loop. The client id of the settings is all that PKCE needs; no
secret of the program takes part. What a user is logging in with lies in memory, ten minutes at the most.
Units: seconds.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import httpx2

from server.db import Database
from server.errors import BadRequest, Conflict
from server.secrets import SecretUnreadable, Vault
from server.spotify import EARLY_S, TOKENS, SpotifyAway

AUTHORIZE: Final = "https://accounts.spotify.com/authorize"
SCOPES: Final = "playlist-read-private playlist-read-collaborative user-library-read"
LOGIN_S: Final = 600.0
"""How long a login may take."""

_WAITING: Final = 100
_TABLE: Final = "spotify_oauth_tokens"


class LoginRefused(BadRequest):
    """The login at Spotify was not finished; begin it again."""

    code = "spotify_login_refused"


class LoggedOut(Conflict):
    """Spotify has ended the connection with your account; connect it again."""

    code = "spotify_logged_out"


class NoClient(Conflict):
    """Connecting an account needs `spotify_client_id` in alchemy.toml; make one at developer.spotify.com."""

    code = "spotify_not_set"


@dataclass(frozen=True, slots=True)
class _Login:
    user_id: int
    verifier: str
    redirect: str
    until: float


class SpotifyAccounts:
    """Who is connected. `tokens` and `authorize` are where Spotify is; `clock` counts seconds."""

    def __init__(
        self, db: Database, vault: Vault, client_id: str, *, tokens: str = TOKENS, authorize: str = AUTHORIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._db = db
        self._vault = vault
        self._client_id = client_id
        self._tokens = tokens
        self._authorize = authorize
        self._clock = clock
        self._logins: dict[str, _Login] = {}
        self._locks: defaultdict[int, anyio.Lock] = defaultdict(anyio.Lock)

    def begin(self, user_id: int, redirect: str) -> str:
        """Return where to send a user's browser; Spotify sends it back to `redirect`. Raises NoClient."""
        if not self._client_id:
            raise NoClient
        now = self._clock()
        self._logins = {state: login for state, login in self._logins.items() if login.until > now}
        while len(self._logins) >= _WAITING:
            del self._logins[next(iter(self._logins))]
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(64)
        self._logins[state] = _Login(user_id, verifier, redirect, now + LOGIN_S)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return f"{self._authorize}?" + urlencode({
            "response_type": "code", "client_id": self._client_id, "scope": SCOPES, "redirect_uri": redirect,
            "state": state, "code_challenge_method": "S256", "code_challenge": challenge,
        })  # fmt: skip

    async def finish(self, state: str, code: str) -> int:
        """Take what Spotify sent the browser back with; return whose account it is. Each `state` works once.

        Raises LoginRefused, SpotifyAway, DatabaseGone.
        """
        login = self._logins.pop(state, None)
        if login is None or login.until < self._clock() or not code:
            raise LoginRefused
        given = await self._ask({
            "grant_type": "authorization_code", "code": code, "redirect_uri": login.redirect,
            "client_id": self._client_id, "code_verifier": login.verifier,
        })  # fmt: skip
        if given is None or not given.get("refresh_token"):
            raise LoginRefused
        async with self._locks[login.user_id]:
            await self._store(login.user_id, given, str(given["refresh_token"]))
        return login.user_id

    async def connected(self, user_id: int) -> bool:
        """Say whether a user has connected an account."""
        return bool(await self._db.value(f"SELECT true FROM {_TABLE} WHERE user_id = $1", user_id))

    async def forget(self, user_id: int) -> None:
        """Forget a user's account."""
        async with self._locks[user_id]:
            await self._db.execute(f"DELETE FROM {_TABLE} WHERE user_id = $1", user_id)

    async def token(self, user_id: int, bad: str = "") -> str | None:
        """Return a token that is good for a while, None where no account is connected; `bad` was just refused.

        Many requests make one refresh. Raises LoggedOut when Spotify has ended the connection, SpotifyAway.
        """
        async with self._locks[user_id]:
            rows = await self._db.rows(
                f"SELECT access_token, refresh_token, expires_at FROM {_TABLE} WHERE user_id = $1", user_id
            )
            if not rows:
                return None
            [row] = rows
            try:
                token = self._vault.open_text(row["access_token"], _TABLE, "access_token", user_id)
                refresh = self._vault.open_text(row["refresh_token"], _TABLE, "refresh_token", user_id)
            except SecretUnreadable as error:
                raise LoggedOut from error
            if token != bad and row["expires_at"] - timedelta(seconds=EARLY_S) > datetime.now(UTC):
                return token
            given = await self._ask(
                {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": self._client_id}
            )
            if given is None:
                await self._db.execute(f"DELETE FROM {_TABLE} WHERE user_id = $1", user_id)
                raise LoggedOut
            await self._store(user_id, given, str(given.get("refresh_token") or refresh))
            return str(given["access_token"])

    async def _ask(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Ask for tokens; None when Spotify refuses the code or the refresh token. Raises SpotifyAway."""
        try:
            async with httpx2.AsyncClient(timeout=20, trust_env=False, follow_redirects=False) as client:
                answer = await client.post(self._tokens, data=form)
            if answer.status_code in (400, 401, 403):
                return None
            if answer.status_code != 200:
                raise SpotifyAway
            given = answer.json()
            if not isinstance(given, dict) or not isinstance(given["access_token"], str):
                raise SpotifyAway
            float(given["expires_in"])
        except (httpx2.TransportError, ValueError, KeyError, TypeError) as error:
            raise SpotifyAway from error
        return given

    async def _store(self, user_id: int, given: dict[str, Any], refresh: str) -> None:
        expires = datetime.now(UTC) + timedelta(seconds=float(given["expires_in"]))
        await self._db.execute(
            f"INSERT INTO {_TABLE} (user_id, access_token, refresh_token, expires_at, scopes) "
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id) DO UPDATE SET access_token = excluded.access_token, "
            "refresh_token = excluded.refresh_token, expires_at = excluded.expires_at, scopes = excluded.scopes",
            user_id, self._vault.seal(str(given["access_token"]), _TABLE, "access_token", user_id),
            self._vault.seal(refresh, _TABLE, "refresh_token", user_id), expires, str(given.get("scope") or ""),
        )  # fmt: skip
