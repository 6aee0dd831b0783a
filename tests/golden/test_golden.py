"""Golden renders: the sound of a script does not change unseen.

The scripts play stems made from exact numbers; files are 16 kHz and short. Our own arithmetic may differ in the last
bits between processors (fused multiply-add, vector width), so a sample may be off by 2e-6 and no more.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from server.render import render

HERE = Path(__file__).resolve().parent
RATE = 16_000
SECONDS = 1.0
TOLERANCE = 2e-6
SCRIPTS = sorted(HERE.glob("*.jsonl"))


def triangle(period: int) -> np.ndarray:
    """Return a triangle wave of exact values, float32 (frames, 2); the channels differ."""
    phase = np.arange(round(SECONDS * RATE)) % period
    left = np.abs(phase * 2 - period) / period - 0.5
    return np.stack([left, -left * 0.5], 1).astype(np.float32) * np.float32(0.25)


def material(folder: Path) -> None:
    for song, periods in {"one": (40, 64, 144, 25), "two": (50, 80, 100, 20)}.items():
        (folder / song).mkdir()
        for stem, period in zip(("vocals", "drums", "bass", "other"), periods, strict=True):
            soundfile.write(folder / song / f"{stem}.wav", triangle(period), RATE, subtype="FLOAT")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_sounds_as_it_did(script: Path, tmp_path: Path, request: pytest.FixtureRequest):
    material(tmp_path)
    copy = tmp_path / script.name
    copy.write_bytes(script.read_bytes())
    golden = script.with_suffix(".wav")
    made = render(copy, tmp_path / "out.wav", rate=RATE, block=64)
    if request.config.getoption("--regen-golden"):
        golden.write_bytes(made.path.read_bytes())
    now, _ = soundfile.read(made.path, dtype="float32")
    then, rate = soundfile.read(golden, dtype="float32")
    assert rate == RATE and now.shape == then.shape
    assert np.abs(then).max() > 0.05, "a golden file of silence proves nothing"
    assert np.abs(now - then).max() <= TOLERANCE


def test_there_is_something_to_compare():
    assert len(SCRIPTS) >= 3 and all(script.with_suffix(".wav").exists() for script in SCRIPTS)
