"""Practice over HTTP: how a track was left, its log and its progress, for whom it belongs to."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from server.practice import Pass, Practice
from tests.server.http.conftest import Parts, upload
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio


async def test_practice_is_told(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"]
    path = f"/api/tracks/{track}/practice"
    assert (await api.get(path)).json() == {"state": None, "log": [], "progress": []}
    await parts.library.save_practice(UUID(track), Practice({"rate": 0.8, "click": 1}, 1.5))
    for start in (1.0, 1.0, 2.0):
        await parts.library.log_pass(UUID(track), Pass(start, 4.0, 0.8, "verse"), clean=False)
    answer = (await api.get(path)).json()
    assert answer["state"] == {"controls": {"rate": 0.8, "click": 1}, "position": 1.5}
    assert [(entry["start"], entry["passes"]) for entry in answer["log"]] == [(2.0, 1), (1.0, 2)]
    assert [(part["start"], part["passes"], part["fastest_clean"]) for part in answer["progress"]] == [
        (1.0, 2, None), (2.0, 1, None),
    ]  # fmt: skip
    assert len((await api.get(path, params={"limit": 1})).json()["log"]) == 1


async def test_what_cannot_be_is_refused(api: httpx2.AsyncClient, other: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"]
    assert (await api.get(f"/api/tracks/{uuid4()}/practice")).status_code == 404
    assert (await other.get(f"/api/tracks/{track}/practice")).status_code == 404
    for limit in ("0", "1001", "x"):
        assert (await api.get(f"/api/tracks/{track}/practice", params={"limit": limit})).status_code == 422


async def test_the_route_is_described(api: httpx2.AsyncClient) -> None:
    described = (await api.get("/api/openapi.json")).json()
    operation = described["paths"]["/api/tracks/{id}/practice"]["get"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["id", "limit"]
    assert {"PracticeAnswer", "LogEntry", "Progress"} <= set(described["components"]["schemas"])
