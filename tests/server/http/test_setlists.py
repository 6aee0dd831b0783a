"""Setlists over HTTP: listed, read, written when they are sound, removed, looked over; nothing else can be named."""

from pathlib import Path

import httpx2
import pytest

from tests.server.http.conftest import Parts, upload
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio

GOOD = 'title = "Friday"\n[[entry]]\ntrack = "song.wav"\nnotes = "Louder."\n'
URL = "/api/setlists/my%20set"


async def test_written_read_listed_and_removed(api: httpx2.AsyncClient, parts: Parts) -> None:
    shipped = (await api.get("/api/setlists")).json()
    assert {"demo", "practice"} <= {row["name"] for row in shipped} and all(row["example"] for row in shipped)
    assert all(row["faults"] == [] and row["entries"] for row in shipped)
    made = (await api.put(URL, json={"text": GOOD})).json()
    assert made["title"] == "Friday" and made["entries"][0]["notes"] == "Louder." and not made["example"]
    assert (parts.setlists.folder / "my set.toml").read_text() == GOOD
    assert (await api.get(URL)).json()["text"] == GOOD
    assert "my set" in {row["name"] for row in (await api.get("/api/setlists")).json()}
    assert (await api.delete(URL)).status_code == 204 and (await api.get(URL)).status_code == 404


async def test_a_faulty_text_is_refused_with_its_lines_and_changes_nothing(api: httpx2.AsyncClient) -> None:
    await api.put(URL, json={"text": GOOD})
    answer = await api.put(URL, json={"text": '[[entry]]\ntrack = "a"\nvolme = 1'})
    error = answer.json()["error"]
    assert answer.status_code == 422 and error["details"]["problems"] == [
        {"line": 3, "key": "volme", "message": "is not known here; did you mean volume?"}
    ]
    assert (await api.get(URL)).json()["text"] == GOOD


async def test_an_example_stays_but_may_be_replaced(api: httpx2.AsyncClient) -> None:
    assert (await api.delete("/api/setlists/demo")).status_code == 409
    assert (await api.put("/api/setlists/demo", json={"text": GOOD})).json()["title"] == "Friday"
    assert (await api.get("/api/setlists/demo")).json()["example"] is False
    assert (await api.delete("/api/setlists/demo")).status_code == 204
    assert (await api.get("/api/setlists/demo")).json()["example"] is True


@pytest.mark.parametrize("name", ["..%2Fshow", "%2e%2e", ".hidden", "a%2Fb", "a%00b", "x" * 200, "-x", "a\\b"])
async def test_no_name_is_a_path(api: httpx2.AsyncClient, parts: Parts, name: str) -> None:
    (parts.setlists.folder.parent / "show.toml").write_text(GOOD)
    assert (await api.get(f"/api/setlists/{name}")).status_code == 404
    assert (await api.put(f"/api/setlists/{name}", json={"text": GOOD})).status_code in (404, 405, 422)
    assert (await api.delete(f"/api/setlists/{name}")).status_code in (404, 405)
    assert (parts.setlists.folder.parent / "show.toml").exists() and not parts.setlists.folder.exists()


async def test_what_is_missing_is_told_and_queued_once(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    text = GOOD + '[[entry]]\ntrack = "Nobody - Nothing"\n[[entry]]\ntrack = "sets/SONG.wav"\nstart = "cue 3"\n'
    missing = (await api.post("/api/setlists", json={"text": text})).json()
    assert [(one["entry"], one["what"], one["line"]) for one in missing] == [
        (1, "track", 2), (2, "track", 5), (3, "track", 7)
    ]  # fmt: skip
    track = (await upload(api, write_wav(tmp_path / "song.wav"))).json()
    told = (await api.post("/api/setlists", json={"text": text})).json()
    assert [(one["entry"], one["what"], one["queued"]) for one in told] == [
        (1, "stems", False), (1, "analysis", False), (2, "track", False), (3, "stems", False), (3, "analysis", False)
    ]  # fmt: skip
    assert await jobs(api, track["id"]) == []
    queued = (await api.post("/api/setlists", json={"text": text, "queue": True})).json()
    assert [one["queued"] for one in queued] == [True, True, False, True, True]
    await api.post("/api/setlists", json={"text": text, "queue": True})
    assert sorted(await jobs(api, track["id"])) == ["analysis", "processing"], "each once"
    await api.put(URL, json={"text": text})
    assert len((await api.post(f"{URL}/check", json={})).json()) == 5


async def test_the_arc_tells_what_the_tracks_are(api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "song.wav"))).json()
    text = '[[entry]]\ntrack = "song.wav"\ntempo = [[0, 108], [32, 100]]\nkey = -2\n[[entry]]\ntrack = "Nobody"\n'
    await api.put(URL, json={"text": text})
    known, unknown = (await api.get(f"{URL}/arc")).json()
    assert known["track_id"] == track["id"] and known["length"] == track["duration"]
    assert (known["planned"], known["shift"], known["tempo"]) == ([108.0, 100.0], -2.0, None)
    assert unknown["track_id"] is None and unknown["title"] == "Nobody" and unknown["energy"] is None


async def jobs(api: httpx2.AsyncClient, track_id: str) -> list[str]:
    return [job["kind"] for job in (await api.get(f"/api/tracks/{track_id}")).json()["jobs"]]


async def test_only_the_owner(other: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    for client, status in ((other, 403), (stranger, 401)):
        assert (await client.get("/api/setlists")).status_code == status
        assert (await client.put(URL, json={"text": GOOD})).status_code == status
        assert (await client.delete(URL)).status_code == status
        assert (await client.post("/api/setlists", json={"text": GOOD})).status_code == status


async def test_a_transition_is_played_to_be_heard_and_nothing_is_left(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    parts.setlists.folder.mkdir(parents=True)
    for name in ("one", "two"):
        write_wav(parts.setlists.folder / f"{name}.wav", seconds=2.0)
    text = '[[entry]]\ntrack = "one.wav"\n[[entry]]\ntrack = "two.wav"\ntransition = "fade"\nseconds = 1\n'
    assert (await api.put(URL, json={"text": text})).status_code == 200
    answer = await api.get(f"{URL}/transition/2")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "audio/flac" and answer.content[:4] == b"fLaC"
    assert not list((tmp_path / "data").glob("**/transition.flac"))
    assert (await api.get(f"{URL}/transition/1")).status_code == 404
    assert (await api.get(f"{URL}/transition/3")).status_code == 404
    assert (await api.get("/api/setlists/none/transition/2")).status_code == 404
    (parts.setlists.folder / "two.wav").write_bytes(b"no music")
    error = (await api.get(f"{URL}/transition/2")).json()["error"]
    assert error["code"] == "cannot_preview" and "two.wav" in error["message"]
