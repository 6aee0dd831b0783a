"""What a script plays, decoded into memory: an audio file, a folder of stems, or a track of the library.

Owner: the offline renderer, in its own process; a running server never imports this (it decodes in children).
Units: audio float32 (frames, 2) at the engine rate; stem slots count from 0.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from audio.errors import AudioError
from audio.source import DeckSource, PadSource
from audio.units import AUDIO_SUFFIXES, MODEL_RATE, STEM_SLOTS, STEM_TYPES, STEMS
from server.marks import NO_MARKS, Grid, Marks, grid_of
from server.practice import Section, sections_of
from server.session.script import did_you_mean

if TYPE_CHECKING:
    from audio.host import SlotMemory

# Decoders, resampler and kernel are imported where they are used: naming a Resolver must not load the compiler.

Float32 = npt.NDArray[np.float32]

MIX_NAME: Final = "mix"
TAKE_NAME: Final = "take"
"""What was played along with a folder's track: it plays beside mix and stems, as a chosen take does."""
ANALYSIS_NAME: Final = "analysis.json"


@dataclass(frozen=True, slots=True)
class LibraryTrack:
    """A track of the library: what it is made of, and what it is called."""

    source: DeckSource
    title: str = ""
    artist: str | None = None
    grid: Grid | None = None
    marks: Marks = NO_MARKS
    sections: tuple[Section, ...] = ()


Resolver = Callable[[str], LibraryTrack]
"""Return what a track of the library is made of, by id or by "Artist - Title". Raises ServerError."""


class MaterialRejected(AudioError):
    """This cannot be played: name an audio file, or a folder of stems."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A track in memory. Every slot has as many frames as `mix`."""

    title: str
    artist: str
    mix: "SlotMemory"
    stems: "Mapping[int, SlotMemory]"
    #: What its analysis says of its beats and parts, and what a performer has marked in it.
    grid: Grid | None = None
    marks: Marks = NO_MARKS
    sections: tuple[Section, ...] = ()
    #: What plays beside the track.
    take: "SlotMemory | None" = None

    @property
    def frames(self) -> int:
        """Length at the engine rate."""
        return len(self.mix.audio)


def material(name: str, folder: Path, rate: int, resolver: Resolver | None) -> Material:
    """Return what `name` means in a script that lies in `folder`: a path from there, or else a track of the library.

    Raises MaterialRejected, AudioError, ServerError.
    """
    from audio.host import SlotMemory

    path = folder / name
    try:
        is_folder, is_file = path.is_dir(), path.exists()
    except (OSError, ValueError):
        is_folder = is_file = False
    if is_folder:
        return from_folder(path, rate)
    if is_file:
        return Material(path.stem, "", SlotMemory.whole(decoded(path, rate)), {})
    if resolver is None:
        raise MaterialRejected(f"there is no file or folder {name!r} beside the script, and no library to look in")
    track = resolver(name)
    found = from_source(track.source, rate, track.title, track.artist or "")
    return replace(found, grid=track.grid, marks=track.marks, sections=track.sections)


def from_folder(folder: Path, rate: int) -> Material:
    """Return a folder's stems, `vocals.wav` and so on; `mix.wav`, or their sum where there is none; and its take.

    Shorter files are followed by silence. Raises MaterialRejected for names that are no stem's, AudioError.
    """
    from audio.host import SlotMemory

    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    found: dict[str, Path] = {}
    for path in files:
        name = path.stem.lower()
        known = (*STEM_TYPES, MIX_NAME, TAKE_NAME)
        if name not in known:
            raise MaterialRejected(f"{folder.name}/{path.name} is no stem's name{did_you_mean(name, known)}")
        if name in found:
            raise MaterialRejected(f"{folder.name} has two files for {name}: {found[name].name} and {path.name}")
        found[name] = path
    take = decoded(found.pop(TAKE_NAME), rate) if TAKE_NAME in found else None
    if not found:
        raise MaterialRejected(f"{folder.name} has no audio: it needs vocals.wav, drums.wav and so on, or mix.wav")
    mix = decoded(found.pop(MIX_NAME), rate) if MIX_NAME in found else None
    stems = {slot: decoded(found[name], rate) for name, slot in _slots(found, folder).items()}
    frames = max(len(audio) for audio in (*stems.values(), *(() if mix is None else (mix,))))
    padded = {slot: _padded(audio, frames) for slot, audio in stems.items()}
    whole = np.zeros((frames, 2), np.float32) if mix is None else _padded(mix, frames)
    if mix is None:
        for audio in padded.values():
            whole += audio
    slots = {slot: SlotMemory.whole(audio) for slot, audio in padded.items()}
    grid, sections = read_analysis(folder / ANALYSIS_NAME)
    beside = None if take is None else SlotMemory.whole(take)
    return Material(folder.name, "", SlotMemory.whole(whole), slots, grid, NO_MARKS, sections, beside)


class _Analysis(msgspec.Struct, frozen=True):
    """What is read of an `analysis.json`: seconds, growing."""

    beats: list[float] = []
    downbeats: list[float] = []
    sections: list[dict[str, object]] = []


def read_analysis(path: Path) -> tuple[Grid | None, tuple[Section, ...]]:
    """Return the grid that an `analysis.json` tells of, None where there is none, or no pulse in it; and the sections.

    Raises MaterialRejected for a file that is not one.
    """
    try:
        analysis = msgspec.json.decode(path.read_bytes(), type=_Analysis)
    except FileNotFoundError:
        return None, ()
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MaterialRejected(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if any(b <= a for a, b in pairwise(analysis.beats)):
        raise MaterialRejected(f"{path.parent.name}/{path.name}: beats are seconds, each after the one before")
    return grid_of(analysis.beats, analysis.downbeats), sections_of(analysis.sections)


def from_source(source: DeckSource, rate: int, title: str, artist: str) -> Material:
    """Return a track of the library as the engine plays it: stems where they are ready, `other` closing the sum.

    Raises AudioError.
    """
    from audio.fill import OTHER, chunks_in, open_reader
    from audio.flac import FlacReader
    from audio.host import SlotMemory
    from audio.resample import resampler

    reader = FlacReader(source.reference, source.gain)
    try:
        change = resampler(reader.rate, rate)
        mix = change.resample_range(reader.read, reader.frames, 0, change.frames_out(reader.frames))
    finally:
        reader.close()
    length = -(-source.frames * MODEL_RATE // source.rate)
    stems: dict[int, SlotMemory] = {}
    for stem in source.stems:
        slot = SlotMemory.empty(len(mix))
        if stem.ranges != ():
            file = open_reader(stem)
            try:
                change = resampler(file.rate, rate)
                slot.audio[:] = change.resample_range(file.read, length, 0, len(mix))
                slot.ready[:] = chunks_in(stem.ranges, length, change, len(mix), len(slot.ready))
            finally:
                file.close()
        stems[stem.slot] = slot
    if OTHER in stems:
        rest = mix.astype(np.float64)
        for number, slot in stems.items():
            if number != OTHER:
                rest -= slot.audio
        stems[OTHER].audio[:] = rest
    return Material(title, artist, SlotMemory.whole(mix), stems, take=_beside(source.take, rate))


def _beside(take: PadSource | None, rate: int) -> "SlotMemory | None":
    from audio.flac import FlacReader
    from audio.host import SlotMemory
    from audio.resample import resampler

    if take is None:
        return None
    reader = FlacReader(take.path, take.gain)
    try:
        change = resampler(reader.rate, rate)
        frames = min(round(take.stop_s * rate), change.frames_out(reader.frames))
        return SlotMemory.whole(change.resample_range(reader.read, reader.frames, 0, frames))
    finally:
        reader.close()


def decoded(path: Path, rate: int) -> Float32:
    """Return a file's audio, folded to stereo, at `rate` Hz. Raises AudioError, of which NotAudio is one."""
    from audio.fold import fold
    from audio.resample import resampler
    from audio.streams import open_stream

    stream = open_stream(path)
    try:
        change = resampler(stream.rate, rate)
        blocks = [_finite(fold(block, stream.layout)) for block in stream.blocks()]
        if stream.fault is not None and not blocks:
            raise MaterialRejected(f"{path.name}: {stream.fault}")
    except ValueError as error:
        raise MaterialRejected(f"{path.name}: {error}") from error
    finally:
        stream.close()
    audio = np.concatenate(blocks) if blocks else np.zeros((0, 2), np.float32)
    if not len(audio):
        raise MaterialRejected(f"{path.name} holds no sound at all")
    return change.resample(audio)


def _finite(block: Float32) -> Float32:
    return np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)


def _padded(audio: Float32, frames: int) -> Float32:
    return np.concatenate([audio, np.zeros((frames - len(audio), 2), np.float32)]) if len(audio) < frames else audio


def _slots(names: Mapping[str, Path], folder: Path) -> dict[str, int]:
    """Return the slot of each stem: the named six have theirs, finer kinds take those after them, in order."""
    later: Iterator[int] = iter(range(len(STEMS), STEM_SLOTS))
    slots = {}
    for name in (name for name in STEM_TYPES if name in names):
        slot = STEMS.index(name) if name in STEMS else next(later, None)
        if slot is None:
            raise MaterialRejected(f"{folder.name} has more than {STEM_SLOTS - len(STEMS)} stems of finer kinds")
        slots[name] = slot
    return slots
