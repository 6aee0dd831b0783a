"""Stored audio as other programs take it: WAV, FLAC, MP3, and a click in the song's tempo.

Owner: one export. Stored files are FLAC with a gain; what leaves has the gain applied.
Units: float32 (frames, 2), full scale 1.0; frames at the file's own rate; seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.errors import PermanentFailure
from pipeline.formats.song import Song, StemFile

Float32 = npt.NDArray[np.float32]

BLOCK: Final = 1 << 16
KINDS: Final = ("wav", "flac", "mp3")

CLICK_RATE: Final = 44_100
_CLICK_S: Final = 0.03
_CLICK_HZ: Final = (1000.0, 1500.0)
_CLICK_LEVEL: Final = (0.4, 0.7)


class AudioGone(PermanentFailure):
    """A file of this track is missing or damaged."""

    code = "audio_gone"


class StoredAudio:
    """A stored file, read in stretches with its gain applied. Not thread-safe."""

    def __init__(self, file: soundfile.SoundFile, gain: float) -> None:
        self._file = file
        self._gain = np.float32(gain)
        self.rate: int = file.samplerate
        self.frames: int = file.frames

    def read(self, start: int, stop: int) -> Float32:
        """Return frames start to stop, silence beyond the end. Raises AudioGone."""
        held = np.zeros((stop - start, 2), np.float32)
        try:
            self._file.seek(min(start, self.frames))
            got = self._file.read(stop - start, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise AudioGone(f"{Path(self._file.name).name} cannot be read at frame {start}: {error}") from error
        held[: len(got)] = got * self._gain
        return held


@contextmanager
def stored(part: StemFile) -> Iterator[StoredAudio]:
    """Open a stored file. Raises AudioGone."""
    try:
        file = soundfile.SoundFile(part.path)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioGone(f"{part.path.name} cannot be read: {error}") from error
    with file:
        if file.channels != 2:
            raise AudioGone(f"{part.path.name} has {file.channels} channels where two are expected")
        yield StoredAudio(file, part.gain)


def convert(part: StemFile, out: Path, kind: str) -> None:
    """Write a stored file as `kind`. WAV is 24 bits, or float where peaks pass 1; FLAC is 24 bits and MP3 the best
    constant rate, both clipped at 1. Raises ValueError for another kind, AudioGone.
    """
    if kind not in KINDS:
        raise ValueError(f"audio leaves as {', '.join(KINDS)}, not {kind}")
    with stored(part) as source:
        given: dict[str, Any] = {"format": kind.upper(), "subtype": "PCM_24"}
        if kind == "mp3":
            given = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": 0.0}
        elif kind == "wav" and part.gain > 1.0:
            given["subtype"] = "FLOAT"
        with soundfile.SoundFile(out, "w", source.rate, 2, **given) as sink:
            for start in range(0, source.frames, BLOCK):
                block = source.read(start, min(source.frames, start + BLOCK))
                sink.write(block if given["subtype"] == "FLOAT" else np.clip(block, -1.0, 1.0))


def write_click(song: Song, out: Path, count_in: int = 0) -> None:
    """Write a click on every beat as a 24-bit WAV of the song's length, the first of a bar higher and louder.

    With `count_in`, that many clicks in the tempo of the first beats come before the song's frame 0, and the file is
    longer by them. Raises ValueError for a song without beats.
    """
    if len(song.beats) < 2:
        raise ValueError(f"{song.display} has no beat grid: analyse it first")
    period = song.beats[1] - song.beats[0]
    lead = count_in * period
    clicks = [_click(accent) for accent in range(2)]
    downbeats = set(song.downbeats)
    frames = round((lead + max(song.duration_s, song.beats[-1])) * CLICK_RATE) + len(clicks[0])
    track = np.zeros(frames, np.float32)
    # A count-in ends where the song's first beat falls: the clicks lead into it.
    before = [
        (lead + song.beats[0] - (n + 1) * (song.beats[1] - song.beats[0]), n == count_in - 1) for n in range(count_in)
    ]
    for at, is_accent in [*before, *((lead + beat, beat in downbeats) for beat in song.beats)]:
        start = round(at * CLICK_RATE)
        sound = clicks[is_accent]
        if start >= 0:
            track[start : start + len(sound)] += sound[: max(0, frames - start)]
    soundfile.write(out, track, CLICK_RATE, format="WAV", subtype="PCM_24")


def _click(accent: int) -> Float32:
    """Return a short tone that falls from its first sample on and begins and ends at zero."""
    seconds = np.arange(round(_CLICK_S * CLICK_RATE)) / CLICK_RATE
    fall = np.exp(-seconds * 200.0) * (1.0 - seconds / _CLICK_S)
    return (_CLICK_LEVEL[accent] * np.sin(2 * np.pi * _CLICK_HZ[accent] * seconds) * fall).astype(np.float32)
