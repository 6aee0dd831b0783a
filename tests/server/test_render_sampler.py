"""The sampler through the offline renderer: files, stems and stretches on pads, hits on their frames, patterns."""

from pathlib import Path

import numpy as np
import pytest

from server.render import render
from server.session.script import ScriptRejected
from tests.server.render_material import RATE, TONES, levels, read, script, song, tone, write


def bounce(folder: Path, lines: list, name: str = "out.wav", **options: object) -> np.ndarray:
    """Render a log; return what is heard, float64 (frames, 2)."""
    made = render(script(folder / "script.jsonl", lines), folder / name, **options)  # type: ignore[arg-type]
    assert made.warnings == () or "warned" in name
    return read(made.path)


@pytest.mark.parametrize("block", [64, 65, 512])
def test_a_file_on_a_pad_sounds_on_the_very_frame(tmp_path: Path, block: int) -> None:
    noise = np.random.default_rng(1).uniform(0.1, 0.5, (RATE // 2, 2)).astype(np.float32)
    write(tmp_path / "noise.wav", noise)
    lines = [(0, "/pad/1/source", "noise.wav"), (0.2, "/pad/1", 1.0)]
    out = bounce(tmp_path, lines, block=block)
    start = round(0.2 * RATE)
    assert not out[:start].any()
    assert np.allclose(out[start : start + RATE // 2 - 240], noise[:-240], atol=1e-6)
    assert len(out) == start + RATE // 2 + round(0.1 * RATE) - 1, "whatever the block size"


def test_stems_and_stretches_of_a_song(tmp_path: Path) -> None:
    song(tmp_path / "song")
    lines = [
        (0, "/pad/5/source", "song#bass"), (0, "/pad/6/source", "song#vocals@0.5-1"), (0, "/pad/6/mode", "loop"),
        (0, "/pad/5", 1.0), (0, "/pad/6", 0.5), (1.5, "/pad/stop", 1),
    ]  # fmt: skip
    heard = levels(bounce(tmp_path, lines), 0.2, 1.4)
    expected = dict.fromkeys(TONES, 0.0) | {"bass": 0.1, "vocals": 0.05}
    assert heard == pytest.approx(expected, abs=2e-3)


def test_the_loop_of_a_deck_goes_onto_a_pad(tmp_path: Path) -> None:
    write(tmp_path / "tone.wav", tone(440.0, 4.0))
    lines = [
        (0, "/deck/1/load", "tone.wav"), (0, "/deck/1/play", 1), (0.5, "/deck/1/loop/in", 1),
        (1.0, "/deck/1/loop/out", 1),
        (1.1, "/pad/2/take", "1"), (1.1, "/deck/1/stop", 1), (1.5, "/pad/2", 1.0),
    ]  # fmt: skip
    out = bounce(tmp_path, lines, seconds=3.0)
    assert levels(out, 1.15, 1.45) == pytest.approx(dict.fromkeys(TONES, 0.0), abs=1e-3)
    assert levels(out, 1.6, 2.9)["vocals"] == pytest.approx(0.1, abs=2e-3)


def test_a_pattern_plays_and_banks_hold_their_own(tmp_path: Path) -> None:
    click = np.r_[np.full((100, 2), 0.5), np.zeros((500, 2))].astype(np.float32)
    write(tmp_path / "click.wav", click)
    lines = [
        (0, "/pad/bank", "2"), (0, "/pad/3/source", "click.wav"), (0, "/sequencer/bank", "2"), (0, "/pad/bank", "1"),
        (0, "/sequencer/pattern/3", "x...5"), (0, "/session/tempo", 150.0), (0, "/sequencer/run", 1),
    ]  # fmt: skip
    out = bounce(tmp_path, lines, seconds=2.0)[:, 0]
    onsets = np.flatnonzero((out > 0.1) & ~np.r_[False, out[:-1] > 0.1])
    step = RATE * 60 / 150 / 4
    assert onsets.tolist() == [0, round(4 * step), round(16 * step)]
    assert out[onsets + 50] == pytest.approx([0.5, 0.5 * 5 / 9, 0.5], abs=1e-4)


def test_an_empty_pad_is_silence_and_a_warning(tmp_path: Path) -> None:
    path = script(tmp_path / "script.jsonl", [(0.1, "/pad/9", 1.0)])
    made = render(path, tmp_path / "out.wav")
    assert not read(made.path).any()
    assert any("Pad 9" in warning for warning in made.warnings)


def test_a_file_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptRejected, match="line 1"):
        render(script(tmp_path / "script.jsonl", [(0, "/pad/1/source", "nothing.wav")]), tmp_path / "out.wav")
