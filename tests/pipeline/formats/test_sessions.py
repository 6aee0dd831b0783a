"""Sessions for other programs: DAWproject, REAPER, MIDI."""

import io
import zipfile
from itertools import pairwise
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import mido
import pytest
import rpp

from pipeline.formats.dawproject import AudioFacts, write_dawproject
from pipeline.formats.midi_file import chord_notes, write_midi
from pipeline.formats.reaper import write_rpp
from pipeline.formats.song import Song, StemFile, grid_of
from tests.pipeline.formats.dawproject_rules import faults
from tests.pipeline.formats.songs import drifting, steady


def stems(tmp_path: Path, song: Song) -> Song:
    made = []
    for name in ("vocals", "drums"):
        path = tmp_path / f"{name}.flac"
        path.write_bytes(name.encode())
        made.append(StemFile(name, path))
    return Song(**{field: getattr(song, field) for field in Song.__slots__ if field != "stems"}, stems=tuple(made))


def tagged() -> Song:
    return Song("T", artist="A", album="B", genre="G", year=1999, duration_s=2.0)


def facts(song: Song) -> AudioFacts:
    return AudioFacts(2, 44_100, song.duration_s)


def dawproject(tmp_path: Path, song: Song) -> tuple[ElementTree.Element, zipfile.ZipFile]:
    held = stems(tmp_path, song)
    out = io.BytesIO()
    write_dawproject(held, out, lambda _path: facts(song), "1")
    archive = zipfile.ZipFile(out)
    return ElementTree.fromstring(archive.read("project.xml")), archive


@pytest.mark.parametrize("pickup", [0, 1, 3])
def test_dawproject_puts_downbeats_on_bar_lines(tmp_path: Path, pickup: int) -> None:
    song = steady(pickup=pickup)
    project, archive = dawproject(tmp_path, song)
    assert archive.testzip() is None
    tracks = project.findall("Structure/Track")
    assert [track.get("name") for track in tracks] == ["vocals", "drums", "Master"]
    for clip in project.iter("Clip"):
        start = float(clip.get("time", ""))
        assert start >= 0.0
        warps = [(float(w.get("time", "")), float(w.get("contentTime", ""))) for w in clip.iter("Warp")]
        for at in song.downbeats:
            (t0, s0), (t1, s1) = next((a, b) for a, b in pairwise(warps) if a[1] <= at <= b[1])
            beat = start + t0 + (at - s0) / (s1 - s0) * (t1 - t0)
            assert beat % 4 == pytest.approx(0.0, abs=1e-3) or beat % 4 == pytest.approx(4.0, abs=1e-3)
        file = next(clip.iter("File")).get("path", "")
        assert archive.read(file).decode() in file
    marks = [float(mark.get("time", "")) for mark in project.iter("Marker")]
    assert marks[1] - marks[0] == pytest.approx(16.0, abs=1e-3)


def test_dawproject_carries_a_drifting_grid(tmp_path: Path) -> None:
    song = drifting()
    project, _ = dawproject(tmp_path, song)
    clip = next(project.iter("Clip"))
    # Ends, and every stretch that does not begin on an end.
    assert len(list(clip.iter("Warp"))) == len(grid_of(song).stretches) + 2


@pytest.mark.parametrize("song", [steady(pickup=2), drifting(), Song("Free", duration_s=3.0), tagged()])
def test_dawproject_is_what_the_published_schema_asks(tmp_path: Path, song: Song) -> None:
    project, archive = dawproject(tmp_path, song)
    assert faults(project) == []
    assert faults(ElementTree.fromstring(archive.read("metadata.xml"))) == []


def test_the_schema_s_rules_find_faults() -> None:
    for bad in (
        "<MetaData><Genre>x</Genre><Year>1</Year></MetaData>", "<Project version='1.0'/>", "<Warp time='0'/>",
        "<Lanes track='nowhere'/>", "<Clip time='soon'/>", "<Lanes id='a'><Lanes id='a'/></Lanes>", "<Sound/>",
    ):  # fmt: skip
        assert faults(ElementTree.fromstring(bad)), bad


def test_dawproject_without_a_grid_is_in_seconds(tmp_path: Path) -> None:
    project, _ = dawproject(tmp_path, Song("Free", duration_s=3.0))
    assert project.find("Arrangement/Lanes").get("timeUnit") == "seconds"  # type: ignore[union-attr]


def test_a_song_without_audio_makes_no_session() -> None:
    with pytest.raises(ValueError, match="no audio"):
        write_dawproject(Song("x"), io.BytesIO(), lambda _p: facts(Song("x")), "1")
    with pytest.raises(ValueError, match="no audio"):
        write_rpp(Song("x"), [], 1.0)


def test_reaper_is_read_by_another_program() -> None:
    song = drifting()
    marks = steady().marks
    held = Song(song.title, beats=song.beats, downbeats=song.downbeats, marks=marks, duration_s=song.duration_s)
    text = write_rpp(held, [('vo"cals', PurePosixPath("stems/vocals.flac"))], held.duration_s)
    project = rpp.loads(text)
    assert project.tag == "REAPER_PROJECT"
    track = project.find("TRACK")
    assert track.find("NAME")[1] == 'vo"cals'
    source = track.find("ITEM").find("SOURCE")
    assert source.attrib == ("FLAC",) or list(source.attrib) == ["FLAC"]
    assert source.find("FILE")[1] == "stems/vocals.flac"
    points = [child for child in project.find("TEMPOENVEX").children if child[0] == "PT"]
    assert [float(point[2]) for point in points] == pytest.approx([s.bpm for s in grid_of(held).stretches])
    assert sum(child[0] == "MARKER" for child in project.children if isinstance(child, list)) == len(marks) + 1


def test_midi_bars_are_the_songs_bars() -> None:
    for song in (steady(pickup=2), drifting()):
        file = mido.MidiFile(file=io.BytesIO(write_midi(song, ["beats"])))
        now, found = 0.0, []
        for message in file:
            now += message.time
            if message.type == "note_on":
                found.append(now)
        first = song.beats[0]
        assert [at - found[0] for at in found] == pytest.approx([at - first for at in song.beats], abs=3e-3)
        ticks = 0
        for message in file.tracks[1]:
            ticks += message.time
            if message.type == "note_on" and message.velocity == 100:
                assert ticks % (4 * file.ticks_per_beat) == 0


def test_midi_holds_what_was_asked_for() -> None:
    file = mido.MidiFile(file=io.BytesIO(write_midi(steady())))
    assert [track.name for track in file.tracks[1:]] == ["Beats", "Chords", "Drums"]
    notes = [message.note for message in file.tracks[2] if message.type == "note_on"]
    assert notes == [*chord_notes("Am"), *chord_notes("F#m7")]
    with pytest.raises(ValueError, match="beat grid"):
        write_midi(Song("x"))
    with pytest.raises(ValueError, match="drums"):
        write_midi(drifting(), ["drums"])


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("C", (48, 52, 55)),
        ("Bb", (58, 62, 65)),
        ("C#:min", (49, 52, 56)),
        ("G7/B", (55, 59, 62, 65)),
        ("N", ()),
        ("H", ()),
    ],
)
def test_chords_by_name(name: str, notes: tuple[int, ...]) -> None:
    assert chord_notes(name) == notes
