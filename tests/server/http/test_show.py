"""Routes of the show, of workers, and the description of all routes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile

from audio.resample import resampler
from control.registry import REGISTRY
from server.http.ports import Check
from server.http.routes import table
from tests.server.http.conftest import FakeClock, FakeIdentity, Parts, client_of, upload
from tests.server.library.conftest import tone, write_wav

pytestmark = pytest.mark.anyio


async def test_controls_are_the_registry(api: httpx2.AsyncClient) -> None:
    rows = (await api.get("/api/controls")).json()
    assert {row["path"] for row in rows} == set(REGISTRY)
    assert {"path", "kind", "unit", "min", "max", "default", "choices", "description"} <= set(rows[0])


async def test_values_are_set_all_or_none(api: httpx2.AsyncClient, parts: Parts) -> None:
    answer = await api.post(
        "/api/session", json=[{"path": "/deck/1/play", "value": 1}, {"path": "/deck/1/volume", "value": 0.5}]
    )
    assert answer.status_code == 200 and answer.json()["rev"] == 2
    shown = (await api.get("/api/session")).json()
    assert shown == {"rev": 2, "controls": {"/deck/1/play": 1, "/deck/1/volume": 0.5}}
    for bad in (
        {"path": "/deck/9/play", "value": 1},
        {"path": "/deck/1/volume", "value": "loud"},
        {"path": "/deck/1/level", "value": 1},
        {"path": "/deck/1/play"},
        {"path": "/deck/1/play", "value": 1, "colour": "red"},
        {"path": "/deck/1/play", "value": None},
        {"path": "/deck/1/play", "value": [1]},
        {"path": "/deck/1/volume", "value": 0.1, "at": "now"},
    ):
        refused = await api.post("/api/session", json=[{"path": "/deck/1/volume", "value": 0.9}, bad])
        assert refused.status_code == 422, bad
        assert parts.show.values["/deck/1/volume"] == 0.5
    for number in (b"NaN", b"1e999", b"{"):
        body = b'[{"path": "/deck/1/volume", "value": ' + number + b"}]"
        assert (await api.post("/api/session", content=body)).status_code in (400, 422), body
        assert parts.show.values["/deck/1/volume"] == 0.5
    parts.show.refuse = "/deck/2/play"
    late = await api.post("/api/session", json=[{"path": "/deck/2/play", "value": 1}])
    told = late.json()["error"]["details"]["refused"]
    assert told == [{"path": "/deck/2/play", "code": "busy", "message": "not now"}]


async def test_layouts_are_made_for_where_they_are_fetched(api: httpx2.AsyncClient) -> None:
    files = (await api.get("/api/layouts")).json()
    assert {"dj-phone.tosc", "practice-tablet.json"} <= {file["name"] for file in files}
    for file in files:
        answer = await api.get(f"/api/layouts/{file['name']}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(file["media_type"])
        assert f'filename="{file["name"]}"' in answer.headers["content-disposition"]
    session = json.loads((await api.get("/api/layouts/classic.json")).content)
    targets = {target for tab in session["content"]["tabs"] for w in tab["widgets"] for target in w.get("target", ())}
    assert {target.rpartition(":")[0] for target in targets} == {api.base_url.host}
    assert (await api.get("/api/layouts/nope.tosc")).status_code == 404


async def test_the_owner_judges_senders_and_others_do_not(
    api: httpx2.AsyncClient, other: httpx2.AsyncClient, parts: Parts
) -> None:
    asked = {"address": "192.168.1.9", "status": "allowed"}
    assert (await other.post("/api/peers", json=asked)).status_code == 403
    assert (await other.post("/api/workers", json={"name": "w"})).status_code == 403
    assert (await api.post("/api/peers", json=asked)).json()["peers"][0]["status"] == "allowed"
    assert (await api.post("/api/peers", json={**asked, "status": "waiting"})).status_code == 422
    assert (await api.post("/api/peers", json={**asked, "status": "forgotten"})).json() == {"peers": []}
    made = await api.post("/api/workers", json={"name": "attic", "queues": ["analysis"]})
    worker = await parts.auth.worker(made.json()["token"])
    assert made.status_code == 201 and worker is not None and worker.name == "attic"
    assert made.json()["server"] == "" == made.json()["authority"]


async def test_a_worker_is_told_where_to_come_and_whom_to_trust_when_the_network_is_open(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    parts.lan.https_port, parts.lan.authority = 4443, tmp_path / "authority.crt"
    parts.lan.authority.write_text("a certificate")
    made = (await api.post("/api/workers", json={"name": "attic", "queues": ["analysis"]})).json()
    assert (made["server"], made["authority"]) == ("https://192.168.1.5:4443", "a certificate")


async def test_learning_starts_and_stops(api: httpx2.AsyncClient, parts: Parts) -> None:
    assert (await api.post("/api/midi/learn", json={"path": "/deck/1/volume"})).status_code == 204
    assert parts.midi.learning == "/deck/1/volume"
    assert (await api.delete("/api/midi/learn")).status_code == 204
    assert parts.midi.learning is None


async def test_health_says_which_part_is_ill(stranger: httpx2.AsyncClient, parts: Parts) -> None:
    answer = await stranger.get("/health")
    body = answer.json()
    assert answer.status_code == 200 and body["version"] == "1.2.3"
    assert set(body["checks"]) == {"database", "storage"} and body["checks"]["database"]["status"] == "ok"
    await parts.db.__aexit__()
    answer = await stranger.get("/health")
    assert answer.status_code == 503 and answer.json()["checks"]["database"]["status"] == "failed"


async def test_methods_and_paths_that_are_not_there(api: httpx2.AsyncClient) -> None:
    answer = await api.put("/api/tracks", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    for method in ("GET", "POST", "DELETE"):
        answer = await api.request(method, "/api/nothing")
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
    assert (await api.post("/api/playlists", content=b"x" * (2 << 20))).status_code == 413


async def test_a_worker_gets_the_pcm_of_tracks_it_has_work_on(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    audio = tone(seconds=5.0, rate=48_000)
    path = tmp_path / "a.wav"
    soundfile.write(path, audio, 48_000, "FLOAT")
    track = (await upload(api, path)).json()
    parts.workers.tokens = {"all": FakeIdentity("a"), "analysis": FakeIdentity("b", frozenset({"analysis"}))}
    url = f"/api/worker/tracks/{track['id']}/pcm"

    async with client_of(parts) as client:

        async def get(token: str, **headers: str) -> httpx2.Response:
            return await client.get(url, headers={"Authorization": f"Bearer {token}", **headers})

        assert (await client.get(url)).status_code == 401
        assert (await get("unknown")).status_code == 403
        assert (await get("all")).status_code == 403  # nothing to do on it yet
        job = (await api.post(f"/api/tracks/{track['id']}/separate", json={})).json()
        assert (await get("analysis")).status_code == 403
        whole = await get("all")
        assert whole.status_code == 200
        heard = np.frombuffer(whole.content, "<f4").reshape(-1, 2)
        change = resampler(48_000, 44_100)
        assert len(heard) == change.frames_out(len(audio)) == 220_500
        np.testing.assert_allclose(heard, change.resample(audio), atol=2**-22)
        mean, std = map(float, whole.headers["Alchemy-Levels"].split(","))
        mono = audio.mean(axis=1)
        assert mean == pytest.approx(mono.mean(), abs=1e-6) and std == pytest.approx(mono.std(), rel=1e-4)
        size = len(whole.content)
        for asked, part in (
            ("bytes=0-0", whole.content[:1]),
            ("bytes=1000001-1000010", whole.content[1_000_001:1_000_011]),
            (f"bytes={size - 5}-{size - 1}", whole.content[-5:]),
        ):
            answer = await get("all", Range=asked)
            assert answer.status_code == 206 and answer.content == part
            assert answer.headers["content-range"] == f"bytes {asked[6:]}/{size}"
        assert (await get("all", Range=f"bytes={size}-")).status_code == 416
        etag = whole.headers["etag"]
        assert (await get("all", **{"If-Range": etag, "Range": "bytes=0-3"})).status_code == 206
        assert (await get("all", **{"If-Range": '"x"', "Range": "bytes=0-3"})).status_code == 200
        assert (await get("all", **{"If-None-Match": etag})).status_code == 304
        other = await client.get(url, params={"rate": 48_000}, headers={"Authorization": "Bearer all"})
        assert other.headers["etag"] != etag and len(other.content) == audio.size * 4
        bad = await client.get(url, params={"rate": 7}, headers={"Authorization": "Bearer all"})
        assert bad.status_code == 422
        await api.post(f"/api/jobs/{job['id']}/cancel")
        assert (await get("all")).status_code == 403


def _refs(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(_refs(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_refs(value) for value in node))
    return set()


async def test_the_description_describes_every_route(stranger: httpx2.AsyncClient) -> None:
    document = (await stranger.get("/api/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    components = document["components"]["schemas"]
    for ref in _refs(document):
        assert ref.removeprefix("#/components/schemas/") in components, ref
    rows = table("1", {})
    assert sum(len(methods) for methods in document["paths"].values()) == len(rows)
    names = set()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            names.add(operation["operationId"])
            placed = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert placed == set(re.findall(r"{(\w+)}", path))
            assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
            assert "default" in operation["responses"] and len(operation["responses"]) == 2
    assert len(names) == len(rows)
    title = components["TrackChange"]["properties"]["title"]
    assert components["TrackChange"]["additionalProperties"] is False and title["type"] == "string"


async def test_a_worker_gets_the_pcm_of_chosen_stems(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    audio = tone(seconds=2.0, rate=44_100)
    path = tmp_path / "a.wav"
    soundfile.write(path, audio, 44_100, "FLOAT")
    track = (await upload(api, path)).json()["id"]
    stem = np.rint(1.5 * audio * 2.0**21).astype(np.float32) / np.float32(2.0**21)
    soundfile.write(path, stem, 44_100, "FLOAT")
    with path.open("rb") as file:
        made = await api.put(f"/api/tracks/{track}/stems/drums", files={"file": ("drums.wav", file, "audio/wav")})
    assert made.status_code == 200
    parts.workers.tokens = {"all": FakeIdentity("a")}
    headers = {"Authorization": "Bearer all"}
    async with client_of(parts) as client:
        where = f"/api/worker/tracks/{track}/stems"
        assert (await client.get(f"{where}/drums/pcm")).status_code == 401
        assert (await client.get(f"{where}/drums/pcm", headers=headers)).status_code == 403  # nothing to do on it
        await api.post(f"/api/tracks/{track}/analyze", json={})
        whole = await client.get(f"{where}/drums/pcm", headers=headers)
        assert whole.status_code == 200
        np.testing.assert_allclose(np.frombuffer(whole.content, "<f4").reshape(-1, 2), stem, atol=2**-20)
        assert (await client.get(f"{where}/vocals/pcm", headers=headers)).status_code == 404
        assert (await client.get(f"{where}/..%2f..%2fx/pcm", headers=headers)).status_code == 404


async def test_every_route_is_closed_unless_the_table_says_otherwise(
    stranger: httpx2.AsyncClient, clock: FakeClock
) -> None:
    opened = {row.path for row in table("1", {"engine": _ok}) if row.public}
    # closed by tokens of another kind
    workers = {
        "/api/worker/tracks/{id}/pcm", "/api/worker/tracks/{id}/stems/{stem}/pcm", "/api/worker/jobs/{id}/audio",
        "/api/worker/jobs/{id}/secrets",
    }  # fmt: skip
    # to this machine alone: test_metrics.py; by the state of a login that was begun: test_accounts.py
    elsewhere = {"/metrics", "/api/spotify/callback"}
    assert opened == {"/health", "/api/openapi.json", *elsewhere, *workers}
    for row in table("1", {}):
        if not row.public:
            path = re.sub(r"{[^}]+}", "00000000-0000-4000-8000-000000000000", row.path)
            answer = await stranger.request(row.method, path)
            assert answer.status_code == 401, row.path
            clock.advance(10.0)  # heavy routes are asked for six times a minute at most


async def _ok() -> Check:
    return Check("ok")


async def test_a_fault_of_ours_is_an_answer_without_its_secrets(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(api, write_wav(tmp_path / "a.wav"))

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(parts.library, "tracks", broken)
    answer = await api.get("/api/tracks")
    assert answer.status_code == 500 and "hunter2" not in answer.text
    assert answer.json()["error"]["code"] == "server_error"
