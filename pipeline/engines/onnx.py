"""The `onnx` engine: htdemucs from one `.onnx` file, on OpenVINO or else on ONNX Runtime. The default on a CPU.

Owner: any worker thread; the loaded model is shared by all of them, and they take turns segment by segment.
Units: frames at 44.1 kHz, float32 (channels, frames). The file takes the normalised wave (1, 2, 343980) and its
spectrogram (1, 4, 2048, 336), and answers with spectra (1, 4, 4, 2048, 336) and waves (1, 4, 2, 343980) to be added.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline import models
from pipeline.engines import choices, overlap, spectrogram
from pipeline.engines.base import Audio, Cancelled, Focus, Mix, Stretch, check_model, has_module, never, nowhere
from pipeline.engines.onnx_runtimes import RUNTIMES, SEGMENT, SOURCES, Runtime
from pipeline.engines.sharing import Cache, Shared
from pipeline.engines.shifts import shifted
from pipeline.errors import EngineUnavailable, ModelCorrupt, ModelMissing, PipelineError


class OnnxEngine:
    """htdemucs on the CPU. `file` is a model file of one's own with the same interface, used without a hash check."""

    name = "onnx"
    label = "htdemucs on the processor: four stems, about three times real time on two cores"
    models = ("htdemucs",)

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """The four stems of htdemucs. Raises UnknownModel."""
        check_model(self, model)
        return SOURCES

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        """None, or what is missing: a runtime or the model file."""
        if not (has_module("openvino") or has_module("onnxruntime")):
            return "Neither OpenVINO nor ONNX Runtime is installed: `pip install openvino`."
        try:
            self._path(options or {})
        except ModelMissing as missing:
            return str(missing)
        return None

    def separate(
        self,
        mix: Mix,
        model: str = "",
        *,
        start_frame: int = 0,
        focus: Focus = nowhere,
        cancelled: Cancelled = never,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Stretch]:
        """Separate as `SeparationEngine.separate` says, with all its options but `device` and `segment`: the file takes
        one length.
        """
        check_model(self, model)
        options = options or {}
        return self._stretches(mix, self.key(options), start_frame, focus, cancelled, options)

    def key(self, options: Mapping[str, Any]) -> "LoadKey":
        """What has to be loaded for these options. Raises ModelMissing, EngineUnavailable, BadOptions."""
        chosen = choices.read(options)
        return LoadKey(
            file=self._path(options),
            checked=self._file is None,
            backends=_backends(chosen.backend),
            precision=chosen.precision,
            threads=chosen.threads or cores(),
        )

    def _stretches(
        self,
        mix: Mix,
        key: "LoadKey",
        start: int,
        focus: Focus,
        cancelled: Cancelled,
        options: Mapping[str, Any],
    ) -> Iterator[Stretch]:
        chosen = choices.read(options)
        shared = _CACHE.get(key, cancelled)
        if shared is not None:
            model = shifted(_Htdemucs(shared, key.threads, chosen.overlap), chosen.shifts)
            done, levels = options.get("done", ()), options.get("levels")
            yield from overlap.separate(mix, model, start, focus, cancelled, done, levels)

    def _path(self, options: Mapping[str, Any]) -> Path:
        if self._file is not None:
            return self._file
        folder = options.get("models_dir")
        return models.model_path("htdemucs", Path(folder) if folder else None)


def cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def warm(options: Mapping[str, Any] | None = None) -> None:
    """Start loading the model in the background, so that the first separation need not wait for it; never raises."""
    engine = OnnxEngine()
    if engine.available(options) is None:
        with suppress(PipelineError):
            _CACHE.start(engine.key(options or {}))


def loaded(cancelled: Cancelled, options: Mapping[str, Any] | None = None) -> Shared[Runtime] | None:
    """Give the loaded model itself, loading it if need be; None when cancelled. For benchmarks."""
    return _CACHE.get(OnnxEngine().key(options or {}), cancelled)


def unload() -> None:
    """Forget every loaded model (half a gigabyte to two each); running separations keep theirs to the end."""
    _CACHE.clear()


@dataclass(frozen=True, slots=True)
class LoadKey:
    """One loaded model: a file, compiled for a runtime, a precision and a number of threads."""

    file: Path
    checked: bool
    backends: tuple[str, ...]
    precision: str
    threads: int


class _Htdemucs:
    """The model as the overlap-add scheduler sees it."""

    sources = SOURCES
    segment = SEGMENT
    normalise = True
    elsewhere = False

    def __init__(self, shared: Shared[Runtime], workers: int, share: float) -> None:
        self._shared = shared
        self._workers = workers
        self.stride = int((1 - share) * SEGMENT)

    def padded(self, frames: int) -> int:
        """The network always hears 7.8 s."""
        return SEGMENT

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        """Separate one segment."""
        spectrum = spectrogram.spectrum(chunk, self._workers)
        with self._shared.turns.turn(cancelled) as mine:
            answer = self._shared.model.run(chunk[None], spectrum[None], cancelled) if mine else None
        if answer is None:
            return None
        spectra, waves = answer
        out = spectrogram.wave(spectra[0], chunk.shape[-1], self._workers)
        out += waves[0]
        return out


def _backends(wanted: str) -> tuple[str, ...]:
    """The installed runtimes to try, in order. Raises EngineUnavailable when there is none."""
    order = tuple(RUNTIMES) if wanted == "auto" else (wanted,)
    installed = tuple(name for name in order if name in RUNTIMES and has_module(name))
    if not installed:
        raise EngineUnavailable(f"The runtime {' or '.join(order)} is not installed.", backend=wanted)
    return installed


def _load(key: LoadKey) -> Runtime:
    if key.checked:
        models.verify("htdemucs", key.file)
    broken: ImportError | None = None
    for name in key.backends:
        try:
            return RUNTIMES[name](key.file, key.precision, key.threads)
        except ImportError as error:  # installed, but a library of its own does not load here
            broken = error
        except Exception as error:
            raise ModelCorrupt(
                f"{key.file.name} cannot be loaded by {name}: it is damaged or not a model of this kind. "
                "Fetch it again with `alchemy models pull htdemucs`.",
                cause=str(error)[:400],
            ) from error
    raise EngineUnavailable(f"The runtime {' or '.join(key.backends)} cannot be imported: {broken}") from broken


_CACHE: Final[Cache[LoadKey, Runtime]] = Cache(_load)
