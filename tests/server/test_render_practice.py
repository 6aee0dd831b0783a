"""Practising from a script to the file: click, count-in, loops by section, the trainer and mute regions, as heard."""

import json
from pathlib import Path

import numpy as np
import pytest

from audio.kernel.practice_state import LEVELS, click_frames
from server.render import Rendered, render
from tests.server.render_material import RATE, read, script, song, write

FADE = 240
BEAT = 24_000
CLICK = click_frames(RATE)
NOISE = np.random.default_rng(3).uniform(-0.3, 0.3, (12 * RATE, 2)).astype(np.float32)
SECTIONS = [{"start": 0.0, "end": 2.0, "label": "intro"}, {"start": 2.0, "end": 4.0, "label": "verse"},
            {"start": 4.0, "end": 6.0, "label": "chorus"}]  # fmt: skip


def play(folder: Path, lines: list, sound: np.ndarray = NOISE, **options: object) -> tuple[np.ndarray, Rendered]:
    """Render `lines` on a folder of one stem with a grid of 120 beats a minute and sections, on deck 1 alone."""
    if not (folder / "song").is_dir():
        write(folder / "song" / "drums.wav", sound)
    places = np.arange(24) * 0.5
    analysis = {"beats": places.tolist(), "downbeats": places[::4].tolist(), "sections": SECTIONS}
    (folder / "song" / "analysis.json").write_text(json.dumps(analysis))
    start = [(0, "/deck/1/assign", "thru"), (0, "/deck/1/load", "song")]
    made = render(script(folder / "script.jsonl", [*start, *lines]), folder / "out.wav", **options)
    return read(made.path), made


def same(out: np.ndarray, at: int, place: int, frames: int) -> bool:
    """Return whether `out` from `at` on is the track from `place` on."""
    return np.allclose(out[at : at + frames], NOISE[place : place + frames], atol=1e-6)


def onsets(out: np.ndarray) -> list[int]:
    """Return the frames on which something begins after silence."""
    heard = np.flatnonzero(out[:, 0])
    return heard[np.flatnonzero(np.diff(heard, prepend=-CLICK) > CLICK // 2)].tolist()


def test_a_count_in_and_the_click_and_the_song_on_its_beat(tmp_path: Path) -> None:
    lines = [
        (0, "/deck/1/position", 2.0),
        (0, "/deck/1/countin", 4),
        (0, "/deck/1/click", 1),
        (0.25, "/deck/1/play", 1),
    ]
    first = round(0.25 * RATE)
    clicks, _ = play(tmp_path / "a", lines, np.zeros_like(NOISE), seconds=6.0)
    assert onsets(clicks) == [first + n * BEAT for n in range(12)]
    out, made = play(tmp_path / "b", lines, seconds=6.0)
    start = first + 4 * BEAT
    assert np.allclose(out[:start], clicks[:start], atol=1e-6)
    assert same(out - clicks, start + FADE, 2 * RATE + FADE, 2 * RATE)
    assert np.abs(clicks).max() < max(LEVELS) and made.warnings == ()


def test_a_render_without_a_length_waits_for_the_count_in(tmp_path: Path) -> None:
    out, _ = play(tmp_path, [(0, "/deck/1/countin", 3), (0, "/deck/1/play", 1)])
    assert same(out, 3 * BEAT + FADE, FADE, 11 * RATE)


@pytest.mark.parametrize("keylock", [0, 1])
def test_a_section_is_looped_and_trained(tmp_path: Path, keylock: int) -> None:
    lines = [(0, "/deck/1/loop/section", 2), (0, "/deck/1/trainer/start", 0.8), (0, "/deck/1/trainer/every", 2),
             (0, "/deck/1/trainer/step", 0.1), (0, "/deck/1/trainer/stop", 1.0), (0, "/deck/1/trainer/on", 1),
             (0, "/deck/1/keylock", keylock), (0, "/deck/1/click", 1), (0, "/deck/1/loop/again", 1)]  # fmt: skip
    clicks, made = play(tmp_path, lines, np.zeros_like(NOISE), seconds=16.0)
    # Two passes of four beats at each speed: the first beat of every pass is on the frame that the one before leads to.
    steps = np.repeat([BEAT / 0.8, BEAT / 0.9, BEAT], 8)
    expected = np.concatenate([[0.0], np.cumsum(steps)])
    heard = np.array(onsets(clicks))
    count = min(len(heard), len(expected))
    assert count >= 22 and np.abs(heard[:count] - expected[:count]).max() <= 2.0
    assert made.controls["/deck/1/rate"] == 1.0 and made.controls["/deck/1/loop/passes"] >= 5
    assert made.controls["/deck/1/trainer/next"] == 0.0


def test_a_clean_pass_brings_the_next_speed(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/loop/section", 2), (0, "/deck/1/trainer/by", "clean"), (0, "/deck/1/trainer/start", 1.0),
             (0, "/deck/1/trainer/stop", 1.5), (0, "/deck/1/trainer/step", 0.25), (0, "/deck/1/trainer/on", 1),
             (0, "/deck/1/loop/again", 1), (5.0, "/deck/1/trainer/clean", 1)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=7.0)
    for turn in range(3):
        assert same(out, 2 * turn * RATE + FADE, 2 * RATE + FADE, 2 * RATE - 2 * FADE)
    assert made.controls["/deck/1/rate"] == 1.25 and made.controls["/deck/1/loop/passes"] == 3


def test_a_loop_is_typed_with_a_pre_roll_and_a_count_in_before_each_pass(tmp_path: Path) -> None:
    lines = [(0, "/practice/a", 4.0), (0, "/practice/b", 5.0), (0, "/practice/loop", 1), (0, "/practice/countin", 1),
             (0, "/deck/1/countin/passes", 1), (0, "/deck/1/loop/preroll", 1), (0, "/practice/again", 1)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=7.0)
    # One click, a beat of pre-roll, the two beats of the loop; and again.
    for turn in range(3):
        assert same(out, (1 + 4 * turn) * BEAT + FADE, 7 * BEAT + FADE, 3 * BEAT - 2 * FADE)
        assert onsets(out[4 * turn * BEAT + 10 : (4 * turn + 1) * BEAT]) != []
    assert made.controls["/deck/1/play"] == 1 and made.warnings == ()


def test_bars_are_looped(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/play", 1), (2.3, "/deck/1/loop/bars", 1), (6.1, "/deck/1/click/bar", 2),
             (6.1, "/deck/1/loop/bar", 3)]  # fmt: skip
    out, made = play(tmp_path, lines, seconds=8.0)
    assert same(out, 4 * RATE + FADE, 2 * RATE + FADE, 2 * RATE - 2 * FADE)
    assert made.controls["/deck/1/loop/start"] == 2.0 and made.controls["/deck/1/loop/end"] == 3.0


def test_a_stem_is_mute_in_its_stretches_alone(tmp_path: Path) -> None:
    song(tmp_path / "song", 4.0, ("vocals", "bass"))
    (tmp_path / "song" / "analysis.json").write_text(json.dumps({"sections": [{"start": 1.0, "end": 2.0}]}))
    base = [(0, "/deck/1/assign", "thru"), (0, "/deck/1/load", "song")]
    lines = [*base, (0, "/deck/1/stem/bass/mutes/section", 1), (0, "/deck/1/stem/bass/mutes/add", "3-3.5"),
             (0, "/deck/1/play", 1)]  # fmt: skip
    out = read(render(script(tmp_path / "s.jsonl", lines), tmp_path / "out.wav").path)
    whole = read(render(script(tmp_path / "s.jsonl", [*base, (0, "/deck/1/play", 1)]), tmp_path / "whole.wav").path)
    muted = [*base, (0, "/deck/1/stem/bass/mute", 1), (0, "/deck/1/play", 1)]
    without = read(render(script(tmp_path / "s.jsonl", muted), tmp_path / "without.wav").path)
    for start, end in ((0, 48_000), (96_000 + FADE, 144_000), (168_000 + FADE, 192_000)):
        assert np.array_equal(out[start:end], whole[start:end])
    for start, end in ((48_000 + FADE, 96_000), (144_000 + FADE, 168_000)):
        assert np.array_equal(out[start:end], without[start:end])
    assert np.abs(np.diff(out, axis=0)).max() <= np.abs(np.diff(whole, axis=0)).max() + 0.2 / FADE


def test_the_click_of_the_headphones_is_not_in_the_master(tmp_path: Path) -> None:
    lines = [(0, "/deck/1/click", 1), (0, "/deck/1/click/output", "headphones"), (0, "/deck/1/play", 1)]
    master, _ = play(tmp_path, lines, np.zeros_like(NOISE), seconds=2.0)
    phones, _ = play(tmp_path, lines, seconds=2.0, bus="headphones")
    assert not master.any() and onsets(phones) == [n * BEAT for n in range(4)]


BUSY = [
    (0, "/deck/1/click", 1), (0, "/deck/1/click/divide", "3"), (0, "/deck/1/countin", 1), (0, "/deck/1/rate", 0.9),
    (0, "/deck/1/loop/start", 1.01), (0, "/deck/1/loop/end", 1.77), (0, "/deck/1/loop/active", 1),
    (0, "/deck/1/loop/preroll", 0.5), (0, "/deck/1/stem/drums/mutes", "1.2-1.3"), (0, "/deck/1/trainer/every", 1),
    (0, "/deck/1/loop/again", 1), (2.0, "/deck/1/trainer/on", 1), (2.5, "/deck/1/countin/passes", 1),
    (3.3, "/deck/1/play", 0), (3.6, "/deck/1/play", 1),
]  # fmt: skip


def test_the_block_size_cannot_be_heard(tmp_path: Path) -> None:
    # The session answers a pass at the end of a block: what is heard is the same as long as that is before the next.
    whole, made = play(tmp_path, BUSY, seconds=5.0)
    assert whole.any() and made.warnings == ()
    for block in (64, 65, 512):
        assert np.array_equal(whole, play(tmp_path, BUSY, seconds=5.0, block=block)[0]), block
