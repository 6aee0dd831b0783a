"""A show replays: the same events give the same states and effects, whatever they are."""

from hypothesis import given, settings
from hypothesis import strategies as st

from control.control import check
from control.registry import ALIASES, REGISTRY
from server.session import facts
from server.session.effects import Changed, EngineCommand, LoadTrack
from server.session.intent import Intent
from server.session.state import initial
from server.session.step import step

VALUES = st.one_of(
    st.integers(-3, 5),
    st.floats(),
    st.booleans(),
    st.sampled_from(["a", "b", "left", "cut", "mix", "0.16", ""]),
    st.none(),
)
INTENTS = st.builds(
    Intent,
    st.sampled_from([*REGISTRY, *ALIASES, "/nowhere"]),
    VALUES,
    st.just("test"),
    st.one_of(st.none(), st.integers(-10, 2**70)),
)
AUDIBLE = st.builds(facts.AudibleDeck, st.integers(0, 9), st.floats(0, 100), st.booleans(), st.floats(0, 100))
DECK = st.integers(0, 3)
TOKEN = st.integers(0, 9)
FACTS = st.one_of(
    st.builds(facts.DeckLoaded, DECK, TOKEN, st.just("T"), st.just("A"), st.floats(0, 1000)),
    st.builds(facts.DeckLoadFailed, DECK, TOKEN, st.just("code"), st.just("text")),
    st.builds(facts.DeckEnded, DECK, TOKEN, st.floats(0, 1000)),
    st.builds(facts.StemsReady, DECK, TOKEN, st.integers(0, 7), st.floats(-1, 2)),
    st.builds(facts.GapChanged, DECK, st.booleans()),
    st.builds(facts.PendingChanged, DECK, st.integers(0, 255)),
    st.builds(facts.EngineLost, st.tuples(*[AUDIBLE] * 4)),
    st.builds(facts.EngineRestored, st.tuples(*[AUDIBLE] * 4), st.sampled_from([44_100, 48_000])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(INTENTS, FACTS), max_size=40))
def test_any_show_replays_and_never_lies(events):
    first, second = initial(), initial()
    mirror = dict(first.controls)
    tokens: list[int] = []
    for number, event in enumerate(events):
        first, effects = step(first, event, float(number))
        second, again = step(second, event, float(number))
        assert first == second and effects == again
        for effect in effects:
            if isinstance(effect, Changed):
                mirror |= effect.changes
            if isinstance(effect, LoadTrack):
                tokens.append(effect.token)
            if isinstance(effect, EngineCommand):
                assert first.connected and 0 <= effect.frame <= 2**62 and effect.a == effect.a
        assert mirror == first.controls, "who hears every change knows the show"
    assert len(tokens) == len(set(tokens))
    for path, value in first.controls.items():
        control = REGISTRY[path]
        if control.is_writable and control.kind != "text":
            assert check(control, value) == value
