"""Tracks over HTTP: upload, list, edit, delete, send; and nobody gets what is not theirs."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
import soundfile

from server.library.service import Library
from tests.server.http.conftest import Parts, upload
from tests.server.library.conftest import encode, files_under, tone, write_wav

pytestmark = pytest.mark.anyio


async def add_stem(parts: Parts, track_id: str, stem_type: str = "vocals") -> str:
    job = await parts.db.value("INSERT INTO processing_jobs (track_id) VALUES ($1) RETURNING id", track_id)
    relative = f"stems/{track_id}/{job}/{stem_type}.flac"
    path = parts.library.storage.path(relative)
    path.parent.mkdir(parents=True)
    soundfile.write(path, tone(), 44_100)
    return str(
        await parts.db.value(
            "INSERT INTO stems (track_id, processing_job_id, stem_type, file_path, chosen, frames, sample_rate) "
            "VALUES ($1, $2, $3, $4, true, 22050, 44100) RETURNING id", track_id, job, stem_type, relative,
        )
    )  # fmt: skip


async def test_an_upload_becomes_a_track_that_is_found_edited_and_removed(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    answer = await upload(api, write_wav(tmp_path / "Somebody - Some Song.wav"))
    assert answer.status_code == 201
    track = answer.json()
    assert (track["title"], track["artist"], track["jobs"], track["stems"]) == ("Some Song", "Somebody", [], [])
    assert track["duration"] == pytest.approx(0.5)
    assert "file_path" not in track and "reference_path" not in track
    again = await upload(api, write_wav(tmp_path / "b.wav"))
    assert again.status_code == 201 and again.json()["id"] == track["id"]
    found = (await api.get("/api/tracks", params={"q": "some body"})).json()
    assert [row["id"] for row in found["tracks"]] == [track["id"]] and found["total"] == 1
    assert (await api.get("/api/tracks", params={"q": "nobody"})).json()["tracks"] == []
    edited = await api.patch(f"/api/tracks/{track['id']}", json={"title": "Other", "album": "A"})
    assert (edited.json()["title"], edited.json()["artist"], edited.json()["album"]) == ("Other", "Somebody", "A")
    assert (await api.delete(f"/api/tracks/{track['id']}")).status_code == 204
    assert (await api.get(f"/api/tracks/{track['id']}")).status_code == 404
    await parts.library.reconcile_files()
    assert files_under(parts.library.storage.data) == set()


async def test_a_form_may_name_the_track(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    answer = await upload(api, write_wav(tmp_path / "a.wav"), title="Night", artist="Day")
    assert (answer.json()["title"], answer.json()["artist"]) == ("Night", "Day")


@pytest.mark.parametrize(
    ("files", "data", "status", "code"),
    [
        ({"file": ("x.wav", b"not audio at all" * 50)}, {}, 422, "not_audio"),
        ({"file": ("x.mp3", b"")}, {}, 422, "not_audio"),
        ({"file": ("x.wav", b"0" * (5 << 20))}, {}, 413, "upload_too_large"),
        ({"other": ("x.wav", b"0")}, {}, 422, "bad_request"),
        ({"file": ("x.wav", b"0")}, {"path": "/etc/passwd"}, 422, "bad_request"),
        ({"file": ("x.wav", b"0")}, {"title": "x" * 10_000}, 422, "bad_request"),
        ([("file", ("x.wav", b"0")), ("file", ("y.wav", b"0"))], {}, 422, "bad_request"),
    ],
)
async def test_an_upload_that_does_not_fit_leaves_nothing(
    api: httpx2.AsyncClient, parts: Parts, files: object, data: dict[str, str], status: int, code: str
) -> None:
    answer = await api.post("/api/tracks", files=files, data=data)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert files_under(parts.library.storage.data) == set()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut off'),
        ("multipart/form-data; boundary=" + "x" * 1000, b"--x--"),
    ],
)
async def test_what_is_not_a_form_is_refused(api: httpx2.AsyncClient, parts: Parts, kind: str, body: bytes) -> None:
    answer = await api.post("/api/tracks", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert files_under(parts.library.storage.data) == set()


async def test_unknown_fields_and_wrong_types_are_refused(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    path = f"/api/tracks/{track['id']}"
    for body in ({"titel": "x"}, {"title": 3}, {"title": " "}, {"year": 0}, []):
        assert (await api.patch(path, json=body)).status_code == 422, body
    assert (await api.patch(path, content=b"{not json")).status_code == 400
    assert (await api.get("/api/tracks", params={"colour": "red"})).status_code == 422
    for query in ({"limit": 0}, {"limit": 1000}, {"limit": "x"}, {"sort": "size"}, {"status": "x"}, {"cursor": "zzz"}):
        assert (await api.get("/api/tracks", params=query)).status_code == 422, query
    assert (await api.get(path)).json()["title"] == track["title"]


async def test_every_format_over_http(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    plain = write_wav(tmp_path / "plain.wav", hz=500.0)
    song = encode(plain, tmp_path / "song.mp3")
    track = (await upload(api, song)).json()
    answer = await api.get(f"/api/tracks/{track['id']}/audio")
    assert answer.content == song.read_bytes() and answer.headers["content-type"] == "audio/mpeg"


async def test_ranges_of_a_track_and_a_stem(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav")
    track = (await upload(api, wav)).json()
    stem = await add_stem(parts, track["id"])
    for path, content in (
        (f"/api/tracks/{track['id']}/audio", wav.read_bytes()),
        (f"/api/stems/{stem}/audio", None),
    ):
        whole = await api.get(path)
        content = content or whole.content
        size = len(content)
        assert whole.status_code == 200 and whole.content == content and whole.headers["accept-ranges"] == "bytes"
        for asked, part in (
            ("bytes=0-0", content[:1]),
            ("bytes=100-199", content[100:200]),
            ("bytes=100-", content[100:]),
            ("bytes=-50", content[-50:]),
            (f"bytes=10-{size * 2}", content[10:]),
        ):
            answer = await api.get(path, headers={"Range": asked})
            assert answer.status_code == 206 and answer.content == part, asked
            assert answer.headers["content-range"].endswith(f"/{size}")
        assert (await api.get(path, headers={"Range": f"bytes={size}-"})).status_code == 416
        etag = whole.headers["etag"]
        assert (await api.get(path, headers={"If-None-Match": etag})).status_code == 304
        stale = await api.get(path, headers={"Range": "bytes=0-0", "If-Range": '"old"'})
        assert stale.status_code == 200 and stale.content == content
        head = await api.head(path)
        assert head.status_code == 200 and int(head.headers["content-length"]) == size and not head.content


async def test_cover_and_waveform_are_sent_as_what_they_are(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    from tests.server.library.test_import import PNG, _tagged

    track = (await upload(api, _tagged(tmp_path, cover=PNG))).json()
    assert track["has_cover"]
    cover = await api.get(f"/api/tracks/{track['id']}/cover")
    assert cover.content == PNG and cover.headers["content-type"] == "image/png"
    assert cover.headers["x-content-type-options"] == "nosniff"
    assert len((await api.get(f"/api/tracks/{track['id']}/waveform")).content) > 0


async def test_stems_are_listed_chosen_and_exported(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"), title="Song")).json()
    path = f"/api/tracks/{track['id']}"
    assert (await api.get(f"/export/stems/{track['id']}")).status_code == 404
    first, second = await add_stem(parts, track["id"]), await add_stem(parts, track["id"])
    drums = await add_stem(parts, track["id"], "drums")
    stems = {stem["id"]: stem["chosen"] for stem in (await api.get(f"{path}/stems")).json()["stems"]}
    assert stems == {first: False, second: True, drums: True}
    chosen = (await api.post(f"/api/stems/{first}/choose")).json()
    assert {stem["id"] for stem in chosen["stems"] if stem["chosen"]} == {first, drums}
    archive = zipfile.ZipFile(BytesIO((await api.get(f"/export/stems/{track['id']}")).content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["Song - drums.flac", "Song - vocals.flac"]
    assert archive.read("Song - vocals.flac") == (await api.get(f"/api/stems/{first}/audio")).content
    single = await api.get(f"/export/stem/{first}")
    assert single.headers["content-disposition"].startswith("attachment")


async def test_a_track_on_a_deck_is_not_removed_under_it(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    parts.show.values["/deck/2/load"] = track["id"]
    answer = await api.delete(f"/api/tracks/{track['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "on_a_deck")
    parts.show.values["/deck/2/load"] = ""
    await api.post(f"/api/tracks/{track['id']}/separate", json={})
    assert (await api.delete(f"/api/tracks/{track['id']}")).status_code == 204


async def test_nobody_gets_what_is_not_theirs(
    api: httpx2.AsyncClient, other: httpx2.AsyncClient, stranger: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    stem = await add_stem(parts, track["id"])
    job = (await api.post(f"/api/tracks/{track['id']}/analyze", json={})).json()
    playlist = (await api.post("/api/playlists", json={"name": "P"})).json()
    theirs = (await other.post("/api/playlists", json={"name": "Q"})).json()
    file = (await parts.db.rows("SELECT path FROM files WHERE owner_table = 'stems'"))[0]["path"]
    asked: list[tuple[str, str, object]] = [
        ("GET", f"/api/tracks/{track['id']}", None),
        ("PATCH", f"/api/tracks/{track['id']}", {"title": "stolen"}),
        ("DELETE", f"/api/tracks/{track['id']}", None),
        ("GET", f"/api/tracks/{track['id']}/audio", None),
        ("GET", f"/api/tracks/{track['id']}/waveform", None),
        ("GET", f"/api/tracks/{track['id']}/stems", None),
        ("GET", f"/api/stems/{stem}/audio", None),
        ("POST", f"/api/stems/{stem}/choose", {}),
        ("POST", f"/api/tracks/{track['id']}/separate", {}),
        ("POST", f"/api/tracks/{track['id']}/analyze", {}),
        ("GET", f"/api/jobs/{job['id']}", None),
        ("POST", f"/api/jobs/{job['id']}/cancel", {}),
        ("POST", "/api/processing/separate", {"track_id": track["id"]}),
        ("GET", f"/api/analysis/job/{job['id']}", None),
        ("GET", f"/api/playlists/{playlist['id']}", None),
        ("DELETE", f"/api/playlists/{playlist['id']}", None),
        ("POST", f"/api/playlists/{theirs['id']}/tracks", {"track_id": track["id"]}),
        ("PUT", f"/api/playlists/{theirs['id']}/tracks", {"track_ids": [track["id"]]}),
        ("GET", f"/files/{file}", None),
        ("GET", f"/export/stem/{stem}", None),
        ("GET", f"/export/stems/{track['id']}", None),
        ("GET", f"/export/analysis/{track['id']}", None),
    ]
    for method, path, body in asked:
        answer = await other.request(method, path, json=body)
        assert answer.status_code == 404, (method, path, answer.text)
        answer = await stranger.request(method, path, json=body)
        assert answer.status_code == 401, (method, path)
    assert (await other.get("/api/tracks")).json()["tracks"] == []
    assert (await other.get("/api/jobs")).json()["jobs"] == []
    assert (await api.get(f"/api/tracks/{track['id']}")).json()["title"] == track["title"]
    assert (await api.get(f"/files/{file}")).status_code == 200


@pytest.mark.parametrize(
    "path", ["../../../etc/passwd", "..%2f..%2fsecret.key", "/etc/passwd", "library/tracks", "secret.key", "%00"]
)
async def test_no_path_reaches_the_file_system(api: httpx2.AsyncClient, parts: Parts, path: str) -> None:
    (parts.library.storage.data / "secret.key").write_text("secret")
    for place in ("/files/", "/", "/assets/"):
        answer = await api.get(place + path)
        assert answer.status_code in (400, 404, 422), (place, answer.status_code)
        assert "secret" not in answer.text


async def test_what_is_not_a_key_names_nothing(api: httpx2.AsyncClient) -> None:
    for bad in ("1", "x" * 36, str(uuid4()).replace("-", ""), "'; DROP TABLE users"):
        assert (await api.get(f"/api/tracks/{bad}")).status_code == 404
    assert (await api.get(f"/api/tracks/{uuid4()}")).status_code == 404


async def test_playlists_keep_their_order(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    told: list[str] = []
    parts.library.playlists.on_change = lambda playlist_id, _user_id: told.append(str(playlist_id))
    songs = [write_wav(tmp_path / f"{number}.wav", hz=300.0 + number) for number in range(3)]
    ids = [(await upload(api, song)).json()["id"] for song in songs]
    made = (await api.post("/api/playlists", json={"name": "  Set\x07 one ", "description": "d"})).json()
    assert made["name"] == "Set one" and made["track_count"] == 0
    path = f"/api/playlists/{made['id']}"

    async def order() -> list[str]:
        entries = (await api.get(path)).json()["tracks"]
        assert [entry["position"] for entry in entries] == list(range(len(entries)))
        return [entry["track"]["id"] for entry in entries]

    for track_id in ids[:2]:
        assert (await api.post(f"{path}/tracks", json={"track_id": track_id})).status_code == 201
    await api.post(f"{path}/tracks", json={"track_id": ids[2], "position": 0})
    assert await order() == [ids[2], ids[0], ids[1]]
    assert (await api.post(f"{path}/tracks", json={"track_id": ids[0]})).status_code == 409
    assert (await api.post(f"{path}/tracks", json={"track_id": str(uuid4())})).status_code == 404
    await api.put(f"{path}/tracks", json={"track_ids": ids})
    assert await order() == ids
    assert (await api.put(f"{path}/tracks", json={"track_ids": [ids[0], ids[0]]})).status_code == 422
    await api.delete(f"/api/tracks/{ids[1]}")
    assert await order() == [ids[0], ids[2]]
    await api.delete(f"{path}/tracks/{ids[0]}")
    assert await order() == [ids[2]]
    renamed = (await api.patch(path, json={"name": "New", "description": None})).json()
    assert (renamed["name"], renamed["description"], renamed["track_count"]) == ("New", None, 1)
    assert [row["id"] for row in (await api.get("/api/playlists")).json()["playlists"]] == [made["id"]]
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(f"/api/tracks/{ids[2]}")).status_code == 200
    assert told == [made["id"]] * 8  # made, three added, put in order, one taken out, renamed, removed; no refusal


async def test_jobs_are_asked_for_looked_at_cancelled_and_retried(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    answer = await api.post(f"/api/tracks/{track['id']}/separate", json={"engine": "spectral", "model": "m"})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["status"], job["progress"], job["engine"]) == ("processing", "queued", 0, "spectral")
    asked = (await api.post(f"/api/tracks/{track['id']}/analyze", json={"features": ["tempo"]})).json()
    assert (asked["kind"], asked["features"]) == ("analysis", ["tempo"])
    shown = (await api.get(f"/api/tracks/{track['id']}")).json()
    assert {row["id"] for row in shown["jobs"]} == {job["id"], asked["id"]} and shown["status"] == "queued"
    listed = (await api.get("/api/jobs", params={"kind": "processing", "track_id": track["id"]})).json()["jobs"]
    assert [row["id"] for row in listed] == [job["id"]]
    assert (await api.post(f"/api/jobs/{job['id']}/cancel", json={})).json()["status"] == "cancelled"
    again = await api.post(f"/api/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "illegal_move")
    assert (await api.post(f"/api/jobs/{job['id']}/retry")).json()["status"] == "queued"
    found = (await api.get("/api/tracks", params={"status": "completed"})).json()
    assert found["tracks"] == []


async def test_the_earlier_systems_routes(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    answer = await api.post("/api/processing/separate", json={"track_id": track["id"], "model": "htdemucs"})
    assert answer.status_code == 201 and answer.json()["success"] is True
    job = (await api.get(f"/api/processing/job/{answer.json()['job_id']}")).json()
    assert (job["status"], job["progress"], job["model"], job["result"]) == ("queued", 0, "htdemucs", None)
    refused = await api.post("/api/processing/separate", json={"track_id": track["id"], "file_path": "/etc/passwd"})
    assert refused.status_code == 422
    answer = await api.post("/api/analysis/analyze", json={"track_id": track["id"], "type": "tempo"})
    assert answer.status_code == 201
    assert (await api.get(f"/api/analysis/job/{answer.json()['job_id']}")).json()["type"] == "tempo"
    assert (await api.post("/api/analysis/analyze", json={"track_id": track["id"], "type": "x"})).status_code == 422
    models = (await api.get("/api/processing/models")).json()["models"]
    assert any(model["engine"] == "spectral" and model["available"] and model["stems"] for model in models)


async def test_a_file_that_is_gone_says_so(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"))).json()
    library: Library = parts.library
    for path in files_under(library.storage.data):
        (library.storage.data / path).unlink()
    answer = await api.get(f"/api/tracks/{track['id']}/audio")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "file_missing")
