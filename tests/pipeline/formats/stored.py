"""Stems as the library stores them."""

from pathlib import Path

import numpy as np
import soundfile

from pipeline.formats.song import StemFile

RATE = 44_100
SECONDS = 2


def store(folder: Path, name: str, hz: float, gain: float = 1.0, seconds: float = SECONDS) -> StemFile:
    """Store a tone of level 0.25 x gain as FLAC, divided by `gain`."""
    wave = 0.25 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    path = folder / f"{name}.flac"
    soundfile.write(path, np.stack([wave, wave], axis=1), RATE, subtype="PCM_24")
    return StemFile(name, path, gain)
