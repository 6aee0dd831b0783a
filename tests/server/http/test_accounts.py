"""A user's own settings, lalal.ai key and Spotify account: kept sealed, never shown, used where it counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from pipeline.links import parse
from server.accounts import Accounts
from server.errors import BadRequest
from server.jobs.service import JobService
from server.secrets import Vault
from server.spotify import Spotify, SpotifyAway
from server.spotify_account import LoggedOut, SpotifyAccounts
from tests.pipeline.lalalai_site import KEY, LalalaiSite
from tests.pipeline.remote_site import RemoteSite
from tests.server.http.conftest import FakeIdentity, Parts, api, client_of, clock, other, parts, stranger
from tests.server.library.conftest import importer
from tests.server.spotify_site import LIST, SpotifySite

__all__ = ["api", "clock", "importer", "other", "parts", "stranger"]
pytestmark = pytest.mark.anyio

VAULT = Vault([bytes(range(32))])


@pytest.fixture
async def cloud(parts: Parts) -> AsyncIterator[LalalaiSite]:
    with LalalaiSite() as site:
        parts.accounts = Accounts(parts.db, VAULT, url=site.base)
        jobs = JobService(parts.db, parts.library.storage.data)
        jobs.plans.has_account = parts.accounts.has_key
        parts.jobs = jobs
        yield site


async def add_track(parts: Parts, user: int = 1) -> str:
    return str(await parts.db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'x') RETURNING id", user))


async def test_a_key_is_tested_sealed_and_never_shown(
    parts: Parts, api: httpx2.AsyncClient, other: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    assert (await api.get("/api/account/settings")).json()["lalalai_key"] is False
    wrong = await api.put("/api/account/lalalai_key", json={"key": "wrong"})
    assert wrong.status_code == 422 and "licence key" in wrong.json()["error"]["message"]
    assert (await api.get("/api/lalalai/quota")).status_code == 409
    kept = await api.put("/api/account/lalalai_key", json={"key": f" {KEY}\n"})
    assert kept.json() == {"minutes_left": 90.0}
    [row] = await parts.db.rows("SELECT id, lalalai_api_key FROM user_settings")
    assert KEY.encode() not in row["lalalai_api_key"]
    assert VAULT.open_text(row["lalalai_api_key"], "user_settings", "lalalai_api_key", row["id"]) == KEY
    for path in ("/api/account/settings", "/api/lalalai/quota", "/api/lalalai/voices"):
        assert KEY not in (await api.get(path)).text
    assert (await api.get("/api/account/settings")).json()["lalalai_key"] is True
    assert (await other.get("/api/account/settings")).json()["lalalai_key"] is False
    assert (await other.get("/api/lalalai/quota")).status_code == 409
    assert (await api.delete("/api/account/lalalai_key")).status_code == 204
    assert (await api.get("/api/lalalai/quota")).status_code == 409


async def test_a_changed_secret_key_seals_again_and_a_lost_one_says_so(parts: Parts, cloud: LalalaiSite) -> None:
    await parts.accounts.keep(1, KEY)
    newer = Vault([bytes(32), bytes(range(32))])
    assert await Accounts(parts.db, newer, url=cloud.base).key_of(1) == KEY
    sealed = await parts.db.value("SELECT lalalai_api_key FROM user_settings")
    assert newer.is_current(sealed)
    with pytest.raises(Exception, match="Enter it again"):
        await Accounts(parts.db, VAULT, url=cloud.base).key_of(1)


async def test_minutes_voices_and_a_service_that_is_away(
    parts: Parts, api: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    await parts.accounts.keep(1, KEY)
    found = (await api.get("/api/lalalai/voices")).json()["voices"]
    assert found == [{"id": "ALEX_KAYE", "name": "Alex Kaye"}, {"id": "my-voice", "name": "Mine"}]
    await api.get("/api/lalalai/voices")
    assert len(cloud.called("voice_packs/list/")) == 1, "the list is kept for an hour"
    cloud.faults.extend([("limits", 200, {}, b"<html>")] * 9)
    away = await api.get("/api/lalalai/quota")
    assert (away.status_code, away.json()["error"]["code"]) == (502, "lalalai_away")


async def test_jobs_at_lalal_ai_need_a_key_and_take_what_the_user_chose(
    parts: Parts, api: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    track = await add_track(parts)
    ask = {"engine": "lalalai", "model": "multistem", "options": {"stems": ["bass"], "preview": True}}
    refused = await api.post(f"/api/tracks/{track}/separate", json=ask)
    assert refused.status_code == 422 and "licence key" in refused.text
    await parts.accounts.keep(1, KEY)
    chosen = {"lalalai_splitter": "orion", "lalalai_dereverb": True, "lalalai_extraction_level": "mild"}
    assert (await api.patch("/api/account/settings", json=chosen)).status_code == 200
    job = (await api.post(f"/api/tracks/{track}/separate", json=ask)).json()
    row = (await parts.db.rows("SELECT engine, model, options FROM processing_jobs"))[0]
    assert (row["engine"], row["model"]) == ("lalalai", "multistem")
    assert row["options"] == {"splitter": "orion", "dereverb": True, "extraction_level": "mild", "stems": ["bass"],
                              "preview": True}  # fmt: skip
    [message] = await parts.db.rows("SELECT queue, payload FROM queue.messages")
    assert message["queue"] == "download", "what waits for others does not wait before our own work"
    assert KEY.encode() not in message["payload"] and KEY not in (await api.get(f"/api/jobs/{job['id']}")).text
    for options in ({"noise": 7}, {"shifts": 2}, {"stems": ["flute"]}):
        asked = await api.post(f"/api/tracks/{track}/separate", json={"engine": "lalalai", "options": options})
        assert asked.status_code == 422
    done = (await api.post("/api/lalalai/cancel-all")).json()
    assert done == {"success": True, "cancelled": [job["id"]]} and cloud.called("cancel/all/") == [{}]


async def test_only_the_worker_at_the_job_gets_the_key(
    parts: Parts, api: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    await parts.accounts.keep(1, KEY)
    track = await add_track(parts)
    job = (await api.post(f"/api/tracks/{track}/separate", json={"engine": "lalalai"})).json()["id"]
    ours = (await api.post(f"/api/tracks/{track}/separate", json={"engine": "spectral"})).json()["id"]
    parts.workers.tokens |= {
        "good": FakeIdentity("good", frozenset({"download"})),
        "other": FakeIdentity("other", frozenset({"analysis"})),
    }

    async def ask(token: str, of: str) -> httpx2.Response:
        async with client_of(parts, headers={"Authorization": f"Bearer {token}"}) as worker:
            return await worker.get(f"/api/worker/jobs/{of}/secrets")

    assert (await ask("good", job)).status_code == 403, "not before it runs"
    for one in (job, ours):
        await parts.db.execute(
            "UPDATE processing_jobs SET status = 'processing', lock_version = lock_version + 1 WHERE id = $1", one
        )
    assert (await ask("good", job)).json() == {"key": KEY, "url": cloud.base}
    for token, of in (("other", job), ("good", ours), ("no", job)):
        assert (await ask(token, of)).status_code == 403
    assert (await api.get(f"/api/worker/jobs/{job}/secrets")).status_code == 403, "an API token is no worker's"


async def test_a_worker_of_downloads_hears_tracks_that_go_to_lalal_ai_and_no_others(
    parts: Parts, api: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    await parts.accounts.keep(1, KEY)
    parts.workers.tokens["good"] = FakeIdentity("good", frozenset({"download"}))
    theirs, ours = await add_track(parts), await add_track(parts)
    await api.post(f"/api/tracks/{theirs}/separate", json={"engine": "lalalai"})
    await api.post(f"/api/tracks/{ours}/separate", json={"engine": "spectral"})
    async with client_of(parts, headers={"Authorization": "Bearer good"}) as worker:
        allowed = await worker.get(f"/api/worker/tracks/{theirs}/pcm")
        refused = await worker.get(f"/api/worker/tracks/{ours}/pcm")
    assert (allowed.status_code, refused.status_code) == (409, 403), "the first has only no audio in this test"


async def test_preferences_are_kept_and_fill_in_what_requests_leave_open(
    parts: Parts, api: httpx2.AsyncClient, other: httpx2.AsyncClient, cloud: LalalaiSite
) -> None:
    for bad in ({"separation_engine": "abacus"}, {"demucs_model": "x"}, {"analysis_features": ["smell"]},
                {"nothing": 1}, {"lalalai_splitter": "auto"}, {"analyze_on_import": "yes"}):  # fmt: skip
        assert (await api.patch("/api/account/settings", json=bad)).status_code == 422, bad
    assert set((await api.get("/api/account/settings")).json()["settings"].values()) == {None}
    wishes = {"separation_engine": "spectral", "analysis_features": ["key", "tempo"], "analyze_on_import": False}
    changed = (await api.patch("/api/account/settings", json=wishes)).json()["settings"]
    assert changed == {**changed, **wishes} and changed["demucs_model"] is None
    jobs = JobService(parts.db, parts.library.storage.data)
    assert (await jobs.plans.separation(1, "", "", {}))[0] == "spectral"
    assert await jobs.plans.features(1, ()) == ["key", "tempo"] and await jobs.plans.features(1, ("energy",)) == [
        "energy"
    ]
    with pytest.raises(BadRequest):
        await jobs.plans.features(1, ("smell",))
    await api.patch("/api/account/settings", json={"analysis_features": None})
    assert await jobs.plans.features(1, ()) == []
    assert set((await other.get("/api/account/settings")).json()["settings"].values()) == {None}


# ---- Spotify


class Connected:
    """A Spotify with people in it, and the accounts of this server."""

    def __init__(self, parts: Parts, remote: SpotifySite, site: RemoteSite) -> None:
        self.parts, self.remote, self.site = parts, remote, site
        self.now = 0.0
        parts.spotify = Spotify("", "", api=site.url("/v1"), tokens=site.url("/api/token"))
        parts.spotify_accounts = SpotifyAccounts(
            parts.db, VAULT, "client", tokens=site.url("/api/token"), authorize=site.url("/authorize"),
            clock=lambda: self.now,
        )  # fmt: skip

    async def login(self, client: httpx2.AsyncClient) -> dict[str, str]:
        """Begin a login; return what Spotify was told, as the browser brings it there."""
        url = (await client.post("/api/spotify/login")).json()["url"]
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    async def connect(self, client: httpx2.AsyncClient, browser: httpx2.AsyncClient) -> httpx2.Response:
        asked = await self.login(client)
        code = self.remote.grant(asked["code_challenge"])
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        return await browser.get(
            "/api/spotify/callback", params={"state": asked["state"], "code": code}, headers=headers
        )


@pytest.fixture
async def connected(parts: Parts) -> AsyncIterator[Connected]:
    remote = SpotifySite()
    with remote.site() as site:
        yield Connected(parts, remote, site)


async def test_an_account_is_connected_by_pkce_and_its_tokens_are_sealed(
    connected: Connected, api: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    asked = await connected.login(api)
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", "client", "S256")
    assert asked["redirect_uri"] == "http://127.0.0.1:4000/api/spotify/callback"
    assert "playlist-read-private" in asked["scope"] and "verifier" not in str(asked)
    answer = await connected.connect(api, stranger)
    assert answer.status_code == 200 and "connected" in answer.text
    assert (await api.get("/api/account/settings")).json()["spotify"] is True
    [row] = await connected.parts.db.rows("SELECT * FROM spotify_oauth_tokens")
    assert b"token" not in row["access_token"] and b"refresh" not in row["refresh_token"]
    found = await api.post("/api/spotify/fetch", json={"url": f"spotify:playlist:{LIST}"})
    assert found.status_code == 200 and len(found.json()["metadata"]["tracks"]) == 3
    assert (await api.delete("/api/spotify/account")).status_code == 204
    assert (await api.get("/api/account/settings")).json()["spotify"] is False
    gone = await api.post("/api/spotify/fetch", json={"url": f"spotify:playlist:{LIST}"})
    assert gone.json()["error"]["code"] == "spotify_not_set"


async def test_a_login_works_once_in_time_and_with_its_own_verifier(
    connected: Connected, api: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    async def back(state: str, code: str, **more: str) -> int:
        return (await stranger.get("/api/spotify/callback", params={"state": state, "code": code, **more})).status_code

    asked = await connected.login(api)
    code = connected.remote.grant(asked["code_challenge"])
    assert await back("made-up", code) == 422 and await back("", "") == 422
    assert await back(asked["state"], code) == 200
    assert await back(asked["state"], code) == 422, "a state works once"
    await api.delete("/api/spotify/account")
    asked = await connected.login(api)
    stolen = connected.remote.grant("somebody else's challenge")
    assert await back(asked["state"], stolen) == 422
    asked = await connected.login(api)
    connected.now += 601
    assert await back(asked["state"], connected.remote.grant(asked["code_challenge"])) == 422, "too late"
    asked = await connected.login(api)
    assert await back(asked["state"], "", error="access_denied") == 422
    page = await stranger.get("/api/spotify/callback", params={"state": "<script>alert(1)</script>", "error": "<b>"})
    assert "<script>" not in page.text and "<b>" not in page.text
    assert (await api.get("/api/account/settings")).json()["spotify"] is False
    connected.parts.spotify_accounts = SpotifyAccounts(connected.parts.db, VAULT, "")
    assert (await api.post("/api/spotify/login")).json()["error"]["code"] == "spotify_not_set"


async def test_tokens_are_refreshed_once_and_a_withdrawn_account_says_so(
    connected: Connected, api: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    await connected.connect(api, stranger)
    remote, accounts = connected.remote, connected.parts.spotify_accounts
    first = await accounts.token(1)
    assert first is not None and await accounts.token(1) == first
    remote.good.discard(first)  # withdrawn before its time
    link = parse(f"spotify:playlist:{LIST}")
    assert (await api.post("/api/spotify/fetch", json={"url": link.url})).status_code == 200
    second = await accounts.token(1)
    assert second not in (None, first) and remote.refreshed == 1
    await connected.parts.db.execute("UPDATE spotify_oauth_tokens SET expires_at = now()")
    assert await accounts.token(1) not in (None, second) and remote.refreshed == 2, "refreshed before it ends"
    remote.token_faults.append(("503 Unavailable", {}, b""))
    await connected.parts.db.execute("UPDATE spotify_oauth_tokens SET expires_at = now()")
    with pytest.raises(SpotifyAway):
        await accounts.token(1)
    remote.token_faults.append(("200 OK", {}, b"garbage"))
    with pytest.raises(SpotifyAway):
        await accounts.token(1)
    assert await accounts.connected(1), "a fault that passes loses nothing"
    remote.token_faults.append(("400 Bad Request", {}, b'{"error": "invalid_grant"}'))
    with pytest.raises(LoggedOut):
        await accounts.token(1)
    assert not await accounts.connected(1) and await accounts.token(1) is None
