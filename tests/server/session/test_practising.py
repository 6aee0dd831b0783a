"""Practising in the show: each control is what a musician expects, and a song comes back as it was left."""

import pytest

from audio.commands import CommandKind as Kind
from audio.units import STEMS
from control.registry import REGISTRY
from control.tables.practice import mode_rows, practice_rows, stem_practice_rows
from server.marks import NO_MARKS, Grid
from server.practice import Pass, Practice, Rehearsal, Section
from server.session import facts
from server.session.effects import LogClean, LogPass, Notice, Refused, SavePractice
from server.session.rehearsing import KEPT
from tests.server.session.test_step import RATE, Session, commands, refused

SECTIONS = (Section(0.0, 8.0, "intro"), Section(8.0, 24.0, "verse"), Section(24.0, 40.0, "chorus"),
            Section(40.0, 56.0, "verse"))  # fmt: skip
GRID = Grid(tuple(0.5 * n for n in range(200)))
ROWED = {
    "click": (1, Kind.CLICK, 1.0),
    "click/volume": (0.25, Kind.CLICK_VOLUME, 0.25),
    "click/accent": (0, Kind.CLICK_ACCENT, 0.0),
    "click/divide": ("3", Kind.CLICK_DIVIDE, 3.0),
    "click/bar": (3.0, Kind.CLICK_BAR, 3.0),
    "click/output": ("headphones", Kind.CLICK_OUTPUT, 1.0),
    "countin": (4.0, Kind.COUNT_IN, 4.0),
    "countin/passes": (1, Kind.COUNT_PASSES, 1.0),
    "loop/preroll": (2.0, Kind.LOOP_PRE_ROLL, 2.0),
}
LOOPS = {"loop/section", "loop/bars", "loop/bar", "loop/again"}
TRAINER = {"on", "start", "stop", "step", "every", "by", "clean", "missed"}
MUTES = {"", "/add", "/loop", "/section", "/remove", "/clear"}


def loaded(session: Session, rehearsal: Rehearsal = Rehearsal(SECTIONS), track: str = "a") -> int:  # noqa: B008 - frozen
    """Load a track with sections and a grid on deck 1; return its token."""
    session.put("/deck/1/load", track)
    token = session.state.decks[0].loading
    session.fact(facts.DeckLoaded(0, token, "T", "A", 100.0, GRID, NO_MARKS, rehearsal))
    return token


def passed(session: Session, token: int, *, stepped: bool = False) -> tuple[object, ...]:
    """Let the loop come round."""
    path = "/deck/1/loop"
    start_s, end_s = float(session[f"{path}/start"]), float(session[f"{path}/end"])  # type: ignore[arg-type]
    return session.fact(facts.LoopPassed(0, token, start_s, end_s, stepped))


def test_every_row_of_practice_is_tested() -> None:
    names = {"zoom"} | set(ROWED) | LOOPS | {f"trainer/{name}" for name in TRAINER}
    assert {row.path for row in practice_rows(1) if row.is_writable} == {f"/deck/1/{name}" for name in names}
    mutes = {f"/deck/1/stem/{stem}/mutes{name}" for stem in STEMS for name in MUTES}
    assert {row.path for stem in STEMS for row in stem_practice_rows(1, stem)} == mutes
    assert [row.path for row in mode_rows()] == ["/session/mode"]


@pytest.mark.parametrize("name", ROWED)
def test_a_setting_reaches_the_engine_with_a_track_or_without(name: str) -> None:
    value, kind, a = ROWED[name]
    session = Session()
    assert commands(session.put(f"/deck/3/{name}", value)) == [(kind, 2, 0, a)]
    assert session[f"/deck/3/{name}"] == value


@pytest.mark.parametrize("name", sorted(LOOPS | {"loop/start", "trainer/on"} | {f"stem/bass/mutes{m}" for m in MUTES}))
def test_an_empty_deck_refuses(name: str) -> None:
    session = Session()
    value = "1-2" if name.endswith(("mutes", "mutes/add")) else 1
    assert refused(session.put(f"/deck/1/{name}", value)).code == "deck_empty"


# --- loops -----------------------------------------------------------------------------------------------------------


def test_a_loop_is_typed() -> None:
    session = Session()
    loaded(session)
    assert commands(session.put("/deck/1/loop/start", 10.0)) == [(Kind.LOOP_PUT, 0, 0, 10.0 * RATE)]
    assert session["/deck/1/loop/end"] == -1.0
    effects = session.put("/deck/1/loop/end", 12.5)
    assert commands(effects) == [(Kind.LOOP_PUT, 0, 0, 10.0 * RATE)] and effects[0].b == 12.5 * RATE  # type: ignore[union-attr]
    assert refused(session.put("/deck/1/loop/end", 9.0)).code == "bad_value"
    session.put("/deck/1/loop/active", 1)
    effects = session.put("/deck/1/loop/start", 11.0)
    assert [kind for kind, *_ in commands(effects)] == [Kind.LOOP_PUT, Kind.LOOP_ACTIVE]
    session.put("/deck/1/loop/end", -1)
    assert (session["/deck/1/loop/start"], session["/deck/1/loop/active"]) == (-1.0, 0)


def test_a_start_behind_the_end_waits_for_another_end() -> None:
    session = Session()
    loaded(session)
    session.put("/deck/1/loop/end", 5.0)
    assert session["/deck/1/loop/start"] == 0.0
    session.put("/deck/1/loop/start", 20.0)
    assert (session["/deck/1/loop/start"], session["/deck/1/loop/end"]) == (20.0, -1.0)


def test_a_section_is_looped_and_gone_to() -> None:
    session = Session()
    loaded(session)
    effects = session.put("/deck/1/loop/section", 3)
    assert [kind for kind, *_ in commands(effects)] == [Kind.LOOP_PUT, Kind.LOOP_ACTIVE, Kind.LOOP_AGAIN]
    assert (session["/deck/1/loop/start"], session["/deck/1/loop/end"]) == (24.0, 40.0)
    assert session["/deck/1/loop/section"] == 3
    session.put("/deck/1/loop/end", 39.0)
    assert session["/deck/1/loop/section"] == 0
    assert refused(session.put("/deck/1/loop/section", 5)).code == "no_sections"
    session.put("/deck/1/loop/section", 0)
    assert session["/deck/1/loop/active"] == 0 and session["/deck/1/loop/end"] == -1.0


def test_bars_need_a_grid_and_are_where_it_says() -> None:
    session = Session()
    token = loaded(session)
    assert commands(session.put("/deck/1/loop/bars", 2)) == [(Kind.LOOP_BARS, 0, 0, 2.0)]
    session.put("/deck/1/loop/bar", 5)
    assert (session["/deck/1/loop/start"], session["/deck/1/loop/end"]) == (8.0, 12.0)
    assert refused(session.put("/deck/1/loop/bar", 900)).code == "bad_value"
    session.put("/deck/1/click/bar", 3)
    session.put("/deck/1/loop/bar", 2)
    assert session["/deck/1/loop/start"] == 1.5
    session.fact(facts.TrackMarked(0, token, None, NO_MARKS))
    for name in ("loop/bar", "loop/bars"):
        assert refused(session.put(f"/deck/1/{name}", 2)).code == "no_grid"


def test_again_plays() -> None:
    session = Session()
    loaded(session)
    assert [kind for kind, *_ in commands(session.put("/deck/1/loop/again", 1))] == [Kind.LOOP_AGAIN, Kind.DECK_PLAY]
    assert session["/deck/1/play"] == 1 and not session.put("/deck/1/loop/again", 0)
    session.fact(facts.DeckEnded(0, session.state.decks[0].token, 100.0))
    # A song that has ended begins where it was asked to, not at its start.
    assert [kind for kind, *_ in commands(session.put("/deck/1/loop/again", 1))] == [Kind.LOOP_AGAIN, Kind.DECK_PLAY]


def test_passes_are_counted_until_the_loop_is_another() -> None:
    session = Session()
    token = loaded(session)
    session.put("/deck/1/loop/section", 2)
    for _ in range(3):
        passed(session, token)
    assert session["/deck/1/loop/passes"] == 3
    session.fact(facts.LoopChanged(0, token, True, False, 8.00001, 24.0))
    assert session["/deck/1/loop/passes"] == 3
    session.fact(facts.LoopChanged(0, token, True, False, 8.0, 23.0))
    assert session["/deck/1/loop/passes"] == 0
    session.fact(facts.LoopPassed(0, token + 9, 8.0, 23.0, False))
    assert session["/deck/1/loop/passes"] == 0


# --- the trainer -----------------------------------------------------------------------------------------------------


def trained(**settings: object) -> tuple[Session, int]:
    """Return a session whose trainer runs on a section, and the track's token."""
    session = Session()
    token = loaded(session)
    session.put("/deck/1/loop/section", 2)
    for name, value in settings.items():
        session.put(f"/deck/1/trainer/{name}", value)
    session.put("/deck/1/trainer/on", 1)
    return session, token


def armed(effects: tuple[object, ...]) -> list[float]:
    """Return the speeds that were sent ahead."""
    return [a for kind, _, _, a in commands(effects) if kind == Kind.PASS_RATE]  # type: ignore[arg-type]


def test_the_trainer_climbs_every_n_passes_to_its_end() -> None:
    session, token = trained(start=0.7, stop=0.82, step=0.05, every=2)
    assert (session["/deck/1/rate"], session["/deck/1/keylock"]) == (0.7, 1)
    speeds = []
    for _ in range(8):
        stepped = bool(session["/deck/1/trainer/next"])
        passed(session, token, stepped=stepped)
        speeds.append(session["/deck/1/rate"])
    assert speeds == pytest.approx([0.7, 0.75, 0.75, 0.8, 0.8, 0.82, 0.82, 0.82])
    assert session["/deck/1/trainer/next"] == 0.0 and session["/deck/1/trainer/on"] == 1


def test_the_speed_of_the_next_pass_is_sent_ahead_of_its_seam() -> None:
    session, token = trained(start=0.6, every=1)
    assert session["/deck/1/trainer/next"] == pytest.approx(0.65)
    assert armed(passed(session, token, stepped=True)) == pytest.approx([0.7])
    assert armed(session.put("/deck/1/trainer/every", 3)) == [0.0]
    session.put("/deck/1/trainer/on", 0)
    assert session["/deck/1/trainer/next"] == 0.0


def test_the_trainer_that_goes_by_clean_passes_waits_for_one() -> None:
    session, token = trained(start=0.6, by="clean", every=1)
    for _ in range(5):
        assert armed(passed(session, token)) == [0.0]
    assert armed(session.put("/deck/1/trainer/clean", 1)) == pytest.approx([0.65])
    passed(session, token, stepped=True)
    assert session["/deck/1/rate"] == pytest.approx(0.65) and session["/deck/1/trainer/passes"] == 0
    assert armed(session.put("/deck/1/trainer/missed", 1)) == pytest.approx([0.6])
    passed(session, token, stepped=True)
    assert armed(session.put("/deck/1/trainer/missed", 1)) == [0.0]


def test_the_trainer_can_go_down() -> None:
    session, token = trained(start=1.0, stop=0.92, step=0.05, every=1)
    passed(session, token, stepped=True)
    assert session["/deck/1/rate"] == pytest.approx(0.95) and session["/deck/1/trainer/next"] == pytest.approx(0.92)


def test_the_trainer_says_what_it_needs() -> None:
    session = Session()
    loaded(session)
    assert refused(session.put("/deck/1/trainer/clean", 1)).code == "trainer_off"
    notices = [effect for effect in session.put("/deck/1/trainer/on", 1) if isinstance(effect, Notice)]
    assert [notice.code for notice in notices] == ["no_loop"]
    session.put("/deck/1/trainer/on", 0)
    session.put("/deck/1/sync", 1)
    assert refused(session.put("/deck/1/trainer/on", 1)).code == "in_sync"
    loaded(session, track="b")
    assert session["/deck/1/trainer/on"] == 0


# --- mute regions ----------------------------------------------------------------------------------------------------

BASS = "/deck/1/stem/bass/mutes"


def sent_mutes(effects: tuple[object, ...]) -> list[tuple[float, float]]:
    """Return the stretches the kernel was given, after it has forgotten all."""
    ours = [e for e in effects if getattr(e, "kind", 0) in (Kind.MUTES_CLEAR, Kind.MUTE_ADD)]
    assert ours[0].kind == Kind.MUTES_CLEAR and {e.slot for e in ours} == {2}  # type: ignore[attr-defined]
    return [(e.a / RATE, e.b / RATE) for e in ours[1:]]  # type: ignore[attr-defined]


def test_stretches_are_put_added_removed_and_cleared() -> None:
    session = Session()
    loaded(session)
    assert sent_mutes(session.put(BASS, "30-40, 10-12.5")) == [(10.0, 12.5), (30.0, 40.0)]
    assert session[BASS] == "10-12.5 30-40"
    assert sent_mutes(session.put(f"{BASS}/add", "12-31")) == [(10.0, 40.0)]
    assert sent_mutes(session.put(f"{BASS}/section", 4)) == [(10.0, 56.0)]
    session.put("/deck/1/loop/start", 60)
    session.put("/deck/1/loop/end", 70)
    assert sent_mutes(session.put(f"{BASS}/loop", 1)) == [(10.0, 56.0), (60.0, 70.0)]
    assert sent_mutes(session.put(f"{BASS}/remove", 55)) == [(60.0, 70.0)]
    assert sent_mutes(session.put(f"{BASS}/clear", 1)) == [] and session[BASS] == ""


@pytest.mark.parametrize(
    "text", ["x", "5", "5-3", "-1-2", "1-inf", "1-2-3", "nan-2", " ".join(f"{n}-{n}.5" for n in range(33))]
)
def test_what_is_no_stretch_is_refused_and_changes_nothing(text: str) -> None:
    session = Session()
    loaded(session)
    session.put(BASS, "1-2")
    assert refused(session.put(f"{BASS}/add", text)).code == "bad_value" and session[BASS] == "1-2"


def test_a_new_track_has_none() -> None:
    session = Session()
    loaded(session)
    session.put(BASS, "1-2")
    loaded(session, track="b")
    assert session[BASS] == ""


# --- a song comes back -----------------------------------------------------------------------------------------------

LEFT = {"rate": 0.8, "pitch": -2.0, "keylock": 1, "stem/vocals/mute": 1, "stem/bass/volume": 0.5, "click": 1,
        "click/divide": "2", "countin": 4.0, "trainer/start": 0.6, "trainer/by": "clean", "loop/start": 8.0,
        "loop/end": 24.0, "loop/active": 1, "stem/bass/mutes": "10-12", "loop/preroll": 2.0}  # fmt: skip


def practise(session: Session) -> None:
    """Go to practice mode."""
    session.put("/session/mode", "practice")


def test_a_song_comes_back_as_it_was_left() -> None:
    session = Session()
    practise(session)
    session.put("/deck/1/load", "a")
    token = session.state.decks[0].loading
    left = Rehearsal(SECTIONS, Practice(LEFT, 33.0))
    effects = session.fact(facts.DeckLoaded(0, token, "T", "A", 100.0, GRID, NO_MARKS, left))
    for name, value in LEFT.items():
        assert session[f"/deck/1/{name}"] == value, name
    assert session["/deck/1/loop/section"] == 2 and session["/deck/1/pitch_fader"] == pytest.approx(-1.0)
    sent = commands(effects)
    for one in ((Kind.DECK_RATE, 0.8), (Kind.LOOP_PUT, 8.0 * RATE), (Kind.LOOP_ACTIVE, 1.0), (Kind.COUNT_IN, 4.0),
                (Kind.MUTE_ADD, 10.0 * RATE), (Kind.DECK_SEEK, 33.0 * RATE)):  # fmt: skip
        assert one in [(kind, a) for kind, _, _, a in sent]


def test_what_is_kept_is_what_comes_back() -> None:
    session = Session()
    practise(session)
    loaded(session, Rehearsal(SECTIONS, Practice(LEFT, 33.0)))
    effects = session.put("/deck/1/stem/piano/pan", 0.25)
    kept = [effect for effect in effects if isinstance(effect, SavePractice)]
    assert [(one.deck, one.track_id) for one in kept] == [(0, "a")]
    assert kept[0].practice == Practice({**LEFT, "stem/piano/pan": 0.25}, 33.0)
    other = Session()
    practise(other)
    loaded(other, Rehearsal(SECTIONS, kept[0].practice))
    assert all(other[f"/deck/1/{name}"] == session[f"/deck/1/{name}"] for name in KEPT)


def test_a_song_never_practised_begins_at_its_own_speed_with_the_players_habits() -> None:
    session = Session()
    practise(session)
    loaded(session, Rehearsal(SECTIONS, Practice(LEFT)))
    loaded(session, track="b")
    assert (session["/deck/1/rate"], session["/deck/1/pitch"], session["/deck/1/stem/vocals/mute"]) == (1.0, 0.0, 0)
    assert (session["/deck/1/click"], session["/deck/1/countin"], session["/deck/1/trainer/start"]) == (1, 4.0, 0.6)


def test_how_much_of_a_song_is_seen_is_kept_with_it() -> None:
    session = Session()
    practise(session)
    loaded(session, Rehearsal(SECTIONS, None))
    effects = session.put("/practice/zoom", 2.5)
    [kept] = [effect for effect in effects if isinstance(effect, SavePractice)]
    assert kept.practice.controls["zoom"] == 2.5 and not commands(effects)
    session.put("/deck/1/zoom", 10_000.0)
    assert session["/deck/1/zoom"] == 600.0
    loaded(session, Rehearsal(SECTIONS, kept.practice))
    assert session["/deck/1/zoom"] == 2.5
    loaded(session, Rehearsal(SECTIONS, None))
    assert session["/deck/1/zoom"] == 8.0


def test_in_dj_mode_nothing_comes_back_and_nothing_is_kept() -> None:
    session = Session()
    token = loaded(session, Rehearsal(SECTIONS, Practice(LEFT, 33.0)))
    assert session["/deck/1/rate"] == 1.0 and session["/deck/1/loop/end"] == -1.0
    session.put("/deck/1/loop/section", 2)
    passed(session, token)
    session.put("/deck/1/eject", 1)
    assert not [e for e in session.effects if isinstance(e, SavePractice | LogPass)]


@pytest.mark.parametrize("how", ["eject", "load", "stop", "play", "mode"])
def test_a_song_is_kept_when_it_is_left(how: str) -> None:
    session = Session()
    practise(session)
    loaded(session)
    session.put("/deck/1/play", 1)
    session.put("/deck/1/rate", 0.7)
    value = {"load": "b", "play": 0}.get(how, 1)
    effects = session.put("/session/mode", "dj") if how == "mode" else session.put(f"/deck/1/{how}", value)
    kept = [n for n, effect in enumerate(effects) if isinstance(effect, SavePractice)]
    assert len(kept) == 1 and effects[kept[0]].practice.controls["rate"] == 0.7  # type: ignore[union-attr]
    if how == "eject":
        assert kept == [0]


def test_changing_to_practice_brings_a_song_back_and_a_playing_one_stays_where_it_is() -> None:
    for plays in (0, 1):
        session = Session()
        loaded(session, Rehearsal(SECTIONS, Practice(LEFT, 33.0)))
        session.put("/deck/1/play", plays)
        effects = session.put("/session/mode", "practice")
        assert session["/deck/1/rate"] == 0.8
        assert (Kind.DECK_SEEK in [kind for kind, *_ in commands(effects)]) == (not plays)


def test_a_place_that_was_asked_for_wins() -> None:
    session = Session()
    practise(session)
    session.put("/deck/1/load", "a")
    session.put("/deck/1/position", 5.0)
    token = session.state.decks[0].loading
    effects = session.fact(
        facts.DeckLoaded(0, token, "T", "A", 100.0, GRID, NO_MARKS, Rehearsal((), Practice({}, 33.0)))
    )
    assert (Kind.DECK_SEEK, 0, 0, 5.0 * RATE) in commands(effects)


def test_what_was_kept_and_cannot_be_is_passed_over() -> None:
    session = Session()
    practise(session)
    odd = {"rate": "fast", "click/divide": "9", "stem/bass/mutes": "x", "gone": 1, "loop/start": 30.0, "loop/end": 3.0}
    loaded(session, Rehearsal((), Practice(odd)))
    assert (session["/deck/1/rate"], session["/deck/1/click/divide"], session[BASS]) == (1.0, "1", "")
    assert session["/deck/1/loop/active"] == 0


def test_passes_are_logged_with_their_section_and_speed() -> None:
    session = Session()
    practise(session)
    token = loaded(session)
    session.put("/deck/1/rate", 0.9)
    session.put("/deck/1/loop/section", 4)
    logged = [e.made for e in passed(session, token) if isinstance(e, LogPass)]
    assert logged == [Pass(40.0, 56.0, 0.9, "verse 2")]
    session.put("/deck/1/trainer/on", 1)
    effects = session.put("/deck/1/trainer/clean", 1)
    assert [e.made for e in effects if isinstance(e, LogClean)] == [Pass(40.0, 56.0, 0.7, "verse 2")]


def test_sections_that_are_found_later_are_known() -> None:
    session = Session()
    token = loaded(session, Rehearsal())
    assert refused(session.put("/deck/1/loop/section", 1)).code == "no_sections"
    session.put("/deck/1/loop/start", 8)
    session.put("/deck/1/loop/end", 24)
    session.fact(facts.TrackMarked(0, token, GRID, NO_MARKS, Rehearsal(SECTIONS)))
    assert session["/deck/1/loop/section"] == 2
    assert not [e for e in session.put("/deck/1/loop/section", 1) if isinstance(e, Refused)]


def test_the_names_of_practice_move_the_deck_with_the_focus() -> None:
    session = Session()
    loaded(session)
    session.put("/practice/deck", "1")
    values = {"a": 4.0, "b": 6.0, "loop": 1, "speed": 0.75, "pitch": 1.0, "countin": 2.0, "click": 1,
              "trainer/start": 0.5, "trainer/step": 0.1, "trainer/every": 4.0, "trainer/stop": 0.9}  # fmt: skip
    for name, value in values.items():
        assert not [e for e in session.put(f"/practice/{name}", value) if isinstance(e, Refused)], name
    assert (session["/deck/1/loop/end"], session["/deck/1/rate"], session["/deck/1/trainer/stop"]) == (6.0, 0.75, 0.9)
    session.put("/practice/section", 1)
    assert session["/deck/1/loop/section"] == 1
    session.put("/practice/deck", "2")
    assert session["/session/focus"] == "2" and "/practice/deck" not in REGISTRY
