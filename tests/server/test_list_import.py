"""Lists brought in by `alchemy import`: the command's own code against the real routes, library and database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.from_thread
import anyio.to_thread
import httpx2
import pytest

from pipeline.formats.rekordbox import Collection, Playlist, write_rekordbox
from pipeline.formats.song import Mark, Song
from server.importing import import_all
from server.list_import import cues, locate, read_list
from server.remote import Address, Refused, Remote
from tests.server.http.conftest import api, clock, other, parts
from tests.server.library.conftest import importer, write_wav

__all__ = ["api", "clock", "importer", "other", "parts"]
pytestmark = pytest.mark.anyio


class Here(Remote):
    """A connection from a thread to routes in the event loop of the test."""

    def __init__(self, api: httpx2.AsyncClient) -> None:
        super().__init__(Address("http://127.0.0.1:1", "t"))
        self._api = api

    def request(self, method: str, path: str, **parts: Any) -> Any:
        if "files" in parts:
            name, file, kind = parts["files"]["file"]
            parts["files"] = {"file": (name, file.read(), kind)}

        async def ask() -> httpx2.Response:
            return await self._api.request(method, path, **parts)

        answer = anyio.from_thread.run(ask)
        if not answer.is_success:
            raise Refused(answer.json()["error"]["message"])
        return answer.json()


class Desk:
    def __init__(self, api: httpx2.AsyncClient, folder: Path) -> None:
        self.api, self.folder = api, folder
        for number, name in enumerate(("one", "two", "three")):
            write_wav(folder / f"{name}.wav", seconds=2.0, hz=200.0 + 100 * number)

    async def bring(self, *named: Path | str) -> int:
        remote = Here(self.api)
        return await anyio.to_thread.run_sync(lambda: import_all(remote, [str(one) for one in named], wait=False))

    async def playlists(self) -> dict[str, list[str]]:
        rows = (await self.api.get("/api/playlists")).json()["playlists"]
        found = {}
        for row in rows:
            whole = (await self.api.get(f"/api/playlists/{row['id']}")).json()
            found[row["name"]] = [entry["track"]["title"] for entry in whole["tracks"]]
        return found

    async def tracks(self) -> dict[str, dict[str, Any]]:
        return {track["title"]: track for track in (await self.api.get("/api/tracks")).json()["tracks"]}

    async def cues(self, title: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/api/tracks/{(await self.tracks())[title]['id']}/cues")).json()
        return found


@pytest.fixture
async def desk(api: httpx2.AsyncClient, tmp_path: Path) -> AsyncIterator[Desk]:
    folder = tmp_path / "music"
    folder.mkdir()
    yield Desk(api, folder)


async def test_an_m3u_becomes_an_ordered_playlist_and_says_what_is_missing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    played = desk.folder / "Friday.m3u8"
    played.write_text("#EXTM3U\n#EXTINF:2,Two\ntwo.wav\nC:\\Music\\one.wav\ngone.wav\ntwo.wav\n/etc/passwd\n", "utf-8")
    assert await desk.bring(played) == 1
    assert await desk.playlists() == {"Friday": ["two", "one"]}
    errors = capsys.readouterr().err
    assert "missing: gone.wav" in errors and "missing: /etc/passwd" in errors
    assert set(await desk.tracks()) == {"one", "two"}


async def test_a_list_that_comes_again_gives_its_order_and_keeps_what_is_the_performers(desk: Desk) -> None:
    played = desk.folder / "Set.m3u"
    played.write_text("one.wav\ntwo.wav\n")
    assert await desk.bring(played, desk.folder / "three.wav") == 0
    row = (await desk.api.get("/api/playlists")).json()["playlists"][0]
    three = (await desk.tracks())["three"]["id"]
    await desk.api.post(f"/api/playlists/{row['id']}/tracks", json={"track_id": three, "position": 0})
    played.write_text("two.wav\none.wav\n")
    assert await desk.bring(played) == 0
    assert await desk.playlists() == {"Set": ["two", "one", "three"]}


async def test_a_cue_sheet_of_one_file_is_one_track_with_cues(desk: Desk) -> None:
    sheet = desk.folder / "mix.cue"
    tracks = "".join(
        f'TRACK {n + 1:02d} AUDIO\nTITLE "T{n}"\nPERFORMER "P"\nINDEX 01 00:00:{5 * n:02d}\n' for n in range(10)
    )
    sheet.write_text(f'PERFORMER "Somebody"\nTITLE "The Mix"\nFILE "one.wav" WAVE\n{tracks}')
    assert await desk.bring(sheet) == 0
    assert not await desk.playlists()
    found = await desk.cues("The Mix")
    hot = [cue for cue in found["cues"] if cue["kind"] == "hot"]
    assert [(cue["slot"], cue["name"]) for cue in hot] == [(n + 1, f"P - T{n}") for n in range(8)]
    assert hot[1]["position"] == pytest.approx(5 / 75)
    assert [cue["position"] for cue in found["cues"] if cue["kind"] == "memory"] == pytest.approx([40 / 75, 45 / 75])


async def test_a_cue_sheet_of_several_files_is_a_playlist(desk: Desk) -> None:
    sheet = desk.folder / "album.cue"
    sheet.write_text(
        'TITLE "Album"\nFILE "two.wav" WAVE\nTRACK 01 AUDIO\nTITLE "B"\nINDEX 01 00:00:00\n'
        'FILE "one.wav" WAVE\nTRACK 02 AUDIO\nTITLE "A"\nINDEX 01 00:00:00\n'
    )
    assert await desk.bring(sheet) == 0
    assert await desk.playlists() == {"Album": ["B", "A"]}


async def test_a_rekordbox_collection_brings_grids_cues_and_playlists(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    beats = tuple(0.25 + 0.5 * n for n in range(4))
    marks = (
        Mark("cue", 0.25, name="Drop", colour="#FF0000", number=3),
        Mark("loop", 0.75, 1.25, name="Loop", number=1),
        Mark("memory", 1.0),
    )
    one = Song("First", "Somebody", duration_s=2.0, tempo=120.0, beats=beats, downbeats=beats[1:2], marks=marks,
               path=desk.folder / "one.wav")  # fmt: skip
    gone = replace(one, title="Gone", path=desk.folder / "gone.wav")
    two = Song("Second", duration_s=2.0, path=desk.folder / "two.wav")
    file = desk.folder / "collection.xml"
    file.write_bytes(write_rekordbox(Collection((one, gone, two), (Playlist("Peak", (2, 1, 0)),)), "1"))
    assert await desk.bring(file) == 1
    assert "missing" in capsys.readouterr().err
    assert await desk.playlists() == {"Peak": ["Second", "First"]}
    found = await desk.cues("First")
    assert found["edited"] and found["grid"]["origin"] == 1
    assert found["grid"]["beats"] == pytest.approx(beats, abs=0.002)
    assert [(c["kind"], c["slot"], c["position"], c["end"], c["color"]) for c in found["cues"]] == [
        ("hot", 1, 0.75, 1.25, ""), ("hot", 3, 0.25, None, "#FF0000"), ("memory", None, 1.0, None, ""),
    ]  # fmt: skip
    assert (await desk.tracks())["First"]["artist"] == "Somebody"


async def test_marks_of_the_performer_stay(desk: Desk) -> None:
    await desk.bring(desk.folder / "one.wav")
    where = f"/api/tracks/{(await desk.tracks())['one']['id']}/cues"
    own = {"cues": [{"kind": "hot", "slot": 5, "position": 1.5}], "grid": {"beats": [0.1, 0.9], "origin": 0}}
    assert (await desk.api.put(where, json=own)).status_code == 200
    before = (await desk.api.get(where)).json()
    song = Song("First", duration_s=2.0, tempo=120.0, beats=(0.0, 0.5, 1.0), downbeats=(0.0,),
                marks=(Mark("cue", 0.5, number=1),), path=desk.folder / "one.wav")  # fmt: skip
    file = desk.folder / "collection.xml"
    file.write_bytes(write_rekordbox(Collection((song,)), "1"))
    assert await desk.bring(file) == 0
    assert (await desk.api.get(where)).json() == before


@pytest.mark.parametrize(("name", "text"), [("x.cue", "nothing"), ("x.xml", "<a/>"), ("x.m3u", "\0"), ("x.xml", "<")])
async def test_what_is_no_list_says_so(desk: Desk, capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    (desk.folder / name).write_text(text)
    assert await desk.bring(desk.folder / name) == 1
    assert "This is" in capsys.readouterr().err and not await desk.tracks()
    assert await desk.bring(desk.folder / "nowhere.m3u") == 1


def test_hot_cues_keep_their_numbers_and_the_rest_are_memory_points() -> None:
    marks = [Mark("cue", float(n)) for n in range(60)] + [Mark("cue", 0.5, number=2), Mark("cue", 0.7, number=2)]
    made = cues(marks)
    assert {cue["slot"]: cue["position"] for cue in made if cue["kind"] == "hot"} == {
        1: 0.0, 2: 0.5, 3: 1.0, 4: 2.0, 5: 3.0, 6: 4.0, 7: 5.0, 8: 6.0,
    }  # fmt: skip
    memory = [cue["position"] for cue in made if cue["kind"] == "memory"]
    assert len(memory) == 32 and memory[:2] == [0.7, 7.0]


def test_a_file_is_found_beside_its_list(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "b.txt").write_bytes(b"x")
    assert locate("/Users/somebody/Music/a.wav", tmp_path) == locate("D:\\a.wav", tmp_path) == tmp_path / "a.wav"
    assert locate("b.txt", tmp_path) is None and locate("c.wav", tmp_path) is None


def test_an_empty_list_is_no_playlist(tmp_path: Path) -> None:
    (tmp_path / "a.m3u").write_text("#EXTM3U\n")
    assert read_list(tmp_path / "a.m3u").playlists == ()
