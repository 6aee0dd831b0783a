"""Stem files (NI `.stem.mp4`): what they hold beside the mix becomes the track's own stems, when they are imported.

Owner: whoever has imported a file; afterwards the stems are like those a performer brings along (`own_stems.py`).

Each stem is decoded by what decodes the mix, from a copy of the file that shows this stem alone, so that all of
them begin at the same frame. All stems come or none: a part of them would be another mix.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import anyio.to_thread

from audio.units import STEM_TYPES
from pipeline.errors import PipelineError
from pipeline.formats.stem_mp4 import StemTrack, read_stems, show_only, stream_places
from server.db import Database
from server.errors import ServerError

if TYPE_CHECKING:
    from server.library.service import Library

SUFFIXES: Final = (".mp4", ".m4a")

_WORDS: Final = (
    ("vocals", r"voc|vox|voice|acap|lead|rap|choir"),
    ("drums", r"drum|beat|perc|kick|snare|hat|rhythm"),
    ("bass", r"bass|sub\b|808"),
    ("guitar", r"guit|gtr"),
    ("piano", r"piano|keys|rhodes"),
    ("other", r"other|melod|synth|music|inst|harm|pad|chord|fx|atmo"),
)
"""What stems are called in files, as our types; the first word that fits counts."""

_LEFT_OVER: Final = ("other", "guitar", "piano", "vocals", "bass", "drums")
"""Types for stems whose name says nothing, or whose type is taken, in this order."""


def types_of(stems: Sequence[StemTrack]) -> list[str]:
    """Return one of our types for each stem, each type once. Raises ValueError for more stems than there are types."""
    if len(stems) > len(_LEFT_OVER):
        raise ValueError(f"a track has {len(_LEFT_OVER)} stems at most, this file {len(stems)}")
    found: dict[int, str] = {}
    for number, stem in enumerate(stems):
        meant = next((kind for kind, words in _WORDS if re.search(words, stem.name, re.IGNORECASE)), None)
        if meant is not None and meant not in found.values():
            found[number] = meant
    for number in range(len(stems)):
        if number not in found:
            found[number] = next(kind for kind in _LEFT_OVER if kind not in found.values())
    return [found[number] for number in range(len(stems))]


async def take(library: Library, db: Database, track_id: UUID, user_id: int) -> list[str]:
    """Make the stems in a track's file its own; return sentences for the performer where that did not work."""
    original = await library.audio_file(track_id, user_id)
    if original.path.suffix.lower() not in SUFFIXES:
        return []
    try:
        stems = await anyio.to_thread.run_sync(read_stems, original.path)
    except (PipelineError, OSError):
        return []  # an ordinary M4A
    folder = await library.workplace.new_scratch()
    try:
        types = types_of(stems)
        copy = folder / f"one{original.path.suffix}"
        places = await anyio.to_thread.run_sync(_copy, original.path, copy)
        for stem, kind in zip(stems, types, strict=True):
            await anyio.to_thread.run_sync(show_only, copy, places, stem.stream)
            shown = {"name": stem.name} | ({"color": stem.colour} if stem.colour else {})
            await library.add_stem(track_id, user_id, kind, copy, shown)
    except (ServerError, PipelineError, OSError, ValueError) as error:
        await db.execute("DELETE FROM stems WHERE track_id = $1 AND source = 'import'", track_id)
        library.tidy()
        return [f"The stems in the file were not taken, its mix was: {error}"]
    finally:
        await library.workplace.drop_scratch(folder)
    return []


def _copy(source: Path, target: Path) -> list[int]:
    shutil.copyfile(source, target)
    return stream_places(target)


assert set(_LEFT_OVER) <= set(STEM_TYPES)
