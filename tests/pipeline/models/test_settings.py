"""The pipeline's settings tell all their faults at once."""

from pathlib import Path

from pipeline.engines.base import ENGINES
from pipeline.engines.onnx_runtimes import RUNTIMES
from pipeline.settings import BACKENDS, ENGINE_NAMES, PipelineSettings


def test_defaults_are_fine() -> None:
    assert PipelineSettings().faults() == ()


def test_every_fault_is_told_with_what_is_allowed() -> None:
    faults = PipelineSettings(engine="abacus", precision="f64", threads=-1, analysis_jobs=0).faults()
    assert len(faults) == 4
    assert "engine = 'abacus': must be one of auto, onnx" in faults[0]
    assert any("threads = -1" in fault and "256" in fault for fault in faults)
    assert PipelineSettings(threads=True).faults()


def test_names_are_those_of_the_engines() -> None:
    assert set(ENGINE_NAMES) == {"auto", *ENGINES}
    assert set(BACKENDS) == {"auto", *RUNTIMES}


def test_options_are_plain_values() -> None:
    options = PipelineSettings(threads=3, models_dir=Path("/m")).engine_options()
    assert options == {"precision": "auto", "backend": "auto", "device": "auto", "threads": 3, "models_dir": "/m"}
