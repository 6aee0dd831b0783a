"""The show on disk: what is saved comes back, and a bad file never stops a start."""

from pathlib import Path

import anyio
import pytest

from server.session.effects import Notice
from server.session.facts import AudibleDeck, EngineRestored
from server.session.intent import Intent
from server.session.persistence import keep, restore, save
from server.session.show import Show
from server.session.state import initial
from tests.server.session.fake_deckhand import FakeDeckhand

EMPTY = (AudibleDeck(),) * 4


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def played(path: Path) -> Show:
    """Return a show with a track loaded and faders moved, saved to `path`."""
    deckhand = FakeDeckhand({"a": 100.0})
    show = Show(deckhand)
    deckhand.report = show.report
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        tasks.start_soon(keep, show, path)
        show.report(EngineRestored(EMPTY, 48_000))
        for intent in (("/deck/1/load", "a"), ("/deck/1/volume", 0.25), ("/deck/2/stem/bass/mute", 1)):
            show.submit(Intent(*intent))
        await show.settle()
        show.submit(Intent("/deck/1/play", 1))
        show.submit(Intent("/mixer/crossfader/curve", "cut"))
        await show.settle()
        deckhand.heard[0] = AudibleDeck(show.state.decks[0].token, 61.5, True, 100.0)
        tasks.cancel_scope.cancel()
    return show


@pytest.mark.anyio
async def test_what_was_played_comes_back_paused(tmp_path: Path):
    path = tmp_path / "show.json"
    show = await played(path)
    state, notice = restore(path)
    assert notice is None
    differing = {p for p, v in state.controls.items() if v != show.controls[p]}
    assert differing == {"/deck/1/play", "/deck/1/status"}
    assert state.controls["/deck/1/play"] == 0
    memory = state.decks[0]
    assert (memory.track_id, memory.position_s, memory.token) == ("a", 61.5, show.state.decks[0].token)
    assert state.next_token == show.state.next_token
    assert names(tmp_path) == ["show.json"]


@pytest.mark.anyio
async def test_a_restored_show_loads_its_tracks_into_a_fresh_engine(tmp_path: Path):
    path = tmp_path / "show.json"
    await played(path)
    state, _ = restore(path)
    deckhand = FakeDeckhand({"a": 100.0})
    show = Show(deckhand, state)
    deckhand.report = show.report
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        show.report(EngineRestored(EMPTY, 48_000))
        await show.settle()
        await show.settle()
        tasks.cancel_scope.cancel()
    assert [(deck, track, at) for deck, _, track, at in deckhand.loads] == [(0, "a", 61.5)]
    assert show.controls["/deck/1/status"] == "ready" and show.controls["/deck/1/play"] == 0


def test_a_load_under_way_is_saved_as_wanted(tmp_path: Path):
    from server.session.step import step

    state, _ = step(initial(), Intent("/deck/3/load", "b"), 0.0)
    save(tmp_path / "show.json", state, (0.0,) * 4)
    restored, _ = restore(tmp_path / "show.json")
    assert restored.decks[2].track_id == "b" and restored.decks[2].token == 0


def test_no_file_is_a_show_nobody_touched(tmp_path: Path):
    assert restore(tmp_path / "show.json", 5) == (initial(5), None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"version": 99, "next_token": 1, "controls": {}, "decks": [{}, {}, {}, {}]}',
        b'{"version": 1, "next_token": 1, "controls": {}, "decks": []}',
        b'{"version": 1, "next_token": -1, "controls": {}, "decks": [{}, {}, {}, {}]}',
        b'{"version": 1, "next_token": 1, "controls": {}, "decks": [{}, {}, {}, {}], "extra": 1}',
    ],
)
def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path, content: bytes):
    path = tmp_path / "show.json"
    for number in (1, 2):
        path.write_bytes(content)
        state, notice = restore(path, 3)
        assert state == initial(3) and notice is not None and notice.level == "warning"
        assert (tmp_path / f"show.unreadable-{number}.json").read_bytes() == content
        assert not path.exists()


def test_values_that_do_not_fit_are_left_at_their_defaults(tmp_path: Path):
    path = tmp_path / "show.json"
    path.write_text(
        '{"version": 1, "next_token": 1, "decks": [{}, {}, {}, {}], "controls": {"/deck/1/volume": "x",'
        ' "/deck/1/stem/bass/volume": 7, "/gone/control": 1, "/deck/1/level": 1, "/deck/1/assign": "up"}}'
    )
    state, notice = restore(path)
    assert notice is None
    assert state.controls == initial().controls | {"/deck/1/stem/bass/volume": 1.0}


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_written_is_told_once_and_the_show_goes_on(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    notices: list[Notice] = []
    told = anyio.Event()

    def hear(notice: Notice) -> None:
        notices.append(notice)
        told.set()

    show = Show(FakeDeckhand())
    show.watch(hear)
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        tasks.start_soon(lambda: keep(show, blocked / "show.json", throttle_s=0.0))
        await told.wait()
        show.submit(Intent("/deck/1/volume", 0.5))
        await show.settle()
        tasks.cancel_scope.cancel()
    assert {notice.code for notice in notices} == {"show_not_saved"}
    assert show.controls["/deck/1/volume"] == 0.5


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "show.json"
    save(path, initial(), (0.0,) * 4)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(path, initial(9), (0.0,) * 4)
    assert path.read_bytes() == before
