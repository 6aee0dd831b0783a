"""What goes together over HTTP: with a track, with what plays, and sets in order."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest

from tests.server.http.conftest import Parts
from tests.server.library.test_similar import add, analysed

pytestmark = pytest.mark.anyio


async def test_similar_tracks_and_what_goes_with_the_decks(api: httpx2.AsyncClient, parts: Parts) -> None:
    owner = parts.auth.owner_id
    one, near = await add(parts.db, owner), await add(parts.db, owner, tempo=121.0)
    far = await add(parts.db, owner, tempo=97.0, key="Eb major")
    found = (await api.get(f"/api/tracks/{one}/similar")).json()
    assert found["to"] == [str(one)] and [row["track_id"] for row in found["matches"]] == [str(near), str(far)]
    assert found["matches"][0]["camelot"] == "8A"
    assert len((await api.get(f"/api/tracks/{one}/similar", params={"limit": 1})).json()["matches"]) == 1
    assert (await api.get(f"/api/tracks/{one}/similar", params={"limit": 0})).status_code == 422
    assert (await api.get(f"/api/tracks/{uuid4()}/similar")).status_code == 404
    assert (await api.get("/api/similar/now")).status_code == 404
    parts.show.values |= {"/deck/1/load": str(one), "/deck/2/load": str(far), "/deck/2/play": 1}
    playing = (await api.get("/api/similar/now")).json()
    assert playing["to"] == [str(far)] and [row["track_id"] for row in playing["matches"]] == [str(near)]


async def test_a_set_is_put_in_order(api: httpx2.AsyncClient, parts: Parts) -> None:
    tracks = [str(await add(parts.db, parts.auth.owner_id, energy=energy)) for energy in (0.8, 0.2, 0.5)]
    answer = await api.post("/api/sets/order", json={"track_ids": tracks, "arc": "rise"})
    assert answer.json()["track_ids"] == [tracks[1], tracks[2], tracks[0]]
    assert (await api.post("/api/sets/order", json={"track_ids": tracks, "arc": "zigzag"})).status_code == 422
    assert (await api.post("/api/sets/order", json={"track_ids": [str(uuid4())]})).status_code == 404


async def test_an_earlier_analysis_can_be_chosen_again(api: httpx2.AsyncClient, parts: Parts) -> None:
    track = await add(parts.db, parts.auth.owner_id, tempo=87.0, key="A minor")
    await analysed(parts.db, track, tempo=174.0, key="C major")
    shown = (await api.get(f"/api/tracks/{track}/analyses")).json()["analyses"]
    assert [(row["tempo"], row["chosen"]) for row in shown] == [(174.0, True), (87.0, False)]
    answer = await api.post(f"/api/analyses/{shown[1]['id']}/choose")
    assert (answer.json()["bpm"], answer.json()["key"], answer.json()["analysis"]["tempo"]) == (87.0, "A minor", 87.0)
    shown = (await api.get(f"/api/tracks/{track}/analyses")).json()["analyses"]
    assert [(row["tempo"], row["chosen"]) for row in shown] == [(174.0, False), (87.0, True)]
    stranger = await parts.db.value("INSERT INTO users (email) VALUES ('s@t') RETURNING id")
    await parts.db.execute("UPDATE tracks SET user_id = $2 WHERE id = $1", track, stranger)
    assert (await api.post(f"/api/analyses/{shown[0]['id']}/choose")).status_code == 404
    assert (await api.get(f"/api/tracks/{track}/analyses")).status_code == 404
