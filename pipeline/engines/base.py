"""The one interface of all separation engines, and the list of them.

Owner: the worker thread that runs a separation; an engine object may be used from several threads at once.
Units: frames at 44.1 kHz (`MODEL_RATE`); arrays are float32 (channels, frames); sample values of stems lie on the
2^-21 grid within +-4, so 24 bits hold them exactly.
"""

import ctypes
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import EngineUnavailable, UnknownEngine, UnknownModel

Audio = npt.NDArray[np.float32]
"""Samples, (channels, frames)."""


class Mix(Protocol):
    """A mix that is read stretch by stretch: an array float32 (2, frames), or what looks like one and fetches.

    An engine asks for no more than it works on; `mix[:, :]` is all of it.
    """

    @property
    def ndim(self) -> int:
        """2."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(2, frames)."""

    def __getitem__(self, key: tuple[slice, slice], /) -> Audio:
        """Both channels of a stretch, `mix[:, start:stop]`."""


Focus = Callable[[], int | Sequence[int] | None]
"""Where the playheads are, in frames at 44.1 kHz: one, several (a track on several decks), or None for nowhere."""

Cancelled = Callable[[], bool]
"""Whether the work should be given up. Called often, within a running model every few hundredths of a second."""


def nowhere() -> None:
    """The focus of a track that no deck holds."""
    return


def never() -> bool:
    """The answer of a job that nobody cancels."""
    return False


@dataclass(frozen=True, slots=True)
class Stretch:
    """All stems of one finished piece of a track, final: no later stretch touches these frames again.

    `stems` maps stem type to float32 (2, stop - start). The stems add up to the mix on the 2^-21 grid.
    """

    start: int
    stop: int
    stems: Mapping[str, Audio]

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"a stretch runs forward and is not empty: {self.start}..{self.stop}")
        for name, audio in self.stems.items():
            if audio.shape != (2, self.stop - self.start) or audio.dtype != np.float32:
                raise ValueError(f"{name}: {audio.dtype} {audio.shape} does not fit {self.start}..{self.stop}")


class SeparationEngine(Protocol):
    """Takes a mix apart, from a given frame on, stretch by stretch."""

    @property
    def name(self) -> str:
        """The name in jobs and settings."""

    @property
    def label(self) -> str:
        """One line for the performer: what it is and what to expect of it."""

    @property
    def models(self) -> tuple[str, ...]:
        """Model names, the default first; ("",) for an engine without models."""

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Stem types that this model gives with these options, in its own order. Raises UnknownModel."""

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        """None when the engine can run here, else the reason and what to do about it. Cheap: imports no runtime."""

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
        """Yield finished stretches until the whole mix is covered once, each frame exactly once.

        `mix` is float32 (2, frames) at 44.1 kHz and is only read, as far as the work has got. Work begins at
        `start_frame`, runs ahead, wraps to what is left, and moves whenever `focus` does. Whatever the order, every
        frame has the value it has in any other order. Ends early, within a second, once `cancelled()` is true.
        Options: those of `choices.Choices`, as far as the engine has a use for them; `models_dir`; `done`: ranges of
        frames (start, stop) that are there already and are not made again, from an attempt that was broken off; and
        `levels`: mean and standard deviation of the mono sum of the whole mix, without which all of it is read first.
        An engine that works elsewhere also looks at `job`, `folder` (its own of this job, kept between attempts),
        `secrets` (what a call returns) and `progress` (told a share of the work, and a stage). Others are ignored.

        Raises ModelMissing, ModelCorrupt, ModelFailed, OutOfMemory, UnknownModel, EngineUnavailable, AudioRejected,
        BadOptions.
        """


_ENGINES: Final[dict[str, tuple[str, str]]] = {
    "onnx": ("pipeline.engines.onnx", "OnnxEngine"),
    "demucs": ("pipeline.engines.demucs", "DemucsEngine"),
    "spectral": ("pipeline.engines.spectral", "SpectralEngine"),
    "lalalai": ("pipeline.engines.lalalai", "LalalaiEngine"),
}
ENGINES: Final = tuple(_ENGINES)
"""Names of all engines, best sounding on a CPU first; `spectral` can always run."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the page and `alchemy doctor` show of an engine. `reason` is None when it can run here."""

    name: str
    label: str
    models: tuple[str, ...]
    stems: Mapping[str, tuple[str, ...]]
    reason: str | None


def engine(name: str) -> SeparationEngine:
    """Give the engine of this name, whether it can run here or not. Raises UnknownEngine."""
    try:
        module, cls = _ENGINES[name]
    except KeyError:
        raise UnknownEngine(f"No separation engine is called {name!r}; there are {', '.join(_ENGINES)}.") from None
    made: SeparationEngine = getattr(importlib.import_module(module), cls)()
    return made


def engines(options: Mapping[str, Any] | None = None) -> tuple[EngineInfo, ...]:
    """Describe all engines and whether each can run here. Cheap enough for a request."""
    found = (engine(name) for name in ENGINES)
    return tuple(
        EngineInfo(e.name, e.label, e.models, {m: e.stems(m) for m in e.models}, e.available(options)) for e in found
    )


def choose(name: str = "auto", options: Mapping[str, Any] | None = None) -> SeparationEngine:
    """Give the engine to use: the one named, or for `auto` the best that can run here.

    `auto` is `demucs` with a CUDA GPU, else `onnx` where its model file is, else `spectral`.
    Raises UnknownEngine, or EngineUnavailable with the reason when a named engine cannot run.
    """
    if name != "auto":
        chosen = engine(name)
        if reason := chosen.available(options):
            raise EngineUnavailable(reason, engine=name)
        return chosen
    order = ("demucs", "onnx", "spectral") if has_cuda() else ("onnx", "spectral")
    for candidate in order:
        chosen = engine(candidate)
        if chosen.available(options) is None:
            return chosen
    raise EngineUnavailable("No separation engine can run here.")  # cannot happen: spectral needs nothing


def check_model(of: SeparationEngine, model: str) -> str:
    """Give the model's name, the engine's default for an empty one; "" for an engine that has no models.

    So settings that name a model hold for `auto` too, when it falls back to `spectral`. Raises UnknownModel.
    """
    if not model or of.models == ("",):
        return of.models[0]
    if model not in of.models:
        known = ", ".join(m for m in of.models if m) or "none"
        raise UnknownModel(f"The engine {of.name} has no model {model!r}; it has: {known}.", engine=of.name)
    return model


def has_module(name: str) -> bool:
    """Whether a package is installed, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def has_cuda() -> bool:
    """Whether a CUDA GPU and a PyTorch built for it are here, found without importing PyTorch (it takes seconds)."""
    if not has_module("torch") or "+cpu" in metadata.version("torch"):
        return False
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
