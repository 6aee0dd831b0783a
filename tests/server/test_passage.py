"""What is heard of a transition before the show is what the whole set plays there."""

from pathlib import Path

import numpy as np
import pytest

from server.errors import BadRequest
from server.passage import LEAD_S, TAIL_S, render_transition
from server.render import render
from server.session.script import ScriptRejected
from tests.server.render_material import RATE, levels, read
from tests.server.setlist_material import gridded

SET = """
[[entry]]
track = "one"
at = 0.0
[[entry]]
track = "one"
end = "bar 17"
[[entry.loop]]
from = "bar 3"
bars = 1
passes = 0
[[entry]]
track = "two"
transition = "fade"
bars = 2
"""
WHOLE = """
[[entry]]
track = "one"
end = "bar 17"
[[entry]]
track = "two"
transition = "fade"
bars = 2
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two songs of 40 s, 120 and 126 BPM, with other stems."""
    gridded(tmp_path / "one", 120.0, 40.0, 0, ("vocals", "bass"))
    gridded(tmp_path / "two", 126.0, 40.0, 1, ("other", "piano"), first=0.1)
    (tmp_path / "set.toml").write_text(SET)
    (tmp_path / "whole.toml").write_text(WHOLE)
    return tmp_path


def test_a_transition_sounds_as_in_the_whole_set(two: Path) -> None:
    made = render_transition(two / "set.toml", two / "passage.wav", 3)
    assert made.warnings == ()
    heard, whole = read(made.path), read(render(two / "whole.toml", two / "whole.wav").path)
    # Bar 17 of 120 BPM is at 32 s, two bars before it are 28 s.
    assert made.seconds == pytest.approx(LEAD_S + 4.0 + TAIL_S, abs=0.2)
    assert levels(heard, 1.0, LEAD_S - 0.5)["bass"] > 0.09 and levels(heard, 1.0, LEAD_S - 0.5)["piano"] < 1e-4
    assert levels(heard, LEAD_S + 5.0, LEAD_S + 11.0)["piano"] > 0.09
    start = round((28.0 - LEAD_S) * RATE)
    before = heard[RATE : 7 * RATE]
    lags = range(start - 400, start + 400)
    best = min(lags, key=lambda lag: float(np.abs(whole[lag + RATE :][:RATE] - before[:RATE]).max()))
    assert np.abs(whole[best + RATE :][: len(before)] - before).max() < 1e-4
    # From there on the moves lie on ticks of another phase: the same faders, not the same samples.
    for second in range(8, 19):
        ours, theirs = (levels(audio, at, at + 0.5) for audio, at in ((heard, second), (whole, second + best / RATE)))
        assert ours["bass"] == pytest.approx(theirs["bass"], abs=2e-3), second
        assert ours["piano"] == pytest.approx(theirs["piano"], abs=2e-3), second


@pytest.mark.parametrize("entry", [-1, 0, 1, 4])
def test_only_what_has_an_entry_before_it_has_a_transition(two: Path, entry: int) -> None:
    with pytest.raises(ScriptRejected, match="no transition"):
        render_transition(two / "set.toml", two / "passage.wav", entry)
    assert not (two / "passage.wav").exists()


def test_a_log_of_intents_has_no_transitions(two: Path) -> None:
    with pytest.raises(BadRequest):
        render_transition(two / "set.jsonl", two / "passage.wav", 2)
