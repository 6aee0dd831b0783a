"""A track whose four stems are four tones, so that a spectrum tells which of them is heard."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.end_to_end.program import Program

RATE = 44_100
SECONDS = 40
TONES = {"vocals": 440.0, "drums": 1000.0, "bass": 110.0, "other": 3000.0}
AMPLITUDE = 0.1


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `mix.flac` and a FLAC for each stem; every tone has AMPLITUDE, and the mix is their sum."""
    folder = tmp_path_factory.mktemp("tones")
    time = np.arange(RATE * SECONDS) / RATE
    stems = {name: AMPLITUDE * np.sin(2 * np.pi * hz * time) for name, hz in TONES.items()}
    for name, wave in {**stems, "mix": np.sum(list(stems.values()), axis=0)}.items():
        soundfile.write(folder / f"{name}.flac", np.stack([wave, wave], axis=1), RATE, subtype="PCM_24")
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The running program without workers."""
    with Program(tmp_path_factory.mktemp("data"), "--no-workers") as running:
        yield running
