"""Setlists: what they mean, and what is said of those that mean nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.render import render
from server.session.script import ScriptRejected
from server.session.setlist import check_setlist, read_setlist, timed
from tests.server.render_material import RATE, TONES, levels, read, tone, write

A = '[[entry]]\ntrack = "a"\n'
KEY_LINES = """[[entry]]
track = "a"
at = 1
deck = 2
transition = "fade"
end = inf
stems = 1
[entry.stems]
bass = 0.5
x.y = 1
"" = 1
start = 3
volume = -1""".splitlines()
ROOT = Path(__file__).resolve().parents[3]


def setlist(folder: Path, text: str) -> Path:
    path = folder / "set.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('[[entry]]\ntrack = "a"\nvolme = 1', ["line 3: volme: is not known here; did you mean volume?"]),
        ('titel = "x"\n[[entry]]\ntrack = "a"', ["line 1: titel: is not known here; did you mean title?"]),
        ('[[entry]]\ntrack = "a"\n\n[[entry]]\ndeck = 5', ["line 4: track: is missing: which track?", "line 5: deck:"]),
        ('[[entry]]\ntrack = "a"\nrate = 9', ["line 3: rate: takes a number from 0.25 to 4, not 9"]),
        ('[[entry]]\ntrack = "a"\nrate = nan', ["line 3: rate: takes a number from 0.25 to 4, not nan"]),
        ('[[entry]]\ntrack = "a"\nvolume = true', ["line 3: volume: takes a number from 0 to 1, not True"]),
        ("[[entry]]\ntrack = 7", ["line 2: track: takes a file"]),
        (
            '[[entry]]\ntrack = "a"\nstems = { vocal = 1 }',
            ["line 3: stems: no stem is called 'vocal'; did you"],
        ),
        ('[[entry]]\ntrack = "a"\nstems = { bass = 2 }', ["line 3: stems.bass: takes a number from 0 to 1, not 2"]),
        ('[[entry]]\ntrack = "a"\n[entry.stems]\nbass = 2', ["line 3: stems.bass: takes a number from 0 to 1, not 2"]),
        ('[[entry]]\ntrack = "a"\ntransition = "wipe"', ['line 3: transition: is "cut" or "fade", not \'wipe\'']),
        ('[[entry]]\ntrack = "a"\nstart = 9\nend = 8', ["line 4: end: lies after start (9 s), not at 8 s"]),
        (A + '[[entry]]\ntrack = "b"\ndeck = 1\ntransition = "fade"', ["line 6: deck: a fade needs two"]),
        (A + 'at = 9\n[[entry]]\ntrack = "b"\nat = 8', ["line 6: at: the track before begins at 9 s"]),
        ("[[entry]]\ntrack = ", ["line 2: is not TOML"]),
        ("", ["line 1: entry: a setlist needs at least one"]),
        ('entry = "x"', ["line 1: entry: a setlist needs at least one"]),
        ('title = 1\n[[entry]]\ntrack = "a"', ["line 1: title: takes a text"]),
    ],
)
def test_a_fault_names_its_line_and_key(tmp_path: Path, text: str, problems: list[str]):
    found = [str(problem) for problem in check_setlist(setlist(tmp_path, text))]
    assert len(found) == len(problems), found
    for said, expected in zip(found, problems, strict=True):
        assert said.startswith(expected) or expected in said


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=100),
        st.lists(
            st.sampled_from(KEY_LINES),
            max_size=12,
        ).map("\n".join),
    )
)
def test_any_text_is_a_setlist_or_a_list_of_problems(tmp_path: Path, text: str):
    path = setlist(tmp_path, text)
    problems = check_setlist(path)
    if problems:
        assert all(str(problem) for problem in problems)
    else:
        assert read_setlist(path).entries


def test_entries_follow_each_other_and_fade_over(tmp_path: Path):
    path = setlist(
        tmp_path,
        """
        title = "Two"
        [[entry]]
        track = "a"
        start = 10
        end = 40
        rate = 2.0
        [[entry]]
        track = "b"
        transition = "fade"
        seconds = 5
        """,
    )
    whole = read_setlist(path)
    assert whole.title == "Two" and [entry.deck for entry in whole.entries] == [1, 2]
    intents = timed(whole, lambda name, line: {"a": 60.0, "b": 20.0}[name], path)
    assert [i.at_s for i in intents] == sorted(i.at_s for i in intents)
    plays = [(i.at_s, i.path, i.value) for i in intents if i.path.endswith("/play")]
    assert plays == [(0, "/deck/1/play", 1), (10, "/deck/2/play", 1), (15, "/deck/1/play", 0), (30, "/deck/2/play", 0)]
    rise = {i.at_s: i.value for i in intents if i.path == "/deck/2/volume"}
    fall = {i.at_s: i.value for i in intents if i.path == "/deck/1/volume" and i.at_s > 10}
    assert rise[10] == 0 and rise[15] == 1 and fall[15] == pytest.approx(0)
    assert all(rise[at] ** 2 + fall[at] ** 2 == pytest.approx(1) for at in fall), "equal power all the way"


def test_a_setlist_is_heard(tmp_path: Path):
    write(tmp_path / "a" / "vocals.wav", tone(TONES["vocals"], 3.0))
    write(tmp_path / "a" / "bass.wav", tone(TONES["bass"], 3.0))
    write(tmp_path / "b.wav", tone(TONES["drums"], 3.0))
    path = setlist(
        tmp_path,
        """
        [[entry]]
        track = "a"
        end = 2.0
        volume = 0.8
        stems = { vocals = 0.5 }
        [[entry]]
        track = "b.wav"
        transition = "fade"
        seconds = 0.5
        """,
    )
    assert check_setlist(path) == []
    made = render(path, tmp_path / "set.wav")
    out = read(made.path)
    assert abs(made.seconds - (1.5 + 3.0 + 0.1)) < 0.01 and made.warnings == ()
    first, last = levels(out, 0.1, 1.4), levels(out, 2.1, 4.3)
    assert first["vocals"] == pytest.approx(0.04, rel=1e-2) and first["bass"] == pytest.approx(0.08, rel=1e-2)
    assert last["drums"] == pytest.approx(0.1, rel=1e-2) and last["vocals"] < 1e-4 and first["drums"] < 1e-4
    middle = levels(out, 1.65, 1.85)
    assert middle["bass"] / 0.08 == pytest.approx(np.cos(np.pi / 4), rel=0.1)
    assert middle["drums"] / 0.1 == pytest.approx(np.sin(np.pi / 4), rel=0.1)


def test_two_entries_on_one_deck_cut(tmp_path: Path):
    write(tmp_path / "a.wav", tone(TONES["vocals"], 1.0))
    write(tmp_path / "b.wav", tone(TONES["drums"], 1.0))
    text = '[[entry]]\ntrack = "a.wav"\nend = 0.5\n[[entry]]\ntrack = "b.wav"\ndeck = 1\nstart = 0.25\n'
    out = read(render(setlist(tmp_path, text), tmp_path / "set.wav").path)
    assert levels(out, 0.05, 0.45)["vocals"] == pytest.approx(0.1, rel=1e-2)
    assert levels(out, 0.55, 1.2)["drums"] == pytest.approx(0.1, rel=1e-2)
    assert abs(len(out) - 1.35 * RATE) < 0.01 * RATE


def test_a_track_too_short_for_its_start_names_the_line(tmp_path: Path):
    write(tmp_path / "a.wav", tone(440.0, 1.0))
    path = setlist(tmp_path, '[[entry]]\ntrack = "a.wav"\nstart = 7')
    with pytest.raises(ScriptRejected, match="line 1: start: the track is 1 s long and cannot begin at 7 s"):
        render(path, tmp_path / "out.wav")
    path = setlist(tmp_path, '\n[[entry]]\ntrack = "gone.wav"')
    with pytest.raises(ScriptRejected, match=r"line 2: load: there is no file or folder 'gone.wav'"):
        render(path, tmp_path / "out.wav")


@pytest.mark.parametrize("path", sorted((ROOT / "setlists").glob("*.toml")), ids=lambda path: path.name)
def test_the_setlists_we_ship_are_sound(path: Path):
    assert check_setlist(path) == []


def test_we_ship_a_setlist():
    assert [path.name for path in (ROOT / "setlists").glob("*.toml")]
