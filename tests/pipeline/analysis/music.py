"""Songs for analysis whose truth is known: steady, swung, drifting, in pieces, half-time, in three, in every key.

Owner: the tests of analysis and `bench.quality`. They are the demo songs, with a clock of their own or moved to a key.
Units: beats inside, seconds and frames at 44.1 kHz outside; audio is float32 (2, frames).
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from audio.units import MODEL_RATE
from pipeline import instruments, songs
from pipeline.analysis.key import NAMES

Audio = npt.NDArray[np.float32]
Clock = Callable[[float], float]
"""Seconds at which a beat falls; rises."""


@dataclass(frozen=True, slots=True)
class Timed(songs.Song):
    """A song on a clock that is not even."""

    clock: Clock

    def frame(self, beat: float) -> int:
        return round(self.clock(beat) * MODEL_RATE)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is heard and what is true. `tempo` is the median one."""

    name: str
    mix: Audio
    stems: dict[str, Audio]
    tempo: float
    beats: npt.NDArray[np.float64]
    downbeats: npt.NDArray[np.float64]
    key: str


def on_clock(song: songs.Song, clock: Clock, name: str) -> Piece:
    """The song on a clock; its voice, which is written in seconds, is left out."""
    silent = tuple(replace(part, plays=part.plays - {"voice"}) for part in song.sections)
    values = {field.name: getattr(song, field.name) for field in fields(songs.Song)}
    timed = Timed(**{**values, "sections": silent}, clock=clock)
    rendered = songs.render(timed)
    beats = np.array([clock(beat) for beat in range(song.bars * 4)])
    return Piece(
        name, rendered.mix, dict(rendered.stems), float(60.0 / np.median(np.diff(beats))), beats, beats[::4], song.key
    )


def steady(tempo: float) -> Clock:
    """A machine."""
    return lambda beat: beat * 60.0 / tempo


def swung(tempo: float, long: float = 0.62) -> Clock:
    """The second half of every beat comes late: the first eighth takes `long` of the beat."""

    def clock(beat: float) -> float:
        whole, part = divmod(beat, 1.0)
        part = part * 2.0 * long if part < 0.5 else long + (part - 0.5) * 2.0 * (1.0 - long)
        return (whole + part) * 60.0 / tempo

    return clock


def drifting(tempo: float, depth: float, period_beats: float) -> Clock:
    """A tempo that rises and falls by `depth` (a share of it), once in `period_beats`."""
    turn = 2.0 * np.pi / period_beats

    def clock(beat: float) -> float:
        return float(60.0 / tempo * (beat + depth / turn * (np.cos(turn * beat) - 1.0)))

    return clock


def changing(parts: tuple[tuple[int, float], ...]) -> Clock:
    """Pieces of (beats, tempo), one after the other; the last goes on."""
    starts, seconds = [0.0], [0.0]
    for count, tempo in parts[:-1]:
        starts.append(starts[-1] + count)
        seconds.append(seconds[-1] + count * 60.0 / tempo)

    def clock(beat: float) -> float:
        n = max(bisect.bisect_right(starts, beat) - 1, 0)
        return seconds[n] + (beat - starts[n]) * 60.0 / parts[n][1]

    return clock


def by_hand(tempo: float, beats: int, seed: int, scatter_s: float = 0.008, wander: float = 0.004) -> Clock:
    """A drummer without a click: the tempo wanders, and each beat lands a little beside it."""
    rng = np.random.default_rng(seed)
    pace = np.cumsum(rng.standard_normal(beats + 8)) * wander
    pace -= np.linspace(0.0, pace[-1], len(pace))
    times = np.concatenate([[0.0], np.cumsum(60.0 / tempo * (1.0 + pace))])
    times += rng.standard_normal(len(times)) * scatter_s
    times = np.maximum.accumulate(times - times[0])
    return lambda beat: float(np.interp(beat, np.arange(len(times)), times))


def half_time(tempo: float, bars: int = 24) -> Piece:
    """Beats at `tempo` with the snare on the third alone, as half-time and trap have it."""
    song = replace(songs.shortened(songs.NIGHT_FERRY, bars), tempo=tempo)
    rendered = songs.render(song)
    drums = np.zeros((2, song.frames))
    kick, snare = instruments.kick(True), instruments.snare(3, True)
    hats = [instruments.hat(n, 0.04) for n in range(4)]
    for bar in range(bars):
        for beat, sound, gain in ((0.0, kick, 0.9), (2.75, kick, 0.7), (2.0, snare, 0.6)):
            _put(drums, sound, song.frame(bar * 4 + beat), gain)
        for step in range(8):
            _put(drums, hats[step % 4], song.frame(bar * 4 + step / 2), 0.25 if step % 2 == 0 else 0.12)
    stems = {**rendered.stems, "drums": (0.5 * drums).astype(np.float32)}
    beats = np.arange(bars * 4, dtype=np.float64) * np.float64(60.0 / tempo)
    mix: Audio = np.sum(np.stack(list(stems.values())), axis=0, dtype=np.float32)
    return Piece(f"half-time {tempo:g}", mix, stems, tempo, beats, beats[::4], song.key)


def waltz(tempo: float, bars: int = 24) -> Piece:
    """Three beats a bar: bass on the first, chords on the others."""
    frames = round((bars * 3 + 2) * 60.0 / tempo * MODEL_RATE)
    track = np.zeros((2, frames))
    chords = songs.NIGHT_FERRY.chords
    for bar in range(bars):
        chord = chords[bar % len(chords)]
        for beat in range(3):
            at = round((bar * 3 + beat) * 60.0 / tempo * MODEL_RATE)
            if beat == 0:
                _put(track, instruments.kick(False), at, 0.8)
                _put(track, instruments.bass(chord.root, 0.5, False), at, 0.6)
            else:
                for note in chord.notes:
                    _put(track, instruments.keys(note, 0.3), at, 0.15)
    beats = np.arange(bars * 3, dtype=np.float64) * np.float64(60.0 / tempo)
    mix = (0.5 * track).astype(np.float32)
    return Piece(f"waltz {tempo:g}", mix, {}, tempo, beats, beats[::3], "F major")


def in_key(song: songs.Song, semitones: int, bars: int = 8) -> tuple[songs.Song, str]:
    """A part of the song moved up by semitones, and the key it is in then."""
    chords = tuple(
        replace(c, root=c.root + semitones, notes=tuple(n + semitones for n in c.notes)) for c in song.chords
    )
    melody = tuple((at, length, note + semitones, vowel) for at, length, note, vowel in song.melody)
    tonic, mode = song.key.split()
    place = (NAMES.index(tonic) + semitones) % 12
    name = "G#" if mode == "minor" and place == 8 else NAMES[place]
    return replace(songs.shortened(song, bars), chords=chords, melody=melody), f"{name} {mode}"


def _put(track: npt.NDArray[np.float64], sound: npt.NDArray[np.float64], at: int, gain: float) -> None:
    part = sound[: track.shape[1] - at]
    track[:, at : at + len(part)] += gain * part
