"""Laying a take in track time: what was played along, on the frames of the track that it was played to.

    pass --at the recorded speed--> frame for frame
         --at another, pitch gone with it--> resampled by the deck's own speed: as high as the track was, to the track
         --keylock, or another pitch--> stretched: under the same keylock and pitch it sounds as it was played

    python -m audio.take_laying FOLDER RATE       lays the pass that is kept in FOLDER, in a process of its own

Owner: whoever has made a pass. Units: frames at the engine rate; places in track frames.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from audio.errors import AudioError, StorageFull
from audio.flac import FlacWriter, gain_for
from audio.take_message import FULL, TAKE_NAME, Laid
from audio.take_pass import Float32, Float64, Pass, kept_pass

FADE_S: Final = 0.005
"""Both ends of a take fade over this, so that a pass that was cut out of playing does not click."""
_TAPS: Final = 64
_BATCH: Final = 4096
_EXACT: Final = 1e-3
"""Track frames by which a pass at the recorded speed may lie between two frames and still be on them."""


def lay(made: Pass, rate: int) -> tuple[int, Float32]:
    """Return the first track frame of a pass, and its sound from there on, float32 (frames, 2), faded at both ends."""
    places = made.places
    start, stop = int(np.ceil(places[0] - _EXACT)), int(np.floor(places[-1] + _EXACT)) + 1
    whole = np.arange(len(places)) + start
    if not made.stretched and len(places) == stop - start and np.abs(places - whole).max() < _EXACT:
        sound = made.sound.copy()
    else:
        at = np.interp(np.arange(start, stop), places, np.arange(len(places)))
        sound = _stretched(made, at, rate) if made.stretched else _resample(made.sound, at)
    _fade(sound, round(FADE_S * rate))
    if start < 0:
        start, sound = 0, sound[-start:]
    return start, sound


def _fade(sound: Float32, frames: int) -> None:
    frames = min(frames, len(sound) // 2)
    ramp = ((np.arange(frames) + 1.0) / (frames + 1.0)).astype(np.float32)[:, None]
    sound[:frames] *= ramp
    sound[len(sound) - frames :] *= ramp[::-1]


def _stretched(made: Pass, at: Float64, rate: int) -> Float32:
    from audio.take_stretching import stretch  # the kernel is loaded when a take needs it

    return stretch(made.sound, at, 1.0 / made.pitch, rate)


def _resample(sound: Float32, at: Float64) -> Float32:
    """Return what `sound` is like at its frames `at`, by a windowed sinc that lets nothing through that the track's
    frames could not hold."""
    step = np.maximum(1.0, np.gradient(at)) if len(at) > 1 else np.ones(len(at))
    reach = int(np.ceil(_TAPS / 2 * float(step.max())))
    padded = np.pad(sound.astype(np.float64), ((reach, reach), (0, 0)))
    taps = np.arange(-reach + 1, reach + 1)
    out = np.zeros((len(at), 2), np.float32)
    for begin in range(0, len(at), _BATCH):
        here, wide = at[begin : begin + _BATCH, None], step[begin : begin + _BATCH, None]
        base = np.floor(here).astype(np.int64)
        away = (base + taps - here) / wide
        inside = np.clip(np.abs(away) / (_TAPS / 2), 0.0, 1.0)
        window = 0.42 + 0.5 * np.cos(np.pi * inside) + 0.08 * np.cos(2.0 * np.pi * inside)
        weights = np.sinc(away) * window * (inside < 1.0)
        weights /= weights.sum(1, keepdims=True)
        out[begin : begin + _BATCH] = np.einsum("nt,ntc->nc", weights, padded[base + taps + reach])
    return out


def store(path: Path, start: int, sound: Float32, rate: int) -> float:
    """Write a take as FLAC that begins with the track, silence before `start`; return its gain.

    Raises StorageFull, AudioError.
    """
    gain = gain_for(float(np.abs(sound).max(initial=0.0)))
    writer = FlacWriter(path, rate, gain)
    try:
        silence = np.zeros((1 << 16, 2), np.float32)
        for begin in range(0, start, len(silence)):
            writer.write(silence[: min(len(silence), start - begin)])
        for begin in range(0, len(sound), 1 << 16):
            writer.write(sound[begin : begin + (1 << 16)])
        writer.close()
    finally:
        writer.abandon()
    return gain


def main() -> int:
    """Lay the pass in a folder; return the exit status."""
    folder, rate = Path(sys.argv[1]), int(sys.argv[2])
    with contextlib.suppress(OSError):
        os.nice(10)
    try:
        made = kept_pass(folder)
        start, sound = lay(made, rate)
        gain = store(folder / TAKE_NAME, start, sound, rate)
    except StorageFull:
        return FULL
    except (AudioError, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(Laid(start, start + len(sound), gain, made.speed, made.stretched)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
