"""Made-up material for render tests: stems that are pure tones, so that each can be found in the result."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 48_000
TONES = {"vocals": 440.0, "drums": 1_000.0, "bass": 110.0, "other": 3_000.0, "guitar": 660.0, "piano": 2_200.0}
CENTRE = 0.5**0.5
"""What the crossfader leaves of a deck when it stands in the middle."""

Audio = npt.NDArray[np.float64]
Line = tuple[float, str, object]


def tone(hz: float, seconds: float, rate: int = RATE, level: float = 0.1) -> npt.NDArray[np.float32]:
    """Return a stereo sine, float32 (frames, 2)."""
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave], 1).astype(np.float32)


def write(path: Path, audio: npt.NDArray[np.float32], rate: int = RATE) -> Path:
    """Write float32 audio; lossless whatever its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype="FLOAT" if path.suffix == ".wav" else "PCM_24")
    return path


def song(folder: Path, seconds: float = 2.0, stems: Iterable[str] = TONES, rate: int = RATE) -> Path:
    """Write a folder of stems."""
    for stem in stems:
        write(folder / f"{stem}.wav", tone(TONES[stem], seconds, rate), rate)
    return folder


def script(path: Path, lines: Iterable[Line]) -> Path:
    """Write a log of intents."""
    path.write_text("".join(json.dumps({"at": at, "path": p, "value": v}) + "\n" for at, p, v in lines))
    return path


def read(path: Path) -> Audio:
    """Return a rendered file, (frames, 2)."""
    audio, rate = soundfile.read(path, always_2d=True)
    assert rate == RATE
    return np.asarray(audio)


def level(audio: Audio, hz: float, rate: int = RATE) -> float:
    """Return the amplitude of a tone in mono audio."""
    window = np.hanning(len(audio))
    turning = np.exp(-2j * np.pi * hz * np.arange(len(audio)) / rate)
    return float(2 * abs(np.sum(audio * window * turning)) / window.sum())


def levels(audio: Audio, start_s: float, stop_s: float, channel: int = 0) -> Mapping[str, float]:
    """Return the amplitude of each stem's tone between two times."""
    part = audio[round(start_s * RATE) : round(stop_s * RATE), channel]
    return {stem: level(part, hz) for stem, hz in TONES.items()}
