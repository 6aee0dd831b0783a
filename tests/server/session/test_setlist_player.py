"""The player of setlists as a function: what it loads, shows and lets go of, without any sound."""

from dataclasses import replace

import pytest

from audio.commands import CommandKind
from server.marks import NO_MARKS, Grid
from server.session import facts
from server.session.effects import EngineCommand, LoadTrack, Notice, OpenSetlist
from server.session.intent import Refused
from server.session.setlist import Entry, Length
from server.session.setlist_state import NEVER, Planned
from server.session.setlist_timing import PLACE
from tests.server.session.test_step import EMPTY, RATE, Session, commands

GRID = Grid(tuple(0.5 * n for n in range(400)), 0)


def planned(*tracks: str) -> tuple[Planned, ...]:
    """Return entries on tracks by their ids; "" is one that is missing."""
    made = []
    for number, track in enumerate(tracks):
        plan = Entry(number + 1, track or "gone", 1 + number % 2, notes=f"Note {number + 1}",
                     scene=f"Page {number + 1}",
                     transition="fade" if number else "cut", length=Length(4.0))  # fmt: skip
        made.append(Planned(plan, track, f"Title of {track}"))
    return tuple(made)


class Set(Session):
    """A session with an open setlist, and an engine that answers when told to."""

    def __init__(self, *tracks: str) -> None:
        super().__init__()
        assert self.put("/setlist/load", "friday")[0] == OpenSetlist("friday")
        self.fact(facts.SetlistOpened("friday", "Friday night", planned(*tracks)))

    def arrive(self, deck: int, duration_s: float = 100.0) -> None:
        token = self.state.decks[deck - 1].loading
        assert token, f"nothing is on its way to deck {deck}"
        self.fact(facts.DeckLoaded(deck - 1, token, "Title", "", duration_s, GRID, NO_MARKS))

    def at(self, seconds: float, position_s: float) -> tuple[object, ...]:
        """Let a tick come, and the answer to it."""
        frame = round(seconds * RATE)
        asked = [e for e in self.fact(facts.SetlistTick(frame)) if isinstance(e, EngineCommand)]
        places = [e for e in asked if e.kind == CommandKind.PLACE_ASK]
        if not places:
            return tuple(asked)
        assert places[0].slot == PLACE
        return self.fact(facts.PlaceTold(places[0].deck, places[0].token, PLACE, position_s, frame))

    def loads(self) -> list[tuple[int, str]]:
        return [(e.deck + 1, e.track_id) for e in self.effects if isinstance(e, LoadTrack)]

    def notices(self) -> list[str]:
        return [e.message for e in self.effects if isinstance(e, Notice)]


def test_a_setlist_is_opened_loaded_ahead_and_shown():
    show = Set("a", "b", "c")
    assert show["/setlist/load"] == "friday" and show["/setlist/title"] == "Friday night"
    assert show["/setlist/count"] == 3
    assert show["/setlist/status"] == "ready" and show["/setlist/entry"] == 0
    assert show["/setlist/next/title"] == "Title of a" and show["/setlist/next/notes"] == "Note 1"
    assert show.loads() == [(1, "a")]
    show.arrive(1)
    assert show["/deck/1/play"] == 0, "nothing plays before somebody says so"
    show.put("/setlist/next", 1)
    assert show["/deck/1/play"] == 1 and show["/setlist/entry"] == 1 and show["/setlist/scene"] == "Page 1"
    assert show["/setlist/current/notes"] == "Note 1" and show["/setlist/next/notes"] == "Note 2"
    assert show.loads() == [(1, "a"), (2, "b")]


def test_autopilot_goes_over_before_the_end_and_brings_the_next_one():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.arrive(2)
    assert show["/deck/1/play"] == 1
    show.at(10.0, 10.0)
    assert show["/setlist/status"] == "playing" and show["/deck/2/play"] == 0
    effects = show.at(95.95, 95.95)
    sent = [e for e in effects if isinstance(e, EngineCommand) and e.kind == CommandKind.DECK_PLAY]
    begins = [e.frame for e in sent if e.deck == 1]
    assert begins == [96 * RATE], "four seconds before the end, to the frame"
    assert show["/setlist/status"] == "transition"
    show.at(98.0, 98.0)
    assert show["/deck/1/volume"] == pytest.approx(0.70, abs=0.05)
    show.at(100.0, 100.0)
    show.at(100.2, 100.0)
    assert show["/setlist/entry"] == 2 and show["/deck/1/play"] == 0 and show["/deck/1/volume"] == 1.0
    assert show.loads()[-1] == (1, "c")


def test_a_hand_takes_a_control_and_overtakes_what_is_on_its_way():
    show = Set("a", "b")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.arrive(2)
    show.at(95.95, 95.95)
    show.at(97.0, 97.0)
    effects = show.put("/deck/1/volume", 0.25)
    mine = [e for e in effects if isinstance(e, EngineCommand) and e.kind == CommandKind.DECK_VOLUME]
    assert mine[0].frame == 0 and len(mine) > 4 and {e.a for e in mine} == {0.25}
    assert all(97 * RATE < e.frame <= 97.1 * RATE for e in mine[1:])
    before = show["/deck/2/volume"]
    show.at(98.0, 98.0)
    assert show["/deck/1/volume"] == 0.25 and show["/deck/2/volume"] > before


def test_a_track_that_does_not_load_is_named_and_passed_over():
    show = Set("a", "b", "", "d")
    assert "entry 3" in show.notices()[0] and "passed over" in show.notices()[0]
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.fact(facts.DeckLoadFailed(1, show.state.decks[1].loading, "unknown_track", "There is no track 'b'"))
    assert any("entry 2" in text and "There is no track" in text for text in show.notices())
    assert show.loads()[-1] == (2, "d") and show["/setlist/next/title"] == "Title of d"


def test_a_track_that_never_comes_does_not_hold_up_the_set():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.at(99.0, 99.0)
    show.fact(facts.DeckEnded(0, show.state.decks[0].token, 100.0))
    show.at(101.0, 100.0)
    assert show["/setlist/status"] == "waiting"
    assert show.loads()[-1][1] == "c" and any("not been loaded in time" in text for text in show.notices())
    deck = show.loads()[-1][0]
    show.arrive(deck)
    assert show[f"/deck/{deck}/play"] == 1 and show["/setlist/entry"] == 3


def test_nothing_is_loaded_over_a_deck_that_plays():
    show = Set("a", "b")
    show.arrive(1)
    show.load(2, "mine")
    show.put("/deck/2/play", 1)
    show.put("/setlist/next", 1)
    assert show.loads()[-1] == (3, "b"), "the next one goes to a deck that is free"


def test_a_performer_who_plays_the_next_one_by_hand_is_followed():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.arrive(2)
    show.at(10.0, 10.0)
    show.put("/deck/2/play", 1)
    show.put("/deck/1/play", 0)
    show.at(11.0, 11.0)
    assert show["/setlist/entry"] == 2 and show.loads()[-1] == (1, "c")


def test_a_new_engine_leaves_no_transition_hanging():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.arrive(2)
    show.at(96.0, 96.0)
    assert show["/setlist/status"] == "transition"
    show.fact(facts.EngineLost(EMPTY))
    show.fact(facts.EngineRestored(EMPTY, RATE))
    show.arrive(2)
    show.at(0.1, 1.0)
    assert show["/setlist/entry"] == 2 and show["/setlist/status"] != "transition"


def test_without_a_setlist_its_buttons_say_so_and_closing_forgets_it():
    session = Session()
    for path, value in (("next", 1), ("previous", 1), ("goto", 2), ("autopilot", 1)):
        [refused] = [e for e in session.put(f"/setlist/{path}", value) if isinstance(e, Refused)]
        assert refused.code == "no_setlist"
    session.put("/setlist/load", "x")
    session.fact(facts.SetlistFailed("x", "not_found", "There is no setlist called 'x'"))
    assert session["/setlist/status"] == "failed" and session["/setlist/load"] == ""
    show = Set("a")
    show.put("/setlist/load", "")
    assert show.state.setlist is None and show["/setlist/status"] == "closed" and show["/setlist/count"] == 0
    assert commands(show.fact(facts.SetlistTick(5))) == []


def test_after_a_restart_the_set_goes_on_where_it_was():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    again = Session(replace(show.state, setlist=None), connected=False)
    again.fact(facts.SetlistOpened("friday", "Friday night", planned("a", "b", "c"), resumed=True))
    assert again["/setlist/entry"] == 1 and again["/setlist/autopilot"] == 1
    assert again["/setlist/next/title"] == "Title of b"


def test_a_file_that_was_changed_is_opened_again_without_a_break():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.put("/setlist/load", "friday")
    show.fact(facts.SetlistOpened("friday", "Friday night", planned("a", "x", "c", "d")))
    assert show["/setlist/entry"] == 1 and show["/setlist/autopilot"] == 1 and show["/deck/1/play"] == 1
    assert show["/setlist/next/title"] == "Title of x" and show["/setlist/count"] == 4


def test_another_setlist_does_not_begin_over_what_plays():
    show = Set("a", "b")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.put("/setlist/load", "saturday")
    show.fact(facts.SetlistOpened("saturday", "", planned("x", "y")))
    assert show["/setlist/autopilot"] == 0 and show["/deck/1/play"] == 1 and show["/setlist/entry"] == 0
    show.arrive(2)
    show.at(1.0, 1.0)
    assert show["/deck/2/play"] == 0 and show["/setlist/status"] == "ready"


def test_switching_the_autopilot_off_leaves_everything_where_it_is():
    show = Set("a", "b", "c")
    show.put("/setlist/autopilot", 1)
    show.arrive(1)
    show.arrive(2)
    show.at(95.95, 95.95)
    show.at(98.0, 98.0)
    show.put("/setlist/autopilot", 0)
    before = [show[f"/deck/{deck}/{name}"] for deck in (1, 2) for name in ("volume", "play")]
    show.at(99.0, 99.0)
    show.at(99.5, 99.5)
    assert [show[f"/deck/{deck}/{name}"] for deck in (1, 2) for name in ("volume", "play")] == before
    assert before[1] == before[3] == 1 and show["/setlist/entry"] == 2


def test_the_time_to_the_next_transition_is_known():
    show = Set("one", "two")
    show.arrive(1)
    show.put("/setlist/next", 1)
    show.arrive(2)
    assert show.state.setlist.due == NEVER, "nothing plays yet"
    show.at(10.0, 40.0)
    # By hand it is the moment that the file plans: a fade of four seconds, over at the end of the track.
    assert show.state.setlist.due == round((10.0 + 60.0 - 4.0) * RATE)
    show.put("/deck/1/rate", 2.0)
    show.at(11.0, 41.0)
    assert show.state.setlist.due == round((11.0 + 59.0 / 2.0 - 4.0) * RATE)
    show.put("/deck/1/reverse", 1)
    show.at(12.0, 43.0)
    assert show.state.setlist.due == NEVER
    show.put("/deck/1/reverse", 0)
    show.put("/deck/1/rate", 1.0)
    show.put("/setlist/autopilot", 1)
    show.at(13.0, 95.99)
    assert show.state.setlist.passage is not None and show.state.setlist.due <= round(13.1 * RATE)
    show.at(30.0, 20.0)
    show.at(31.0, 21.0)
    assert show.state.setlist.due == round((31.0 + 79.0) * RATE), "the last one: when the set ends"
