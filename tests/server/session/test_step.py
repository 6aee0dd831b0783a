"""Laws of the step: what each control does, in words a performer would use."""

import pytest

from audio.commands import CommandKind
from audio.units import BUSES, CROSSFADER_CURVES, CROSSFADER_SIDES, DECK_SOURCES, EFFECTS, OUTPUTS, OWN_OUTPUTS, STEMS
from control.control import Kind
from control.registry import ALIASES, REGISTRY, resolve
from control.tables.practice import mode_rows, practice_rows, stem_practice_rows
from control.tables.sampler import sampler_rows
from control.tables.setlist import setlist_rows
from control.tables.takes import take_rows
from control.tables.transport import stem_loop_rows, tempo_rows, transport_rows
from server.session import facts
from server.session.controls import HANDLERS
from server.session.effects import (
    AdoptDeck,
    Changed,
    Effect,
    EjectDeck,
    EngineCommand,
    LoadRefused,
    LoadTrack,
    Notice,
)
from server.session.facts import AudibleDeck, DeckEnded, DeckLoaded, DeckLoadFailed, EngineLost, EngineRestored
from server.session.intent import Intent, Refused
from server.session.rows import ROWS
from server.session.sampling import SAMPLING
from server.session.state import State, initial
from server.session.step import step

RATE = 48_000
EMPTY = (AudibleDeck(),) * 4


class Session:
    """A state and everything that came out of it."""

    def __init__(self, state: State | None = None, connected: bool = True) -> None:
        self.state = state or initial()
        self.effects: list[Effect] = []
        if connected:
            self.fact(EngineRestored(EMPTY, RATE))
            self.effects.clear()

    def put(self, path: str, value: object, at: int | None = None) -> tuple[Effect, ...]:
        return self._do(Intent(path, value, "test", at))

    def fact(self, fact: facts.Fact) -> tuple[Effect, ...]:
        return self._do(fact)

    def _do(self, event: Intent | facts.Fact) -> tuple[Effect, ...]:
        before = self.state
        self.state, effects = step(before, event, 0.0)
        assert step(before, event, 0.0) == (self.state, effects), "a step is a function of its arguments"
        assert (self.state.rev > before.rev) == any(isinstance(effect, Changed) for effect in effects)
        self.effects += effects
        return effects

    def load(self, deck: int = 1, track: str = "a", duration_s: float = 100.0) -> int:
        self.put(f"/deck/{deck}/load", track)
        token = self.state.decks[deck - 1].loading
        self.fact(DeckLoaded(deck - 1, token, f"Title {track}", "Artist", duration_s))
        return token

    def __getitem__(self, path: str) -> object:
        return self.state.controls[path]


def commands(effects: tuple[Effect, ...]) -> list[tuple[CommandKind, int, int, float]]:
    return [(e.kind, e.deck, e.slot, e.a) for e in effects if isinstance(e, EngineCommand)]


def changes(effects: tuple[Effect, ...]) -> dict[str, object]:
    return next((e.changes for e in effects if isinstance(e, Changed)), {})


def refused(effects: tuple[Effect, ...]) -> Refused:
    found = [e for e in effects if isinstance(e, Refused)]
    assert len(found) == 1
    return found[0]


# --- every control does something ------------------------------------------------------------------------------------

#: path below the deck: value, and the (kind, a) it sends
DECK_NUMBERS = {
    "rate": (1.25, CommandKind.DECK_RATE, 1.25),
    "keylock": (1, CommandKind.DECK_KEYLOCK, 1.0),
    "pitch": (-2.25, CommandKind.DECK_PITCH, -2.25),
    "tuning": (442.0, CommandKind.DECK_TUNING, 442.0),
    "volume": (0.5, CommandKind.DECK_VOLUME, 0.5),
    "trim_db": (-6.0, CommandKind.DECK_TRIM, 10 ** (-6 / 20)),
    "assign": ("thru", CommandKind.DECK_ASSIGN, CROSSFADER_SIDES.index("thru")),
    "source": ("mix", CommandKind.DECK_SOURCE, DECK_SOURCES.index("mix")),
    "pitch_fader": (0.5, CommandKind.DECK_RATE, 1.04),
    "filter": (-0.5, CommandKind.DECK_FILTER, -0.5),
    "pfl": (1, CommandKind.DECK_PFL, 1.0),
    "output": ("5-6", CommandKind.DECK_OUTPUT, OUTPUTS.index("5-6")),
}
DECK_BANDS = {
    "": (-6.0, CommandKind.DECK_EQ, 10 ** (-6 / 20)),
    "/kill": (1, CommandKind.DECK_KILL, 1.0),
}
STEM_NUMBERS = {
    "volume": (0.25, CommandKind.STEM_VOLUME, 0.25),
    "mute": (1, CommandKind.STEM_MUTE, 1.0),
    "solo": (1, CommandKind.STEM_SOLO, 1.0),
    "pan": (-0.5, CommandKind.STEM_PAN, -0.5),
    "filter": (0.5, CommandKind.STEM_FILTER, 0.5),
    "eq/low": (-6.0, CommandKind.STEM_EQ_LOW, 10 ** (-6 / 20)),
    "eq/mid": (-6.0, CommandKind.STEM_EQ_MID, 10 ** (-6 / 20)),
    "eq/high": (-6.0, CommandKind.STEM_EQ_HIGH, 10 ** (-6 / 20)),
    "output": ("7-8", CommandKind.STEM_OUTPUT, OUTPUTS.index("7-8")),
    "send": (0.25, CommandKind.STEM_SEND, 0.25),
}
EFFECT_NUMBERS = {
    "type": ("gate", CommandKind.FX_TYPE, EFFECTS.index("gate")),
    "on": (1, CommandKind.FX_ON, 1.0),
    "wet": (0.75, CommandKind.FX_WET, 0.75),
    "param/1": (0.1, CommandKind.FX_PARAM_1, 0.1),
    "param/2": (0.2, CommandKind.FX_PARAM_2, 0.2),
    "param/3": (0.3, CommandKind.FX_PARAM_3, 0.3),
}
MIXER_NUMBERS = {
    "/mixer/crossfader": (-0.5, CommandKind.CROSSFADER, -0.5),
    "/mixer/crossfader/curve": ("cut", CommandKind.CROSSFADER_CURVE, CROSSFADER_CURVES.index("cut")),
    "/mixer/master": (0.5, CommandKind.MASTER_VOLUME, 0.5),
    "/mixer/crossfader/reverse": (1, CommandKind.CROSSFADER_REVERSE, 1.0),
    "/mixer/headphones": (0.5, CommandKind.HEADPHONES, 0.5),
    "/mixer/cue_mix": (0.5, CommandKind.CUE_MIX, 0.5),
    "/mixer/split_cue": (1, CommandKind.SPLIT_CUE, 1.0),
    "/mixer/booth": (0.5, CommandKind.BOOTH, 0.5),
    "/practice/input/volume": (0.5, CommandKind.INPUT_LEVEL, 0.5),
    "/practice/input/output": ("master", CommandKind.INPUT_OUTPUT, 1.0),
    "/practice/input/latency": (0.0125, CommandKind.INPUT_DELAY, 0.0125),
    "/mixer/headphones/output": ("7-8", CommandKind.HEADPHONES_OUTPUT, OWN_OUTPUTS.index("7-8")),
    "/mixer/booth/output": ("off", CommandKind.BOOTH_OUTPUT, OWN_OUTPUTS.index("off")),
    "/pad/volume": (0.5, CommandKind.SAMPLER_VOLUME, 0.5),
    "/sequencer/run": (1, CommandKind.SEQUENCER_RUN, 1.0),
    "/sequencer/length": ("12", CommandKind.SEQUENCER_LENGTH, 12.0),
    "/sequencer/swing": (0.25, CommandKind.SEQUENCER_SWING, 0.25),
    "/sequencer/step_beats": ("0.333333", CommandKind.SEQUENCER_STEP, 1 / 3),
}


def numbers() -> list[tuple[str, object, CommandKind, int, int, float]]:
    rows: list[tuple[str, object, CommandKind, int, int, float]] = []
    for deck in range(4):
        rows += [(f"/deck/{deck + 1}/{n}", v, k, deck, 0, a) for n, (v, k, a) in DECK_NUMBERS.items()]
        for unit in range(2):
            path = f"/deck/{deck + 1}/fx/{unit + 1}"
            rows += [(f"{path}/{n}", v, k, deck, unit, a) for n, (v, k, a) in EFFECT_NUMBERS.items()]
        for slot, band in enumerate(("low", "mid", "high")):
            rows += [(f"/deck/{deck + 1}/eq/{band}{n}", v, k, deck, slot, a) for n, (v, k, a) in DECK_BANDS.items()]
        for slot, stem in enumerate(STEMS):
            rows += [
                (f"/deck/{deck + 1}/stem/{stem}/{n}", v, k, deck, slot, a) for n, (v, k, a) in STEM_NUMBERS.items()
            ]
    rows += [(path, v, k, 0, 0, a) for path, (v, k, a) in MIXER_NUMBERS.items()]
    rows += [
        ("/timecode/ltc", "29.97", CommandKind.TIMECODE_RATE, 0, 0, 2.0),
        ("/timecode/ltc/channel", "5", CommandKind.TIMECODE_CHANNEL, 0, 0, 2.0),
        ("/timecode/ltc/level", -20.0, CommandKind.TIMECODE_LEVEL, 0, 0, 0.1),
        ("/timecode/offset", 3600.0, CommandKind.TIMECODE_OFFSET, 0, 0, 3600.0),
        ("/session/focus", "3", CommandKind.TIMECODE_DECK, 0, 0, 2.0),
    ]
    rows += [(f"/mixer/record/bus/{bus}", 1, CommandKind.RECORD_BUS, 0, n, 1.0) for n, bus in enumerate(BUSES)]
    rows += [(f"/mixer/fx/{n}", v, k, 4, 0, a) for n, (v, k, a) in EFFECT_NUMBERS.items()]
    return rows


@pytest.mark.parametrize(("path", "value", "kind", "deck", "slot", "a"), numbers())
def test_a_number_reaches_the_engine_and_every_surface(path, value, kind, deck, slot, a):
    session = Session()
    effects = session.put(path, value)
    assert commands(effects) == [(kind, deck, slot, pytest.approx(a))]
    assert session[path] == value
    assert changes(effects)[path] == value


PERFORMED = {row.path for deck in range(1, 5) for row in transport_rows(deck) if row.is_writable}
PERFORMED |= {row.path for deck in range(1, 5) for stem in STEMS for row in stem_loop_rows(deck, stem)}
PERFORMED |= {row.path for row in tempo_rows()}
"""Controls that `test_performing` tests."""

PRACTISED = {
    row.path
    for deck in range(1, 5)
    for row in (*practice_rows(deck), *(row for stem in STEMS for row in stem_practice_rows(deck, stem)), *mode_rows())
    if row.is_writable
}
"""Controls that `test_practising` tests."""

TRANSPORT = {"load", "eject", "play", "stop", "position", "pitch_range", "auto_gain"}
"""Controls with tests of their own, below and in test_strip.py."""


REMEMBERED = {
    "/link/enabled": 1, "/link/start_stop": 1, "/clock/out": 1, "/clock/out/ports": "drum*",
    "/clock/in": "*", "/clock/in/transport": 1, "/timecode/out": "29.97",
    "/daw/profile": "reaper", "/daw/host": "10.0.0.2", "/mixer/record": 1,
    "/mixer/record/bus/input": 1,
}  # fmt: skip
"""Controls that the show remembers for other surfaces, which act on them."""


@pytest.mark.parametrize(("path", "value"), REMEMBERED.items())
def test_what_other_surfaces_act_on_is_remembered_and_told(path, value):
    session = Session()
    effects = session.put(path, value)
    assert changes(effects) == {path: value}
    assert commands(effects) == []


def test_measuring_the_input_sounds_the_noise_and_says_so():
    session = Session()
    effects = session.put("/practice/input/measure", 1)
    assert commands(effects) == [(CommandKind.INPUT_PROBE, 0, 0, 1.0)]
    assert changes(effects) == {"/practice/input/status": "measuring"}
    assert not commands(session.put("/practice/input/measure", 0))


def test_no_control_is_dead_or_untested():
    tested = {row[0] for row in numbers()} | {"/mixer/auto_gain/target", "/practice/input/measure"} | set(REMEMBERED)
    tested |= {"/session/tap"}  # by test_tapping
    tested |= {row.path for deck in range(1, 5) for row in take_rows(deck)}  # by test_taking
    tested |= {f"/deck/{deck}/{name}" for deck in range(1, 5) for name in TRANSPORT}
    tested |= PERFORMED | PRACTISED | set(SAMPLING)  # those of the sampler in test_sampling.py
    tested |= {row.path for row in setlist_rows() if row.is_writable}  # by test_setlist_player
    assert tested == {path for path, control in REGISTRY.items() if control.is_writable} == set(HANDLERS)


READ = {"duration", "title", "artist", "status", "gap", "track_loudness"}
STEM_READ = {"pending", "ready"}


def test_every_readable_control_is_fed_by_a_fact():
    session = Session()
    before = dict(session.state.controls)
    for deck in range(4):
        token = session.load(deck + 1)
        session.fact(facts.GapChanged(deck, True))
        session.fact(facts.PendingChanged(deck, 0b111111))
        session.fact(facts.TrackMeasured(deck, token, -9.0))
        for slot in range(6):
            session.fact(facts.StemsReady(deck, token, slot, 0.5))
    clocks = {"/link/peers": 1.0, "/clock/out/late": 2.0, "/clock/in/status": "running", "/clock/in/tempo": 120.0}
    session.fact(facts.Reported((*clocks.items(), ("/mixer/record/file", "a set.flac"))))
    moved = {path for path, value in session.state.controls.items() if value != before[path]}
    read = {p for p, control in REGISTRY.items() if control.is_state and not control.is_writable}
    performed = {row.path for deck in range(1, 5) for row in transport_rows(deck)}
    performed |= {row.path for row in sampler_rows()}  # test_sampling.py
    performed |= {row.path for row in setlist_rows()}  # by test_setlist_player
    practised = {row.path for deck in range(1, 5) for row in practice_rows(deck)}
    # The input's is told by what measures it: test_round_trip.py.
    assert read - performed - practised - {"/practice/input/status"} <= moved


# --- load, play, stop, position, eject -------------------------------------------------------------------------------


def test_load_shows_what_is_coming_and_then_what_came():
    session = Session()
    effects = session.put("/deck/2/load", "a")
    token = session.state.decks[1].loading
    assert LoadTrack(1, token, "a", 0.0) in effects
    assert session["/deck/2/status"] == "loading" and session["/deck/2/load"] == "a"
    effects = session.fact(DeckLoaded(1, token, "T", "A", 12.5))
    assert changes(effects) == {
        "/deck/2/status": "ready",
        "/deck/2/title": "T",
        "/deck/2/artist": "A",
        "/deck/2/duration": 12.5,
    }
    assert commands(effects) == [(CommandKind.DECK_PLAY, 1, 0, 0.0)]


def test_play_on_a_loading_deck_starts_when_it_is_loaded():
    session = Session()
    session.put("/deck/1/load", "a")
    assert commands(session.put("/deck/1/play", 1, at=777)) == []
    effects = session.fact(DeckLoaded(0, session.state.decks[0].loading, "T", "A", 10.0))
    play = [e for e in effects if isinstance(e, EngineCommand)]
    assert play == [EngineCommand(CommandKind.DECK_PLAY, 0, 0, 1.0, 777, session.state.decks[0].token)]
    assert session["/deck/1/play"] == 1


def test_play_taken_back_while_loading_stays_silent():
    session = Session()
    session.put("/deck/1/load", "a")
    session.put("/deck/1/play", 1)
    session.put("/deck/1/play", 0)
    effects = session.fact(DeckLoaded(0, session.state.decks[0].loading, "T", "A", 10.0))
    assert commands(effects) == [(CommandKind.DECK_PLAY, 0, 0, 0.0)]
    assert session["/deck/1/play"] == 0


@pytest.mark.parametrize("path", ["/deck/1/play", "/deck/1/position"])
def test_an_empty_deck_says_so(path):
    session = Session()
    before = session.state.controls
    effects = session.put(path, 1)
    assert refused(effects).code == "deck_empty"
    assert session.state.controls == before and commands(effects) == []
    if path == "/deck/1/play":
        assert changes(effects) == {path: 0}, "a lit button goes out again"


def test_loading_over_a_playing_deck_warns_and_stops_only_when_the_new_track_is_there():
    session = Session()
    first = session.load(track="a")
    session.put("/deck/1/play", 1)
    effects = session.put("/deck/1/load", "b")
    assert [e.code for e in effects if isinstance(e, Notice)] == ["loaded_over_playing"]
    assert commands(effects) == [] and session["/deck/1/play"] == 1 and session["/deck/1/title"] == "Title a"
    assert session.state.decks[0].token == first
    session.fact(DeckLoaded(0, session.state.decks[0].loading, "Title b", "B", 50.0))
    assert session["/deck/1/play"] == 0 and session["/deck/1/title"] == "Title b"


def test_a_load_that_fails_changes_nothing_that_is_heard():
    session = Session()
    token = session.load(track="a")
    session.put("/deck/1/play", 1)
    session.put("/deck/1/load", "nowhere")
    effects = session.fact(DeckLoadFailed(0, session.state.decks[0].loading, "unknown_track", "There is none"))
    assert commands(effects) == []
    assert [e.refused.code for e in effects if isinstance(e, LoadRefused)] == ["unknown_track"]
    assert session["/deck/1/status"] == "failed" and session["/deck/1/load"] == "a"
    assert session["/deck/1/play"] == 1 and session.state.decks[0].token == token


def test_a_load_that_fails_on_an_empty_deck_leaves_it_paused_and_empty():
    session = Session()
    session.put("/deck/1/load", "nowhere")
    session.put("/deck/1/play", 1)
    session.fact(DeckLoadFailed(0, session.state.decks[0].loading, "unknown_track", "There is none"))
    assert session["/deck/1/play"] == 0 and session["/deck/1/load"] == "" and session["/deck/1/status"] == "failed"
    assert refused(session.put("/deck/1/play", 1)).code == "deck_empty"


def test_facts_of_an_overtaken_load_change_nothing():
    session = Session()
    session.put("/deck/1/load", "a")
    overtaken = session.state.decks[0].loading
    session.put("/deck/1/load", "b")
    before = session.state
    session.fact(DeckLoaded(0, overtaken, "T", "A", 1.0))
    assert session.state == before
    session.fact(DeckEnded(0, overtaken, 1.0))
    session.fact(facts.StemsReady(0, overtaken, 0, 1.0))
    assert session.state == before
    assert not changes(session.fact(DeckLoadFailed(0, overtaken, "x", "x")))


def test_load_takes_a_track_id():
    effects = Session().put("/deck/1/load", "  ")
    assert refused(effects).code == "bad_value" and not any(isinstance(e, LoadTrack) for e in effects)


def test_position_jumps_within_the_track():
    session = Session()
    token = session.load(duration_s=100.0)
    effects = session.put("/deck/1/position", 12.5, at=5)
    assert [e for e in effects if isinstance(e, EngineCommand)] == [
        EngineCommand(CommandKind.DECK_SEEK, 0, 0, 12.5 * RATE, 5, token)
    ]
    assert commands(session.put("/deck/1/position", 1e9)) == [(CommandKind.DECK_SEEK, 0, 0, 100.0 * RATE)]
    assert commands(session.put("/deck/1/position", -3)) == [(CommandKind.DECK_SEEK, 0, 0, 0.0)]
    assert not any(changes(effects)), "a playhead is telemetry, not state"


def test_a_jump_asked_for_while_loading_happens_after():
    session = Session()
    session.put("/deck/1/load", "a")
    assert commands(session.put("/deck/1/position", 30.0)) == []
    effects = session.fact(DeckLoaded(0, session.state.decks[0].loading, "T", "A", 20.0))
    assert commands(effects) == [(CommandKind.DECK_SEEK, 0, 0, 20.0 * RATE), (CommandKind.DECK_PLAY, 0, 0, 0.0)]


def test_stop_pauses_and_returns_to_the_start():
    session = Session()
    session.load()
    session.put("/deck/1/play", 1)
    effects = session.put("/deck/1/stop", 1)
    assert commands(effects) == [(CommandKind.DECK_PLAY, 0, 0, 0.0), (CommandKind.DECK_SEEK, 0, 0, 0.0)]
    assert session["/deck/1/play"] == 0


HELD = ("/cue", "/touch", "/brake", "/spinback", "/go")
"""Triggers that are pressed and let go."""
TRIGGERS = [path for path, row in REGISTRY.items() if row.kind is Kind.TRIGGER and not path.endswith(HELD)]


@pytest.mark.parametrize("path", TRIGGERS)
def test_letting_go_of_a_trigger_does_nothing(path):
    session = Session()
    session.load()
    session.put("/deck/1/play", 1)
    before = session.state
    assert session.put(path, 0) == () and session.state == before


def test_eject_forgets_the_track_and_keeps_the_faders():
    session = Session()
    token = session.load()
    session.fact(facts.StemsReady(0, token, 0, 1.0))
    session.fact(facts.GapChanged(0, True))
    session.put("/deck/1/volume", 0.3)
    session.put("/deck/1/stem/vocals/mute", 1)
    session.put("/deck/1/play", 1)
    effects = session.put("/deck/1/eject", 1)
    assert EjectDeck(0) in effects
    for name, value in {"title": "", "artist": "", "duration": 0.0, "status": "empty", "load": "", "play": 0}.items():
        assert session[f"/deck/1/{name}"] == value
    assert session["/deck/1/gap"] == 0 and session["/deck/1/stem/vocals/ready"] == 0
    assert session["/deck/1/volume"] == 0.3 and session["/deck/1/stem/vocals/mute"] == 1


def test_the_end_of_a_track_pauses_the_deck_and_play_starts_it_over():
    session = Session()
    token = session.load(duration_s=10.0)
    session.put("/deck/1/play", 1)
    session.fact(DeckEnded(0, token, 10.0))
    assert session["/deck/1/play"] == 0
    assert commands(session.put("/deck/1/play", 1)) == [
        (CommandKind.DECK_SEEK, 0, 0, 0.0),
        (CommandKind.DECK_PLAY, 0, 0, 1.0),
    ]
    assert commands(session.put("/deck/1/play", 1)) == [(CommandKind.DECK_PLAY, 0, 0, 1.0)]


def test_stem_controls_of_stems_that_are_not_there_are_kept():
    session = Session()
    session.put("/deck/1/stem/piano/mute", 1)
    session.load()
    assert session["/deck/1/stem/piano/mute"] == 1
    assert session["/deck/1/stem/piano/ready"] == 0.0


# --- rate and pitch fader --------------------------------------------------------------------------------------------


def test_rate_and_pitch_fader_follow_each_other():
    session = Session()
    session.put("/deck/1/pitch_fader", -0.5)
    assert session["/deck/1/rate"] == pytest.approx(0.96)
    session.put("/deck/1/rate", 1.06)
    assert session["/deck/1/pitch_fader"] == pytest.approx(0.75)
    session.put("/deck/1/rate", 2.0)
    assert session["/deck/1/rate"] == 2.0 and session["/deck/1/pitch_fader"] == 1.0
    effects = session.put("/deck/1/pitch_range", "0.16")
    assert session["/deck/1/rate"] == pytest.approx(1.16)
    assert commands(effects) == [(CommandKind.DECK_RATE, 0, 0, pytest.approx(1.16))]


def test_the_pitch_fader_never_stops_the_deck():
    session = Session()
    session.put("/deck/1/pitch_range", 1.0)
    session.put("/deck/1/pitch_fader", -1)
    assert session["/deck/1/rate"] == 0.25


# --- values from outside ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/deck/1/volume", float("nan"), "bad_value"),
        ("/deck/1/volume", float("inf"), "bad_value"),
        ("/deck/1/volume", 10**400, "bad_value"),
        ("/deck/1/volume", "loud", "bad_value"),
        ("/deck/1/volume", None, "bad_value"),
        ("/deck/1/volume", [1], "bad_value"),
        ("/deck/1/load", 7, "bad_value"),
        ("/deck/1/load", "x" * 501, "bad_value"),
        ("/deck/1/assign", "up", "bad_value"),
        ("/deck/1/assign", 3, "bad_value"),
        ("/deck/1/title", "mine", "bad_value"),
        ("/deck/1/level", 1.0, "bad_value"),
        ("/deck/5/play", 1, "unknown_control"),
        ("/deck/1/stem/kazoo/mute", 1, "unknown_control"),
        ("", 1, "unknown_control"),
        ("/stem/9/mute", 1, "unknown_control"),
    ],
)
def test_a_bad_request_is_answered_and_changes_nothing(path, value, code):
    session = Session()
    before = session.state
    effects = session.put(path, value)
    assert session.state is before
    assert len(effects) == 1 and refused(effects).code == code and refused(effects).message


def test_a_value_out_of_range_is_clamped_and_the_sender_is_told():
    session = Session()
    assert changes(session.put("/deck/1/volume", 7)) == {"/deck/1/volume": 1.0}
    assert changes(session.put("/deck/1/volume", 1.0)) == {}


def test_aliases_move_the_deck_that_has_the_focus():
    session = Session()
    session.put("/session/focus", 3)
    for alias in ALIASES:
        control = resolve(alias, "3")
        assert control.path.startswith(("/deck/3/", "/setlist/", "/session/focus"))
    session.put("/stem/2/mute", 1)
    assert session["/deck/3/stem/drums/mute"] == 1 and session["/deck/1/stem/drums/mute"] == 0
    session.load(3)
    assert commands(session.put("/transport/play", 1)) == [(CommandKind.DECK_PLAY, 2, 0, 1.0)]
    assert session["/deck/3/play"] == 1


def test_a_timed_intent_changes_the_show_at_once_and_the_sound_at_its_frame():
    session = Session()
    effects = session.put("/mixer/crossfader", 1.0, at=96_000)
    assert [e.frame for e in effects if isinstance(e, EngineCommand)] == [96_000]
    assert session["/mixer/crossfader"] == 1.0


# --- the engine comes and goes ---------------------------------------------------------------------------------------


def test_without_an_engine_the_show_goes_on_in_silence():
    session = Session(connected=False)
    effects = session.put("/deck/1/volume", 0.2)
    assert commands(effects) == [] and session["/deck/1/volume"] == 0.2


def test_a_new_engine_is_told_everything():
    session = Session()
    session.put("/deck/1/volume", 0.2)
    session.put("/mixer/crossfader", 0.7)
    session.fact(EngineLost(EMPTY))
    sent = commands(session.fact(EngineRestored(EMPTY, RATE)))
    assert (CommandKind.DECK_VOLUME, 0, 0, 0.2) in sent and (CommandKind.CROSSFADER, 0, 0, 0.7) in sent
    fresh = Session(connected=False)
    everything = commands(fresh.fact(EngineRestored(EMPTY, RATE)))
    assert [row[:3] for row in sent] == [row[:3] for row in everything]
    assert len(everything) == len(ROWS) + 2, "and the session's tempo, and the sequencer's bank"


def test_a_lost_engine_comes_back_where_the_music_was():
    session = Session()
    token = session.load(track="a")
    session.load(deck=2, track="b")
    session.put("/deck/1/play", 1)
    heard = (AudibleDeck(token, 33.0, True, 100.0), *EMPTY[1:])
    session.fact(EngineLost(heard))
    effects = session.fact(EngineRestored(EMPTY, RATE))
    loads = [e for e in effects if isinstance(e, LoadTrack)]
    assert [(e.deck, e.track_id, e.position_s) for e in loads] == [(0, "a", 33.0), (1, "b", 0.0)]
    assert all(e.token > token for e in loads)
    effects = session.fact(DeckLoaded(0, loads[0].token, "T", "A", 100.0))
    assert commands(effects) == [(CommandKind.DECK_PLAY, 0, 0, 1.0)]
    session.fact(DeckLoaded(1, loads[1].token, "T", "A", 100.0))
    assert session["/deck/1/play"] == 1 and session["/deck/2/play"] == 0


def test_a_load_cut_off_by_the_engine_is_asked_for_again():
    session = Session()
    session.put("/deck/1/load", "a")
    session.put("/deck/1/play", 1)
    session.put("/deck/1/position", 9.0)
    session.fact(EngineLost(EMPTY))
    effects = session.fact(EngineRestored(EMPTY, RATE))
    (load,) = [e for e in effects if isinstance(e, LoadTrack)]
    assert (load.track_id, load.position_s) == ("a", 9.0)
    effects = session.fact(DeckLoaded(0, load.token, "T", "A", 100.0))
    assert commands(effects) == [(CommandKind.DECK_PLAY, 0, 0, 1.0)]


def test_an_engine_that_played_on_is_not_disturbed():
    session = Session()
    token = session.load(track="a")
    restored = Session(session.state, connected=False)
    heard = (AudibleDeck(token, 42.0, True, 100.0), *EMPTY[1:])
    effects = restored.fact(EngineRestored(heard, RATE))
    motion = {CommandKind.DECK_PLAY, CommandKind.DECK_SEEK}
    assert not [c for c in commands(effects) if c[0] in motion]
    assert not [e for e in effects if isinstance(e, LoadTrack)]
    assert AdoptDeck(0, token, "a") in effects
    assert restored["/deck/1/play"] == 1 and restored["/deck/1/status"] == "ready"
    assert restored.state.decks[0].position_s == 42.0


def test_a_track_nobody_remembers_plays_on():
    session = Session(connected=False)
    effects = session.fact(EngineRestored((AudibleDeck(77, 5.0, True, 60.0), *EMPTY[1:]), RATE))
    assert session["/deck/1/play"] == 1 and session["/deck/1/duration"] == 60.0
    assert not [e for e in effects if isinstance(e, LoadTrack | EjectDeck)]
    assert commands(session.put("/deck/1/play", 0)) == [(CommandKind.DECK_PLAY, 0, 0, 0.0)]
    assert session.state.next_token > 77
