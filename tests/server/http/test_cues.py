"""Cue points over HTTP: what is put is got, what cannot be is refused, and nobody reads another's."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from tests.server.http.conftest import upload
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio

CUES = [
    {"kind": "main", "position": 0.1, "slot": None, "end": None, "name": "", "color": ""},
    {"kind": "hot", "position": 0.2, "slot": 3, "end": 0.4, "name": "drop", "color": "#00ff00"},
    {"kind": "memory", "position": 0.3, "slot": None, "end": None, "name": "", "color": ""},
]


async def test_cue_points_are_put_and_got(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"]
    empty = {"cues": [], "grid": None, "edited": False}
    assert (await api.get(f"/api/tracks/{track}/cues")).json() == empty
    grid = {"beats": [0.0, 0.25], "origin": 1}
    answer = await api.put(f"/api/tracks/{track}/cues", json={"cues": CUES, "grid": grid})
    assert answer.status_code == 200 and answer.json() == {"cues": CUES, "grid": grid, "edited": True}
    assert (await api.get(f"/api/tracks/{track}/cues")).json() == answer.json()
    answer = await api.put(f"/api/tracks/{track}/cues", json={"cues": []})
    assert answer.json() == {"cues": [], "grid": grid, "edited": True}
    answer = await api.put(f"/api/tracks/{track}/cues", json={"cues": [], "grid": None})
    assert answer.json() == empty


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"cues": [{"kind": "other", "position": 1}]}, {"cues": [{"kind": "hot", "position": 1}]},
        {"cues": [{"kind": "main", "position": 1}] * 2}, {"cues": [{"kind": "hot", "position": 1, "slot": 9}]},
        {"cues": [{"kind": "hot", "position": 1, "slot": 1, "color": "red"}]}, {"cues": [], "more": 1},
        {"cues": [{"kind": "memory", "position": -1}]}, {"cues": [{"kind": "memory", "position": 1, "end": 2}]},
        {"cues": [], "grid": {"beats": [1.0]}}, {"cues": [], "grid": {"beats": [1.0, 1.0]}},
    ],
)  # fmt: skip
async def test_cue_points_that_cannot_be_are_refused(api: httpx2.AsyncClient, tmp_path: Path, bad: object) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"]
    await api.put(f"/api/tracks/{track}/cues", json={"cues": CUES})
    assert (await api.put(f"/api/tracks/{track}/cues", json=bad)).status_code == 422
    assert (await api.get(f"/api/tracks/{track}/cues")).json()["cues"] == CUES


async def test_a_track_that_is_not_there_has_none(api: httpx2.AsyncClient) -> None:
    assert (await api.get(f"/api/tracks/{uuid4()}/cues")).status_code == 404
    assert (await api.put(f"/api/tracks/{uuid4()}/cues", json={"cues": []})).status_code == 404
