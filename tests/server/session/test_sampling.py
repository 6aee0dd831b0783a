"""Pads and sequencer in the show: each control is one command, banks are kept and shown, sources come and fail."""

import pytest

from audio.commands import CommandKind as Kind
from audio.units import BANKS, PADS
from control.registry import REGISTRY
from server.pads import PADS_AT_REST, Pad, PadSource, read_source, read_steps
from server.session import facts
from server.session.effects import Effect, LoadPad, Notice, SaveBank
from server.session.facts import AudibleDeck, EngineRestored, LoopChanged, PadLoaded, PadLoadFailed
from server.session.sampling import SAMPLING, lines_of, with_pads
from server.session.state import initial
from tests.server.session.test_step import RATE, Session, changes, commands, refused

PARAMS = {
    "mode": ("gate", Kind.PAD_MODE, 2.0),
    "choke": ("3", Kind.PAD_CHOKE, 3.0),
    "gain": (0.5, Kind.PAD_GAIN, 0.5),
    "pfl": (1, Kind.PAD_PFL, 1.0),
    "pan": (-0.25, Kind.PAD_PAN, -0.25),
    "pitch": (7.5, Kind.PAD_PITCH, 7.5),
    "start": (0.5, Kind.PAD_START, 0.5 * RATE),
    "end": (1.5, Kind.PAD_END, 1.5 * RATE),
    "quantize": ("0.5", Kind.PAD_QUANTIZE, 0.5),
}


def loaded(session: Session, pad: int = 1, source: str = "a", bank: int = 1) -> tuple[LoadPad, tuple[Effect, ...]]:
    """Put a source on a pad of the chosen bank; return what was asked for and what its coming did."""
    effects = session.put(f"/pad/{pad}/source", source)
    (wish,) = [effect for effect in effects if isinstance(effect, LoadPad)]
    assert (wish.bank, wish.pad) == (bank - 1, pad - 1)
    return wish, session.fact(PadLoaded(wish.bank, wish.pad, wish.token, wish.source, f"Title of {source}", 2.0))


def saved(effects: tuple[Effect, ...]) -> dict[int, tuple[Pad, ...]]:
    """Return the banks that are kept, by number from 0."""
    return {effect.bank: effect.pads for effect in effects if isinstance(effect, SaveBank)}


@pytest.mark.parametrize("pad", [1, 16])
@pytest.mark.parametrize("name", PARAMS)
def test_a_number_of_a_pad_reaches_the_engine_and_is_kept(pad: int, name: str) -> None:
    session = Session()
    session.put("/pad/bank", "3")
    value, kind, a = PARAMS[name]
    effects = session.put(f"/pad/{pad}/{name}", value)
    assert commands(effects) == [(kind, 2, pad - 1, a)]
    assert changes(effects) == {f"/pad/{pad}/{name}": value}
    assert getattr(saved(effects)[2][pad - 1], {"start": "start_s", "end": "end_s"}.get(name, name)) == value


def test_a_bank_that_is_chosen_is_shown() -> None:
    session = Session()
    loaded(session)
    session.put("/pad/1/pitch", 5.0)
    session.fact(facts.PadsSounding((1, 2, *(0,) * (BANKS - 2))))
    assert (session["/pad/1/name"], session["/pad/1/playing"]) == ("Title of a", 1)
    session.put("/pad/bank", "2")
    assert (session["/pad/1/name"], session["/pad/1/pitch"], session["/pad/1/status"]) == ("", 0.0, "empty")
    assert (session["/pad/1/playing"], session["/pad/2/playing"]) == (0, 1)
    session.put("/pad/bank", "1")
    assert (session["/pad/1/name"], session["/pad/1/pitch"], session["/pad/1/status"]) == ("Title of a", 5.0, "ready")


def test_hits_carry_their_velocity_and_their_time() -> None:
    session = Session()
    loaded(session, 7)
    assert commands(session.put("/pad/7", 0.25, at=99)) == [(Kind.PAD_HIT, 0, 6, 0.25)]
    assert commands(session.put("/pad/7", 0.0)) == [(Kind.PAD_HIT, 0, 6, 0.0)]
    assert commands(session.put("/pad/7/stop", 1)) == [(Kind.PAD_STOP, 0, 6, 0.0)]
    assert commands(session.put("/pad/stop", 1)) == [(Kind.SAMPLER_STOP, 0, 0, 0.0)]


def test_an_empty_pad_says_so() -> None:
    effects = Session().put("/pad/3", 1.0)
    assert refused(effects).code == "pad_empty"
    assert commands(effects) == []


def test_a_source_is_loaded_kept_and_begins_at_its_own_ends() -> None:
    session = Session()
    session.put("/pad/2/start", 1.0)
    wish, effects = loaded(session, 2, "a#drums@1.5-2")
    assert wish.source == "a#drums@1.5-2"
    assert (session["/pad/2/status"], session["/pad/2/duration"], session["/pad/2/start"]) == ("ready", 2.0, 0.0)
    assert saved(effects)[0][1].source == "a#drums@1.5-2"
    effects = session.put("/pad/2/source", "")
    assert LoadPad(0, 1, 0, "") in effects
    assert (session["/pad/2/status"], session["/pad/2/name"]) == ("empty", "")
    assert saved(effects)[0][1].source == ""


def test_a_source_that_cannot_come_leaves_what_there_was() -> None:
    session = Session()
    loaded(session)
    (wish,) = [e for e in session.put("/pad/1/source", "b") if isinstance(e, LoadPad)]
    effects = session.fact(PadLoadFailed(0, 0, wish.token, "sample_missing", "There is no track b"))
    assert (session["/pad/1/status"], session["/pad/1/source"], session["/pad/1/name"]) == ("ready", "a", "Title of a")
    assert any(isinstance(effect, Notice) and "no track b" in effect.message for effect in effects)


def test_a_later_wish_overtakes_an_earlier_one() -> None:
    session = Session()
    (first,) = [e for e in session.put("/pad/1/source", "a") if isinstance(e, LoadPad)]
    loaded(session, 1, "b")
    assert session.fact(PadLoaded(0, 0, first.token, "a", "late", 1.0)) == ()
    assert session["/pad/1/source"] == "b"


@pytest.mark.parametrize("bad", ["a@2-1", "a#kazoo", "a@1-1"])
def test_a_source_that_cannot_be_is_refused(bad: str) -> None:
    assert refused(Session().put("/pad/1/source", bad)).code == "bad_value"


def test_the_loop_of_a_deck_goes_onto_a_pad() -> None:
    session = Session()
    token = session.load(2)
    track = session.state.decks[1].track_id
    assert refused(session.put("/pad/4/take", "2")).code == "no_loop"
    session.fact(LoopChanged(1, token, True, False, 1.0, 3.0))
    effects = session.put("/pad/4/take", "2#vocals")
    assert [e.source for e in effects if isinstance(e, LoadPad)] == [f"{track}#vocals@1-3"]
    assert session["/pad/4/mode"] == "loop"
    for bad in ("5", "", "x#drums", "1#kazoo"):
        assert refused(session.put("/pad/4/take", bad)).code == "bad_value"


def test_steps_and_patterns_show_each_other() -> None:
    session = Session()
    session.put("/sequencer/select", "2")
    effects = session.put("/sequencer/step/5", 1.0)
    assert commands(effects) == [(Kind.SEQUENCER_SET, 0, 1, 4.0)]
    assert session["/sequencer/pattern/2"] == "....9..........."
    effects = session.put("/sequencer/pattern/2", "x..3")
    assert session["/sequencer/pattern/2"] == "9..3............"
    assert session["/sequencer/step/4"] == pytest.approx(3 / 9)
    assert session["/sequencer/step/5"] == 0.0
    assert len(commands(effects)) == 3
    assert saved(effects)[0][1].steps == "9..3............"
    session.put("/sequencer/bank", "2")
    assert session["/sequencer/pattern/2"] == "." * 16
    session.put("/sequencer/bank", "1")
    assert len(commands(session.put("/sequencer/clear", 1))) == 2
    assert session["/sequencer/pattern/2"] == "." * 16
    assert refused(session.put("/sequencer/pattern/1", "what?")).code == "bad_value"


def test_a_new_engine_is_given_everything() -> None:
    session = Session()
    session.put("/pad/bank", "5")
    loaded(session, 3, bank=5)
    session.put("/pad/3/mode", "loop")
    session.put("/sequencer/bank", "5")
    session.put("/sequencer/pattern/3", "5")
    effects = session.fact(EngineRestored((AudibleDeck(),) * 4, RATE))
    sent = commands(effects)
    assert (Kind.PAD_MODE, 4, 2, 1.0) in sent
    assert (Kind.SEQUENCER_SET, 4, 2, 0.0) in sent
    assert (Kind.SEQUENCER_BANK, 0, 0, 4.0) in sent
    (wish,) = [effect for effect in effects if isinstance(effect, LoadPad)]
    assert (wish.bank, wish.pad, wish.source) == (4, 2, "a")
    session.put("/pad/3/start", 0.5)
    session.fact(PadLoaded(4, 2, wish.token, "a", "Title of a", 2.0))
    assert (session["/pad/3/status"], session["/pad/3/start"]) == ("ready", 0.5)


def test_a_sequencer_that_ran_on_without_a_server_is_not_stopped() -> None:
    session = Session(connected=False)
    sent = commands(session.fact(EngineRestored((AudibleDeck(),) * 4, RATE, steps=True)))
    assert (Kind.SEQUENCER_RUN, 0, 0, 1.0) in sent
    assert session["/sequencer/run"] == 1


def test_kept_pads_come_back() -> None:
    pads = list(PADS_AT_REST)
    pads[PADS] = Pad("a@1-2", "A part", mode="gate", steps="1" + "." * 15)
    state = with_pads(initial(), tuple(pads))
    assert state.pads[PADS].status == "loading"
    session = Session()
    session.state = state
    session.put("/pad/bank", "2")
    assert (session["/pad/1/name"], session["/pad/1/mode"]) == ("A part", "gate")


def test_the_lines_of_a_show_make_the_same_show() -> None:
    session = Session()
    session.put("/pad/bank", "4")
    loaded(session, 2, "a@1-2", bank=4)
    session.put("/pad/2/mode", "gate")
    session.put("/pad/2/end", 0.5)
    session.put("/sequencer/bank", "4")
    session.put("/sequencer/pattern/2", "x..x")
    session.put("/pad/bank", "1")
    again = Session()
    for path, value in lines_of(session.state):
        for effect in again.put(path, value):
            if isinstance(effect, LoadPad):
                again.fact(PadLoaded(effect.bank, effect.pad, effect.token, effect.source, "Title of a@1-2", 2.0))
    assert again.state.pads == session.state.pads
    assert (again["/pad/bank"], again["/sequencer/bank"]) == ("1", "4")


def test_every_control_of_the_sampler_is_here() -> None:
    rows = {path for path, control in REGISTRY.items() if path.startswith(("/pad/", "/sequencer/"))}
    numbers = {"/pad/volume", "/sequencer/run", "/sequencer/length", "/sequencer/swing", "/sequencer/step_beats"}
    read = {path for path in rows if not REGISTRY[path].is_writable}
    assert set(SAMPLING) == rows - numbers - read
    assert {path.split("/")[-1] for path in read} == {"name", "status", "duration", "playing", "position"}


def test_sources_are_read_as_they_are_written() -> None:
    for source in (PadSource("a"), PadSource("a", "drums"), PadSource("a", "", 1.25, 2.5), PadSource("a", "bass", 3.0)):
        assert read_source(str(source)) == source
    assert read_source("folder/loud #1.wav").name == "folder/loud #1.wav"
    assert read_steps("x.-0") == "9" + "." * 15
