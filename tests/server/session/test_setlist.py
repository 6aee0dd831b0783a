"""Setlists: what they mean, and what is said of those that mean nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.render import render
from server.session.script import ScriptRejected
from server.session.setlist import Length, Loop
from server.session.setlist_file import check_setlist, read_setlist
from server.session.setlist_places import Place
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
        ('[[entry]]\ntrack = "a"\n[entry.stems]\nbass = 2', ["line 4: stems.bass: takes a number from 0 to 1, not 2"]),
        (
            '[[entry]]\ntrack = "a"\ntransition = "wipe"',
            ['line 3: transition: is "cut", "fade", "echo-out", "stem-swap" or "lanes", not'],
        ),
        ('[[entry]]\ntrack = "a"\nstart = 9\nend = 8', ["line 4: end: lies after start (9 s), not at 8 s"]),
        (A + '[[entry]]\ntrack = "b"\ndeck = 1\ntransition = "fade"', ["line 6: deck: a fade needs two"]),
        (A + 'at = 9\n[[entry]]\ntrack = "b"\nat = 8', ["line 6: at: the track before begins at 9 s"]),
        (A + 'start = "bar x"', ["line 3: start: takes seconds, or a place like"]),
        (A + "tempo = [[0, 120], [8, 900]]", ["line 3: tempo: takes 20 to 400 BPM, or a curve"]),
        (A + "tempo = 120\nrate = 1.1", ["line 3: tempo: the speed is given already by rate"]),
        (A + "bars = 4\nbeats = 3", ["line 3: bars: a transition has one length"]),
        (A + 'transition = "lanes"', ["line 3: transition: needs at least one [[entry.lane]]"]),
        (A + 'order = ["drums"]', ['line 3: order: is the order of a "stem-swap"']),
        (A + 'order = ["drums", "drums"]', ["line 3: order: takes stems in the order they change"]),
        (A + f'notes = """\n{"x" * 501}"""', ["line 3: notes: takes a text of at most 500 characters"]),
        (A + "[[entry.lane]]\ncontrol = 1", ["line 3: points: is missing", "line 4: control: takes the name"]),
        (
            A + '[[entry.lane]]\npoints = [\n[0, 1],\n]\ncontrol = "/deck/out/volum"',
            ["line 7: control: no control is called '/deck/out/volum'; did you mean /deck/out/volume?"],
        ),
        (
            A + '[[entry.lane]]\ncontrol = "/mixer/crossfader"\npoints = [[0, "left"]]',
            ["line 5: points: /mixer/crossfader takes a number, got str"],
        ),
        (
            A + '[[entry.lane]]\ncontrol = "/deck/in/title"\npoints = [[0, 1]]',
            ["line 4: control: /deck/in/title can only be read"],
        ),
        (
            A + '[[entry.lane]]\ncontrol = "/setlist/autopilot"\npoints = [[0, 1]]',
            ["line 4: control: /setlist/autopilot cannot be automated"],
        ),
        (A + "[[entry.loop]]\nbars = 2", ["line 3: from: is missing: where does the loop begin?"]),
        (A + "[[entry.loop]]\nfrom = 1\nto = 2\nbars = 1", ["line 6: bars: a loop has either an end or"]),
        (A + "[[entry.loop]]\nfrom = 1\npasses = 1.5", ["line 5: passes: takes a number of passes, 0 to 999"]),
        (A + "[[entry.loop]]\nfrom = 1\n[[entry.loop]]\nfrm = 1", ["line 5: from: is missing", "line 6: frm: is not"]),
        (A + "loop = 3", ["line 3: loop: stands in double brackets"]),
        ("crossfader = 1\n" + A, ["line 1: crossfader: is true or false, not 1"]),
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


def test_everything_a_file_may_say_is_read(tmp_path: Path):
    path = setlist(
        tmp_path,
        """
        title = "Two"
        tempo = 120
        [[entry]]
        track = "a"
        start = "1:02.5"
        end = "section Big End #2 end - 2 beats"
        notes = """
        + "'''\nfirst = not a key\nsecond'''"
        + """
        [[entry]]
        track = "b"
        rate = 1.5
        transition = "stem-swap"
        start = "cue Drop it + 4 bars"
        [[entry.loop]]
        from = "bar 17.3"
        speed = 0.6
        speed_to = 1.0
        step = 0.1
        every = 2
        [[entry]]
        track = "c"
        tempo = [[0, 120], [16, 130]]
        transition = "lanes"
        scene = "Stems"
        [[entry.lane]]
        control = "/deck/out/fx/1/type"
        points = [[0, "reverb"]]
        [[entry.lane]]
        control = "/deck/out/volume"
        points = [[0, 1], [12, 0]]
        """,
    )
    assert check_setlist(path) == []
    whole = read_setlist(path)
    one, two, three = whole.entries
    assert whole.title == "Two" and [entry.deck for entry in whole.entries] == [1, 2, 1]
    assert one.start == Place("seconds", 62.5) and one.tempo == ((0.0, 120.0),) and one.keylock
    assert one.end == Place("section", 2, "Big End", at_end=True, by=-2, unit="beats")
    assert one.notes == "first = not a key\nsecond"
    assert two.rate == 1.5 and two.tempo == () and not two.keylock and two.quantize
    assert two.length == Length(8, "bars") and two.start == Place("cue", name="Drop it", by=4, unit="bars")
    assert two.loops == (Loop(Place("bar", 17.5), None, 4, 10, 0.6, 1.0, 0.1, 2),)
    assert [round(two.loops[0].speed_of(n), 6) for n in (0, 1, 2, 3, 9, 50)] == [0.6, 0.6, 0.7, 0.7, 1.0, 1.0]
    assert three.tempo == ((0.0, 120.0), (16.0, 130.0)) and three.length == Length(12, "beats")
    assert three.scene == "Stems" and three.lanes[0].points == ((0.0, "reverb"),)


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
    assert 0 <= len(out) - 1.35 * RATE < 0.05 * RATE, "it takes a moment to load"


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
