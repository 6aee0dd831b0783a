"""Routes of the sampler: all pads are listed, a pad of any bank is filled and emptied, nonsense is refused."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest

from audio.units import BANKS, PADS
from tests.server.http.conftest import Parts

pytestmark = pytest.mark.anyio


async def test_all_pads_are_listed(api: httpx2.AsyncClient) -> None:
    rows = (await api.get("/api/sampler")).json()
    assert [(row["bank"], row["pad"]) for row in rows] == [
        (b, p) for b in range(1, BANKS + 1) for p in range(1, PADS + 1)
    ]
    assert {row["status"] for row in rows} == {"empty"}


async def test_a_pad_of_any_bank_is_filled_and_emptied(api: httpx2.AsyncClient, parts: Parts) -> None:
    track = str(uuid4())
    body = {"track_id": track, "stem": "drums", "start": 1.5, "end": 2.25}
    answer = await api.put("/api/sampler/8/16", json=body)
    assert answer.status_code == 200
    assert (answer.json()["source"], answer.json()["status"]) == (f"{track}#drums@1.5-2.25", "loading")
    assert parts.show.pads[-1].source == f"{track}#drums@1.5-2.25"
    assert (await api.put("/api/sampler/8/16", json={})).json()["status"] == "empty"


@pytest.mark.parametrize(
    ("place", "body", "status"),
    [
        ("9/1", {}, 404), ("1/17", {}, 404), ("0/1", {}, 404), ("one/1", {}, 404),
        ("1/1", {"track_id": "kick.wav"}, 404), ("1/1", {"track_id": str(uuid4()), "stem": "kazoo"}, 422),
        ("1/1", {"track_id": str(uuid4()), "start": 2.0, "end": 1.0}, 422),
        ("1/1", {"track_id": str(uuid4()), "start": -1.0}, 422), ("1/1", {"colour": "red"}, 422),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_and_changes_nothing(
    api: httpx2.AsyncClient, parts: Parts, place: str, body: dict[str, object], status: int
) -> None:
    assert (await api.put(f"/api/sampler/{place}", json=body)).status_code == status
    assert not any(pad.source for pad in parts.show.pads)
