"""Lists of music brought in by `alchemy import`: M3U, CUE sheets and rekordbox XML become tracks, playlists and marks.

Owner: one command; files are read here and go to the server one by one like any other, so it may be another machine.
Units: seconds.

A file comes whole or not at all; what is missing is told and left out, the rest comes. Marks are kept only of a track
that has none yet: what the performer has set here is worth more than what another program says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Final

from audio.units import AUDIO_SUFFIXES
from pipeline.errors import PermanentFailure, PipelineError
from pipeline.formats.cue_sheet import CueSheet, read_cue
from pipeline.formats.playlist import read_m3u8
from pipeline.formats.rekordbox import read_rekordbox
from pipeline.formats.song import Mark, Song
from server.marks import HOTCUES, MEMORIES
from server.remote import Refused, Remote

LARGEST: Final = 256 << 20
"""Bytes a list may have."""


class ListTooLarge(PermanentFailure):
    """This list is larger than any list of music."""

    code = "list_too_large"


@dataclass(frozen=True, slots=True)
class Item:
    """A place in a list: a file or link, what the list calls it, and what it says of its beats and marks."""

    location: str
    title: str = ""
    artist: str = ""
    beats: tuple[float, ...] = ()
    downbeats: tuple[float, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def is_link(self) -> bool:
        """Whether it lies on the network."""
        return self.location.lower().startswith(("http://", "https://", "spotify:"))


@dataclass(frozen=True, slots=True)
class MusicList:
    """What a list file holds: its items, and playlists as places among them, counted from 0."""

    items: tuple[Item, ...]
    playlists: tuple[tuple[str, tuple[int, ...]], ...] = ()
    faults: tuple[str, ...] = ()


def read_list(path: Path) -> MusicList:
    """Return what a list file holds. Raises PipelineError for one that cannot be understood, OSError."""
    if path.stat().st_size > LARGEST:
        raise ListTooLarge
    data = path.read_bytes()
    if path.suffix.lower() == ".cue":
        sheets = [sheet for sheet in read_cue(data) if sheet.tracks]
        items = [_of_sheet(sheet) for sheet in sheets]
        playlists = [(sheets[0].title or path.stem, tuple(range(len(items))))] if len(items) > 1 else []
        return MusicList(tuple(items), tuple(playlists))
    if path.suffix.lower() == ".xml":
        found = read_rekordbox(data)
        songs = tuple(_of_song(song) for song in found.songs)
        return MusicList(songs, tuple((p.name, p.places) for p in found.playlists if p.places), found.faults)
    entries = tuple(Item(entry.location) for entry in read_m3u8(data))
    return MusicList(entries, ((path.stem, tuple(range(len(entries)))),) if entries else ())


def _of_sheet(sheet: CueSheet) -> Item:
    """One file is one track: the tracks of the sheet are its cue points, or its words where there is one."""
    if len(sheet.tracks) == 1:
        only = sheet.tracks[0]
        return Item(sheet.file, only.title, only.performer or sheet.performer)
    marks = [
        Mark("cue", track.start_s, name=" - ".join(word for word in (track.performer, track.title) if word))
        for track in sheet.tracks
    ]
    return Item(sheet.file, sheet.title, sheet.performer, marks=tuple(marks))


def _of_song(song: Song) -> Item:
    return Item(str(song.path), song.title, song.artist, song.beats, song.downbeats, song.marks)


def cues(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """Return marks as the server takes them. Hot cues keep their number; those without one get what is free in order.

    What finds no place among the eight becomes a memory point, of which the first 32 are kept.
    """
    wanted = sorted((mark for mark in marks if mark.kind != "section"), key=lambda mark: mark.start_s)
    hot: dict[int, Mark] = {}
    memory = {mark.start_s for mark in wanted if mark.kind == "memory"}
    numbered = [mark for mark in wanted if mark.kind != "memory" and mark.number]
    for mark in [*numbered, *(mark for mark in wanted if mark.kind != "memory" and not mark.number)]:
        taken = mark.number if mark.number and mark.number <= HOTCUES else None
        slot = taken or next((slot for slot in range(1, HOTCUES + 1) if slot not in hot), None)
        if slot is None or slot in hot:
            memory.add(mark.start_s)
        else:
            hot[slot] = mark
    shown = [
        {
            "kind": "hot", "slot": slot, "position": mark.start_s, "end": mark.end_s, "name": mark.name[:120],
            "color": mark.colour or "",
        }
        for slot, mark in sorted(hot.items())
    ]  # fmt: skip
    return [*shown, *({"kind": "memory", "position": place_s} for place_s in sorted(memory)[:MEMORIES])]


def locate(location: str, folder: Path) -> Path | None:
    """Return the file that a list means: where it says, or beside the list under the same name; None without one."""
    windows = "\\" in location or location[1:2] == ":"
    written = Path(*PureWindowsPath(location).parts) if windows else Path(location)
    for path in (written if written.is_absolute() else folder / written, folder / written.name):
        if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES:
            return path
    return None


class ListImport:
    """Brings one list in. `bring_link` has the server bring in a link and returns its tracks."""

    def __init__(self, remote: Remote, path: Path, bring_link: Callable[[str], Sequence[str]]) -> None:
        self._remote = remote
        self._path = path
        self._bring_link = bring_link
        self.tracks: dict[int, list[str]] = {}
        self.refused = 0

    def run(self) -> None:
        """Bring everything in that is there, one line for each; `refused` counts what was not."""
        try:
            found = read_list(self._path)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        except PipelineError as error:
            self._fail(str(error))
            return
        for fault in found.faults:
            print(f"{self._path}: {fault}", file=sys.stderr)
        for place, item in enumerate(found.items):
            try:
                self.tracks[place] = self._bring(item)
            except OSError as error:
                self._fail(f"{item.location}: {error.strerror or error}")
            except Refused as error:
                self._fail(f"{item.location}: {error}")
        for name, places in found.playlists:
            self._playlist(name, [track for place in places for track in self.tracks.get(place, ())])

    def _bring(self, item: Item) -> list[str]:
        if item.is_link:
            return list(self._bring_link(item.location))
        path = locate(item.location, self._path.parent)
        if path is None:
            self._fail(f"missing: {item.location}")
            return []
        words = {name: text for name, text in (("title", item.title), ("artist", item.artist)) if text}
        track = self._remote.upload(path, **words)
        print(f"{track['id']}  {track.get('artist') or 'Unknown artist'} - {track['title']}", flush=True)
        self._mark(track, item)
        return [str(track["id"])]

    def _mark(self, track: dict[str, Any], item: Item) -> None:
        """Keep the list's marks and grid where the track has none of its own."""
        wanted = cues(item.marks)
        beats = [beat for beat in item.beats if 0.0 <= beat <= track["duration"]]
        if not wanted and len(beats) < 2:
            return
        where = f"/api/tracks/{track['id']}/cues"
        there = self._remote.request("GET", where)
        body: dict[str, Any] = {"cues": there["cues"] or wanted}
        if len(beats) >= 2 and not there["edited"]:
            origin = next((number for number, beat in enumerate(beats) if beat in item.downbeats), 0)
            body["grid"] = {"beats": beats, "origin": origin}
        if body != {"cues": there["cues"]}:
            self._remote.request("PUT", where, json=body)

    def _playlist(self, name: str, tracks: Sequence[str]) -> None:
        """Make the playlist, or give the one of this name the list's order; what else is in it stays, at the end."""
        order = list(dict.fromkeys(tracks))
        if not order:
            return
        try:
            known = self._remote.request("GET", "/api/playlists")["playlists"]
            same = next((one["id"] for one in known if one["name"] == name), None)
            if same is None:
                same = self._remote.request("POST", "/api/playlists", json={"name": name})["id"]
            else:
                before = self._remote.request("GET", f"/api/playlists/{same}")["tracks"]
                order = list(dict.fromkeys([*order, *(entry["track"]["id"] for entry in before)]))
            self._remote.request("PUT", f"/api/playlists/{same}/tracks", json={"track_ids": order})
        except Refused as error:
            self._fail(f"playlist {name}: {error}")
        else:
            print(f"playlist {name}: {len(order)} tracks", flush=True)

    def _fail(self, why: str) -> None:
        self.refused += 1
        print(f"{self._path}: {why}", file=sys.stderr)
