"""Takes in the database and on the disk: they come back with the song, the oldest go, and no file is left over."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from server.db import Database
from server.errors import BadRequest, NotFound
from server.library.service import Library
from server.library.takes import KEPT, Take, TakeChange
from tests.server.library.conftest import files_under, importer, write_wav

__all__ = ["importer"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def track(library: Library, owner: int, tmp_path: Path) -> UUID:
    return (await library.import_file(write_wav(tmp_path / "song.wav"), owner)).id


async def add(
    library: Library, track: UUID, text: str = "sound", rate: float = 1.0, take_id: UUID | None = None
) -> None:
    folder = await library.workplace.new_scratch()
    (folder / "take.flac").write_text(text)
    await library.add_take(
        take_id or uuid4(), track, folder / "take.flac", (0.1, 0.4), rate, keylock=rate != 1.0, gain=2.0
    )
    await library.workplace.drop_scratch(folder)


async def test_a_take_is_kept_chosen_named_and_deleted_with_its_file(
    library: Library, owner: int, track: UUID, events: list[tuple[str, int]]
) -> None:
    await add(library, track, "first", 0.8)
    await add(library, track, "second")
    second, first = await library.takes(track, owner)
    assert (first.start, first.end, first.rate, first.keylock, first.chosen, first.file_size) == (
        0.1, 0.4, 0.8, True, False, 5,
    )  # fmt: skip
    assert (await library.deck_source(track)).take is None
    for one, other in ((first, second), (second, first)):
        assert (await library.change_take(one.id, owner, TakeChange(chosen=True))).chosen
        assert [take.chosen for take in await library.takes(track, owner) if take.id == other.id] == [False]
    source = (await library.deck_source(track)).take
    assert source is not None and source.path.read_text() == "second" and (source.stop_s, source.gain) == (0.4, 2.0)
    named = await library.change_take(second.id, owner, TakeChange(name=" solo "))
    assert (named.name, named.chosen) == ("solo", True)
    assert (await library.take_file(second.id, owner)).path == source.path
    assert events[-1] == ("changed", owner)
    await library.delete_take(second.id, owner)
    await library.reconcile_files()
    assert not source.path.exists() and (await library.deck_source(track)).take is None
    assert [take.id for take in await library.takes(track, owner)] == [first.id]


async def test_the_last_eight_stay_with_those_that_were_named_or_chosen(
    library: Library, owner: int, track: UUID
) -> None:
    await add(library, track, "chosen")
    await add(library, track, "named")
    named, chosen = await library.takes(track, owner)
    await library.change_take(chosen.id, owner, TakeChange(chosen=True))
    await library.change_take(named.id, owner, TakeChange(name="keep"))
    for number in range(KEPT + 3):
        await add(library, track, f"take {number}")
    await library.reconcile_files()
    takes = await library.takes(track, owner)
    assert len(takes) == KEPT + 2 and {named.id, chosen.id} <= {take.id for take in takes}
    texts = {(await library.take_file(take.id, owner)).path.read_text() for take in takes}
    assert texts == {"chosen", "named", *(f"take {number}" for number in range(3, KEPT + 3))}
    assert len(files_under(library.storage.data / "takes")) == len(takes)


async def test_a_file_that_a_dead_server_left_goes_and_no_other(library: Library, owner: int, track: UUID) -> None:
    await add(library, track)
    left = library.storage.data / "takes" / str(track) / f"{uuid4()}.flac"
    left.write_text("left")
    (await library.workplace.new_scratch() / "pass.npz").write_text("of this server")
    assert await library.reconcile_files() == 1
    assert not left.exists() and len(files_under(library.storage.data / "takes")) == 1
    await library.delete(track, owner)
    await library.reconcile_files()
    assert not files_under(library.storage.data / "takes")


async def test_what_is_not_there_or_not_theirs_is_not_found(
    library: Library, db: Database, owner: int, track: UUID
) -> None:
    await add(library, track)
    [take] = await library.takes(track, owner)
    stranger = int(await db.value("INSERT INTO users (email) VALUES ('x@y') RETURNING id"))
    for take_id, user in ((uuid4(), owner), (take.id, stranger)):
        with pytest.raises(NotFound):
            await library.change_take(take_id, user, TakeChange(name="x"))
        with pytest.raises(NotFound):
            await library.take_file(take_id, user)
        with pytest.raises(NotFound):
            await library.delete_take(take_id, user)
    with pytest.raises(NotFound):
        await library.takes(track, stranger)
    with pytest.raises(NotFound):
        await add(library, uuid4())
    with pytest.raises(BadRequest):
        await library.change_take(take.id, owner, TakeChange(name="x" * 201))
    [same] = await library.takes(track, owner)
    assert msgspec.structs.replace(same, made_at=take.made_at) == take and isinstance(same, Take)


async def test_a_take_that_is_kept_already_is_not_kept_again(library: Library, owner: int, track: UUID) -> None:
    again = uuid4()
    for text in ("first", "second"):
        await add(library, track, text, take_id=again)
    [take] = await library.takes(track, owner)
    assert (take.id, take.file_size) == (again, 5)
    assert (await library.take_file(again, owner)).path.read_text() == "first"
