"""Settings of the pipeline: which engine separates, how hard it may work, where models live.

Owner: read once by `server/settings.py` (or a worker's start) and passed down; nothing here reads the environment.
Units: counts; paths are absolute.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.engines.choices import LARGEST_OVERLAP

PRECISIONS: Final = ("auto", "bf16", "f32")
"""Arithmetic of `onnx` and `demucs`: `auto` is bf16 (onnx) or TF32 (demucs on a GPU) where the hardware has it."""

BACKENDS: Final = ("auto", "openvino", "onnxruntime")
"""Which runtime the `onnx` engine uses: `auto` is OpenVINO wherever it is installed."""

DEVICES: Final = ("auto", "cpu", "cuda")
"""Where the `demucs` engine runs."""

ENGINE_NAMES: Final = ("auto", "onnx", "demucs", "spectral", "lalalai")
"""Separation engines by name; `auto` picks the best one that can run here."""

STEM_FORMATS: Final = ("flac", "wav", "mp3")
"""Formats in which stems leave when a request names none; `flac` is how they are stored."""

_CHOICES: Final = {"engine": ENGINE_NAMES, "precision": PRECISIONS, "backend": BACKENDS, "device": DEVICES}
_COUNTS: Final = {
    "threads": (0, 256),
    "shifts": (0, 10),
    "download_jobs": (1, 64),
    "processing_jobs": (1, 64),
    "analysis_jobs": (1, 64),
}


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How separation and analysis run. `threads` 0 means every core this process may use; `segment` in seconds, 0 is
    the model's own; `overlap` is a share of it.
    """

    engine: str = "auto"
    model: str = ""
    precision: str = "auto"
    backend: str = "auto"
    device: str = "auto"
    threads: int = 0
    segment: float = 0.0
    overlap: float = 0.25
    shifts: int = 0
    models_dir: Path | None = None
    beat_model: str = ""
    download_jobs: int = 3
    processing_jobs: int = 2
    analysis_jobs: int = 2

    def faults(self) -> tuple[str, ...]:
        """Every fault of these values at once, each naming key, value and what is allowed; empty when all is well."""
        found = [
            f"{key} = {getattr(self, key)!r}: must be one of {', '.join(allowed)}"
            for key, allowed in _CHOICES.items()
            if getattr(self, key) not in allowed
        ]
        found += [
            f"{key} = {getattr(self, key)!r}: must be a whole number from {low} to {high}"
            for key, (low, high) in _COUNTS.items()
            if type(getattr(self, key)) is not int or not low <= getattr(self, key) <= high
        ]
        found += [
            f"{key} = {getattr(self, key)!r}: must be a number from {low} to {high}"
            for key, (low, high) in {"segment": (0, 60), "overlap": (0, LARGEST_OVERLAP)}.items()
            if not low <= getattr(self, key) <= high
        ]
        return tuple(found)

    def job_options(self) -> dict[str, Any]:
        """What a job is asked for beside engine and model, where these settings differ from what engines do anyway."""
        plain = PipelineSettings()
        return {
            name: getattr(self, name)
            for name in ("precision", "segment", "overlap", "shifts")
            if getattr(self, name) != getattr(plain, name)
        }

    def engine_options(self) -> dict[str, Any]:
        """What a worker of this machine is told: where and how its engines run, whatever the job."""
        options: dict[str, Any] = {
            "precision": self.precision,
            "backend": self.backend,
            "device": self.device,
            "threads": self.threads,
        }
        if self.models_dir is not None:
            options["models_dir"] = str(self.models_dir)
        if self.beat_model:
            options["beat_model"] = self.beat_model
        return options
