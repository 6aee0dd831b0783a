"""The list of engines: what is chosen, what is refused, and that listing them loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.engines import base
from pipeline.engines.choices import PAID
from pipeline.errors import EngineUnavailable, UnknownEngine, UnknownModel

NO_MODELS = {"models_dir": "/nowhere/at/all"}


def test_auto_without_a_model_file_is_spectral() -> None:
    assert base.choose("auto", NO_MODELS).name == "spectral"


def test_auto_with_a_model_file_is_onnx(tmp_path: Path) -> None:
    from pipeline.models import HTDEMUCS

    with (tmp_path / HTDEMUCS.file).open("wb") as file:
        file.truncate(HTDEMUCS.size)
    assert base.choose("auto", {"models_dir": str(tmp_path)}).name == "onnx"


def test_auto_on_a_gpu_is_demucs_when_it_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.engines.demucs import DemucsEngine

    monkeypatch.setattr(base, "has_cuda", lambda: True)
    monkeypatch.setattr(DemucsEngine, "available", lambda self, options=None: None)
    assert base.choose("auto", NO_MODELS).name == "demucs"
    monkeypatch.setattr(DemucsEngine, "available", lambda self, options=None: "no")
    assert base.choose("auto", NO_MODELS).name == "spectral"


def test_a_named_engine_that_cannot_run_says_why() -> None:
    with pytest.raises(EngineUnavailable, match="alchemy models pull htdemucs"):
        base.choose("onnx", NO_MODELS)
    with pytest.raises(UnknownEngine, match="spectral"):
        base.choose("abacus")


def test_every_engine_is_described() -> None:
    listed = base.engines(NO_MODELS)
    assert tuple(info.name for info in listed) == base.ENGINES
    for info in listed:
        assert info.label and info.models and set(info.stems) == set(info.models)
        assert info.name != "spectral" or info.reason is None
        for stems in info.stems.values():
            assert ({"other"} if info.name in PAID else {"vocals", "drums", "bass", "other"}) <= set(stems)


def test_models_are_checked_and_an_engine_without_models_takes_any() -> None:
    assert base.check_model(base.engine("onnx"), "") == "htdemucs"
    assert base.check_model(base.engine("spectral"), "htdemucs") == ""
    with pytest.raises(UnknownModel, match="htdemucs"):
        base.check_model(base.engine("onnx"), "mdx_extra")


def test_a_stretch_keeps_its_invariants() -> None:
    with pytest.raises(ValueError, match="forward"):
        base.Stretch(10, 10, {})
    with pytest.raises(ValueError, match="vocals"):
        base.Stretch(0, 10, {"vocals": np.zeros((2, 9), np.float32)})
    with pytest.raises(ValueError, match="float64"):
        base.Stretch(0, 10, {"vocals": np.zeros((2, 10))})


def test_listing_and_choosing_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from pipeline import models, settings, songs\nfrom pipeline.analysis import track\n"
        "from pipeline.engines import base\n"
        "base.engines(); base.choose('auto')\n"
        "heavy = ('torch', 'demucs', 'librosa', 'onnxruntime', 'openvino', 'numba', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
