"""Importing: every format, the same audio once, and nothing left behind when it goes wrong."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TIT2, TPE1

from audio.importer import Importer
from audio.reference import Reference
from server.db import Database
from server.errors import NotFound, StorageFull
from server.library.errors import NotAudio
from server.library.service import Library
from tests.server.library.conftest import encode, files_under, tone, write_wav

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def _tracks_on_disk(library: Library) -> set[str]:
    return files_under(library.storage.data)


async def _nothing_is_left(library: Library, db: Database) -> None:
    assert _tracks_on_disk(library) == set()
    assert await db.value("SELECT count(*) FROM tracks") == 0
    assert await db.value("SELECT count(*) FROM files") == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("song.wav", ()),
        ("song.flac", ()),
        ("song.mp3", ("-b:a", "192k")),
        ("song.ogg", ("-c:a", "libvorbis")),
        ("song.aiff", ("-write_id3v2", "1")),
        ("song.m4a", ("-c:a", "aac")),
    ],
)
async def test_every_format_is_imported_whole(
    library: Library, owner: int, tmp_path: Path, name: str, options: tuple[str, ...], events: list[tuple[str, int]]
) -> None:
    plain = write_wav(tmp_path / "plain.wav", seconds=1.0)
    song = encode(plain, tmp_path / name, *options, "-metadata", "title=Blue", "-metadata", "artist=The Band")
    track = await library.import_file(song, owner, name)
    assert song.exists()
    assert (track.title, track.artist) == ("Blue", "The Band")
    assert track.duration == pytest.approx(1.0, abs=0.03)
    assert (track.channels, track.sample_rate) == (2, 44_100)
    assert track.file_size == song.stat().st_size and track.original_name == name
    folder = f"library/tracks/{track.id}"
    suffix = name.rsplit(".", 1)[1]
    names = (f"original.{suffix}", "reference.flac", "waveform.bin")
    assert _tracks_on_disk(library) == {f"{folder}/{file}" for file in names}
    stored = await library.audio_file(track.id, owner)
    assert stored.path.read_bytes() == song.read_bytes()
    source = await library.deck_source(track.id, owner)
    assert soundfile.info(source.reference).frames == source.frames
    assert events == [("added", owner)]


async def test_the_same_audio_twice_is_one_track(
    library: Library, owner: int, db: Database, tmp_path: Path, events: list[tuple[str, int]]
) -> None:
    wav = write_wav(tmp_path / "a.wav")
    flac = tmp_path / "b.flac"
    soundfile.write(flac, soundfile.read(wav)[0], 44_100)
    first = await library.receive(wav, owner)
    before = _tracks_on_disk(library)
    second = await library.receive(flac, owner, title="Another name")
    assert (first.existing, second.existing) == (False, True)
    assert second.track.id == first.track.id and second.track.title == first.track.title
    assert _tracks_on_disk(library) == before
    assert len(events) == 1
    stranger = await db.value("INSERT INTO users (email) VALUES ('s@t') RETURNING id")
    assert (await library.import_file(wav, stranger)).id != first.track.id


async def test_the_same_audio_at_the_same_time_is_one_track(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "a.wav")
    found = []

    async def bring() -> None:
        found.append((await library.import_file(wav, owner)).id)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(bring)
    assert len(set(found)) == 1 and len(found) == 4
    assert await db.value("SELECT count(*) FROM tracks") == 1
    assert len(_tracks_on_disk(library)) == 3


async def test_a_file_that_ends_too_early_is_named_by_its_own_name(
    library: Library, owner: int, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "Best Song.wav")
    wav.write_bytes(wav.read_bytes()[: wav.stat().st_size // 2])
    [warning] = (await library.import_file(wav, owner)).warnings
    assert warning.startswith("Best Song.wav is damaged or cut short")


def _truncated_wav(folder: Path) -> Path:
    path = write_wav(folder / "cut.wav")
    path.write_bytes(path.read_bytes()[:30])
    return path


def _text(folder: Path) -> Path:
    path = folder / "text.wav"
    path.write_text("this is not music " * 100)
    return path


def _zero(folder: Path) -> Path:
    path = folder / "zero.mp3"
    path.touch()
    return path


def _noise(folder: Path) -> Path:
    path = folder / "noise.m4a"
    path.write_bytes(np.random.default_rng(1).bytes(50_000))
    return path


def _silent_header(folder: Path) -> Path:
    path = folder / "empty.wav"
    soundfile.write(path, tone()[:0], 44_100)
    return path


@pytest.mark.parametrize("make", [_truncated_wav, _text, _zero, _noise, _silent_header])
@pytest.mark.parametrize("move", [False, True])
async def test_what_is_not_audio_is_refused_and_leaves_nothing(
    library: Library, owner: int, db: Database, tmp_path: Path, make: Any, move: bool, events: list[tuple[str, int]]
) -> None:
    with pytest.raises(NotAudio) as refused:
        await library.import_file(make(tmp_path), owner, "My Song.wav", move=move)
    assert "original." not in str(refused.value) and str(library.storage.data) not in str(refused.value)
    await _nothing_is_left(library, db)
    assert events == []


async def test_a_truncated_mp3_is_either_refused_or_plays_what_is_there(
    library: Library, owner: int, tmp_path: Path
) -> None:
    mp3 = encode(write_wav(tmp_path / "plain.wav", seconds=2.0), tmp_path / "song.mp3", "-b:a", "128k")
    mp3.write_bytes(mp3.read_bytes()[: mp3.stat().st_size // 2])
    track = await library.import_file(mp3, owner)
    assert track.duration is not None and 0.5 < track.duration < 1.5


async def test_eight_channels_at_192_khz_become_stereo(library: Library, owner: int, tmp_path: Path) -> None:
    path = tmp_path / "wide.wav"
    soundfile.write(path, tone(rate=192_000, channels=8), 192_000)
    track = await library.import_file(path, owner)
    assert (track.channels, track.sample_rate) == (8, 192_000)
    reference = await library.pcm(track.id)
    assert soundfile.info(reference.path).channels == 2 and reference.rate == 48_000


@pytest.mark.parametrize("name", ["take", "write", "publish"])
async def test_a_full_disk_leaves_nothing(
    library: Library, owner: int, db: Database, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = _tagged(tmp_path, cover=PNG)

    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = {"take": (shutil, "copyfile"), "write": (os, "fsync"), "publish": (Path, "rename")}[name]
    monkeypatch.setattr(*target, full)
    with pytest.raises(StorageFull):
        await library.import_file(song, owner)
    monkeypatch.undo()
    await _nothing_is_left(library, db)
    assert (await library.import_file(song, owner)).has_cover


class _FullDecoder:
    """Leaves half a file and says that the disk is full."""

    async def decode(self, path: Path, out_dir: Path) -> Reference:
        from audio import errors

        (out_dir / "reference.flac").write_bytes(b"half")
        raise errors.StorageFull


async def test_a_disk_that_fills_while_decoding_leaves_nothing(db: Database, owner: int, tmp_path: Path) -> None:
    library = Library(db, tmp_path / "data", _FullDecoder())
    await library.open()
    with pytest.raises(StorageFull):
        await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    await _nothing_is_left(library, db)


async def test_a_row_that_is_refused_takes_its_files_along(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="does not fit"):
        await library.import_file(write_wav(tmp_path / "a.wav"), user_id=owner + 999)
    await _nothing_is_left(library, db)


async def test_an_import_that_is_cancelled_leaves_nothing(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    song = write_wav(tmp_path / "a.wav", seconds=20.0)
    with anyio.CancelScope() as scope:

        async def stop_when_it_has_begun() -> None:
            while not list(library.storage.path("library/staging").rglob("original.wav")):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stop_when_it_has_begun)
            await library.import_file(song, owner)
    assert scope.cancelled_caught
    await _nothing_is_left(library, db)


async def test_what_a_crash_left_is_known_and_removed_and_nothing_else(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    tracks = library.storage.path("library/tracks")
    interrupted = tracks / "00000000-0000-4000-8000-000000000001"
    unknown = tracks / "00000000-0000-4000-8000-000000000002"
    for folder in (interrupted, unknown):
        folder.mkdir()
        (folder / "reference.flac").touch()
    (interrupted / ".importing").touch()
    (tracks / str(track.id) / ".importing").touch()
    (library.storage.path("library/staging/left") / "deep").mkdir(parents=True)
    library.storage.path("library/uploads/left").touch()
    await library.reconcile_files()
    await library.reconcile_files()
    assert not interrupted.exists() and unknown.exists()
    assert not (tracks / str(track.id) / ".importing").exists()
    assert (await library.audio_file(track.id, owner)).path.exists()
    assert not any(library.storage.path("library/staging").iterdir())
    assert not any(library.storage.path("library/uploads").iterdir())


async def test_a_running_import_is_not_tidied_away(library: Library, owner: int, tmp_path: Path) -> None:
    done = anyio.Event()

    async def tidy() -> None:
        while not done.is_set():
            await library.reconcile_files()
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(tidy)
        for number in range(5):
            track = await library.import_file(write_wav(tmp_path / "a.wav", hz=200.0 + number), owner)
            assert (await library.audio_file(track.id, owner)).path.exists()
        done.set()


def _tagged(folder: Path, *, title: str = "T", artist: str = "A", cover: bytes | None = None) -> Path:
    path = folder / "tagged.flac"
    soundfile.write(path, tone(), 44_100)
    tags = FLAC(path)
    tags["title"], tags["artist"] = title, artist
    if cover is not None:
        picture = Picture()
        picture.data, picture.mime, picture.type = cover, "text/html", 3
        tags.add_picture(picture)
    tags.save()
    return path


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x07\n\tline\r\n", "[31mred line"),
        ("abc\u202etxt.exe\u2066", "abctxt.exe"),
        ("x" * 100_000, "x" * 500),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE tracks; --", "'; DROP TABLE tracks; --"),
    ],
)
async def test_hostile_tags_become_harmless_text(
    library: Library, owner: int, tmp_path: Path, raw: str, shown: str
) -> None:
    track = await library.import_file(_tagged(tmp_path, title=raw, artist=raw), owner)
    assert track.title == shown and track.artist == shown


@pytest.mark.parametrize(
    ("cover", "kept"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff" + bytes(50), "image/jpeg"),
        (b"<svg onload='alert(1)'/>", None),
        (b"<html>", None),
        (b"\x89PNG\r\n\x1a\n" + bytes(9 << 20), None),
    ],
)
async def test_a_cover_is_what_its_bytes_say_and_not_too_large(
    library: Library, owner: int, tmp_path: Path, cover: bytes, kept: str | None
) -> None:
    track = await library.import_file(_tagged(tmp_path, cover=cover), owner)
    assert track.has_cover == (kept is not None)
    if kept:
        stored = await library.cover_file(track.id, owner)
        assert stored.media_type == kept and stored.path.read_bytes() == cover
    else:
        with pytest.raises(NotFound):
            await library.cover_file(track.id, owner)


async def test_a_bomb_in_a_compressed_tag_does_not_stop_the_import(
    library: Library, owner: int, tmp_path: Path
) -> None:
    mp3 = encode(write_wav(tmp_path / "plain.wav"), tmp_path / "song.mp3")
    tags = ID3()
    tags.add(TIT2(encoding=3, text="Good"))
    tags.add(TPE1(encoding=3, text="Man"))
    tags.add(APIC(encoding=3, mime="image/png", type=3, desc="x", data=PNG))
    tags.save(mp3)
    data = bytearray(mp3.read_bytes())
    place = data.index(b"APIC")
    data[place + 9] |= 0x0C  # says: compressed, with a length in front; what follows is neither
    mp3.write_bytes(bytes(data))
    track = await library.import_file(mp3, owner, "Good.mp3")
    assert track.title == "Good"


@pytest.mark.parametrize(
    ("name", "title", "artist"),
    [
        ("01. Night Train.wav", "Night Train", None),
        ("Oscar - Night Train.wav", "Night Train", "Oscar"),
        ("../../etc/pass\x00wd.wav", "passwd", None),
        ("C:\\music\\song_one.WAV", "song one", None),
        ("", "Untitled", None),
        ("." * 300, "Untitled", None),
    ],
)
async def test_a_name_is_only_words(
    library: Library, owner: int, tmp_path: Path, name: str, title: str, artist: str | None
) -> None:
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner, name)
    if set(name) != {"."}:
        assert (track.title, track.artist) == (title, artist)
    assert all(file.startswith(f"library/tracks/{track.id}/") for file in _tracks_on_disk(library))


async def test_what_the_form_says_wins_over_tags(library: Library, owner: int, tmp_path: Path) -> None:
    track = await library.import_file(_tagged(tmp_path), owner, title=" My  Title ", artist="Me")
    assert (track.title, track.artist) == ("My Title", "Me")


async def test_the_hook_runs_once_per_new_track_and_its_failure_is_not_the_imports(
    library: Library, owner: int, tmp_path: Path
) -> None:
    asked = []

    async def analyse(track_id: object, user_id: int) -> None:
        asked.append(user_id)
        raise StorageFull

    library.set_hooks(on_import=analyse)
    wav = write_wav(tmp_path / "a.wav")
    await library.import_file(wav, owner)
    await library.import_file(wav, owner)
    assert asked == [owner]


async def test_a_file_that_kills_the_tag_reader_has_no_tags(
    library: Library, owner: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.library import tags

    killer = tmp_path / "killer.py"
    killer.write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(tags, "_READER", killer)
    track = await library.import_file(_tagged(tmp_path, title="lost"), owner, "kept.flac")
    assert track.title == "kept"


def test_the_fixture_really_tags(tmp_path: Path) -> None:
    assert mutagen.File(_tagged(tmp_path, title="x"))["title"] == ["x"]


async def test_the_importer_is_the_real_one(importer: Importer) -> None:
    assert importer.decoder_pid is not None
