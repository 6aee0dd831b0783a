"""What is said between who keeps takes and the process that lays one: a pass in a folder there, what came of it back.

Owner: whoever wrote it. Units: frames at the engine rate. Imports nothing that reads or writes audio files.
"""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from audio.taking import Pass

FULL: Final = 3
"""Exit status where the disk is full."""
PASS_NAME: Final = "pass.npz"
TAKE_NAME: Final = "take.flac"


class Laid(msgspec.Struct, frozen=True):
    """What the process answers: first and last track frame of the take, and the gain of its file."""

    start: int
    stop: int
    gain: float


def keep_pass(folder: Path, made: Pass) -> None:
    """Write a pass to a folder. Raises OSError."""
    np.savez(folder / PASS_NAME, token=np.uint64(made.token), places=made.places, sound=made.sound, pitch=made.pitch)


def kept_pass(folder: Path) -> Pass:
    """Return the pass in a folder. Raises OSError."""
    with np.load(folder / PASS_NAME) as kept:
        return Pass(int(kept["token"]), kept["places"], kept["sound"], float(kept["pitch"]))
