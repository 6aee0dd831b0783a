"""Recordings over HTTP: what is there, how it is fetched, and that nothing else can be."""

from pathlib import Path

import httpx2
import numpy as np
import pytest

from audio.wav import WavWriter
from tests.server.http.conftest import Parts

pytestmark = pytest.mark.anyio

NAME = "2026-01-02 21-30-00.wav"


@pytest.fixture
def folder(parts: Parts) -> Path:
    """A folder with one recording of two seconds, its track list, and something that is none."""
    folder = parts.library.storage.data / "recordings"
    folder.mkdir()
    writer = WavWriter(folder / NAME, 48_000)
    writer.write(np.zeros((96_000, 2), np.float32))
    writer.close()
    (folder / NAME).with_suffix(".cue").write_text("a list")
    (folder / "notes.txt").write_text("mine")
    return folder


async def test_listed_with_length_and_size(api: httpx2.AsyncClient, folder: Path) -> None:
    [row] = (await api.get("/api/recordings")).json()
    told = {key: row[key] for key in ("name", "length", "size", "tracks", "recording")}
    size = (folder / NAME).stat().st_size
    assert told == {"name": NAME, "length": 2.0, "size": size, "tracks": True, "recording": False}


async def test_without_a_folder_there_are_none(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/api/recordings")).json() == []


async def test_fetched_whole_in_part_and_with_its_list(api: httpx2.AsyncClient, folder: Path) -> None:
    content = (folder / NAME).read_bytes()
    whole = await api.get(f"/api/recordings/{NAME}")
    assert whole.content == content and whole.headers["content-type"] == "audio/wav"
    part = await api.get(f"/api/recordings/{NAME}", headers={"Range": "bytes=40-99"})
    assert part.status_code == 206 and part.content == content[40:100]
    assert (await api.get("/api/recordings/2026-01-02%2021-30-00.cue")).text == "a list"


@pytest.mark.parametrize("name", ["notes.txt", "..%2Fshow.json", "%2e%2e%2fshow.json", "nothing.flac", "notes.cue"])
async def test_nothing_else_is_fetched_or_deleted(api: httpx2.AsyncClient, folder: Path, name: str) -> None:
    (folder.parent / "show.json").write_text("{}")
    for method in ("GET", "DELETE"):
        assert (await api.request(method, f"/api/recordings/{name}")).status_code == 404
    assert (folder.parent / "show.json").exists() and (folder / "notes.txt").exists()


async def test_deleted_with_its_list_but_not_while_it_grows(
    api: httpx2.AsyncClient, parts: Parts, folder: Path
) -> None:
    parts.show.values |= {"/mixer/record": 1, "/mixer/record/file": NAME}
    assert (await api.get("/api/recordings")).json()[0]["recording"] is True
    assert (await api.delete(f"/api/recordings/{NAME}")).status_code == 409 and (folder / NAME).exists()
    parts.show.values["/mixer/record"] = 0
    assert (await api.delete(f"/api/recordings/{NAME}")).status_code == 204
    assert not (folder / NAME).exists() and not (folder / NAME).with_suffix(".cue").exists()
    assert (folder / "notes.txt").exists()


async def test_only_the_owner(other: httpx2.AsyncClient, stranger: httpx2.AsyncClient, folder: Path) -> None:
    for client, status in ((other, 403), (stranger, 401)):
        assert (await client.get("/api/recordings")).status_code == status
        assert (await client.get(f"/api/recordings/{NAME}")).status_code == status
        assert (await client.delete(f"/api/recordings/{NAME}")).status_code == status


async def test_a_recording_with_buses_is_one_of_many_files(api: httpx2.AsyncClient, folder: Path) -> None:
    own = folder / "2026-01-03 20-00-00"
    own.mkdir()
    for name in ("master.wav", "deck1.wav", "pads.wav"):
        writer = WavWriter(own / name, 48_000)
        writer.write(np.zeros((48_000, 2), np.float32))
        writer.close()
    (own / "master.cue").write_text("another list")
    (own / "recording.json").write_text("{}")
    [row, _] = (await api.get("/api/recordings")).json()
    assert (row["name"], row["length"], row["tracks"]) == (f"{own.name}/master.wav", 1.0, True)
    assert row["size"] == 3 * (own / "pads.wav").stat().st_size
    names = {"master.wav", "master.cue", "deck1.wav", "pads.wav", "recording.json"}
    assert set(row["files"]) == {f"{own.name}/{name}" for name in names}
    for file in row["files"]:
        # As the page asks for it, the slash escaped, and as it stands.
        for path in (file, file.replace("/", "%2F")):
            assert (await api.get(f"/api/recordings/{path}")).content == (folder / file).read_bytes()
    assert (await api.get(f"/api/recordings/{own.name}/deck2.wav")).status_code == 404
    assert (await api.delete(f"/api/recordings/{own.name}/deck1.wav")).status_code == 404 and own.exists()
    assert (await api.delete(f"/api/recordings/{own.name}%2Fmaster.wav")).status_code == 204
    assert not own.exists() and (folder / NAME).exists()
