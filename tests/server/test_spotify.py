"""Spotify's catalogue: what links name, page by page, through refused tokens, rate limits and faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from pipeline.links import parse
from server.errors import NotFound, ServerError
from server.jobs.service import JobService
from server.spotify import Spotify, SpotifyAway, SpotifyBusy, SpotifyNotSet, SpotifyRefuses
from tests.pipeline.fetcher_site import environment
from tests.pipeline.remote_site import RemoteSite
from tests.server.http.conftest import Parts, api, clock, other, parts, upload
from tests.server.library.conftest import importer, write_wav
from tests.server.spotify_site import ALBUM, LIST, SpotifySite, entry, song, song_id

__all__ = ["api", "clock", "importer", "other", "parts"]
pytestmark = pytest.mark.anyio

TRACK_LINK, ALBUM_LINK, LIST_LINK = f"spotify:track:{song_id(1)}", f"spotify:album:{ALBUM}", f"spotify:playlist:{LIST}"
BUSY = ("429 Too Many Requests", {"Retry_After": 7}, b'{"error": {"status": 429}}')
BROKEN = ("502 Bad Gateway", {}, b"<html>oh</html>")


class Fake:
    """A Spotify to ask, the requests it got, and the waits that were asked for."""

    def __init__(self, remote: SpotifySite, site: RemoteSite) -> None:
        self.remote, self.site = remote, site
        self.waits: list[float] = []
        self.spotify = Spotify("id", "secret", api=site.url("/v1"), tokens=site.url("/api/token"), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def asked(self) -> list[str]:
        return [asked.target for asked in self.site.asked if asked.target != "/api/token"]


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    remote = SpotifySite()
    with remote.site() as site:
        yield Fake(remote, site)


async def test_a_track_with_everything_it_has(fake: Fake) -> None:
    found = await fake.spotify.collection(parse(TRACK_LINK))
    assert (found.type, found.name, len(found.tracks)) == ("track", "Song 1", 1)
    one = found.tracks[0]
    assert (one.title, one.artist, one.album, one.year) == ("Song 1", "Somebody, Else", "Discovery", 2001)
    assert (one.duration, one.art) == (0.501, "https://i.scdn.co/image/a640")
    assert one.url == f"https://open.spotify.com/track/{song_id(1)}"


async def test_an_album_in_order_with_its_art(fake: Fake) -> None:
    found = await fake.spotify.collection(parse(ALBUM_LINK))
    assert [one.title for one in found.tracks] == ["Song 1", "Song 2", "Song 3"]
    assert {one.art for one in found.tracks} == {"https://i.scdn.co/image/a640"} and found.name == "Discovery"


@pytest.mark.parametrize("under", ["item", "track"])
async def test_a_long_playlist_comes_page_by_page_from_where_we_say(fake: Fake, under: str) -> None:
    fake.remote.entries = [entry(song(n), under) for n in range(1, 121)]
    found = await fake.spotify.collection(parse(LIST_LINK))
    assert [one.id for one in found.tracks] == [song_id(n) for n in range(1, 121)]
    assert [target.rpartition("offset=")[2] for target in fake.asked()[1:]] == ["0", "50", "100"]
    assert fake.remote.tokens == 1


async def test_what_is_no_track_is_left_out_and_counted(fake: Fake) -> None:
    local = {**song(9), "id": None}
    episode = {**song(8), "type": "episode"}
    fake.remote.entries = [entry(None), entry(local), entry(episode), entry(song(1))]
    found = await fake.spotify.collection(parse(LIST_LINK))
    assert ([one.id for one in found.tracks], found.left_out) == ([song_id(1)], 3)


async def test_a_token_that_is_refused_is_replaced_once(fake: Fake) -> None:
    await fake.spotify.collection(parse(TRACK_LINK))
    fake.remote.good.clear()
    await fake.spotify.collection(parse(TRACK_LINK))
    assert fake.remote.tokens == 2
    fake.remote.faults = [("401 Unauthorized", {}, b"{}")] * 2
    with pytest.raises(SpotifyRefuses):
        await fake.spotify.collection(parse(TRACK_LINK))


async def test_a_token_is_replaced_before_it_ends_and_asked_for_once_by_many(fake: Fake) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(fake.spotify.collection, parse(TRACK_LINK))
    assert fake.remote.tokens == 1
    fake.remote.expires_in = 30
    fake.remote.good.clear()
    for _ in range(2):
        await fake.spotify.collection(parse(TRACK_LINK))
    assert fake.remote.tokens == 3


async def test_a_rate_limit_is_waited_for_as_long_as_it_says(fake: Fake) -> None:
    fake.remote.faults = [BUSY, BUSY]
    fake.remote.token_faults = [BUSY]
    assert (await fake.spotify.collection(parse(TRACK_LINK))).name == "Song 1"
    assert fake.waits == [7.0, 7.0, 7.0]


async def test_a_rate_limit_without_end_is_told_with_its_time(fake: Fake) -> None:
    fake.remote.faults = [("429 Too Many Requests", {"Retry_After": 86400}, b"")]
    with pytest.raises(SpotifyBusy) as busy:
        await fake.spotify.collection(parse(TRACK_LINK))
    assert busy.value.details["retry_after_s"] == 86400.0 and not fake.waits


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ([BROKEN] * 4, SpotifyAway), ([("200 OK", {}, b"not json")], SpotifyAway),
        ([("200 OK", {}, b"[]")], SpotifyAway),
        ([("200 OK", {}, b"{}")], SpotifyAway), ([("200 OK", {}, b'{"album": 1, "id": 2}')], SpotifyAway),
        ([("302 Found", {"Location": "http://127.0.0.1/"}, b"")], SpotifyAway),
        ([("403 Forbidden", {}, b"{}")], SpotifyRefuses), ([("404 Not Found", {}, b"{}")], NotFound),
        ([("400 Bad Request", {}, b"{}")], NotFound),
    ],
)  # fmt: skip
async def test_faults_have_a_name(fake: Fake, faults: list[Any], kind: type[ServerError]) -> None:
    fake.remote.faults = list(faults)
    with pytest.raises(kind):
        await fake.spotify.collection(parse(TRACK_LINK))


async def test_a_fault_that_passes_is_no_fault(fake: Fake) -> None:
    fake.remote.faults = [BROKEN] * 3
    assert (await fake.spotify.collection(parse(TRACK_LINK))).name == "Song 1"
    assert fake.waits == [2.0, 4.0, 8.0]


async def test_keys_that_are_wrong_or_missing_or_nobody_there(fake: Fake) -> None:
    fake.remote.token_faults = [("400 Bad Request", {}, b'{"error": "invalid_client"}')]
    with pytest.raises(SpotifyRefuses):
        await fake.spotify.collection(parse(TRACK_LINK))
    with pytest.raises(SpotifyNotSet):
        await Spotify("", "").collection(parse(TRACK_LINK))
    nobody = Spotify("id", "secret", tokens="http://127.0.0.1:1/", sleep=fake._sleep)
    with pytest.raises(SpotifyAway):
        await nobody.collection(parse(TRACK_LINK))


# ---- brought into the library


@pytest.fixture
def library(parts: Parts, fake: Fake) -> Fake:
    parts.spotify = fake.spotify
    return fake


async def _bring(api: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    answer = await api.post("/api/links", json={"url": url})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _titles(api: httpx2.AsyncClient, playlist: str) -> list[str]:
    found = (await api.get(f"/api/playlists/{playlist}")).json()
    return [place["track"]["title"] for place in found["tracks"]]


async def test_songs_without_audio_are_fetched_where_spotdl_is_installed(
    library: Fake, parts: Parts, api: httpx2.AsyncClient
) -> None:
    waits = await _bring(api, TRACK_LINK)
    assert waits["tracks"][0]["job"] is None and "alchemy fetcher install" in waits["note"]
    parts.jobs = JobService(parts.db, parts.library.storage.data)
    environment(parts.library.storage.data)
    made = await _bring(api, TRACK_LINK)
    (one,) = made["tracks"]
    assert (one["track_id"], one["job"]["status"], made["note"]) == (waits["tracks"][0]["track_id"], "queued", "")
    again = await _bring(api, LIST_LINK)
    assert [track["job"] is not None for track in again["tracks"]] == [True] * len(again["tracks"])
    assert one["job"]["id"] in [track["job"]["id"] for track in again["tracks"]]
    sent = await parts.db.rows("SELECT payload FROM queue.messages WHERE subject = $1", one["job"]["id"])
    assert len(sent) == 1 and f"https://open.spotify.com/track/{song_id(1)}".encode() in bytes(sent[0]["payload"])


async def test_a_playlist_becomes_one_in_the_same_order_with_its_art(library: Fake, api: httpx2.AsyncClient) -> None:
    library.remote.entries.append(entry(song(3)))  # twice in the list: once here
    made = await _bring(api, LIST_LINK)
    assert await _titles(api, made["playlist_id"]) == ["Song 3", "Song 1", "Song 2"]
    row = (await api.get(f"/api/playlists/{made['playlist_id']}")).json()
    assert (row["name"], row["source"], row["cover_art_url"]) == ("Hits", "spotify", "https://i.scdn.co/image/p640")
    track = row["tracks"][1]["track"]
    assert (track["artist"], track["album"], track["year"], track["source"], track["spotify_id"]) == (
        "Somebody, Else", "Discovery", 2001, "spotify", song_id(1),
    )  # fmt: skip
    assert track["album_art_url"] == "https://i.scdn.co/image/a640"


async def test_again_it_is_the_same_playlist_and_the_same_tracks(
    library: Fake, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    first = await _bring(api, LIST_LINK)
    mine = (await upload(api, write_wav(tmp_path / "Mine.wav"))).json()["id"]
    await api.post(f"/api/playlists/{first['playlist_id']}/tracks", json={"track_id": mine, "position": 0})
    await api.patch(f"/api/playlists/{first['playlist_id']}", json={"name": "My hits"})
    library.remote.entries = [entry(song(n)) for n in (2, 3, 4)]
    again = await _bring(api, LIST_LINK)
    assert again["playlist_id"] == first["playlist_id"]
    assert await _titles(api, again["playlist_id"]) == ["Song 2", "Song 3", "Song 4", "Mine"]
    assert (await api.get(f"/api/playlists/{again['playlist_id']}")).json()["name"] == "My hits"
    assert (await api.get("/api/tracks")).json()["total"] == 5


async def test_a_file_of_your_own_is_linked_into_the_playlist(
    library: Fake, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    same = (await upload(api, write_wav(tmp_path / "a.wav"), title="söng 1", artist="Somebody, Else")).json()["id"]
    longer = write_wav(tmp_path / "b.wav", seconds=4.0)
    live = (await upload(api, longer, title="Song 2", artist="Somebody, Else")).json()["id"]
    made = await _bring(api, LIST_LINK)
    ids = [track["track_id"] for track in made["tracks"]]
    assert ids[1] == same and live not in ids
    assert [track["existing"] for track in made["tracks"]] == [False, True, False]
    assert (await _bring(api, TRACK_LINK))["tracks"] == [{"track_id": same, "existing": True, "job": None}]


async def test_a_file_that_came_after_the_link_takes_the_place_of_the_track_that_waits(
    library: Fake, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    first = await _bring(api, LIST_LINK)
    other_list = (await api.post("/api/playlists", json={"name": "other"})).json()["id"]
    waiting = first["tracks"][1]["track_id"]
    await api.post(f"/api/playlists/{other_list}/tracks", json={"track_id": waiting})
    came = (await upload(api, write_wav(tmp_path / "a.wav"), title="Song 1", artist="Somebody, Else")).json()["id"]
    again = await _bring(api, LIST_LINK)
    assert again["tracks"][1] == {"track_id": came, "existing": True, "job": None}
    assert await _titles(api, again["playlist_id"]) == ["Song 3", "Song 1", "Song 2"]
    assert await _titles(api, other_list) == ["Song 1"]
    assert (await api.get(f"/api/tracks/{waiting}")).status_code == 404


async def test_each_user_has_their_own(library: Fake, api: httpx2.AsyncClient, other: httpx2.AsyncClient) -> None:
    mine, theirs = await _bring(api, LIST_LINK), await _bring(other, LIST_LINK)
    assert mine["playlist_id"] != theirs["playlist_id"]
    assert not {t["track_id"] for t in mine["tracks"]} & {t["track_id"] for t in theirs["tracks"]}


async def test_two_at_once_make_one(library: Fake, api: httpx2.AsyncClient) -> None:
    made: list[dict[str, Any]] = []

    async def one() -> None:
        made.append(await _bring(api, LIST_LINK))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)
    assert made[0] == made[1] == made[2]


async def test_looking_brings_nothing_in(library: Fake, api: httpx2.AsyncClient) -> None:
    looked = (await api.post("/api/spotify/fetch", json={"url": LIST_LINK})).json()
    assert looked["success"] is True and looked["metadata"]["type"] == "playlist"
    assert [one["title"] for one in looked["metadata"]["tracks"]] == ["Song 3", "Song 1", "Song 2"]
    assert (await api.get("/api/tracks")).json()["total"] == 0
    refused = await api.post("/api/spotify/fetch", json={"url": "https://example.com/x.mp3"})
    assert refused.status_code == 422


async def test_the_route_of_old_takes_one_track(library: Fake, api: httpx2.AsyncClient) -> None:
    made = (await api.post("/api/download/track", json={"url": TRACK_LINK})).json()
    assert (made["success"], made["job_id"], made["status"]) == (True, None, "waiting")
    assert (await api.post("/api/download/track", json={"url": LIST_LINK})).status_code == 422


async def test_busy_spotify_is_told_with_the_time_to_wait(library: Fake, api: httpx2.AsyncClient) -> None:
    library.remote.faults = [("429 Too Many Requests", {"Retry_After": 300}, b"")]
    answer = await api.post("/api/links", json={"url": TRACK_LINK})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
