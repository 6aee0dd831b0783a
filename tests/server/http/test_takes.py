"""Takes over HTTP: listed, heard in part, named, chosen, deleted; by whom they belong to."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.server.http.conftest import Parts, upload
from tests.server.library.conftest import write_wav
from tests.server.library.test_takes import add

pytestmark = pytest.mark.anyio


async def test_takes_of_a_track(
    api: httpx2.AsyncClient, other: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"]
    assert (await api.get(f"/api/tracks/{track}/takes")).json() == {"takes": []}
    await add(parts.library, UUID(track), "0123456789")
    [take] = (await api.get(f"/api/tracks/{track}/takes")).json()["takes"]
    assert (take["start"], take["end"], take["chosen"], take["name"]) == (0.1, 0.4, False, "")
    path = f"/api/takes/{take['id']}"
    part = await api.get(f"{path}/audio", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.text, part.headers["content-type"]) == (206, "234", "audio/flac")
    assert (await api.patch(path, json={"chosen": True, "name": "solo"})).json()["name"] == "solo"
    assert (await api.patch(path, json={"volume": 1})).status_code == 422
    assert (await api.patch(path, json={"name": "x" * 300})).status_code == 422
    theirs = other.get(f"{path}/audio"), other.patch(path, json={}), other.delete(path)
    for ask in (*theirs, api.delete(f"/api/takes/{uuid4()}")):
        assert (await ask).status_code == 404
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(f"/api/tracks/{track}/takes")).json() == {"takes": []}
