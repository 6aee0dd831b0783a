"""Finding, choosing, playing and removing tracks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from server.db import Database
from server.errors import BadRequest, NotFound
from server.library.errors import CursorRejected, FileMissing
from server.library.pages import ORDERS
from server.library.records import Track
from server.library.service import Library
from tests.server.library.conftest import files_under, write_wav

pytestmark = pytest.mark.anyio


async def _fill(db: Database, owner: int, count: int) -> None:
    """Make rows with many equal and missing values, so that every tie has to be broken."""
    chance = random.Random(1)
    for number in range(count):
        await db.execute(
            "INSERT INTO tracks (user_id, title, artist, duration, bpm, key, inserted_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, now() - $7 * interval '1 minute')",
            owner, chance.choice(["Same", "same", f"T{number}"]), chance.choice([None, "A", "b"]),
            chance.choice([None, 60.0, 61.5]), chance.choice([None, 120.0]), chance.choice([None, "C major"]),
            number // 3,
        )  # fmt: skip


@pytest.mark.parametrize("sort", [f"{sign}{name}" for name in ORDERS for sign in ("", "-")])
async def test_pages_put_together_are_the_whole_list_once(
    library: Library, owner: int, db: Database, sort: str
) -> None:
    await _fill(db, owner, 40)
    whole = await library.tracks(owner, sort=sort, limit=200)
    assert whole.cursor is None and len(whole.tracks) == whole.total == 40
    for limit in (1, 7, 40):
        found: list[UUID] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await library.tracks(owner, sort=sort, limit=limit, cursor=cursor)
            assert page.total == 40 and len(page.tracks) <= limit
            found += [track.id for track in page.tracks]
            cursor = page.cursor
        assert found == [track.id for track in whole.tracks]


async def test_rows_that_come_and_go_shift_no_page(library: Library, owner: int, db: Database) -> None:
    await _fill(db, owner, 20)
    whole = [track.id for track in (await library.tracks(owner, sort="-inserted_at", limit=200)).tracks]
    first = await library.tracks(owner, sort="-inserted_at", limit=10)
    await db.execute("INSERT INTO tracks (user_id, title) VALUES ($1, 'new')", owner)
    await db.execute("DELETE FROM tracks WHERE id = $1", whole[3])
    await db.execute("DELETE FROM tracks WHERE id = $1", whole[9])
    assert first.cursor is not None
    second = await library.tracks(owner, sort="-inserted_at", limit=10, cursor=first.cursor)
    assert [track.id for track in second.tracks] == whole[10:]


async def test_a_cursor_of_another_list_is_refused(library: Library, owner: int, db: Database) -> None:
    await _fill(db, owner, 5)
    cursor = (await library.tracks(owner, sort="title", limit=2)).cursor
    assert cursor is not None
    for sort in ("-title", "inserted_at", "duration"):
        with pytest.raises(CursorRejected):
            await library.tracks(owner, sort=sort, cursor=cursor)
    for bad in ("x", "é", cursor[:-3], "bnVsbA", "W10"):
        with pytest.raises(CursorRejected):
            await library.tracks(owner, sort="title", cursor=bad)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", {"Déjà Vu", "100% Pure_Love", "Night (Live)"}),
        ("deja", {"Déjà Vu"}),
        ("DÉJÀ", {"Déjà Vu"}),
        ("eyonc vu", {"Déjà Vu"}),
        ("ght", {"Night (Live)"}),
        ("i", {"Night (Live)"}),
        ("%", {"100% Pure_Love"}),
        ("_", {"100% Pure_Love"}),
        ("0% pure_", {"100% Pure_Love"}),
        ("p%e", set()),
        ("\\", set()),
        ("'; --", set()),
        ("(live) night", {"Night (Live)"}),
        ("night love", set()),
    ],
)
async def test_search_finds_every_word_anywhere_and_nothing_has_a_meaning(
    library: Library, owner: int, db: Database, q: str, found: set[str]
) -> None:
    for title, artist in (("Déjà Vu", "Beyoncé"), ("100% Pure_Love", "C. Waters"), ("Night (Live)", "A")):
        await db.execute("INSERT INTO tracks (user_id, title, artist) VALUES ($1, $2, $3)", owner, title, artist)
    page = await library.tracks(owner, q=q)
    assert {track.title for track in page.tracks} == found and page.total == len(found)


async def test_the_status_of_a_track_is_that_of_its_newest_job(library: Library, owner: int, db: Database) -> None:
    track = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'a') RETURNING id", owner)

    async def shown() -> str:
        status = (await library.track(track, owner)).status
        assert [t.id for t in (await library.tracks(owner, status=status)).tracks] == [track]
        assert (await library.tracks(owner, status="failed" if status != "failed" else "queued")).total == 0
        return status

    assert await shown() == "completed"
    job = await db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", track)
    assert await shown() == "queued"
    await db.execute("UPDATE analysis_jobs SET status = 'processing', lock_version = 2 WHERE id = $1", job)
    await db.execute("UPDATE analysis_jobs SET status = 'failed', error = 'x', lock_version = 3 WHERE id = $1", job)
    assert await shown() == "failed"
    with pytest.raises(BadRequest):
        await library.tracks(owner, status="finished")


async def _stem(db: Database, track: Track, job: UUID, kind: str, **columns: Any) -> UUID:
    columns = {
        "track_id": track.id, "processing_job_id": job, "stem_type": kind,
        "file_path": f"stems/{track.id}/{job}/{kind}.flac", **columns,
    }  # fmt: skip
    marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    made: UUID = await db.value(
        f"INSERT INTO stems ({', '.join(columns)}) VALUES ({marks}) RETURNING id", *columns.values()
    )
    return made


async def _job(db: Database, track: Track, *moves: str) -> UUID:
    job: UUID = await db.value("INSERT INTO processing_jobs (track_id) VALUES ($1) RETURNING id", track.id)
    for version, status in enumerate(moves, 1):
        await db.execute(
            "UPDATE processing_jobs SET status = $2, lock_version = $3 + 1 WHERE id = $1", job, status, version
        )
    return job


async def test_a_deck_plays_the_chosen_stems_else_those_that_arrive(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    source = await library.deck_source(track.id, owner, position_s=1.5)
    assert (source.stems, source.position_s, source.rate) == ((), 1.5, 44_100)
    old = await _job(db, track, "processing", "cancelled")
    await _stem(db, track, old, "vocals", status="arriving", ranges=[[0, 10]])
    assert (await library.deck_source(track.id)).stems == ()
    job = await _job(db, track, "processing")
    for kind, ranges in (("drums", [[0, 4096], [8192, 9000]]), ("vocals", []), ("wind", [])):
        await _stem(db, track, job, kind, status="arriving", ranges=ranges, options={"gain": 4.0})
    arriving = (await library.deck_source(track.id)).stems
    assert [(stem.slot, stem.label, stem.kind, stem.gain) for stem in arriving] == [
        (0, "vocals", "part", 1.0), (1, "drums", "part", 1.0), (6, "wind", "part", 1.0),
    ]  # fmt: skip
    assert arriving[1].ranges == ((0, 4096), (8192, 9000)) and arriving[0].ranges == ()
    assert (await library.track(track.id, owner)).stems == ()  # half a stem is not listed
    done = await _job(db, track, "processing", "completed")
    first = await _stem(db, track, done, "vocals", chosen=True, options={"gain": 4.0})
    await _stem(db, track, done, "bass", chosen=True)
    chosen = (await library.deck_source(track.id)).stems
    assert [(stem.label, stem.kind, stem.gain, stem.ranges) for stem in chosen] == [
        ("vocals", "flac", 4.0, None), ("bass", "flac", 1.0, None),
    ]  # fmt: skip
    later = await _job(db, track, "processing", "completed")
    second = await _stem(db, track, later, "vocals", chosen=True)
    shown = await library.choose_stem(first, owner)
    assert {stem.id: stem.chosen for stem in shown.stems if stem.stem_type == "vocals"} == {first: True, second: False}
    with pytest.raises(NotFound):
        await library.choose_stem(second, owner + 1)


async def test_a_track_without_its_files_cannot_be_played(
    library: Library, owner: int, db: Database, tmp_path: Path
) -> None:
    bare = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'a') RETURNING id", owner)
    with pytest.raises(FileMissing):
        await library.deck_source(bare)
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    (await library.deck_source(track.id)).reference.unlink()
    with pytest.raises(FileMissing):
        await library.deck_source(track.id)


async def test_files_that_cannot_be_removed_now_are_removed_later(
    library: Library, owner: int, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    events: list[tuple[str, int]],
) -> None:  # fmt: skip
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    await library.delete(track.id, owner)
    with pytest.raises(NotFound):
        await library.delete(track.id, owner)
    assert events == [("added", owner), ("removed", owner)]

    def busy(_self: Path, missing_ok: bool = False) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", busy)
        with pytest.raises(PermissionError):
            await library.reconcile_files()
    assert await db.value("SELECT count(*) FROM files WHERE doomed_at IS NOT NULL") == 3
    assert len(files_under(library.storage.data)) == 3
    assert await library.reconcile_files() == 3
    assert files_under(library.storage.data) == set()
    assert await db.value("SELECT count(*) FROM files") == 0
    assert await library.reconcile_files() == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.key", "a/../../b", ""])
def test_storage_never_leaves_the_data_folder(library_path: Path, path: str) -> None:
    from server.library.storage import Storage

    with pytest.raises(ValueError, match="not a path inside"):
        Storage(library_path).path(path)


@pytest.fixture
def library_path(tmp_path: Path) -> Path:
    return tmp_path
