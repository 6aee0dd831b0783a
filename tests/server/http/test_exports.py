"""What leaves over HTTP: every format, with the names of the track, and nothing left behind."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import httpx2
import mido
import pytest
import soundfile

from pipeline.formats.playlist import read_m3u8
from pipeline.formats.rekordbox import read_rekordbox
from pipeline.formats.stem_mp4 import read_stems
from server.library.storage import STAGING
from tests.server.http.conftest import Parts, upload
from tests.server.http.test_tracks import add_stem
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio

FEATURES = {
    "beats": [0.0, 0.1, 0.2, 0.3, 0.4],
    "downbeats": [0.0, 0.4],
    "sections": [{"start": 0.0, "end": 0.2, "label": "intro"}, {"start": 0.2, "end": 0.5, "label": "drop"}],
    "chords": [{"start": 0.0, "end": 0.4, "chord": "Am"}],
    "drums": [{"time": 0.1, "drum": "kick", "strength": 0.5}, {"time": None, "drum": "x"}],
}


async def prepared(api: httpx2.AsyncClient, parts: Parts, folder: Path) -> tuple[str, str]:
    """Upload a track, give it two stems and an analysis; return its id and that of a stem."""
    track = (await upload(api, write_wav(folder / "a.wav"), title="Söng", artist="Who")).json()
    stem = await add_stem(parts, track["id"])
    await add_stem(parts, track["id"], "drums")
    job = await parts.db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", track["id"])
    await parts.db.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo, key, features) "
        "VALUES ($1, $2, true, 600, 'Am', $3)", track["id"], job, FEATURES,
    )  # fmt: skip
    return track["id"], stem


def staged(parts: Parts) -> list[Path]:
    return list(parts.library.storage.path(STAGING).iterdir())


async def test_everything_that_leaves_is_whole_and_leaves_nothing(
    api: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    track, stem = await prepared(api, parts, tmp_path)
    for path, name in {
        f"/export/stem/{stem}?format=wav": "Söng - vocals.wav",
        f"/export/stems/{track}?format=mp3": "Söng stems.zip",
        f"/export/stemfile/{track}?codec=alac": "Söng.stem.mp4",
        f"/export/dawproject/{track}": "Söng.dawproject",
        f"/export/reaper/{track}": "Söng REAPER.zip",
        f"/export/midi/{track}": "Söng.mid",
        f"/export/click/{track}?count_in=2": "Söng click.wav",
        f"/export/cue/{track}": "Söng.cue",
    }.items():
        answer = await api.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name)}"
        assert len(answer.content) == int(answer.headers["content-length"]) > 0
        (tmp_path / name).write_bytes(answer.content)
    assert staged(parts) == []
    assert soundfile.info(tmp_path / "Söng - vocals.wav").frames == 22_050
    assert set(zipfile.ZipFile(tmp_path / "Söng stems.zip").namelist()) == {"vocals.mp3", "drums.mp3"}
    assert [one.name for one in read_stems(tmp_path / "Söng.stem.mp4")] == ["Drums", "Bass", "Other", "Vocals"]
    assert [t.name for t in mido.MidiFile(tmp_path / "Söng.mid").tracks[1:]] == ["Beats", "Chords", "Drums"]


async def test_a_playlist_leaves_in_order(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track, _ = await prepared(api, parts, tmp_path)
    made = (await api.post("/api/playlists", json={"name": "Friday"})).json()
    assert (await api.get(f"/export/playlist/{made['id']}")).status_code == 404
    await api.post(f"/api/playlists/{made['id']}/tracks", json={"track_id": track})
    original = await parts.db.value("SELECT file_path FROM tracks WHERE id = $1", track)
    entries = read_m3u8((await api.get(f"/export/playlist/{made['id']}")).content)
    assert [entry.name for entry in entries] == ["Who - Söng"]
    assert entries[0].location == str(parts.library.storage.path(original))
    collection = read_rekordbox((await api.get(f"/export/playlist/{made['id']}?format=rekordbox")).content)
    assert collection.playlists[0].name == "Friday" and collection.songs[0].beats[:5] == pytest.approx(
        FEATURES["beats"]
    )
    assert (await api.get(f"/export/playlist/{made['id']}?format=als")).status_code == 404
    assert staged(parts) == []


async def test_what_is_not_there_yet_is_said(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track = (await upload(api, write_wav(tmp_path / "a.wav"), title="Bare")).json()["id"]
    for path, said in {
        f"/export/midi/{track}": "beat grid",
        f"/export/click/{track}": "beat grid",
        f"/export/cue/{track}": "no sections",
        f"/export/stemfile/{track}": "no stems",
        f"/export/stems/{track}?format=wav": "no stems",
        f"/export/click/{track}?count_in=-3": "count_in",
        f"/export/reaper/{track}?other=1": "other",
    }.items():
        answer = await api.get(path)
        assert answer.status_code == 422 and said in answer.json()["error"]["message"], (path, answer.text)
    assert staged(parts) == []


async def test_a_damaged_stem_is_named(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track, stem = await prepared(api, parts, tmp_path)
    path = next(parts.library.storage.path("stems").rglob("vocals.flac"))
    path.write_bytes(b"broken")
    answer = await api.get(f"/export/stem/{stem}?format=exe")
    assert answer.status_code == 422 and "exe" in answer.json()["error"]["message"]
    answer = await api.get(f"/export/stem/{stem}?format=wav")
    assert answer.status_code == 500 and "vocals.flac" in answer.json()["error"]["message"]
    assert staged(parts) == []
    assert (await api.get(f"/export/dawproject/{track}")).status_code == 500


async def test_nobody_exports_what_is_not_theirs(
    api: httpx2.AsyncClient, other: httpx2.AsyncClient, stranger: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    track, stem = await prepared(api, parts, tmp_path)
    paths = [f"/export/{kind}/{track}" for kind in ("stemfile", "dawproject", "reaper", "midi", "click", "cue")]
    for path in [*paths, f"/export/stem/{stem}?format=wav", f"/export/stems/{track}?format=wav"]:
        assert (await other.get(path)).status_code == 404, path
        assert (await stranger.get(path)).status_code == 401, path


async def test_a_zip_of_stored_stems_needs_no_process(api: httpx2.AsyncClient, parts: Parts, tmp_path: Path) -> None:
    track, _ = await prepared(api, parts, tmp_path)
    archive = zipfile.ZipFile(BytesIO((await api.get(f"/export/stems/{track}")).content))
    assert sorted(archive.namelist()) == ["Söng - drums.flac", "Söng - vocals.flac"]
