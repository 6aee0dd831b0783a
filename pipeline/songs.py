"""Two short songs by synthesis, with known tempo, key, chords and true stems: a first run needs no music.

Owner: whoever calls; pure and deterministic (every noise has its own seed). A song takes about two seconds to make.
Units: time in beats inside a song, frames at 44.1 kHz outside; pitches are MIDI note numbers; audio is float32
(2, frames). Stems lie on the 2^-21 grid and the mix is their exact sum with a peak below 1, so 24-bit files hold both
without loss.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.units import MODEL_RATE
from pipeline import instruments

Audio = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]

STEM_NAMES: Final = ("vocals", "drums", "bass", "other")
ARTIST: Final = "Alchemy Demo"
_GRID: Final = 2.0**21
_PEAK: Final = 0.89
_BAR: Final = 4


@dataclass(frozen=True, slots=True)
class Chord:
    """One chord of the progression: its name, the bass note and the voicing above it, as MIDI notes."""

    name: str
    root: int
    notes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the song and what plays in it, in whole bars."""

    label: str
    bars: int
    plays: frozenset[str]


@dataclass(frozen=True, slots=True)
class Song:
    """A score: enough to synthesise the stems and to state the truth about them.

    `melody` holds (beat within the loop of chords, length in beats, pitch, vowel); it repeats with the chords.
    """

    title: str
    tempo: float
    key: str
    chords: tuple[Chord, ...]
    sections: tuple[Section, ...]
    melody: tuple[tuple[float, float, int, str], ...]
    style: str
    seed: int

    @property
    def bars(self) -> int:
        """Length in bars of four beats."""
        return sum(section.bars for section in self.sections)

    @property
    def frames(self) -> int:
        """Length in frames, with the tail of the last chord."""
        return self.frame(self.bars * _BAR) + MODEL_RATE * 3 // 2

    def frame(self, beat: float) -> int:
        """Frame on which a beat falls; beat 0 is frame 0."""
        return round(beat * 60.0 / self.tempo * MODEL_RATE)

    def chord(self, bar: int) -> Chord:
        """The chord of a bar: the progression repeats, one chord a bar."""
        return self.chords[bar % len(self.chords)]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A song made sound. `mix` is the exact sum of `stems`."""

    song: Song
    mix: Audio
    stems: Mapping[str, Audio]


def _part(text: str) -> frozenset[str]:
    return frozenset(text.split())


COPPER_LINE: Final = Song(
    title="Copper Line",
    tempo=124.0,
    key="A minor",
    chords=(
        Chord("Am", 33, (57, 60, 64, 69)),
        Chord("F", 29, (57, 60, 65, 69)),
        Chord("C", 36, (55, 60, 64, 67)),
        Chord("Em", 28, (55, 59, 64, 67)),
    ),
    sections=(
        Section("intro", 4, _part("kick hats keys")),
        Section("verse", 8, _part("kick snare hats bass keys voice")),
        Section("break", 4, _part("hats pad keys voice")),
        Section("chorus", 12, _part("kick snare hats ride bass keys pad voice")),
        Section("outro", 4, _part("kick hats bass pad")),
    ),
    melody=(
        (0.0, 1.5, 69, "a"), (1.5, 0.5, 67, "e"), (2.0, 1.0, 64, "o"), (3.5, 0.5, 64, "a"),
        (4.0, 1.5, 65, "o"), (5.5, 0.5, 67, "a"), (6.0, 1.5, 69, "e"),
        (8.0, 1.0, 67, "a"), (9.0, 0.5, 64, "i"), (9.5, 1.5, 60, "o"),
        (12.0, 1.0, 64, "a"), (13.0, 1.0, 62, "e"), (14.0, 1.5, 64, "u"),
    ),
    style="club",
    seed=124,
)  # fmt: skip

NIGHT_FERRY: Final = Song(
    title="Night Ferry",
    tempo=92.0,
    key="F major",
    chords=(
        Chord("F", 29, (57, 60, 65, 69)),
        Chord("C", 36, (55, 60, 64, 67)),
        Chord("Dm", 38, (57, 62, 65, 69)),
        Chord("Bb", 34, (58, 62, 65, 70)),
        Chord("F", 29, (57, 60, 65, 69)),
        Chord("C", 36, (55, 60, 64, 67)),
        Chord("Bb", 34, (58, 62, 65, 70)),
        Chord("F", 29, (57, 60, 65, 69)),
    ),
    sections=(
        Section("intro", 4, _part("hats keys pad")),
        Section("verse", 8, _part("kick snare hats bass keys voice")),
        Section("chorus", 8, _part("kick snare hats ride bass keys pad voice")),
        Section("outro", 4, _part("kick hats bass keys pad")),
    ),
    melody=(
        (0.5, 1.0, 65, "o"), (1.5, 0.5, 67, "a"), (2.0, 2.0, 69, "a"),
        (4.5, 1.0, 67, "e"), (5.5, 2.0, 64, "o"),
        (8.0, 1.5, 65, "a"), (9.5, 0.5, 67, "i"), (10.0, 2.0, 69, "a"),
        (12.0, 1.5, 70, "o"), (13.5, 0.5, 69, "e"), (14.0, 1.5, 65, "u"),
        (16.5, 1.0, 72, "a"), (17.5, 0.5, 70, "o"), (18.0, 2.0, 69, "a"),
        (20.5, 1.0, 67, "e"), (21.5, 2.0, 64, "o"),
        (24.0, 1.0, 62, "u"), (25.0, 1.0, 65, "a"), (26.0, 1.5, 67, "e"),
        (28.0, 3.0, 65, "a"),
    ),
    style="soul",
    seed=92,
)  # fmt: skip

SONGS: Final = (COPPER_LINE, NIGHT_FERRY)
"""What `alchemy demo` imports, in deck order."""


def shortened(song: Song, bars: int) -> Song:
    """The busiest `bars` bars of a song: one section in which everything plays. For tests."""
    everything = frozenset().union(*(section.plays for section in song.sections))
    return replace(song, sections=(Section("chorus", bars, everything),))


def render(song: Song) -> Rendered:
    """Synthesise the stems of a song and add them up."""
    parts = {name: part(song) for name, part in _PARTS.items()}
    peak = float(np.max(np.abs(sum(parts.values()))))
    scale = _PEAK / peak * _GRID
    stems = {name: (np.rint(audio * scale) / _GRID).astype(np.float32) for name, audio in parts.items()}
    mix = np.zeros((2, song.frames), np.float32)
    for audio in stems.values():
        mix += audio  # exact: every partial sum lies on the grid and fits 24 bits
    return Rendered(song, mix, stems)


def truth(song: Song) -> dict[str, Any]:
    """What an analysis of the song should find, JSON-able; times in seconds."""
    beat_s = 60.0 / song.tempo
    bar_s = _BAR * beat_s
    starts = np.cumsum([0, *(section.bars for section in song.sections)]) * _BAR * beat_s
    return {
        "title": song.title,
        "artist": ARTIST,
        "tempo": song.tempo,
        "key": song.key,
        "duration": song.frames / MODEL_RATE,
        "beats": [round(beat * beat_s, 6) for beat in range(song.bars * _BAR)],
        "downbeats": [round(bar * bar_s, 6) for bar in range(song.bars)],
        "chords": [
            {"start": round(bar * bar_s, 6), "end": round((bar + 1) * bar_s, 6), "name": song.chord(bar).name}
            for bar in range(song.bars)
        ],
        "sections": [
            {"start": round(float(start), 6), "end": round(float(end), 6), "label": section.label}
            for section, start, end in zip(song.sections, starts[:-1], starts[1:], strict=True)
        ],
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class WrittenSong:
    """Where the files of a song lie. `stems` is a folder that a render script can load as it stands."""

    mix: Path
    stems: Path
    analysis: Path


def write_song(folder: Path, song: Song) -> WrittenSong:
    """Write `Artist - Title.flac` (24 bit, tagged), `stems/NAME.wav` with `stems/analysis.json` into a folder.

    Raises OSError as the file system does.
    """
    import soundfile

    rendered = render(song)
    stems = folder / "stems"
    stems.mkdir(parents=True, exist_ok=True)
    mix = folder / f"{ARTIST} - {song.title}.flac"
    with soundfile.SoundFile(mix, "w", MODEL_RATE, 2, "PCM_24", format="FLAC") as file:
        file.title, file.artist, file.album = song.title, ARTIST, "First Run"
        file.write(rendered.mix.T)
    for name, audio in rendered.stems.items():
        soundfile.write(stems / f"{name}.wav", audio.T, MODEL_RATE, "PCM_24")
    analysis = stems / "analysis.json"
    analysis.write_text(json.dumps(truth(song), indent=1) + "\n", encoding="utf-8")
    return WrittenSong(mix, stems, analysis)


def _bars(song: Song, voice: str) -> list[int]:
    """The bars in which a voice plays."""
    found: list[int] = []
    bar = 0
    for section in song.sections:
        found += range(bar, bar + section.bars) if voice in section.plays else ()
        bar += section.bars
    return found


def _put(track: Wide, sound: Wide, at: int, gain: float, pan: float = 0.0) -> None:
    """Add a mono sound to a stereo track from a frame on, cut at the track's end; `pan` -1..1, constant power."""
    at = max(at, 0)
    sound = sound[: track.shape[1] - at]
    angle = (pan + 1.0) * np.pi / 4.0
    track[0, at : at + len(sound)] += sound * (gain * np.cos(angle) * np.sqrt(2.0))
    track[1, at : at + len(sound)] += sound * (gain * np.sin(angle) * np.sqrt(2.0))


def _drums(song: Song) -> Wide:
    club = song.style == "club"
    track = np.zeros((2, song.frames))
    rng = np.random.default_rng(song.seed)
    kick, snare = instruments.kick(club), instruments.snare(song.seed, club)
    hats = [instruments.hat(song.seed + n, 0.035 + 0.012 * (n % 3)) for n in range(6)]
    ride = instruments.hat(song.seed + 9, 0.22)
    kicks = (0.0, 1.0, 2.0, 3.0) if club else (0.0, 1.75, 2.5)
    for bar in _bars(song, "kick"):
        for beat in kicks:
            _put(track, kick, song.frame(bar * _BAR + beat), 0.95)
    for bar in _bars(song, "snare"):
        for beat in (1.0, 3.0):
            _put(track, snare, song.frame(bar * _BAR + beat), 0.55)
        if bar % 4 == 3:
            for beat, gain in ((3.5, 0.3), (3.75, 0.4)):
                _put(track, snare, song.frame(bar * _BAR + beat), gain)
    swing = 0.0 if club else 0.06
    for bar in _bars(song, "hats"):
        for step in range(8 if not club else 16):
            beat = step / 2 + (swing if step % 2 else 0.0) if not club else step / 4
            strong = (step % 4 == 2) if club else (step % 2 == 0)
            gain = (0.30 if strong else 0.16) * (0.9 + 0.2 * rng.random())
            _put(track, hats[step % 6], song.frame(bar * _BAR + beat), gain, 0.25)
    for bar in _bars(song, "ride"):
        for beat in (0.5, 1.5, 2.5, 3.5) if club else (0.0, 2.0):
            _put(track, ride, song.frame(bar * _BAR + beat), 0.22, -0.3)
    return track + 0.06 * instruments.room(track, 0.5, song.seed + 77)


def _bass(song: Song) -> Wide:
    track = np.zeros((2, song.frames))
    club = song.style == "club"
    steps: tuple[tuple[float, float, int], ...] = (
        ((0.5, 0.42, 0), (1.5, 0.42, 0), (2.5, 0.42, 0), (3.25, 0.2, 12), (3.5, 0.42, 0))
        if club
        else ((0.0, 1.4, 0), (1.75, 0.5, 0), (2.5, 0.9, 7), (3.5, 0.45, 12))
    )
    for bar in _bars(song, "bass"):
        root = song.chord(bar).root
        for beat, length, interval in steps:
            seconds = length * 60.0 / song.tempo
            note = instruments.bass(root + interval, round(seconds, 6), club)
            _put(track, note, song.frame(bar * _BAR + beat), 0.8)
    return track


def _other(song: Song) -> Wide:
    track = np.zeros((2, song.frames))
    club = song.style == "club"
    bar_s = _BAR * 60.0 / song.tempo
    for bar in _bars(song, "pad"):
        for n, pitch in enumerate(song.chord(bar).notes):
            pan = (-0.6, 0.6, -0.3, 0.3)[n % 4]
            _put(track, instruments.pad(pitch, round(bar_s, 6)), song.frame(bar * _BAR), 0.11, pan)
    for bar in _bars(song, "keys"):
        notes = song.chord(bar).notes
        if club:
            for step in range(8):
                pitch = notes[(step * 3) % len(notes)] + (12 if step % 3 == 2 else 0)
                key = instruments.keys(pitch, 0.5)
                _put(track, key, song.frame(bar * _BAR + step / 2), 0.17, -0.5 if step % 2 else 0.5)
        else:
            for beat, length, gain in ((0.0, 1.6, 0.16), (1.5, 0.6, 0.10), (2.5, 1.2, 0.13)):
                for n, pitch in enumerate(notes):
                    _put(track, instruments.keys(pitch, length), song.frame(bar * _BAR + beat), gain, (n - 1.5) * 0.35)
    last = song.bars - 1
    if "bass" in song.sections[-1].plays:
        for n, pitch in enumerate(song.chords[0].notes):
            _put(track, instruments.keys(pitch, 1.4), song.frame((last + 1) * _BAR), 0.15, (n - 1.5) * 0.35)
    return track + 0.22 * instruments.room(track, 1.6, song.seed + 5)


def _vocals(song: Song) -> Wide:
    track = np.zeros((2, song.frames))
    loop = len(song.chords) * _BAR
    singing = set(_bars(song, "voice"))
    phrases: list[list[instruments.Sung]] = []
    for turn in range(0, song.bars * _BAR, loop):
        for beat, length, pitch, vowel in song.melody:
            at = turn + beat
            if int(at) // _BAR not in singing:
                continue
            sung = instruments.Sung(at * 60.0 / song.tempo, length * 60.0 / song.tempo, pitch, vowel)
            tied = phrases and sung.start - phrases[-1][-1].end < 0.02
            phrases[-1].append(sung) if tied else phrases.append([sung])
    for number, phrase in enumerate(phrases):
        voice = instruments.voice(phrase, song.seed + number)
        _put(track, voice, round(phrase[0].start * MODEL_RATE), 0.85)
    return track + 0.12 * instruments.room(track, 1.2, song.seed + 6)


_PARTS: Final[dict[str, Callable[[Song], Wide]]] = {
    "vocals": _vocals,
    "drums": _drums,
    "bass": _bass,
    "other": _other,
}
