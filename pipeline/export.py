"""One export: a process of its own that reads an order from its standard input and writes one file.

    order (JSON) --> writer of its kind --> FILE.part --> FILE        a fault: one JSON line {code, message}, exit 1

Owner: whoever started it; it knows no library and no network. Encoding a song takes seconds of a core: here it cannot
hold up anybody's loop, and a codec that crashes takes nobody along.
Units: as in `pipeline.formats.song`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.errors import PipelineError
from pipeline.export_order import CannotExport, ExportOrder, decode
from pipeline.formats.audio_file import convert, stored, write_click
from pipeline.formats.cue_sheet import CueSheet, CueTrack, write_cue
from pipeline.formats.dawproject import AudioFacts, write_dawproject
from pipeline.formats.midi_file import write_midi
from pipeline.formats.playlist import write_m3u8
from pipeline.formats.reaper import write_rpp
from pipeline.formats.rekordbox import Collection, Playlist, write_rekordbox
from pipeline.formats.song import Song, StemFile
from pipeline.formats.stem_mp4 import total, write_stem_mp4


def export(order: ExportOrder) -> None:
    """Carry an order out; the file appears whole or not at all.

    Raises CannotExport for what does not fit the format, PipelineError, and OSError of the disk.
    """
    writer = WRITERS.get(order.kind)
    if writer is None:
        raise CannotExport(f"There is no export called {order.kind}; there are {', '.join(WRITERS)}.")
    out = Path(order.out)
    part = out.with_name(out.name + ".part")
    try:
        writer(order, part)
        part.replace(out)
    except ValueError as error:
        raise CannotExport(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    finally:
        part.unlink(missing_ok=True)


def _one(order: ExportOrder) -> Song:
    if len(order.songs) != 1:
        raise ValueError(f"{order.kind} takes one song, not {len(order.songs)}")
    return order.songs[0]


def _stem(order: ExportOrder, out: Path) -> None:
    """One stem; `format` is wav, flac or mp3."""
    song = _one(order)
    if len(song.stems) != 1:
        raise ValueError(f"this takes one stem, not {len(song.stems)}")
    convert(song.stems[0], out, order.options.get("format", "flac"))


def _stems(order: ExportOrder, out: Path) -> None:
    """All stems as a ZIP; `format` is wav, flac or mp3."""
    song = _one(order)
    kind = order.options.get("format", "flac")
    if not song.stems:
        raise ValueError(f"{song.display} has no stems yet")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _put_converted(song.stems, kind, out.parent, archive, "")


def _put_converted(
    parts: Sequence[StemFile], kind: str, beside: Path, archive: zipfile.ZipFile, folder: str
) -> list[tuple[str, PurePosixPath]]:
    """Put every part into the archive as `kind`; return their names and places there."""
    placed = []
    with tempfile.TemporaryDirectory(dir=beside, prefix="export-") as held:
        for part in parts:
            path = Path(held) / f"{part.name}.{kind}"
            convert(part, path, kind)
            place = PurePosixPath(folder) / path.name
            archive.write(path, str(place))
            path.unlink()
            placed.append((part.name, place))
    return placed


def _stem_file(order: ExportOrder, out: Path) -> None:
    """A stem file for Traktor and Mixxx; `codec` is aac or alac. Its mix is the sum of the stems, which the mix is."""
    song = _one(order)
    if not song.stems:
        raise ValueError(f"{song.display} has no stems yet")
    with ExitStack() as open_files:
        stems = {stem.name: open_files.enter_context(stored(stem)) for stem in song.stems}
        first = next(iter(stems.values()))
        if any(stem.rate != first.rate for stem in stems.values()):
            raise ValueError("the stems are stored at different rates")
        frames = max(stem.frames for stem in stems.values())
        readers = {name: stem.read for name, stem in stems.items()}
        shown = {stem.name: (stem.title, stem.colour) for stem in song.stems}
        codec = order.options.get("codec", "aac")
        write_stem_mp4(out, total(list(readers.values())), readers, frames, first.rate, codec, shown)


def _dawproject(order: ExportOrder, out: Path) -> None:
    song = _one(order)
    parts = song.stems or ((song.mix,) if song.mix else ())
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="export-") as held:
        ready = []
        for part in parts:
            path = Path(held) / f"{part.name}.wav"
            convert(part, path, "wav")
            ready.append(replace(part, path=path, gain=1.0))
        with out.open("wb") as file:
            write_dawproject(replace(song, stems=tuple(ready)), file, _facts, order.version)


def _reaper(order: ExportOrder, out: Path) -> None:
    """A ZIP with the project and its audio; `format` is wav, flac or mp3."""
    song = _one(order)
    parts = song.stems or ((song.mix,) if song.mix else ())
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        files = _put_converted(parts, order.options.get("format", "wav"), out.parent, archive, "audio")
        archive.writestr("song.rpp", write_rpp(song, files, song.duration_s))


def _midi(order: ExportOrder, out: Path) -> None:
    """`parts`: any of beats, chords, drums, with commas between."""
    parts = order.options.get("parts", "beats,chords,drums").split(",")
    out.write_bytes(write_midi(_one(order), parts))


def _click(order: ExportOrder, out: Path) -> None:
    """`count_in`: clicks before the song."""
    count = order.options.get("count_in", "0")
    if not count.isdecimal() or int(count) > 64:
        raise ValueError(f"the option count_in takes a number from 0 to 64, not {count[:20]}")
    write_click(_one(order), out, int(count))


def _cue_sheet(order: ExportOrder, out: Path) -> None:
    """The sections of one song as tracks of its file."""
    song = _one(order)
    sections = sorted((mark for mark in song.marks if mark.kind == "section"), key=lambda mark: mark.start_s)
    if song.path is None or not sections:
        raise ValueError(f"{song.display} has no sections: analyse it first")
    tracks = tuple(CueTrack(mark.start_s, mark.name, song.artist) for mark in sections)
    out.write_text(write_cue(CueSheet(song.path.name, tracks, song.title, song.artist)), encoding="utf-8")


def _m3u8(order: ExportOrder, out: Path) -> None:
    out.write_text(write_m3u8(order.songs), encoding="utf-8")


def _rekordbox(order: ExportOrder, out: Path) -> None:
    """The songs as a collection, and as a playlist where the order has a name. A song stands once in a collection."""
    places: dict[Path | None, int] = {}
    for song in order.songs:
        places.setdefault(song.path, len(places))
    listed = {places[song.path]: song for song in reversed(order.songs)}
    songs = tuple(listed[place] for place in range(len(places)))
    playlists = (Playlist(order.name, tuple(places[song.path] for song in order.songs)),) if order.name else ()
    out.write_bytes(write_rekordbox(Collection(songs, playlists), order.version))


def _facts(path: Path) -> AudioFacts:
    with stored(StemFile("", path)) as audio:
        return AudioFacts(2, audio.rate, audio.frames / audio.rate)


WRITERS: Final[dict[str, Callable[[ExportOrder, Path], None]]] = {
    "stem": _stem,
    "stems": _stems,
    "stem_file": _stem_file,
    "dawproject": _dawproject,
    "reaper": _reaper,
    "midi": _midi,
    "click": _click,
    "cue": _cue_sheet,
    "m3u8": _m3u8,
    "rekordbox": _rekordbox,
}
"""What each kind of export is made by."""


def main() -> int:
    """Carry out the order on the standard input; say on the standard output what went wrong."""
    os.nice(5)
    try:
        export(decode(sys.stdin.buffer.read()))
    except PipelineError as error:
        print(json.dumps({"code": error.code, "message": str(error)}))
        return 1
    except OSError as error:
        print(json.dumps({"code": "storage", "message": f"The file could not be written: {error.strerror}."}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
