"""Beats by a model, `beat-this` (Foscarin, Schlüter and Widmer, ISMIR 2024), where somebody has installed it and its
weights: extra `[beats]`, setting `beat_model`. Only file with the package.

Owner: a worker process, which keeps the model between jobs. The weights are a file from outside: a path, never fetched
from here, and read by the package without running what is pickled in it.
Units: seconds; audio is float32 (channels, frames).
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PermanentFailure

Curve = npt.NDArray[np.float64]
Listener = Callable[[npt.NDArray[np.float32], int], tuple[Curve, Curve]]
"""Takes audio and its rate, returns beats and downbeats."""


class BeatModelMissing(PermanentFailure):
    """The model that `beat_model` names cannot be used."""

    code = "beat_model_missing"


@lru_cache(maxsize=1)
def listener(path: str, device: str = "auto") -> Listener:
    """Return what finds beats by the checkpoint file `path`. `device`: auto, cpu, cuda. Raises BeatModelMissing."""
    if not Path(path).is_file():
        raise BeatModelMissing(f"beat_model names {path}, which is no file.")
    try:
        import torch
        from beat_this.inference import Audio2Beats
    except (ImportError, OSError) as error:
        raise BeatModelMissing(
            f"beat_model needs a package that is not installed: pip install 'sound-forge-alchemy[beats]' ({error})."
        ) from error
    where = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    try:
        model: Any = Audio2Beats(checkpoint_path=path, device=where, dbn=False)
    except Exception as error:
        raise BeatModelMissing(f"{path} is no checkpoint of beat-this: {error}") from error

    def hear(pcm: npt.NDArray[np.float32], rate: int) -> tuple[Curve, Curve]:
        beats, downbeats = model(np.ascontiguousarray(pcm.mean(axis=0)), rate)
        return np.asarray(beats, np.float64), np.asarray(downbeats, np.float64)

    return hear
