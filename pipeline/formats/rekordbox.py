"""rekordbox XML: a collection with beat grids and cues, which most DJ programs read and write.

    DJ_PLAYLISTS > COLLECTION > TRACK (TEMPO: stretches of grid, POSITION_MARK: cues and loops)
                 > PLAYLISTS  > NODE (folder or playlist)

Owner: nobody; text in, songs out. Source: "rekordbox xml format list" (2020-04-10) by the maker.
Units: seconds from the start of the file as the other program decodes it; it may differ from our frame 0 by encoder
priming, some tens of milliseconds on MP3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from defusedxml import ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from pipeline.errors import PermanentFailure
from pipeline.formats.playlist import file_uri, local_path
from pipeline.formats.song import Grid, Mark, MarkKind, Song, Stretch, grid_of
from pipeline.formats.xml_text import clean, to_bytes

_LOOP: Final = "4"
_CUE: Final = "0"
_MEMORY: Final = -1
_LONGEST_S: Final = 24 * 3600.0
_MOST_BEATS: Final = 200_000


class NotRekordbox(PermanentFailure):
    """This is not a rekordbox XML that can be read."""

    code = "not_rekordbox"


@dataclass(frozen=True, slots=True)
class Playlist:
    """A list of songs by their place in the collection, counted from 0."""

    name: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """What a file holds. `faults` says in sentences what could not be taken."""

    songs: tuple[Song, ...]
    playlists: tuple[Playlist, ...] = ()
    faults: tuple[str, ...] = ()


def write_rekordbox(collection: Collection, version: str) -> bytes:
    """Return the collection as XML. `version` is that of this program. Raises ValueError for a song without a file."""
    root = Element("DJ_PLAYLISTS", Version="1.0.0")
    SubElement(root, "PRODUCT", Name="Sound Forge Alchemy", Version=version, Company="")
    listed = SubElement(root, "COLLECTION", Entries=str(len(collection.songs)))
    for number, song in enumerate(collection.songs, start=1):
        _write_song(listed, number, song)
    folder = SubElement(
        SubElement(root, "PLAYLISTS"), "NODE", Type="0", Name="ROOT", Count=str(len(collection.playlists))
    )
    for playlist in collection.playlists:
        node = SubElement(
            folder, "NODE", Name=clean(playlist.name), Type="1", KeyType="0", Entries=str(len(playlist.places))
        )
        for place in playlist.places:
            SubElement(node, "TRACK", Key=str(place + 1))
    return to_bytes(root)


def _write_song(listed: Element, number: int, song: Song) -> None:
    if song.path is None:
        raise ValueError(f"{song.display} has no file to list")
    grid = grid_of(song)
    given = {
        "TrackID": str(number),
        "Name": song.title,
        "Artist": song.artist,
        "Album": song.album,
        "Genre": song.genre,
        "Year": str(song.year or ""),
        "TotalTime": str(round(song.duration_s)),
        "AverageBpm": f"{song.tempo:.2f}" if song.tempo else "",
        "Tonality": song.key,
        "Location": file_uri(str(song.path.absolute())),
    }
    track = SubElement(listed, "TRACK", {name: clean(text) for name, text in given.items() if text})
    for stretch in grid.stretches:
        SubElement(
            track, "TEMPO", Inizio=f"{max(0.0, stretch.start_s):.3f}", Bpm=f"{stretch.bpm:.3f}",
            Metro=f"{grid.beats_per_bar}/4", Battito=str(stretch.in_bar),
        )  # fmt: skip
    for mark in song.marks:
        if mark.kind == "section":
            continue
        place = SubElement(
            track, "POSITION_MARK", Name=clean(mark.name), Type=_LOOP if mark.kind == "loop" else _CUE,
            Start=f"{mark.start_s:.3f}", Num=str(mark.number - 1 if mark.number else _MEMORY),
        )  # fmt: skip
        if mark.end_s is not None:
            place.set("End", f"{mark.end_s:.3f}")
        if mark.colour:
            red, green, blue = bytes.fromhex(mark.colour.removeprefix("#"))
            place.attrib |= {"Red": str(red), "Green": str(green), "Blue": str(blue)}


def read_rekordbox(data: bytes) -> Collection:
    """Return what the file holds; what does not make sense is left out and named in `faults`.

    Raises NotRekordbox for something that is not such a file at all. Entities and external references are refused.
    """
    try:
        root = SafeTree.fromstring(data, forbid_dtd=True)
    except (SafeTree.ParseError, DefusedXmlException, ValueError) as error:
        raise NotRekordbox(f"This is not a rekordbox XML: {error}") from error
    if root.tag != "DJ_PLAYLISTS":
        raise NotRekordbox(f"This is XML, but not of rekordbox: it begins with {root.tag[:40]}.")
    songs: list[Song] = []
    faults: list[str] = []
    by_key: dict[tuple[str, str], int] = {}
    for track in root.iterfind("COLLECTION/TRACK"):
        location = local_path(track.get("Location", ""))
        name = track.get("Name", "") or location.rsplit("/", 1)[-1]
        if not location:
            faults.append(f"{name or 'A track without a name'} says nothing of where its file is.")
            continue
        by_key["0", track.get("TrackID", "")] = by_key["1", track.get("Location", "")] = len(songs)
        songs.append(_read_song(track, name, location, faults))
    playlists = [_read_playlist(node, by_key, faults) for node in root.iterfind(".//NODE[@Type='1']")]
    return Collection(tuple(songs), tuple(playlists), tuple(faults))


def _read_song(track: Element, name: str, location: str, faults: list[str]) -> Song:
    duration = _number(track.get("TotalTime")) or 0.0
    grid = _read_grid(track, name, faults)
    beats, downbeats = _beats(grid, duration)
    marks = [mark for node in track.iterfind("POSITION_MARK") if (mark := _read_mark(node, name, faults)) is not None]
    year = track.get("Year", "")
    return Song(
        title=name, artist=track.get("Artist", ""), album=track.get("Album", ""), genre=track.get("Genre", ""),
        year=int(year) if year.isdecimal() and 0 < int(year) < 10_000 else None, duration_s=duration,
        tempo=_number(track.get("AverageBpm")), key=track.get("Tonality", ""), beats=beats, downbeats=downbeats,
        marks=tuple(marks), path=Path(location),
    )  # fmt: skip


def _read_grid(track: Element, name: str, faults: list[str]) -> Grid:
    stretches = []
    per_bar = 4
    for node in track.iterfind("TEMPO"):
        start, bpm = _number(node.get("Inizio")), _number(node.get("Bpm"))
        if start is None or bpm is None or not 10.0 <= bpm <= 1000.0:
            faults.append(f"A tempo of {name} makes no sense and was left out.")
            continue
        metre = node.get("Metro", "4/4").split("/")[0]
        per_bar = int(metre) if metre.isdecimal() and 1 <= int(metre) <= 32 else 4
        place = node.get("Battito", "1")
        stretches.append(Stretch(start, bpm, 0, int(place) if place.isdecimal() else 1))
    return Grid(tuple(sorted(stretches, key=lambda stretch: stretch.start_s)), per_bar)


def _beats(grid: Grid, duration_s: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the beats and downbeats that the stretches stand for, each up to where the next begins."""
    beats: list[float] = []
    downbeats: list[float] = []
    # The length is written in whole seconds: the last of them may have been cut off.
    ends = [*(stretch.start_s for stretch in grid.stretches), duration_s + 1.0][1:]
    for stretch, end in zip(grid.stretches, ends, strict=True):
        period = 60.0 / stretch.bpm
        # Half a beat short of the next stretch: its own first beat stands there.
        count = math.ceil((end - stretch.start_s) / period - 0.5) if end > stretch.start_s else 0
        for n in range(min(count, _MOST_BEATS - len(beats))):
            at = stretch.start_s + n * period
            beats.append(at)
            if (stretch.in_bar - 1 + n) % grid.beats_per_bar == 0:
                downbeats.append(at)
    return tuple(beats), tuple(downbeats)


def _read_mark(node: Element, name: str, faults: list[str]) -> Mark | None:
    start, end, number = _number(node.get("Start")), _number(node.get("End")), _number(node.get("Num"))
    is_loop = node.get("Type") == _LOOP
    if start is None or (is_loop and (end is None or end <= start)):
        faults.append(f"A cue of {name} makes no sense and was left out.")
        return None
    colours = [_number(node.get(part)) for part in ("Red", "Green", "Blue")]
    colour = None
    if all(part is not None and part <= 255 for part in colours):
        colour = "#" + "".join(f"{int(part or 0):02X}" for part in colours)
    hot = int(number) + 1 if number is not None and 0 <= number < 64 else None
    kind: MarkKind = "loop" if is_loop else "cue" if hot else "memory"
    return Mark(kind, start, end if is_loop else None, node.get("Name", ""), colour, hot)


def _read_playlist(node: Element, by_key: Mapping[tuple[str, str], int], faults: list[str]) -> Playlist:
    name = node.get("Name", "") or "Playlist"
    keys: Sequence[str] = [entry.get("Key", "") for entry in node.iterfind("TRACK")]
    found = [by_key.get((node.get("KeyType", "0"), key)) for key in keys]
    if None in found:
        faults.append(f"{found.count(None)} entries of {name} name tracks that the file does not hold.")
    return Playlist(name, tuple(place for place in found if place is not None))


def _number(text: str | None) -> float | None:
    """Return a finite number from 0 to a day, or None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0.0 <= number <= _LONGEST_S else None
