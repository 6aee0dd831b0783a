"""Beats by a model behind our interface. The package and its weights have stand-ins: what is tested is ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from audio.units import MODEL_RATE
from pipeline import songs
from pipeline.analysis import beat_model
from pipeline.analysis.track import analyse
from tests.pipeline.analysis import music

RATE = MODEL_RATE


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file, and packages that take it for a checkpoint and hear beats where `heard` says."""
    path = tmp_path / "final0.ckpt"
    path.write_bytes(b"weights")

    class Audio2Beats:
        heard: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))

        def __init__(self, checkpoint_path: str, device: str, dbn: bool) -> None:
            if Path(checkpoint_path).read_bytes() != b"weights":
                raise ValueError("not these")
            assert device == "cpu" and not dbn

        def __call__(self, signal: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
            assert signal.ndim == 1 and signal.dtype == np.float32 and rate == RATE
            return self.heard

    package, inference, torch = ModuleType("beat_this"), ModuleType("beat_this.inference"), ModuleType("torch")
    inference.Audio2Beats = Audio2Beats  # type: ignore[attr-defined]
    torch.Tensor = type("Tensor", (), {})  # type: ignore[attr-defined]  # SciPy looks whether what it gets is one
    torch.cuda = type("cuda", (), {"is_available": staticmethod(lambda: False)})  # type: ignore[attr-defined]
    for name, module in (("beat_this", package), ("beat_this.inference", inference), ("torch", torch)):
        monkeypatch.setitem(sys.modules, name, module)
    beat_model.listener.cache_clear()
    yield path
    beat_model.listener.cache_clear()


def test_a_model_s_beats_become_our_grid(weights: Path) -> None:
    piece = music.on_clock(songs.shortened(songs.NIGHT_FERRY, 8), music.steady(100.0), "steady")
    rng = np.random.default_rng(2)
    heard = piece.beats[1:] + 0.004 * rng.standard_normal(len(piece.beats) - 1)  # its first beat was missed
    sys.modules["beat_this.inference"].Audio2Beats.heard = (heard, heard[3::4])
    found = analyse(piece.mix, RATE, ["tempo"], beat_model=beat_model.listener(str(weights)))
    assert found["tempo"] == pytest.approx(100.0, rel=0.002) and found["beats_per_bar"] == 4
    nearest = np.abs(np.subtract.outer(piece.downbeats, np.array(found["downbeats"]))).min(axis=1)
    assert np.median(nearest) < 0.01


def test_what_a_model_does_not_hear_is_found_our_way(weights: Path) -> None:
    mix = songs.render(songs.shortened(songs.NIGHT_FERRY, 4)).mix
    listen = beat_model.listener(str(weights))
    for nothing in (np.zeros(0), np.array([np.nan, -1.0, 1e9]), np.array([1.0, 1.0, 2.0])):
        sys.modules["beat_this.inference"].Audio2Beats.heard = (nothing, nothing)
        assert analyse(mix, RATE, ["tempo"], beat_model=listen)["beats"] == analyse(mix, RATE, ["tempo"])["beats"]


def test_what_is_missing_is_said(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(beat_model.BeatModelMissing, match="no file"):
        beat_model.listener("/nowhere")
    weights.write_bytes(b"other")
    with pytest.raises(beat_model.BeatModelMissing, match="no checkpoint"):
        beat_model.listener(str(weights))
    monkeypatch.setitem(sys.modules, "beat_this.inference", None)
    with pytest.raises(beat_model.BeatModelMissing, match=r"\[beats\]"):
        beat_model.listener(str(weights))
