"""The instruments of the demo songs: drums, bass, keys, pad and a singing voice, by additive synthesis and noise.

Owner: whoever calls; pure, deterministic, results are cached and must not be written to.
Units: seconds, MIDI notes; sounds are float64 (frames,) at 44.1 kHz with a peak near 1; `room` is (2, frames).
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.units import MODEL_RATE

Sound = npt.NDArray[np.float64]

_VOWELS: Final = {
    # (frequency Hz, bandwidth Hz, level dB) of five formants of a tenor: Csound manual, appendix D
    "a": ((650, 80, 0), (1080, 90, -6), (2650, 120, -7), (2900, 130, -8), (3250, 140, -22)),
    "e": ((400, 70, 0), (1700, 80, -14), (2600, 100, -12), (3200, 120, -14), (3580, 120, -20)),
    "i": ((290, 40, 0), (1870, 90, -15), (2800, 100, -18), (3250, 120, -20), (3540, 120, -30)),
    "o": ((400, 40, 0), (800, 80, -10), (2600, 100, -12), (2800, 120, -12), (3000, 120, -26)),
    "u": ((350, 40, 0), (600, 60, -20), (2700, 100, -17), (2900, 120, -14), (3300, 120, -26)),
}
_CONTROL: Final = 64
"""Frames between two control points of the voice."""


def hertz(note: float) -> float:
    """Frequency of a MIDI note in equal temperament, A4 = note 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _time(seconds: float) -> Sound:
    return np.arange(round(seconds * MODEL_RATE)) / MODEL_RATE


def _edges(frames: int, attack_s: float, release_s: float) -> Sound:
    """A gain that rises and falls as a raised cosine, so that no note begins or ends with a click."""
    gain = np.ones(frames)
    rise, fall = (min(round(s * MODEL_RATE), frames // 2) for s in (attack_s, release_s))
    gain[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / max(rise, 1))
    if fall:
        gain[-fall:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 1) / fall)
    return gain


def _noise(seed: int, frames: int, low_hz: float, high_hz: float) -> Sound:
    from scipy import signal  # here, so that a server that only lists the songs does not load it

    white = np.random.default_rng(seed).standard_normal(frames)
    band = signal.butter(2, (low_hz, high_hz), "bandpass", fs=MODEL_RATE, output="sos")
    coloured: Sound = signal.sosfilt(band, white)
    return coloured


@lru_cache(maxsize=8)
def kick(hard: bool) -> Sound:
    """A sine that falls from 160 Hz to 48 Hz with a short click of its own attack."""
    t = _time(0.32)
    pitch = 48.0 + (160.0 if hard else 90.0) * np.exp(-t / 0.028)
    body = np.sin(2.0 * np.pi * np.cumsum(pitch) / MODEL_RATE) * np.exp(-t / (0.11 if hard else 0.14))
    click = _noise(1, len(t), 1500.0, 6000.0) * np.exp(-t / 0.004) * 0.25
    return np.asarray((body + click) * _edges(len(t), 0.0008, 0.05))


@lru_cache(maxsize=8)
def snare(seed: int, clap: bool) -> Sound:
    """A drum head at 190 and 285 Hz under a burst of noise; `clap` makes it three bursts."""
    t = _time(0.28)
    noise = _noise(seed, len(t), 900.0, 9500.0)
    if clap:
        burst = sum(np.exp(-np.maximum(t - d, 0.0) / 0.012) * (t >= d) for d in (0.0, 0.011, 0.023))
        shape = 0.6 * burst + np.exp(-t / 0.075) * (t >= 0.023)
    else:
        shape = np.exp(-t / 0.085)
    head = (np.sin(2 * np.pi * 190.0 * t) + 0.6 * np.sin(2 * np.pi * 285.0 * t)) * np.exp(-t / 0.05)
    return np.asarray((0.75 * noise * shape + 0.5 * head) * _edges(len(t), 0.0008, 0.06))


@lru_cache(maxsize=32)
def hat(seed: int, decay_s: float) -> Sound:
    """Noise above 7 kHz with a short decay."""
    t = _time(min(6.0 * decay_s, 0.8))
    return np.asarray(_noise(seed, len(t), 7000.0, 17000.0) * np.exp(-t / decay_s) * _edges(len(t), 0.0006, 0.02))


@lru_cache(maxsize=64)
def bass(note: int, seconds: float, hard: bool) -> Sound:
    """A saw-like tone with a filter that closes over the note."""
    t = _time(seconds)
    f0 = hertz(note)
    cutoff = f0 * (1.5 + (9.0 if hard else 4.0) * np.exp(-t / 0.12))
    sound = np.zeros(len(t))
    for k in range(1, min(24, int(3000.0 / f0)) + 1):
        sound += np.sin(2.0 * np.pi * k * f0 * t) / k / (1.0 + (k * f0 / cutoff) ** 4)
    return np.asarray(0.75 * np.tanh(1.3 * sound) * np.exp(-t / 1.2) * _edges(len(t), 0.004, 0.03))


@lru_cache(maxsize=64)
def keys(note: int, seconds: float) -> Sound:
    """An electric piano: frequency modulation, whose brightness fades before the tone does."""
    t = _time(seconds + 0.35)
    f0 = hertz(note)
    tine = 0.9 * np.exp(-t / 0.18) * np.sin(2.0 * np.pi * 14.0 * f0 * t) * (14.0 * f0 < 15000.0) * 0.08
    body = np.sin(2.0 * np.pi * f0 * t + (1.1 * np.exp(-t / 0.35) + 0.15) * np.sin(2.0 * np.pi * f0 * t))
    return np.asarray((body + tine) * np.exp(-t / (0.25 + 0.5 * seconds)) * _edges(len(t), 0.003, 0.3))


@lru_cache(maxsize=64)
def pad(note: int, seconds: float) -> Sound:
    """Three soft saws a few cents apart."""
    t = _time(seconds + 0.4)
    sound = np.zeros(len(t))
    for cents, phase in ((-7.0, 0.1), (0.0, 1.7), (6.0, 3.9)):
        f0 = hertz(note + cents / 100.0)
        for k in range(1, min(12, int(5000.0 / f0)) + 1):
            sound += np.sin(2.0 * np.pi * k * f0 * t + k * phase) / (3.0 * k ** 1.6)  # fmt: skip
    return np.asarray(sound * _edges(len(t), 0.35, 0.5))


@dataclass(frozen=True, slots=True)
class Sung:
    """One note of the voice."""

    start: float
    length: float
    note: int
    vowel: str

    @property
    def end(self) -> float:
        """Seconds at which the note ends."""
        return self.start + self.length


def voice(phrase: list[Sung], seed: int) -> Sound:
    """Sing a phrase of tied notes: harmonics under gliding formants, vibrato, glides between notes, and some breath.

    Frame 0 is the start of the first note.
    """
    origin = phrase[0].start
    seconds = phrase[-1].end - origin + 0.12
    t = _time(seconds)
    control = np.arange(0, len(t) + _CONTROL, _CONTROL) / MODEL_RATE
    centres = [n.start - origin for n in phrase]
    pitch = np.full(len(control), float(phrase[0].note))
    for before, after in pairwise(phrase):
        glide = 0.5 + 0.5 * np.tanh((control - (after.start - origin)) / 0.022)
        pitch += (after.note - before.note) * glide
    since = control - np.array(centres)[np.maximum(np.searchsorted(centres, control, "right") - 1, 0)]
    pitch += 0.22 * np.clip((since - 0.18) / 0.3, 0.0, 1.0) * np.sin(2.0 * np.pi * 5.4 * control)
    pitch -= 0.9 * np.exp(-control / 0.035)  # the scoop into the first note
    f0 = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    formants = _formants(phrase, control - 0.0, origin)
    phase = 2.0 * np.pi * np.cumsum(np.interp(t, control, f0)) / MODEL_RATE
    sound = np.zeros(len(t))
    for k in range(1, int(5200.0 / float(np.min(f0))) + 1):
        level = _envelope(formants, k * f0) / k**0.7
        sound += np.interp(t, control, level) * np.sin(k * phase)
    breath = _noise(seed, len(t), 1800.0, 7500.0) * 0.012
    swell = 0.85 + 0.15 * np.sin(np.pi * np.clip(t / seconds, 0.0, 1.0))
    sound = (1.5 * sound + breath) * swell * _edges(len(t), 0.045, 0.11)
    return np.asarray(np.tanh(sound))


def _formants(phrase: list[Sung], control: Sound, origin: float) -> npt.NDArray[np.float64]:
    """Five formants over time, (5, 3, points): vowels flow into each other over about 60 ms."""
    shape = np.repeat(np.array(_VOWELS[phrase[0].vowel], float)[:, :, None], len(control), axis=2)
    for before, after in pairwise(phrase):
        step = np.array(_VOWELS[after.vowel], float) - np.array(_VOWELS[before.vowel], float)
        shape += step[:, :, None] * (0.5 + 0.5 * np.tanh((control - (after.start - origin)) / 0.03))
    return shape


def _envelope(formants: npt.NDArray[np.float64], frequency: Sound) -> Sound:
    """Level of a partial under the formants: the sum of their resonance curves."""
    centre, width, level_db = formants[:, 0], formants[:, 1], formants[:, 2]
    curve = 10.0 ** (level_db / 20.0) / (1.0 + ((frequency - centre) / (0.9 * width)) ** 2)
    return np.asarray(np.sum(curve, axis=0) + 0.012)


def room(track: npt.NDArray[np.float64], seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """The track through a stereo room of decaying noise, without the direct sound; (2, frames)."""
    from scipy import signal

    rng = np.random.default_rng(seed)
    frames = round(seconds * MODEL_RATE)
    t = np.arange(frames) / MODEL_RATE
    tail = rng.standard_normal((2, frames)) * np.exp(-6.9 * t / seconds) * np.clip(t / 0.012, 0.0, 1.0)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    wet: npt.NDArray[np.float64] = signal.oaconvolve(track, tail, axes=1)[:, : track.shape[1]]
    smooth = signal.butter(1, 6000.0, fs=MODEL_RATE, output="sos")
    damped: npt.NDArray[np.float64] = signal.sosfilt(smooth, wet, axis=1)
    return damped
