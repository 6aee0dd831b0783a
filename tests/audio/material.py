"""Signals that the audio tests are made of; seeded, so every run hears the same.

Units: frames, Hz; float64 or float32 (frames, 2).
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Audio = npt.NDArray[Any]


def music(seconds: float, rate: int = 44_100, seed: int = 3) -> Audio:
    """Return forty moving tones below 9 kHz, different left and right: survives lossy codecs, correlates sharply."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    out = np.zeros((len(t), 2))
    for hz in rng.uniform(60, 9000, 40):
        tremor = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 8) * t)
        tone = np.sin(2 * np.pi * hz * t + rng.uniform(0, 6)) * tremor
        out += tone[:, None] * rng.uniform(0.3, 1, 2)
    scaled: Audio = out / np.abs(out).max() * 0.7
    return scaled


def offset_of(heard: Audio, meant: Audio) -> int:
    """Return by how many frames `heard` comes after `meant`, by the peak of their correlation."""
    size = 2 * max(len(heard), len(meant))
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    return lag - size if lag > size // 2 else lag


def decibels(value: float) -> float:
    """Return a linear value in dB; silence is -400."""
    return 20 * float(np.log10(max(value, 1e-20)))


def encode(source: Path, target: Path, *options: str) -> None:
    """Encode with the ffmpeg command."""
    command = ["ffmpeg", "-y", "-v", "error", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def has_ffmpeg() -> bool:
    """Say whether there is an ffmpeg command."""
    return shutil.which("ffmpeg") is not None


def write_wav(path: Path, audio: Audio, rate: int = 44_100, subtype: str = "PCM_24") -> Path:
    """Write a WAV file and return its path."""
    soundfile.write(str(path), audio, rate, subtype=subtype)
    return path
