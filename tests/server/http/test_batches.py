"""Batches over HTTP: made of tracks or of a playlist, moved as one, nobody else's."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest

from tests.server.http.conftest import Parts

pytestmark = pytest.mark.anyio


async def test_a_batch_is_made_paused_resumed_cancelled_and_retried(parts: Parts, api: httpx2.AsyncClient) -> None:
    owner = parts.auth.owner_id
    rows = await parts.db.rows(
        "INSERT INTO tracks (user_id, title) SELECT $1, 'song' FROM generate_series(1, 3) RETURNING id", owner
    )
    ids = [str(row["id"]) for row in rows]
    answer = await api.post("/api/batches", json={"track_ids": ids, "engine": "spectral", "title": "Night"})
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert (batch["title"], batch["status"], batch["total"], batch["progress"]) == ("Night", "pending", 3, 0)
    path = f"/api/batches/{batch['id']}"
    assert (await api.post(f"{path}/pause", json={})).json()["status"] == "paused"
    assert (await api.post(f"{path}/resume", json={})).json()["status"] == "pending"
    assert (await api.post(f"{path}/resume", json={})).status_code == 409
    over = (await api.post(f"{path}/cancel", json={})).json()
    assert (over["status"], over["cancelled"]) == ("cancelled", 3)
    assert (await api.post(f"{path}/retry", json={})).json()["status"] == "pending"
    assert (await api.get(path)).json()["id"] == batch["id"]
    assert [one["id"] for one in (await api.get("/api/batches")).json()["batches"]] == [batch["id"]]
    assert (await api.get(f"/api/batches/{uuid4()}")).status_code == 404


async def test_a_playlist_is_a_batch_and_nonsense_is_refused(parts: Parts, api: httpx2.AsyncClient) -> None:
    owner = parts.auth.owner_id
    track = await parts.db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'song') RETURNING id", owner)
    playlist = await parts.library.playlists.create(owner, "Saturday")
    await parts.library.playlists.add(playlist.id, owner, track)
    wish = {"playlist_id": str(playlist.id), "kinds": ["analysis"]}
    batch = (await api.post("/api/batches", json=wish)).json()
    assert (batch["title"], batch["total"]) == ("Saturday", 1)
    for wrong, status in (
        ({"track_ids": []}, 422), ({"track_ids": [str(uuid4())]}, 404), ({"kinds": ["download"]}, 422),
        ({"playlist_id": str(uuid4())}, 404), ({"track_ids": [str(track)], "options": {"shifts": 99}}, 422),
    ):  # fmt: skip
        assert (await api.post("/api/batches", json=wrong)).status_code == status, wrong
