"""The `demucs` engine: Meta's models in PyTorch, behind the extra `[demucs]`. The default on a GPU.

Owner: any worker thread; a loaded model is shared and used in turns. PyTorch and Demucs are imported here and nowhere
else, when a model is loaded. A model file is data from outside: its SHA-256 must begin as its name says, and it is
unpickled with `weights_only` and a list of the few classes a model is made of.
Units: frames at 44.1 kHz, float32 (channels, frames).
"""

import errno
import hashlib
import http.client
import logging
import os
import pickle
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from audio.units import MODEL_RATE
from pipeline import models
from pipeline.engines import choices, overlap
from pipeline.engines.base import Audio, Cancelled, Focus, Mix, Stretch, check_model, has_module, never, nowhere
from pipeline.engines.sharing import Cache, Shared
from pipeline.engines.shifts import shifted
from pipeline.errors import DiskFull, EngineUnavailable, ModelCorrupt, ModelFailed, OutOfMemory, PullFailed

log = logging.getLogger(__name__)

_FETCH_TIMEOUT_S: Final = 30.0
_FOUR: Final = ("drums", "bass", "other", "vocals")
_LONGEST_S: Final = 10.0
"""Segments of models that can take any length: mdx_extra's own 44 s would let a performer wait for a minute."""

_SHORTEST_S: Final = 1.0
"""Segments are not made shorter than this where memory is short: below it the models hear too little to tell apart."""

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Bag:
    """A model by name: the files it is made of (signature and start of the SHA-256), and what each counts for.

    `weights` holds a row per file with a number per source; empty means all count alike.
    """

    files: tuple[str, ...]
    sources: tuple[str, ...] = _FOUR
    weights: tuple[tuple[float, ...], ...] = ()


BAGS: Final[Mapping[str, Bag]] = {
    "htdemucs": Bag(("955717e8-8726e21a",)),
    "htdemucs_ft": Bag(
        ("f7e0c4bc-ba3fe64a", "d12395a8-e57c48e6", "92cfc3b6-ef3bcb9c", "04573f0d-f3cf25b2"),
        weights=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
    ),
    "htdemucs_6s": Bag(("5c90dfd2-34c22ccb",), (*_FOUR, "guitar", "piano")),
    "mdx_extra": Bag(("e51eebcc-c1b80bdd", "a1d90b5c-ae9d2452", "5d2d6c55-db83574e", "cfa93e08-61801ae1")),
}
"""The models of Demucs 4 that a performer wants; see `demucs/remote/*.yaml`."""


class DemucsEngine:
    """Demucs in PyTorch. `bags` replaces the models by others of one's own (tests, experiments)."""

    name = "demucs"
    label = "Demucs in PyTorch: four or six stems; fast on a GPU, slower than `onnx` on a processor"

    def __init__(self, bags: Mapping[str, Bag] = BAGS) -> None:
        self._bags = bags

    @property
    def models(self) -> tuple[str, ...]:
        """Model names, the default first."""
        return tuple(self._bags)

    def stems(self, model: str = "", options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Stem types of a model. Raises UnknownModel."""
        return self._bags[check_model(self, model)].sources

    def available(self, options: Mapping[str, Any] | None = None) -> str | None:
        """None, or that the extra is missing. Model files are fetched when they are first used."""
        if not (has_module("torch") and has_module("demucs")):
            return "PyTorch and Demucs are not installed: `pip install 'sound-forge-alchemy[demucs]'` (about 1 GB)."
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
        """Separate as `SeparationEngine.separate` says, with all its options but `backend`.

        Where memory runs out, what is left is made in segments of half the length, down to a second; then OutOfMemory.
        """
        options = options or {}
        bag = self._bags[check_model(self, model)]
        if not (has_module("torch") and has_module("demucs")):
            raise EngineUnavailable(str(self.available(options)), engine=self.name)
        chosen = choices.read(options)
        key = _Key(_folders(options), bag, chosen.device, chosen.threads, chosen.precision)
        return self._stretches(mix, key, start_frame, focus, cancelled, options)

    def _stretches(
        self,
        mix: Mix,
        key: "_Key",
        start: int,
        focus: Focus,
        cancelled: Cancelled,
        options: Mapping[str, Any],
    ) -> Iterator[Stretch]:
        chosen = choices.read(options)
        shared = _CACHE.get(key, cancelled)
        if shared is None:
            return
        made: Ranges = tuple((int(first), int(last)) for first, last in options.get("done", ()))
        longest_s = shared.model.longest_s
        length_s = min(chosen.segment or shared.model.usual_s, longest_s)
        while True:
            model = shifted(_Segments(shared, length_s, chosen.overlap), chosen.shifts)
            try:
                for stretch in overlap.separate(mix, model, start, focus, cancelled, made, options.get("levels")):
                    made = (*made, (stretch.start, stretch.stop))
                    yield stretch
                return
            except OutOfMemory as error:
                if length_s / 2 < _SHORTEST_S:
                    raise OutOfMemory(
                        f"There is too little memory for this model, even in segments of {length_s:.1f} s; choose the "
                        "device cpu, another model, or a worker with more memory.",
                        segment=length_s,
                    ) from error
                length_s /= 2
                log.warning("Memory ran out; going on in segments of %.1f s.", length_s)
                shared.model.tidy()


def unload() -> None:
    """Forget every loaded model."""
    _CACHE.clear()


@dataclass(frozen=True, slots=True)
class _Key:
    folders: tuple[Path, ...]
    bag: Bag
    device: str
    threads: int
    precision: str = "auto"


def _folders(options: Mapping[str, Any]) -> tuple[Path, ...]:
    """Where model files may lie: our own folder, and the one where Demucs itself keeps what it fetched."""
    chosen = options.get("models_dir")
    torch_home = os.environ.get("TORCH_HOME")
    cache = (
        Path(torch_home) if torch_home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch"
    )
    return (Path(chosen) if chosen else models.models_dir(), cache / "hub" / "checkpoints")


def _file(name: str, folders: tuple[Path, ...]) -> Path:
    """The file of that signature, fetched into the first folder if it lies in none. Raises as `fetch` does."""
    for folder in folders:
        if (file := folder / f"{name}.th").is_file():
            return file
    return fetch(name, folders[0])


def fetch(name: str, folder: Path) -> Path:
    """Fetch a model file from where Demucs says it lies, once, and check it; 80 to 170 MB.

    The weights are by Meta, for personal and research use. Raises PullFailed, ModelCorrupt, DiskFull.
    """
    from demucs import pretrained

    place = ""
    for line in Path(pretrained.REMOTE_ROOT, "files.txt").read_text().splitlines():
        if line.startswith("root:"):
            place = line.removeprefix("root:").strip()
        elif line.strip() == f"{name}.th":
            break
    url = f"{pretrained.ROOT_URL}{place}{name}.th"
    log.info("Fetching the model file %s.th.", name)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_TIMEOUT_S) as answer, part.open("wb") as out:
            shutil.copyfileobj(answer, out, 1 << 20)
        _check(part, name)
        part.replace(folder / f"{name}.th")
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise DiskFull(f"The disk is full: free some space for {folder}.") from error
        raise PullFailed(
            f"The model file {name}.th could not be fetched ({error}); or put it into {folder}."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return folder / f"{name}.th"


def _check(path: Path, name: str) -> None:
    """See that the SHA-256 begins as the name says. Raises ModelCorrupt."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = name.rpartition("-")[2]
    if not wanted or not digest.startswith(wanted):
        raise ModelCorrupt(
            f"The model file {name}.th is damaged: its SHA-256 begins with {digest[:8]}, not with {wanted}. "
            f"Delete it from {path.parent}; it is fetched again.",
            path=str(path),
        )


def load_file(path: Path) -> Any:
    """Build the network that a `.th` file of Demucs describes. Raises ModelCorrupt; runs no code from the file."""
    import torch
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    _check(path, path.stem)
    classes = (Demucs, HDemucs, HTDemucs)
    try:
        with torch.serialization.safe_globals([*classes, Fraction]):
            package = torch.load(path, map_location="cpu", weights_only=True)
        if package["klass"] not in classes:
            raise TypeError(f"{package['klass']} is no network of Demucs")
        network = package["klass"](*package["args"], **package["kwargs"])
        network.load_state_dict(package["state"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, EOFError) as error:
        raise ModelCorrupt(
            f"The model file {path} holds no network of Demucs: {str(error)[:300]}", path=str(path)
        ) from error
    return network.eval()


class _Abandoned(Exception):
    """Raised within a forward pass that nobody waits for any more."""


class _Networks:
    """The networks of a bag on their device. One call at a time."""

    def __init__(self, key: _Key) -> None:
        import torch

        self._torch = torch
        if key.threads:
            torch.set_num_threads(key.threads)
        # The "fast path" of the attention layers is the slower one here: 1.79 s against 1.99 s per segment.
        torch.backends.mha.set_fastpath_enabled(False)
        self._device = _device(torch, key.device)
        self.elsewhere = self._device.type != "cpu"
        self._networks = [load_file(_file(name, key.folders)).to(self._device) for name in key.bag.files]
        self._cancelled: Cancelled = never
        for network in self._networks:
            if tuple(network.sources) != key.bag.sources or network.samplerate != MODEL_RATE:
                raise ModelCorrupt(
                    f"A model file gives {network.sources} at {network.samplerate} Hz, not what its name says."
                )
            for module in network.modules():
                module.register_forward_pre_hook(self._stop)
        self.sources = key.bag.sources
        weights = torch.tensor(key.bag.weights or [[1.0] * len(self.sources)] * len(self._networks))
        self._shares = (weights / weights.sum(dim=0)).to(self._device)[..., None, None]
        self._cast = key.precision == "bf16"
        self._tf32 = key.precision == "auto"
        fixed = [float(n.segment) for n in self._networks if type(n).__name__ == "HTDemucs"]
        self.longest_s = min(float(n.segment) for n in self._networks)
        self.usual_s = min(fixed) if fixed else min(self.longest_s, _LONGEST_S)

    def heard(self, segment: int) -> list[int]:
        """How many frames each network hears of a segment of that many."""
        return [
            segment
            if self._is_short(network, segment) or not hasattr(network, "valid_length")
            else int(network.valid_length(segment))
            for network in self._networks
        ]

    @staticmethod
    def _is_short(network: Any, segment: int) -> bool:
        """Whether a network of fixed length (htdemucs) is to hear less than that, not the rest as silence."""
        return hasattr(network, "use_train_segment") and segment < int(network.segment * network.samplerate)

    def tidy(self) -> None:
        """Give back what a pass that ran out of memory has left."""
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()

    def _stop(self, *_: object) -> None:
        if self._cancelled():
            raise _Abandoned

    def run(self, chunk: Audio, segment: int, cancelled: Cancelled) -> Audio | None:
        """Separate float32 (2, padded) of a segment; None when cancelled, which is noticed before each layer.

        Raises OutOfMemory, ModelFailed.
        """
        torch = self._torch
        lengths = self.heard(segment)
        self._cancelled = cancelled
        # Products in TF32 save a tenth of the time on a GPU that has it, and no stem is measurably worse for it.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self._tf32
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._cast):
                heard = torch.from_numpy(chunk).to(self._device)[None]
                total = torch.zeros((len(self.sources), *chunk.shape), device=self._device)
                for network, length, share in zip(self._networks, lengths, self._shares, strict=True):
                    network.use_train_segment = not self._is_short(network, segment)
                    first = (chunk.shape[1] - length) // 2
                    answer = network(heard[..., first : first + length])[0]
                    total[..., first : first + length] += share * answer.float()
                out: Audio = total.cpu().numpy()
        except _Abandoned:
            return None
        except (RuntimeError, MemoryError) as error:
            if _is_memory(error):
                raise OutOfMemory from error
            raise ModelFailed(f"PyTorch failed: {str(error)[:300]}") from error
        finally:
            self._cancelled = never
        return out


def _is_memory(error: Exception) -> bool:
    """Whether PyTorch means that memory ran out: on a GPU by a class of its own, on a processor by its words alone."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return "out of memory" in words or "can't allocate memory" in words or "not enough memory" in words


def _device(torch: Any, wanted: str) -> Any:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineUnavailable("PyTorch finds no CUDA GPU; set the device to auto or cpu.", device=wanted)
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


class _Segments:
    """A loaded bag as the overlap-add scheduler sees it."""

    normalise = True

    def __init__(self, shared: Shared[_Networks], length_s: float, share: float) -> None:
        self._shared = shared
        self.sources = shared.model.sources
        self.elsewhere = shared.model.elsewhere
        self.segment = int(MODEL_RATE * length_s)
        self.stride = int((1 - share) * self.segment)
        self._padded = max(shared.model.heard(self.segment))

    def padded(self, frames: int) -> int:
        """Every segment is heard at one length."""
        return self._padded

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        """Separate one segment."""
        with self._shared.turns.turn(cancelled) as mine:
            return self._shared.model.run(chunk, self.segment, cancelled) if mine else None


_load: Callable[[_Key], _Networks] = _Networks
_CACHE: Final[Cache[_Key, _Networks]] = Cache(_load)
