"""Who may speak to the server at all: names, origins, logins, tokens, limits."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.db import Database
from server.errors import DatabaseGone
from server.http.guard import Hosts
from server.http.limits import PER_MINUTE, Limits
from tests.server.http.conftest import BASE, TOKEN, FakeClock, Parts, client_of

pytestmark = pytest.mark.anyio

COOKIE = "alchemy_session_4000"


@pytest.mark.parametrize(
    ("host", "closed", "open_"),
    [
        ("localhost:4000", True, True),
        ("127.0.0.1", True, True),
        ("127.9.9.9:1", True, True),
        ("[::1]:4000", True, True),
        ("LOCALHOST", True, True),
        ("192.168.1.5:4000", False, True),
        ("[fe80::1]:4000", False, True),
        ("evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("evil.example:4000@localhost", False, False),
        ("localhost/x", False, False),
        ("localhost:port", False, False),
        ("", False, False),
        ("2130706433", False, False),
        ("0x7f.1", False, False),
    ],
)
def test_which_names_are_ours(host: str, closed: bool, open_: bool) -> None:
    hosts = Hosts("127.0.0.1")
    assert hosts.cover(host) is closed
    hosts.open_lan()
    assert hosts.cover(host) is open_
    hosts.close_lan()
    assert hosts.cover(host) is closed


async def test_a_rebound_name_gets_nothing_on_any_route(api: httpx2.AsyncClient) -> None:
    for path in ("/", "/health", "/api/tracks", "/api/openapi.json", "/assets/app-1a2b.js", "/login?token=x"):
        answer = await api.get(path, headers={"Host": "evil.example:4000"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_host"), path


async def test_a_page_from_elsewhere_gets_nothing(api: httpx2.AsyncClient) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:4000", "file://"):
        answer = await api.post("/api/session", json=[], headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin"), origin
    assert (await api.post("/api/session", json=[], headers={"Origin": BASE})).status_code == 200
    fetched = await api.get("/api/tracks", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert fetched.status_code == 403


async def _socket(parts: Parts, headers: dict[str, str]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    incoming = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        if not incoming:
            await anyio.sleep_forever()
        return incoming.pop()

    scope = {
        "type": "websocket", "path": "/ws/test", "raw_path": b"/ws/test", "root_path": "", "scheme": "ws",
        "query_string": b"", "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 4000), "subprotocols": [],
    }  # fmt: skip
    await parts.app(scope, receive, send)
    return sent


async def test_sockets_stand_behind_the_same_door(parts: Parts) -> None:
    ours = {"Host": "localhost:4000", "Authorization": f"Bearer {TOKEN}"}
    opened = await _socket(parts, ours)
    assert opened[0]["type"] == "websocket.accept" and opened[1]["text"] == str(parts.auth.owner_id)
    assert (await _socket(parts, {"Host": "localhost:4000"}))[1]["text"] == "None"
    for headers in ({**ours, "Host": "evil.example"}, {**ours, "Origin": "http://evil.example"}):
        [refused] = await _socket(parts, headers)
        assert (refused["type"], refused["code"]) == ("websocket.close", 1008)


async def test_a_login_link_opens_one_session_once(parts: Parts) -> None:
    token = await parts.auth.login_token()
    async with client_of(parts) as first, client_of(parts) as second:
        assert (await first.get("/api/tracks")).status_code == 401
        assert (await first.head(f"/?token={token}")).status_code == 200  # a preview does not spend it
        answer = await first.get(f"/?token={token}")
        assert answer.status_code == 303 and answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(COOKIE) and "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert TOKEN not in cookie and token not in cookie
        assert (await first.get("/api/me")).json() == {
            "id": parts.auth.owner_id, "email": "owner@localhost", "role": "platform_admin",
        }  # fmt: skip
        spent = await second.get(f"/login?token={token}")
        assert spent.status_code == 401 and "has been used" in spent.text
        assert (await second.get("/api/me")).status_code == 401
        assert (await first.get(f"/?token={token}")).status_code == 303
        assert (await first.post("/api/logout")).status_code == 204
        first.cookies.clear()
        first.cookies.set(COOKIE, cookie.split("=", 1)[1].split(";")[0])
        assert (await first.get("/api/me")).status_code == 401


async def test_tokens_are_not_kept_and_not_interchangeable(parts: Parts) -> None:
    login = await parts.auth.login_token()
    named = await parts.auth.issue_api_token("cli")
    session = await parts.auth.redeem(await parts.auth.login_token())
    rows = await parts.db.rows("SELECT token, context FROM users_tokens")
    assert {row["context"] for row in rows} == {"login", "api", "session"}
    for row in rows:
        assert all(secret.encode() not in row["token"] for secret in (login, named, session, TOKEN))
    async with client_of(parts) as client:
        for wrong in (login, session, "", "x", TOKEN[:-1], TOKEN + "x"):
            headers = {"Authorization": f"Bearer {wrong}"}
            assert (await client.get("/api/me", headers=headers)).status_code == 401, wrong
        for wrong in (login, named, TOKEN):
            client.cookies.set(COOKIE, wrong)
            assert (await client.get("/api/me")).status_code == 401
        client.cookies.clear()
        for right in (named, TOKEN):
            answer = await client.get("/api/me", headers={"Authorization": f"Bearer {right}"})
            assert answer.status_code == 200
        assert (await client.get("/login", params={"token": TOKEN})).status_code == 401
        replaced = await parts.auth.issue_api_token("cli")
        parts.auth._known.clear()
        assert (await client.get("/api/me", headers={"Authorization": f"Bearer {named}"})).status_code == 401
        assert (await client.get("/api/me", headers={"Authorization": f"Bearer {replaced}"})).status_code == 200


async def test_expired_and_suspended_people_are_not_let_in(parts: Parts, other: httpx2.AsyncClient) -> None:
    assert (await other.get("/api/me")).status_code == 200
    await parts.db.execute("UPDATE users SET status = 'suspended' WHERE NOT is_owner")
    parts.auth._known.clear()
    assert (await other.get("/api/me")).status_code == 401
    link = await parts.auth.login_token()
    await parts.db.execute("UPDATE users_tokens SET expires_at = now() - interval '1 second' WHERE context = 'login'")
    async with client_of(parts) as client:
        assert (await client.get("/", params={"token": link})).status_code == 401


async def test_who_was_known_is_known_while_the_database_is_away(
    parts: Parts, other: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await other.get("/api/session")).status_code == 200
    token = await parts.auth.issue_worker_token("w", ["analysis"])
    worker = await parts.auth.worker(token)
    assert worker is not None and worker.queues == ("analysis",)

    async def gone(*_: object) -> None:
        raise DatabaseGone

    monkeypatch.setattr(Database, "first", gone)
    monkeypatch.setattr(parts.auth, "_clock", lambda: float("1e12"))
    assert (await other.get("/api/session")).status_code == 200
    assert await parts.auth.worker(token) == worker
    async with client_of(parts, headers={"Authorization": "Bearer unknown"}) as client:
        answer = await client.get("/api/session")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_gone")


async def test_worker_tokens_open_nothing_else_and_can_be_revoked(parts: Parts) -> None:
    token = await parts.auth.issue_worker_token("w")
    async with client_of(parts, headers={"Authorization": f"Bearer {token}"}) as client:
        assert (await client.get("/api/tracks")).status_code == 401
    worker = await parts.auth.worker(token)
    assert worker is not None
    await parts.auth.revoke_worker(worker.id)
    assert await parts.auth.worker(token) is None
    assert await parts.auth.worker(TOKEN) is None


async def test_limits_are_told_and_kept(parts: Parts, clock: FakeClock, other: httpx2.AsyncClient) -> None:
    answers = [await other.get("/api/tracks") for _ in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:3]] == ["59", "58", "57"]
    assert all(answer.headers["x-ratelimit-limit"] == "60" for answer in answers)
    last = answers[-1]
    assert last.json()["error"]["code"] == "too_many_requests" and last.headers["retry-after"] == "1"
    clock.advance(1.0)
    assert (await other.get("/api/tracks")).status_code == 200
    assert (await other.get("/api/tracks")).status_code == 429
    async with client_of(parts, headers={"Authorization": f"Bearer {TOKEN}"}) as owner:
        assert (await owner.get("/api/tracks")).status_code == 200


async def test_heavy_routes_are_ten_a_minute_and_strangers_are_counted_too(
    parts: Parts, api: httpx2.AsyncClient
) -> None:
    nobody = "/api/tracks/00000000-0000-4000-8000-000000000000"
    statuses = [(await api.post(f"{nobody}/separate", json={})).status_code for _ in range(11)]
    assert statuses == [404] * 10 + [429]
    async with client_of(parts, address="10.0.0.9") as stranger:
        statuses = [(await stranger.get("/api/tracks")).status_code for _ in range(121)]
        assert statuses == [401] * 120 + [429]
        claimed = await stranger.get("/api/tracks", headers={"X-Forwarded-For": "10.0.0.10"})
        assert claimed.status_code == 429


async def test_guessing_tokens_is_slow(parts: Parts) -> None:
    async with client_of(parts, address="10.0.0.9") as stranger:
        guesses = [{"Authorization": f"Bearer guess{number}"} for number in range(121)]
        statuses = [(await stranger.get("/health", headers=guess)).status_code for guess in guesses]
    assert statuses == [200] * 120 + [429]


async def test_the_owners_files_on_this_machine_are_free(
    parts: Parts, api: httpx2.AsyncClient, other: httpx2.AsyncClient
) -> None:
    path = "/api/tracks/00000000-0000-4000-8000-000000000000/cover"
    for client, expected in ((api, 404), (other, 429)):
        statuses = [(await client.get(path)).status_code for _ in range(130)]
        assert statuses[-1] == expected
    assert {(await api.get("/assets/app-1a2b.js")).status_code for _ in range(200)} == {200}


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200), st.sampled_from(["browser", "api", "heavy"]))
def test_no_minute_ever_holds_more_than_twice_the_limit_nor_refuses_below_it(gaps: list[float], kind: Any) -> None:
    clock = FakeClock()
    limits = Limits(clock)
    taken: list[float] = []
    for gap in gaps:
        clock.advance(gap)
        verdict = limits.ask("a", kind)
        recent = [at for at in taken if at > clock.now - 60]
        if verdict.allowed:
            taken.append(clock.now)
            assert len(recent) + 1 <= 2 * PER_MINUTE[kind]
            assert 0 <= verdict.remaining < PER_MINUTE[kind]
        else:
            assert len(recent) >= PER_MINUTE[kind] / 2
            assert verdict.retry_after_s > 0
            clock.advance(verdict.retry_after_s)
            assert limits.ask("a", kind).allowed
            taken.append(clock.now)
        assert limits.ask(f"other {clock.now} {len(taken)}", kind).allowed


async def test_every_answer_has_its_headers(api: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    for answer in (await api.get("/"), await api.get("/api/tracks"), await stranger.get("/api/tracks")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "ws://localhost:4000" in policy and "access-control-allow-origin" not in answer.headers
    assert (await api.get("/")).headers["cache-control"] == "no-cache"
    assert "immutable" in (await api.get("/assets/app-1a2b.js")).headers["cache-control"]
    assert (await api.get("/api/tracks")).headers["cache-control"] == "no-store"
