"""The transport from a script to the file: what a performer asks for by name is heard at its very frame."""

import json
from pathlib import Path

import numpy as np
import pytest

from server.render import Rendered, render
from server.session.script import ScriptRejected
from tests.server.render_material import RATE, read, script, write

FADE = 240
BEAT = 24_000
NOISE = np.random.default_rng(3).uniform(-0.3, 0.3, (12 * RATE, 2)).astype(np.float32)


def play(folder: Path, lines: list, beats: np.ndarray | None = None, **options: object) -> tuple[np.ndarray, Rendered]:
    """Render `lines` on a folder of one stem with a grid of 120 beats a minute, on the left deck alone."""
    if not (folder / "song").is_dir():
        write(folder / "song" / "drums.wav", NOISE)
    places = np.arange(24) * 0.5 if beats is None else beats
    analysis = {"beats": places.tolist(), "downbeats": places[::4].tolist(), "sections": []}
    (folder / "song" / "analysis.json").write_text(json.dumps(analysis))
    start = [(0, "/deck/1/assign", "thru"), (0, "/deck/1/load", "song")]
    made = render(script(folder / "script.jsonl", [*start, *lines]), folder / "out.wav", **options)
    return read(made.path), made


def same(out: np.ndarray, at: int, place: int, frames: int) -> bool:
    """Return whether `out` from `at` on is the track from `place` on."""
    return np.allclose(out[at : at + frames], NOISE[place : place + frames], atol=1e-6)


def test_a_beat_loop_comes_round_on_its_frame(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/position", 2.0), (0, "/deck/1/play", 1), (0.25, "/deck/1/quantize", 1),
             (0.25, "/deck/1/loop/beats", 2), (3.25, "/deck/1/loop/active", 0)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=5.0)
    # Pressed in the middle of a beat: the loop begins on the nearest, 2.0 s.
    for turn in range(3):
        assert same(out, turn * 2 * BEAT + FADE, 4 * BEAT + FADE, 2 * BEAT - 2 * FADE)
    assert made.controls["/deck/1/loop/start"] == 2.0 and made.controls["/deck/1/loop/end"] == 3.0
    # Off in the fourth pass: the track goes on from there.
    assert same(out, 4 * RATE + FADE, 6 * BEAT + FADE, RATE - FADE)


def test_hot_cues_are_set_and_gone_to(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/play", 1), (1.0, "/deck/1/hotcue/3/set", 1), (2.0, "/deck/1/hotcue/3/name", "drop"),
             (3.0, "/deck/1/hotcue/3/go", 1)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=4.0)
    assert same(out, 3 * RATE + FADE, RATE + FADE, RATE - FADE)
    assert made.controls["/deck/1/hotcue/3/position"] == 1.0
    assert (made.controls["/deck/1/hotcue/3/name"], made.controls["/deck/1/hotcue/3/color"]) == ("drop", "#22c55e")


def test_the_cue_button_and_the_play_button(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/position", 1.0), (0.1, "/deck/1/cue", 1), (0.2, "/deck/1/cue", 0), (0.5, "/deck/1/cue", 1),
             (1.0, "/deck/1/cue", 0), (1.5, "/deck/1/play", 1), (2.5, "/deck/1/cue", 1)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=3.0)
    assert not out[: RATE // 2].any() and not out[RATE + FADE : RATE * 3 // 2].any()
    assert same(out, RATE // 2 + FADE, RATE + FADE, RATE // 2 - FADE)
    assert same(out, RATE * 3 // 2 + FADE, RATE + FADE, RATE - FADE)
    assert not out[RATE * 5 // 2 + FADE :].any()
    assert made.controls["/deck/1/play"] == 0 and made.controls["/deck/1/cue/position"] == 1.0


def test_a_roll_and_slip(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/play", 1), (1.0, "/deck/1/loop/roll", 0.25), (2.2, "/deck/1/loop/roll", 0)]
    out, made = play(tmp_path, lines, seconds=3.0)
    assert same(out, round(2.2 * RATE) + FADE, round(2.2 * RATE) + FADE, RATE // 2)
    assert made.controls["/deck/1/loop/roll"] == 0.0 and made.controls["/deck/1/loop/active"] == 0


def test_edits_of_the_grid_are_heard_in_a_beat_jump(tmp_path: Path) -> None:
    def landed(*edits: tuple[float, str, object]) -> np.ndarray:
        return play(tmp_path, [(0, "/deck/1/play", 1), *edits, (1.5, "/deck/1/beatjump", 4)], seconds=3.0)[0]

    at = round(1.5 * RATE)
    assert same(landed(), at + FADE, at + 4 * BEAT + FADE, 9000)
    assert same(landed((0.1, "/deck/1/grid/double", 1)), at + FADE, at + 2 * BEAT + FADE, 9000)
    assert same(landed((0.1, "/deck/1/grid/halve", 1)), at + FADE, at + 8 * BEAT + FADE, 9000)
    edits = [(0.1, "/deck/1/grid/halve", 1), (0.2, "/deck/1/grid/reset", 1)]
    assert same(landed(*edits), at + FADE, at + 4 * BEAT + FADE, 9000)


def test_a_grid_is_moved_to_the_playhead_and_tapped(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/play", 1), (1.1, "/deck/1/grid/anchor", 1), (2.0, "/deck/1/quantize", 1),
             (2.12, "/deck/1/hotcue/1/set", 1)]  # fmt: skip
    _, made = play(tmp_path, lines, seconds=3.0)
    assert made.controls["/deck/1/hotcue/1/position"] == pytest.approx(2.1, abs=1e-4)
    assert made.controls["/deck/1/grid/edited"] == 1
    taps = [(1.0 + 0.4 * n, "/deck/1/grid/tap", 1) for n in range(5)]
    lines = [(0, "/deck/1/play", 1), *taps, (4.0, "/deck/1/quantize", 1), (4.25, "/deck/1/hotcue/1/set", 1)]
    _, made = play(tmp_path, lines, seconds=5.0)
    assert made.controls["/deck/1/hotcue/1/position"] == pytest.approx(4.2, abs=1e-3)


def test_two_decks_in_sync_keep_the_beat(tmp_path: Path) -> None:
    write(tmp_path / "clicks" / "drums.wav", clicks(126.0))
    write(tmp_path / "song" / "drums.wav", clicks(120.0))
    step = 60 / 126
    analysis = {"beats": [step * n for n in range(24)], "downbeats": [0.0]}
    (tmp_path / "clicks" / "analysis.json").write_text(json.dumps(analysis))
    lines = [(0, "/deck/2/assign", "thru"), (0, "/deck/2/load", "clicks"), (0, "/deck/2/sync", 1),
             (0, "/deck/1/play", 1), (1.3, "/deck/2/play", 1)]  # fmt: skip
    both, made = play(tmp_path, lines, seconds=8.0)
    alone, _ = play(tmp_path, [*lines, (0, "/deck/1/volume", 0)], seconds=8.0)
    starts = onsets(alone)[3:]
    # What the burst takes to be heard is the same on every beat.
    off = (starts - onsets(clicks(120.0))[0] + BEAT / 2) % BEAT - BEAT / 2
    assert len(starts) >= 10
    assert np.abs(off).max() < 0.001 * RATE
    assert made.controls["/deck/2/rate"] == pytest.approx(120 / 126, rel=5e-3)
    assert made.controls["/deck/1/leader"] == 1 and made.controls["/deck/2/leader"] == 0
    assert both.any()


def onsets(out: np.ndarray) -> np.ndarray:
    """Return the frames on which bursts are first heard."""
    heard = np.flatnonzero(np.abs(out[:, 0]) > 0.2)
    return heard[np.flatnonzero(np.diff(heard, prepend=-RATE) > RATE // 10)]


def clicks(bpm: float) -> np.ndarray:
    """Return short bursts on every beat."""
    sound = np.zeros((12 * RATE, 2), np.float32)
    burst = np.sin(2 * np.pi * 3000 * np.arange(480) / RATE) * np.hanning(480)
    for n in range(int(12 * bpm / 60)):
        at = round(n * 60 / bpm * RATE)
        sound[at : at + 480, :] = 0.5 * burst[: len(sound[at : at + 480]), None]
    return sound


def test_one_stem_loops_alone(tmp_path: Path) -> None:
    write(tmp_path / "song" / "vocals.wav", NOISE)
    quiet = np.zeros_like(NOISE)
    write(tmp_path / "song" / "drums.wav", quiet)
    lines = [(0, "/deck/1/play", 1), (1.0, "/deck/1/stem/vocals/loop/beats", 1),
             (1.0, "/deck/1/stem/vocals/loop/active", 1), (3.2, "/deck/1/stem/vocals/loop/active", 0)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=4.0)
    assert same(out, 2 * RATE + FADE, RATE + FADE, BEAT - 2 * FADE)
    assert same(out, round(3.2 * RATE) + FADE, round(3.2 * RATE) + FADE, RATE // 2)
    assert made.controls["/deck/1/stem/vocals/loop/active"] == 0


BUSY = [
    (0, "/deck/1/quantize", 1), (0, "/deck/1/play", 1), (0.3, "/deck/1/loop/beats", 0.5), (0.9, "/deck/1/slip", 1),
    (1.0, "/deck/1/touch", 1), (1.05, "/deck/1/scratch", 0.2), (1.2, "/deck/1/scratch", -0.1),
    (1.4, "/deck/1/touch", 0),
    (1.5, "/deck/1/hotcue/1/set", 1), (1.7, "/deck/1/reverse", 1), (1.9, "/deck/1/reverse", 0),
    (2.0, "/deck/1/grid/downbeat", 1), (2.1, "/deck/1/jog", 0.2), (2.5, "/deck/1/brake", 1), (3.6, "/deck/1/play", 1),
    (3.7, "/deck/1/memory/set", 1), (3.9, "/deck/1/memory/previous", 1), (4.0, "/deck/1/spinback", 1),
]  # fmt: skip


def test_the_block_size_cannot_be_heard(tmp_path: Path) -> None:
    whole, made = play(tmp_path, BUSY, seconds=5.0)
    assert whole.any() and made.warnings == ()
    for block in (1, 64, 65, 512):
        assert np.array_equal(whole, play(tmp_path, BUSY, seconds=5.0, block=block)[0]), block


def test_an_empty_deck_and_a_track_without_a_grid_say_so(tmp_path: Path) -> None:
    write(tmp_path / "plain.wav", NOISE)
    lines = [(0, "/deck/2/cue", 1), (0, "/deck/2/loop/beats", 4), (0, "/deck/2/load", "plain.wav"),
             (0.1, "/deck/2/grid/double", 1)]  # fmt: skip
    _, made = play(tmp_path, lines, seconds=0.5)
    assert len(made.warnings) == 3 and "empty" in made.warnings[0] and "grid" in made.warnings[2]


@pytest.mark.parametrize("text", ["{", '{"beats": [2, 1]}', '{"beats": "x"}'])
def test_an_analysis_that_cannot_be_read_is_said_so(tmp_path: Path, text: str) -> None:
    write(tmp_path / "song" / "drums.wav", NOISE)
    (tmp_path / "song" / "analysis.json").write_text(text)
    with pytest.raises(ScriptRejected, match=r"analysis\.json"):
        render(script(tmp_path / "s.jsonl", [(0, "/deck/1/load", "song")]), tmp_path / "out.wav", seconds=0.1)
