"""The export process: every kind of order, whole or not at all."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.export import WRITERS, export
from pipeline.export_order import CannotExport, ExportOrder, decode, encode
from pipeline.formats.song import Song
from pipeline.formats.stem_mp4 import read_stems
from tests.pipeline.formats.songs import steady
from tests.pipeline.formats.stored import store


def song(folder: Path) -> Song:
    stems = tuple(store(folder, name, hz) for name, hz in (("vocals", 440.0), ("drums", 880.0)))
    return replace(steady(path=folder / "vocals.flac"), mix=stems[0], stems=stems)


def order(kind: str, folder: Path, *songs: Song, name: str = "", **options: str) -> ExportOrder:
    return ExportOrder(kind, songs, str(folder / "out"), "1.0", name, options)


def test_an_order_comes_back(tmp_path: Path) -> None:
    given = order("stems", tmp_path, song(tmp_path), format="wav")
    assert decode(encode(given)) == given


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_every_kind_makes_one_file(tmp_path: Path, kind: str) -> None:
    held = song(tmp_path)
    if kind == "stem":
        held = replace(held, stems=held.stems[:1])
    before = set(tmp_path.iterdir())
    export(order(kind, tmp_path, held))
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}
    assert (tmp_path / "out").stat().st_size > 0


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_what_does_not_fit_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with pytest.raises(CannotExport) as refused:
        export(order(kind, tmp_path, Song("Empty")))
    assert str(refused.value).endswith(".") and str(refused.value)[0].isupper()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match="als"):
        export(order("als", tmp_path, song(tmp_path)))


def test_stems_and_sessions_are_zips_that_open(tmp_path: Path) -> None:
    held = song(tmp_path)
    for kind, inside in (
        ("stems", {"vocals.mp3", "drums.mp3"}),
        ("reaper", {"audio/vocals.mp3", "audio/drums.mp3", "song.rpp"}),
    ):
        export(order(kind, tmp_path, held, format="mp3"))
        with zipfile.ZipFile(tmp_path / "out") as archive:
            assert archive.testzip() is None and set(archive.namelist()) == inside


def test_a_song_stands_once_in_a_collection(tmp_path: Path) -> None:
    one, two = replace(song(tmp_path), title="One"), replace(song(tmp_path), title="Two", path=tmp_path / "two.flac")
    export(order("rekordbox", tmp_path, one, two, one, name="Set"))
    text = (tmp_path / "out").read_text()
    assert text.count("<TRACK TrackID") == 2 and text.count("<TRACK Key") == 3


def test_the_process_says_what_went_wrong(tmp_path: Path) -> None:
    def run(given: ExportOrder) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.export"], input=encode(given), capture_output=True, check=False
        )
        return done.returncode, done.stdout.decode()

    held = song(tmp_path)
    assert run(order("stem_file", tmp_path, held)) == (0, "")
    assert len(read_stems(tmp_path / "out")) == 4
    code, said = run(order("midi", tmp_path, Song("Empty")))
    assert code == 1 and json.loads(said) == {
        "code": "cannot_export",
        "message": "Empty has no beat grid: analyse it first.",
    }
    held.stems[0].path.write_bytes(b"broken")
    code, said = run(order("stems", tmp_path, held))
    assert code == 1 and json.loads(said)["code"] == "audio_gone"
    code, said = run(replace_out(order("midi", tmp_path, held), "/nonexistent/out"))
    assert code == 1 and json.loads(said)["code"] == "storage"


def replace_out(given: ExportOrder, out: str) -> ExportOrder:
    return ExportOrder(given.kind, given.songs, out, given.version, given.name, given.options)
