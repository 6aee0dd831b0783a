"""DAWproject 1.0: the stems as tracks of a session with the beat grid as warp markers and the sections as markers.

    project.xml > Structure > Track (one a stem) and the master
                > Arrangement > Lanes > Clips > Clip > Warps (beat grid) > Audio > File audio/NAME
                              > Markers (sections)
    audio/NAME  the stems as they are stored

Owner: nobody. Source: bitwig/dawproject, Project.xsd and MetaData.xsd, version 1.0.
Units: the arrangement is in beats since the first beat of the grid (in seconds where there is none); warp markers tie
beats to seconds of the audio.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, SubElement

from pipeline.formats.song import Grid, Song, grid_of
from pipeline.formats.xml_text import clean, to_bytes

COLOURS: Final = {
    "drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9", "guitar": "#F0E442",
    "piano": "#0072B2",
}  # fmt: skip
"""Colours of stems that stay apart for colour-blind eyes (Okabe and Ito's palette)."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a session has to say of an audio file."""

    channels: int
    rate: int
    duration_s: float


def write_dawproject(song: Song, out: BinaryIO, facts_of: Callable[[Path], AudioFacts], version: str) -> None:
    """Write the song's stems (its own file where it has none) as a session to `out`.

    Raises ValueError for a song with no audio at all, and whatever reading a file raises.
    """
    parts = [(stem.name, stem.path) for stem in song.stems]
    if not parts and song.path is not None:
        parts = [(song.title, song.path)]
    if not parts:
        raise ValueError(f"{song.display} has no audio to put into a session")
    names = _entries(parts)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("project.xml", to_bytes(_project(song, names, parts, facts_of, version)))
        archive.writestr("metadata.xml", to_bytes(_metadata(song)))
        for entry, (_, path) in zip(names, parts, strict=True):
            archive.write(path, entry)


def _project(
    song: Song, names: list[str], parts: list[tuple[str, Path]], facts_of: Callable[[Path], AudioFacts], version: str
) -> Element:
    grid = grid_of(song)
    project = Element("Project", version="1.0")
    SubElement(project, "Application", name="Sound Forge Alchemy", version=version)
    if grid.stretches:
        transport = SubElement(project, "Transport")
        tempo = song.tempo or grid.stretches[0].bpm
        SubElement(transport, "Tempo", max="666", min="20", unit="bpm", value=f"{tempo:.6f}", id="tempo", name="Tempo")
        SubElement(transport, "TimeSignature", numerator=str(grid.beats_per_bar), denominator="4", id="signature")
    structure = SubElement(project, "Structure")
    for number, (name, _) in enumerate(parts):
        stem = song.stems[number] if song.stems else None
        title, colour = (stem.title, stem.colour) if stem is not None else ("", "")
        _track(structure, f"track-{number}", title or name, "regular", colour or COLOURS.get(name))
    _track(structure, "master", "Master", "master", None)
    arrangement = SubElement(project, "Arrangement", id="arrangement")
    unit = "beats" if grid.stretches else "seconds"
    lanes = SubElement(arrangement, "Lanes", timeUnit=unit, id="lanes")
    for number, (entry, (name, path)) in enumerate(zip(names, parts, strict=True)):
        lane = SubElement(lanes, "Lanes", track=f"track-{number}", id=f"lane-{number}")
        _clip(SubElement(lane, "Clips", id=f"clips-{number}"), number, name, entry, facts_of(path), grid)
    sections = [mark for mark in song.marks if mark.kind == "section"]
    if sections:
        markers = SubElement(arrangement, "Markers", timeUnit=unit, id="markers")
        for mark in sections:
            SubElement(markers, "Marker", time=f"{_place(grid, mark.start_s):.6f}", name=clean(mark.name))
    return project


def _track(structure: Element, ident: str, name: str, role: str, colour: str | None) -> None:
    kind = "audio" if role == "regular" else "audio notes"
    track = SubElement(structure, "Track", contentType=kind, loaded="true", id=ident, name=clean(name))
    if colour:
        track.set("color", colour)
    channel = SubElement(track, "Channel", audioChannels="2", role=role, solo="false", id=f"{ident}-channel")
    if role == "regular":
        channel.set("destination", "master-channel")
    SubElement(channel, "Mute", value="false", id=f"{ident}-mute", name="Mute")
    SubElement(channel, "Pan", max="1", min="0", unit="normalized", value="0.5", id=f"{ident}-pan", name="Pan")
    SubElement(channel, "Volume", max="2", min="0", unit="linear", value="1", id=f"{ident}-volume", name="Volume")


def _clip(clips: Element, number: int, name: str, entry: str, facts: AudioFacts, grid: Grid) -> None:
    """Add one clip that holds the whole file, at the beat that frame 0 is on."""
    audio = {
        "algorithm": "stretch", "channels": str(facts.channels), "duration": f"{facts.duration_s:.6f}",
        "sampleRate": str(facts.rate), "id": f"audio-{number}",
    }  # fmt: skip
    if not grid.stretches:
        clip = SubElement(clips, "Clip", time="0", duration=f"{facts.duration_s:.6f}", playStart="0", name=clean(name))
        held = SubElement(clip, "Audio", audio)
    else:
        first, last = grid.beat_at(0.0), grid.beat_at(facts.duration_s)
        clip = SubElement(
            clips, "Clip", time=f"{first + grid.bar_shift:.6f}", duration=f"{last - first:.6f}",
            contentTimeUnit="beats", playStart="0", name=clean(name),
        )  # fmt: skip
        warps = SubElement(clip, "Warps", contentTimeUnit="seconds", timeUnit="beats", id=f"warps-{number}")
        held = SubElement(warps, "Audio", audio)
        points = [0.0, *(s.start_s for s in grid.stretches if 0.0 < s.start_s < facts.duration_s), facts.duration_s]
        for seconds in points:
            SubElement(warps, "Warp", time=f"{grid.beat_at(seconds) - first:.6f}", contentTime=f"{seconds:.6f}")
    SubElement(held, "File", path=entry)


def _place(grid: Grid, seconds: float) -> float:
    return grid.beat_at(seconds) + grid.bar_shift if grid.stretches else seconds


def _metadata(song: Song) -> Element:
    root = Element("MetaData")
    told = (
        ("Title", song.title), ("Artist", song.artist), ("Album", song.album),
        ("Year", str(song.year) if song.year else ""), ("Genre", song.genre),
    )  # fmt: skip
    for tag, text in told:  # in the order of the schema
        if text:
            SubElement(root, tag).text = clean(text)
    return root


def _entries(parts: list[tuple[str, Path]]) -> list[str]:
    return [f"audio/{number + 1:02d}-{_safe(name)}{path.suffix}" for number, (name, path) in enumerate(parts)]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)[:60] or "audio"
