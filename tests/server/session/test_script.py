"""Logs of intents: read whole, in order, and never trusted."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.registry import REGISTRY
from server.session.facts import AudibleDeck, DeckLoaded, EngineRestored
from server.session.intent import Intent
from server.session.log import IntentLog
from server.session.script import Problem, ScriptRejected, read_log
from server.session.state import State, initial
from server.session.step import step


def log(folder: Path, text: str) -> Path:
    path = folder / "log.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_come_in_order_of_time_and_then_of_place(tmp_path: Path):
    rows = [(2, 0.1), (1, 0.2), (2, 0.3), (0, 0.4), (1, 0.5)]
    text = "\n".join(json.dumps({"at": at, "path": "/deck/1/volume", "value": v}) for at, v in rows)
    read = read_log(log(tmp_path, f"# a comment\n\n{text}\n"))
    found = [(intent.at_s, intent.value, intent.line) for intent in read]
    assert found == [(0, 0.4, 6), (1, 0.2, 4), (1, 0.5, 7), (2, 0.1, 3), (2, 0.3, 5)]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"at": 0, "path": "/transport/play", "value": 1}\r\n')
    assert [i.path for i in read_log(path)] == ["/transport/play"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=200),
        st.dictionaries(
            st.sampled_from(["at", "path", "value", "x"]),
            st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=9), st.sampled_from(list(REGISTRY))),
        ).map(json.dumps),
    )
)
def test_any_text_is_a_script_or_a_list_of_problems(tmp_path: Path, text: str):
    try:
        intents = read_log(log(tmp_path, text))
    except ScriptRejected as rejected:
        assert rejected.problems and all(str(p) and isinstance(p, Problem) for p in rejected.problems)
    else:
        assert all(intent.at_s >= 0 for intent in intents)


def run(state: State, events: list[object]) -> State:
    for event in events:
        state, _ = step(state, event, 0.0)  # type: ignore[arg-type]
    return state


def test_a_log_plays_again_to_the_same_show(tmp_path: Path):
    """What was moved before the log began is its first lines; what was moved after follows with its time."""
    before = run(
        initial(),
        [
            EngineRestored((AudibleDeck(),) * 4, 48_000),
            Intent("/deck/1/pitch_range", "0.5"),
            Intent("/deck/1/rate", 1.4),
            Intent("/deck/2/stem/bass/mute", 1),
            Intent("/session/focus", "2"),
            Intent("/deck/1/load", "a"),
            DeckLoaded(0, 1, "T", "A", 100.0),
            Intent("/deck/1/play", 1),
        ],
    )
    path, places = tmp_path / "log.jsonl", (61.5, 0.0, 0.0, 0.0)
    writer = IntentLog(path, before, places, now=1000.0, time_of=lambda frame: frame / 48_000)
    live = [
        (Intent("/deck/1/volume", 0.5), 1002.5),
        (Intent("/stem/1/mute", 1), 1003.0),
        (Intent("/mixer/crossfader", 0.25, at=1010 * 48_000), 1004.0),
    ]
    for intent, now in live:
        writer.write(intent, now)
    writer.flush()
    intents = read_log(tmp_path / "log.jsonl")
    assert [(i.at_s, i.path) for i in intents[-3:]] == [
        (2.5, "/deck/1/volume"),
        (3.0, "/stem/1/mute"),
        (10.0, "/mixer/crossfader"),
    ]
    assert ("/deck/1/position", 61.5) in [(i.path, i.value) for i in intents]
    replayed = run(initial(), [EngineRestored((AudibleDeck(),) * 4, 48_000)])
    for timed in intents:
        replayed = run(replayed, [Intent(timed.path, timed.value)])
        if timed.path == "/deck/1/load":
            replayed = run(replayed, [DeckLoaded(0, replayed.decks[0].loading, "T", "A", 100.0)])
    assert replayed.controls == run(before, [intent for intent, _ in live]).controls


def test_a_log_that_begins_while_a_song_is_practised_plays_again(tmp_path: Path):
    asked = [
        Intent("/session/mode", "practice"),
        Intent("/deck/1/load", "a"),
        DeckLoaded(0, 1, "T", "A", 100.0),
        Intent("/deck/1/rate", 0.8),
        Intent("/deck/1/click", 1),
        Intent("/deck/1/stem/bass/mutes", "10-12 20-21"),
        Intent("/deck/1/loop/start", 8.0),
        Intent("/deck/1/loop/end", 16.0),
        Intent("/deck/1/loop/active", 1),
    ]
    before = run(initial(), [EngineRestored((AudibleDeck(),) * 4, 48_000), *asked])
    IntentLog(tmp_path / "log.jsonl", before, (9.0, 0.0, 0.0, 0.0), now=0.0).flush()
    replayed = run(initial(), [EngineRestored((AudibleDeck(),) * 4, 48_000)])
    for timed in read_log(tmp_path / "log.jsonl"):
        replayed = run(replayed, [Intent(timed.path, timed.value)])
        if timed.path == "/deck/1/load":
            replayed = run(replayed, [DeckLoaded(0, replayed.decks[0].loading, "T", "A", 100.0)])
    assert replayed.controls == before.controls and replayed.decks[0].practised


@pytest.mark.anyio
async def test_a_full_disk_ends_the_log_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = IntentLog(tmp_path / "log.jsonl", initial(), (0.0,) * 4, now=0.0)
    writer.write(Intent("/deck/1/volume", 0.5), 1.0)

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "flush", full)
    await writer.run()
    assert writer.failure is not None
    writer.write(Intent("/deck/1/volume", 0.6), 2.0)
