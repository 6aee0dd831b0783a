"""Cues, loops, sync and marks in the show: each control is one command, each fact shows, each mark is kept."""

import pytest

from audio.commands import CommandKind as Kind
from audio.units import STEMS
from control.registry import REGISTRY
from control.tables.transport import stem_loop_rows, tempo_rows, transport_rows
from server.marks import Grid, HotCue, Marks
from server.session import facts
from server.session.effects import Refused, SaveMarks, SetGrid
from server.session.facts import DeckLoaded
from tests.server.session.test_step import RATE, Session, changes, commands

ACTS = {
    "cue": (1, Kind.CUE, 0, 1.0),
    "quantize": (1, Kind.QUANTIZE, 0, 1.0),
    "beatjump": (-4.0, Kind.BEATJUMP, 0, -4.0),
    "sync": (1, Kind.SYNC, 0, 1.0),
    "leader": (1, Kind.LEADER, 0, 1.0),
    "slip": (1, Kind.SLIP, 0, 1.0),
    "reverse": (1, Kind.REVERSE, 0, 1.0),
    "bend": (0.5, Kind.BEND, 0, 0.5),
    "jog": (0.25, Kind.JOG, 0, 0.25),
    "touch": (1, Kind.TOUCH, 0, 1.0),
    "scratch": (0.5, Kind.SCRATCH, 0, 0.5 * RATE),
    "brake": (1, Kind.WIND, 0, 1.0),
    "spinback": (1, Kind.WIND, 0, -1.0),
    "loop/in": (1, Kind.LOOP_IN, 0, 1.0),
    "loop/out": (1, Kind.LOOP_OUT, 0, 1.0),
    "loop/active": (1, Kind.LOOP_BEATS, 0, 4.0),
    "loop/beats": (8.0, Kind.LOOP_BEATS, 0, 8.0),
    "loop/halve": (1, Kind.LOOP_SCALE, 0, 0.5),
    "loop/double": (1, Kind.LOOP_SCALE, 0, 2.0),
    "loop/move": (2.0, Kind.LOOP_MOVE, 0, 2.0),
    "loop/reloop": (1, Kind.LOOP_RELOOP, 0, 1.0),
    "loop/roll": (0.5, Kind.LOOP_ROLL, 0, 0.5),
    "memory/set": (1, Kind.MEMORY_SET, 0, -1.0),
    "memory/next": (1, Kind.MEMORY_GO, 0, 1.0),
    "memory/previous": (1, Kind.MEMORY_GO, 0, -1.0),
    "memory/clear": (1, Kind.MEMORY_CLEAR, 0, 0.0),
    "grid/downbeat": (1, Kind.PLACE_ASK, 1, 0.0),
    "grid/anchor": (1, Kind.PLACE_ASK, 2, 0.0),
    "grid/tap": (1, Kind.PLACE_ASK, 3, 0.0),
    **{f"hotcue/{n}/go": (1, Kind.HOTCUE_GO, n - 1, 1.0) for n in range(1, 9)},
    **{f"hotcue/{n}/set": (1, Kind.HOTCUE_SET, n - 1, 1.0) for n in range(1, 9)},
    **{f"hotcue/{n}/clear": (1, Kind.HOTCUE_CLEAR, n - 1, 1.0) for n in range(1, 9)},
    **{f"stem/{stem}/loop/active": (1, Kind.STEM_LOOP, slot, 4.0) for slot, stem in enumerate(STEMS)},
}
EDITS = {"grid/shift": 0.01, "grid/halve": 1, "grid/double": 1, "grid/reset": 1}
WORDS = {f"hotcue/{n}/{word}" for n in range(1, 9) for word in ("name", "color")}
BEATS = {f"stem/{stem}/loop/beats" for stem in STEMS}
GRID = Grid((0.0, 0.5, 1.0, 1.5, 2.0), 1)


def marked(session: Session, marks: Marks = Marks(), grid: Grid | None = GRID) -> int:  # noqa: B008 - frozen
    """Load a track that has a grid and `marks` on deck 1; return its token."""
    session.put("/deck/1/load", "a")
    token = session.state.decks[0].loading
    session.fact(DeckLoaded(0, token, "T", "A", 12.5, grid, marks))
    return token


def test_every_row_of_the_transport_is_tested() -> None:
    names = set(ACTS) | set(EDITS) | WORDS | BEATS | {"loop/start", "loop/end"}  # those of practice: test_practising.py
    rows = [*transport_rows(1), *(row for stem in STEMS for row in stem_loop_rows(1, stem))]
    assert {f"/deck/1/{name}" for name in names} == {row.path for row in rows if row.is_writable}
    assert [row.path for row in tempo_rows()] == ["/session/tempo"]


@pytest.mark.parametrize("name", list(ACTS))
def test_a_control_is_one_command(name: str) -> None:
    value, kind, slot, a = ACTS[name]
    session = Session()
    token = marked(session)
    effects = session.put(f"/deck/1/{name}", value)
    assert commands(effects) == [(kind, 0, slot, pytest.approx(a))]
    assert {effect.token for effect in effects if hasattr(effect, "kind")} <= {0, token}


HELD = ("cue", "touch", "brake", "spinback", "hotcue/1/go", "hotcue/8/go")


@pytest.mark.parametrize("name", HELD)
def test_letting_go_is_told(name: str) -> None:
    session = Session()
    assert session.put(f"/deck/1/{name}", 0) == ()
    marked(session)
    _, kind, slot, _ = ACTS[name]
    assert commands(session.put(f"/deck/1/{name}", 0)) == [(kind, 0, slot, 0.0)]


SWITCHES = ("quantize", "sync", "leader", "slip", "reverse", "bend")


@pytest.mark.parametrize("name", [name for name in ACTS if name not in SWITCHES])
def test_an_empty_deck_refuses(name: str) -> None:
    session = Session()
    before = dict(session.state.controls)
    effects = session.put(f"/deck/1/{name}", ACTS[name][0])
    assert [effect.code for effect in effects if isinstance(effect, Refused)]
    assert commands(effects) == [] and session.state.controls == before


def test_the_kernels_word_is_shown() -> None:
    session = Session()
    before = dict(session.state.controls)
    for deck in range(4):
        session.put(f"/deck/{deck + 1}/load", "a")
        token = session.state.decks[deck].loading
        session.fact(DeckLoaded(deck, token, "T", "A", 12.5, GRID, Marks(GRID)))
        session.fact(facts.LoopChanged(deck, token, True, False, 1.0, 2.0))
        session.fact(facts.CueMoved(deck, token, 3.0))
        for slot in range(8):
            session.fact(facts.HotcueStored(deck, token, slot, 4.0, 5.0))
    moved = {path for path, value in session.state.controls.items() if value != before[path]}
    rows = [row for deck in range(1, 5) for row in transport_rows(deck)]
    assert {row.path for row in rows if row.is_state and not row.is_writable} <= moved
    assert session["/deck/2/hotcue/3/color"] == "#22c55e"


def test_a_late_word_about_another_track_changes_nothing() -> None:
    session = Session()
    token = marked(session)
    for late in (
        facts.LoopChanged(0, token + 9, True, False, 1.0, 2.0), facts.CueMoved(0, token + 9, 3.0),
        facts.HotcueStored(0, token + 9, 1, 4.0, None), facts.PlayChanged(0, token + 9, True, 1.0),
        facts.RateFollowed(0, token + 9, 1.5), facts.MemoryStored(0, token + 9, 1.0), facts.PlaceTold(0, 0, 1, 2.0),
    ):  # fmt: skip
        before = session.state
        assert session.fact(late) == () and session.state == before


def test_marks_of_the_library_come_with_the_track() -> None:
    session = Session()
    session.put("/deck/1/load", "a")
    token = session.state.decks[0].loading
    marks = Marks(None, 1.5, (HotCue(2, 3.0, None, "drop", "#112233"), HotCue(5, 4.0, 6.0)), (7.0, 8.0))
    effects = session.fact(DeckLoaded(0, token, "T", "A", 12.5, GRID, marks))
    assert SetGrid(0, token, GRID.beats, 1) in effects
    assert commands(effects) == [
        (Kind.CUE_PUT, 0, 0, 1.5 * RATE), (Kind.HOTCUE_PUT, 0, 1, 3.0 * RATE), (Kind.HOTCUE_PUT, 0, 4, 4.0 * RATE),
        (Kind.MEMORY_SET, 0, 0, 7.0 * RATE), (Kind.MEMORY_SET, 0, 0, 8.0 * RATE), (Kind.DECK_PLAY, 0, 0, 0.0),
    ]  # fmt: skip
    assert changes(effects)["/deck/1/hotcue/2/name"] == "drop" and session["/deck/1/hotcue/5/end"] == 6.0
    # The next track begins without them.
    session.put("/deck/1/load", "b")
    session.fact(DeckLoaded(0, session.state.decks[0].loading, "T", "A", 12.5))
    assert session["/deck/1/hotcue/2/position"] == -1.0 and session["/deck/1/cue/position"] == 0.0


def test_what_is_marked_is_saved() -> None:
    session = Session()
    token = marked(session)
    session.fact(facts.CueMoved(0, token, 1.0))
    session.fact(facts.HotcueStored(0, token, 3, 2.0, 4.0))
    session.fact(facts.MemoryStored(0, token, 9.0))
    session.fact(facts.MemoryStored(0, token, 5.0))
    session.put("/deck/1/hotcue/4/name", "verse")
    session.put("/deck/1/hotcue/4/color", "#00ff00")
    effects = session.fact(facts.MemoryCleared(0, token, 9.0001))
    wanted = Marks(None, 1.0, (HotCue(4, 2.0, 4.0, "verse", "#00ff00"),), (5.0,))
    assert [effect for effect in effects if isinstance(effect, SaveMarks)] == [SaveMarks("a", wanted)]
    effects = session.fact(facts.HotcueCleared(0, token, 3))
    assert SaveMarks("a", Marks(None, 1.0, (), (5.0,))) in effects


def test_a_colour_that_is_none_and_an_empty_cue_are_refused() -> None:
    session = Session()
    token = marked(session)
    assert any(isinstance(e, Refused) for e in session.put("/deck/1/hotcue/1/name", "x"))
    session.fact(facts.HotcueStored(0, token, 0, 2.0, None))
    assert any(isinstance(e, Refused) for e in session.put("/deck/1/hotcue/1/color", "red"))


def test_grid_edits_go_to_the_engine_and_the_library_and_back() -> None:
    session = Session()
    token = marked(session)
    effects = session.put("/deck/1/grid/double", 1)
    assert SetGrid(0, token, GRID.doubled().beats, 2) in effects
    assert SaveMarks("a", Marks(GRID.doubled())) in effects
    assert session["/deck/1/grid/edited"] == 1
    session.fact(facts.PlaceTold(0, token, 1, 0.9))
    assert session.state.decks[0].grid == GRID.doubled().with_downbeat(0.9)
    effects = session.put("/deck/1/grid/reset", 1)
    assert SetGrid(0, token, GRID.beats, 1) in effects and SaveMarks("a", Marks()) in effects
    assert session["/deck/1/grid/edited"] == 0


def test_without_a_grid_only_tapping_makes_one() -> None:
    session = Session()
    token = marked(session, grid=None)
    for name, value in EDITS.items():
        assert [e.code for e in session.put(f"/deck/1/{name}", value) if isinstance(e, Refused)] == ["no_grid"]
    for n in range(4):
        session.fact(facts.PlaceTold(0, token, 3, 1.0 + 0.5 * n))
    grid = session.state.decks[0].grid
    assert grid is not None and grid.beats[1] - grid.beats[0] == pytest.approx(0.5)


def test_a_track_marked_elsewhere_is_brought_up_to_date() -> None:
    session = Session()
    token = marked(session, Marks(None, None, (HotCue(1, 1.0), HotCue(2, 2.0)), (3.0,)))
    effects = session.fact(facts.TrackMarked(0, token, GRID, Marks(None, None, (HotCue(2, 2.5),), ())))
    assert commands(effects) == [
        (Kind.MEMORY_CLEAR, 0, 0, 1.0), (Kind.HOTCUE_CLEAR, 0, 0, 0.0), (Kind.HOTCUE_PUT, 0, 1, 2.5 * RATE),
    ]  # fmt: skip
    assert session["/deck/1/hotcue/1/position"] == -1.0 and session["/deck/1/hotcue/2/position"] == 2.5


def test_the_leader_and_the_followed_speed_are_shown() -> None:
    session = Session()
    token = marked(session)
    session.fact(facts.LeaderChanged(2))
    assert [session[f"/deck/{n}/leader"] for n in range(1, 5)] == [0, 0, 1, 0]
    session.fact(facts.LeaderChanged(None))
    assert [session[f"/deck/{n}/leader"] for n in range(1, 5)] == [0, 0, 0, 0]
    session.fact(facts.RateFollowed(0, token, 1.04))
    assert session["/deck/1/rate"] == 1.04 and session["/deck/1/pitch_fader"] == pytest.approx(0.5)


def test_every_row_says_what_it_is() -> None:
    for row in transport_rows(1):
        assert row.description and REGISTRY[row.path] == row
