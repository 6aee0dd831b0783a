"""Setlists by ear: every transition, tempo, key, practice, and a hand on the fader, as `alchemy render` plays them."""

from pathlib import Path

import numpy as np
import pytest

from server.render import Rendered, render
from server.session.script import ScriptRejected
from tests.server.render_material import RATE, TONES, Audio, level, levels, read, script, tone, write
from tests.server.setlist_material import clicks, gridded


def play(folder: Path, text: str, **options) -> tuple[Audio, Rendered]:
    path = folder / "set.toml"
    path.write_text(text, encoding="utf-8")
    made = render(path, folder / "set.wav", **options)
    audio = read(made.path)
    assert np.isfinite(audio).all() and len(audio) == made.frames
    return audio, made


def hear(audio: Audio, start_s: float, stop_s: float, stem: str) -> float:
    return levels(audio, start_s, stop_s)[stem] / 0.1


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two songs: 120 BPM with clicks left, 126 BPM with clicks right and other stems."""
    gridded(tmp_path / "one", 120.0, 24.0, 0, ("vocals", "bass"))
    gridded(tmp_path / "two", 126.0, 24.0, 1, ("other", "piano"), first=0.1)
    return tmp_path


FADE = """
[[entry]]
track = "one"
end = "bar 9"
[[entry]]
track = "two"
transition = "fade"
bars = 2
"""


def test_a_fade_in_bars_keeps_both_tracks_on_one_grid_and_goes_back_to_the_own_tempo(two: Path):
    audio, made = play(two, FADE)
    assert made.warnings == ()
    # Bar 9 of 120 BPM is at 16 s, two bars before it are 12 s.
    assert hear(audio, 1.0, 11.9, "bass") == pytest.approx(1.0, rel=0.01)
    assert hear(audio, 1.0, 11.9, "piano") < 1e-3 and hear(audio, 16.1, 20.0, "bass") < 1e-3
    assert hear(audio, 17.0, 22.0, "piano") == pytest.approx(1.0, rel=0.02)
    old, new = clicks(audio, 0, 11.9, 15.5), clicks(audio, 1, 12.2, 15.5)
    offsets = [np.abs(old - beat).min() for beat in new]
    assert len(new) >= 5 and max(offsets) < 0.001, offsets
    # Followed at 120, then back to its own 126 within eight seconds.
    later = np.diff(clicks(audio, 1, 25.0, 30.0))
    assert later == pytest.approx(60.0 / 126.0, abs=2e-4)
    assert np.diff(new) == pytest.approx(0.5, abs=1e-3)


def test_power_stays_even_through_a_fade(two: Path):
    audio, _ = play(two, FADE)
    for at in np.arange(12.2, 15.8, 0.4):
        power = hear(audio, at - 0.1, at + 0.1, "vocals") ** 2 + hear(audio, at - 0.1, at + 0.1, "other") ** 2
        assert power == pytest.approx(1.0, abs=0.08)


def test_a_stem_swap_hands_over_one_group_after_another(two: Path):
    text = FADE.replace('"fade"', '"stem-swap"').replace("bars = 2", 'bars = 4\norder = ["bass", "other", "vocals"]')
    gridded(two / "two", 126.0, 24.0, 1, ("vocals", "bass"), first=0.1)
    write(two / "two" / "bass.wav", tone(220.0, 24.0))
    write(two / "two" / "vocals.wav", tone(880.0, 24.0))
    audio, made = play(two, text)
    assert made.warnings == ()

    def heard(at: float) -> list[float]:
        part = audio[round((at - 0.2) * RATE) : round((at + 0.2) * RATE), 0]
        return [level(part, hz) / 0.1 for hz in (TONES["bass"], 220.0, TONES["vocals"], 880.0)]

    # Four bars before 16 s are 8 s; three stages of 2.67 s: bass, then the others, then the voice.
    assert heard(7.5) == pytest.approx([1, 0, 1, 0], abs=0.03)
    assert heard(11.5) == pytest.approx([0, 1, 1, 0], abs=0.05)
    assert heard(13.1) == pytest.approx([0, 1, 1, 0], abs=0.05)
    assert heard(16.5) == pytest.approx([0, 1, 0, 1], abs=0.05)
    assert made.controls["/deck/1/stem/bass/volume"] == 1.0, "what has left is put back as it was"


def test_a_stem_swap_without_stems_is_a_fade(tmp_path: Path):
    write(tmp_path / "a.wav", tone(440.0, 4.0))
    write(tmp_path / "b.wav", tone(1_000.0, 4.0))
    text = '[[entry]]\ntrack = "a.wav"\n[[entry]]\ntrack = "b.wav"\ntransition = "stem-swap"\nseconds = 1'
    audio, _ = play(tmp_path, text)
    assert hear(audio, 3.4, 3.6, "drums") == pytest.approx(np.sin(np.pi / 4), rel=0.1)
    assert abs(len(audio) / RATE - 7.1) < 0.02


def test_an_echo_out_rings_on_under_the_next_track(two: Path):
    text = FADE.replace('"fade"', '"echo-out"').replace("bars = 2", "beats = 4")
    audio, made = play(two, text)
    assert hear(audio, 10.0, 13.9, "bass") == pytest.approx(1.0, rel=0.02)
    assert hear(audio, 14.0, 15.9, "piano") < 1e-3, "the next one begins when this one stops"
    assert hear(audio, 16.1, 16.5, "piano") == pytest.approx(1.0, rel=0.02)
    tail = clicks(audio, 0, 16.02, 17.3)
    assert len(tail) >= 2, "the last clicks come back as echoes"
    assert hear(audio, 23.0, 26.0, "bass") < 1e-3
    assert made.controls["/deck/1/fx/1/on"] == 0 and made.controls["/deck/1/volume"] == 1.0
    assert made.controls["/deck/1/fx/1/wet"] == 0.5 and made.controls["/deck/1/fx/1/param/2"] == 0.5


def test_lanes_move_what_the_file_says(two: Path):
    text = (
        FADE.replace('"fade"', '"lanes"').replace("bars = 2", "bars = 4")
        + """
    [[entry.lane]]
    control = "/deck/out/stem/bass/volume"
    points = [[0, 1.0], [8, 0.0]]
    [[entry.lane]]
    control = "/deck/in/volume"
    points = [[0, 0.0], [4, 0.0], [4, 0.5], [16, 1.0]]
    [[entry.lane]]
    control = "/deck/out/stem/vocals/mute"
    unit = "seconds"
    points = [[2.0, 1], [3.0, 0]]
    """
    )
    audio, made = play(two, text)
    assert made.warnings == ()
    assert hear(audio, 9.9, 10.1, "bass") == pytest.approx(0.5, abs=0.03), "half way down after four beats"
    assert hear(audio, 12.2, 15.8, "bass") < 0.01
    assert hear(audio, 9.0, 9.9, "piano") < 1e-3
    assert hear(audio, 10.1, 10.5, "piano") == pytest.approx(0.52, abs=0.03)
    assert hear(audio, 10.2, 10.9, "vocals") < 0.01 and hear(audio, 11.2, 12.0, "vocals") == pytest.approx(1, rel=0.02)


def test_the_crossfader_may_do_the_fading(two: Path):
    audio, made = play(two, "crossfader = true\n" + FADE)
    assert made.controls["/mixer/crossfader"] == 1.0 and made.controls["/deck/2/assign"] == "right"
    assert hear(audio, 1.0, 11.0, "bass") == pytest.approx(1.0, rel=0.01)
    assert hear(audio, 13.9, 14.1, "bass") == pytest.approx(0.5**0.5, abs=0.05)
    assert hear(audio, 17.0, 20.0, "piano") == pytest.approx(1.0, rel=0.02)


def test_tempo_key_and_stem_levels_are_set(two: Path):
    text = '[[entry]]\ntrack = "one"\ntempo = 132\nkey = 2\nend = "bar 9"\nstems = { bass = 0.5 }'
    audio, made = play(two, text)
    assert abs(made.seconds - 16.0 * 120 / 132) < 0.2
    assert np.diff(clicks(audio, 0, 1.0, 12.0)).mean() == pytest.approx(60.0 / 132, abs=1e-3)
    part = audio[2 * RATE : 10 * RATE, 0]
    shifted = 2 ** (2 / 12)
    assert level(part, TONES["vocals"] * shifted) == pytest.approx(0.1, rel=0.1)
    assert level(part, TONES["bass"] * shifted) == pytest.approx(0.05, rel=0.15)


def test_a_tempo_curve_is_followed_beat_by_beat(two: Path):
    audio, made = play(two, '[[entry]]\ntrack = "one"\nkeylock = false\ntempo = [[8, 120], [24, 150]]')
    gaps = np.diff(clicks(audio, 0, 0.1, made.seconds - 0.3))
    assert gaps[2] == pytest.approx(0.5, abs=1e-3)
    assert gaps[-3] == pytest.approx(0.4, abs=2e-3)
    middle = gaps[15 - 1]
    assert 0.4 < middle < 0.5 and (np.diff(gaps) < 2e-3).all(), "faster all the way"


def test_practice_loops_get_faster_pass_by_pass_and_lead_on(two: Path):
    text = """
    [[entry]]
    track = "one"
    end = "bar 9"
    [[entry.loop]]
    from = "bar 3"
    bars = 1
    speed = 0.5
    speed_to = 1.0
    step = 0.25
    every = 2
    [[entry.loop]]
    from = "section chorus"
    to = "section chorus + 2 s"
    passes = 2
    """
    audio, made = play(two, text)
    assert made.warnings == ()
    # Passes of two seconds: two at half speed, two at three quarters, two at full; then the chorus twice, then on.
    loops = 2 * 2 / 0.5 + 2 * 2 / 0.75 + 2 * 2 / 1.0 + 2 * 2.0
    assert made.seconds == pytest.approx(loops + (16.0 - 14.0) + 0.1, abs=0.1)
    gaps = np.diff(clicks(audio, 0, 0.3, 21.0))
    assert gaps[1] == pytest.approx(1.0, abs=0.02) and gaps[9] == pytest.approx(0.667, abs=0.02)
    assert gaps[-2] == pytest.approx(0.5, abs=0.02)


def test_an_entry_may_have_a_time_of_its_own(two: Path):
    text = '[[entry]]\ntrack = "one"\nend = 3\n[[entry]]\ntrack = "two"\nat = 5\nend = 2\n'
    audio, made = play(two, text)
    assert abs(made.seconds - 7.1) < 0.02
    assert hear(audio, 0.1, 2.9, "bass") == pytest.approx(1, rel=0.01) and np.abs(audio[145_000:239_000]).max() < 1e-4
    assert hear(audio, 5.1, 6.9, "piano") == pytest.approx(1, rel=0.01)
    text = '[[entry]]\ntrack = "one"\nat = 1\nend = 8\n'
    text += '[[entry]]\ntrack = "two"\nat = 6\ntransition = "fade"\nseconds = 1\nend = 3'
    audio, made = play(two, text)
    assert np.abs(audio[: RATE - 10]).max() < 1e-4 and hear(audio, 1.1, 5.9, "bass") == pytest.approx(1, rel=0.01)
    assert hear(audio, 7.1, 8.9, "piano") == pytest.approx(1, rel=0.01) and abs(made.seconds - 9.1) < 0.02


def test_places_that_the_track_does_not_have_are_named_and_the_set_goes_on(two: Path):
    text = '[[entry]]\ntrack = "one"\nstart = "cue Drop"\nend = "section bridge"\n[[entry]]\ntrack = "two"\nend = 1'
    audio, made = play(two, text)
    assert [part in made.warnings[n] for n, part in ((0, "'cue Drop'"), (1, "'section bridge'"))] == [True, True]
    assert made.seconds == pytest.approx(25.1, abs=0.1) and hear(audio, 24.2, 24.9, "piano") == pytest.approx(
        1, rel=0.05
    )


BUSY = (
    FADE.replace('"fade"', '"stem-swap"')
    + """
end = "bar 5"
tempo = [[0, 126], [8, 132]]
[[entry]]
track = "one"
start = "bar 5"
end = "bar 7"
transition = "echo-out"
key = -1
[[entry.lane]]
control = "/deck/out/filter"
points = [[0, 0.0], [4, 0.9]]
shape = "smooth"
"""
)


def test_the_block_size_cannot_be_heard(two: Path):
    whole, _ = play(two, BUSY, block=128)
    for block in (64, 65, 512, 4096):
        again, _ = play(two, BUSY, block=block)
        assert np.array_equal(whole, again), block


def test_nothing_clicks(tmp_path: Path):
    for name, tempo, stems in (("one", 120.0, ("vocals", "bass")), ("two", 126.0, ("guitar",))):
        gridded(tmp_path / name, tempo, 24.0, 0, stems)
        (tmp_path / name / "drums.wav").unlink()
    audio, made = play(tmp_path, BUSY)
    assert made.warnings == ()
    # Three tones at most, some of them a tenth faster: by that much a frame may differ from the one before.
    most = 0.1 * 2 * np.pi / RATE * 1.1 * (TONES["vocals"] + TONES["bass"] + TONES["guitar"])
    assert np.abs(np.diff(audio, axis=0)).max() < most


def test_a_hand_on_the_fader_wins_over_the_transition(two: Path):
    (two / "set.toml").write_text(FADE)
    start = [(0, "/setlist/load", "set"), (0, "/setlist/autopilot", 1)]
    hands = [(13.0, "/deck/1/volume", 0.9), (13.02, "/deck/1/volume", 0.8), (14.0, "/deck/2/stem/other/mute", 1)]
    made = render(script(two / "log.jsonl", start + hands), two / "log.wav")
    audio = read(made.path)
    # The outgoing fader stays in the hand: no automated value is heard after it, not for a moment.
    for at in np.arange(13.05, 15.8, 0.15):
        assert hear(audio, at, at + 0.1, "bass") == pytest.approx(0.8, abs=0.02)
    assert hear(audio, 16.05, 18.0, "bass") < 1e-3, "and the deck still stops when it is over"
    assert hear(audio, 15.0, 15.8, "piano") > 0.9, "what was not touched goes on"
    assert hear(audio, 14.1, 18.0, "other") < 0.01


def test_next_plays_the_transition_from_the_next_bar_and_pressed_again_ends_it(two: Path):
    (two / "set.toml").write_text(FADE)
    start = [(0, "/setlist/load", "set.toml"), (0, "/setlist/next", 1)]
    made = render(script(two / "log.jsonl", [*start, (4.7, "/setlist/next", 1)]), two / "log.wav", seconds=12.0)
    audio = read(made.path)
    assert hear(audio, 0.1, 4.6, "bass") == pytest.approx(1, rel=0.01)
    assert hear(audio, 5.0, 5.9, "piano") < 1e-3, "bar 4 begins at six seconds"
    assert hear(audio, 7.9, 8.1, "bass") == pytest.approx(0.5**0.5, abs=0.05)
    assert hear(audio, 10.2, 11.8, "piano") == pytest.approx(1, rel=0.05) and hear(audio, 10.2, 11.8, "bass") < 1e-3
    again = [*start, (4.7, "/setlist/next", 1), (7.0, "/setlist/next", 1)]
    audio = read(render(script(two / "log.jsonl", again), two / "log.wav", seconds=12.0).path)
    assert hear(audio, 7.1, 9.0, "bass") < 1e-3 and hear(audio, 7.2, 9.0, "piano") == pytest.approx(1, rel=0.05)


def test_goto_and_previous_bring_any_entry(two: Path):
    (two / "set.toml").write_text(
        '[[entry]]\ntrack = "one"\n[[entry]]\ntrack = "two"\n[[entry]]\ntrack = "one"\nstart = 8'
    )
    lines = [(0, "/setlist/load", "set"), (0, "/setlist/goto", 2), (3, "/setlist/previous", 1)]
    made = render(script(two / "log.jsonl", [*lines, (6, "/setlist/goto", 9)]), two / "log.wav", seconds=8.0)
    audio = read(made.path)
    assert hear(audio, 0.1, 2.9, "piano") == pytest.approx(1, rel=0.01)
    assert hear(audio, 3.2, 8.0, "bass") == pytest.approx(1, rel=0.01)
    assert made.controls["/setlist/entry"] == 1 and made.controls["/setlist/next/title"] == "two"
    assert made.warnings == ("line 4: The setlist has 3 entries, and no entry 9",)


def test_endless_practice_needs_a_length(two: Path):
    text = '[[entry]]\ntrack = "one"\n[[entry.loop]]\nfrom = 2\nto = 3\npasses = 0\n'
    with pytest.raises(ScriptRejected, match="line 1: passes: waits for you"):
        play(two, text)
    audio, _ = play(two, text, seconds=9.0)
    assert len(clicks(audio, 0, 0.2, 8.9)) == pytest.approx(17, abs=1)
