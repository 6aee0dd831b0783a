"""Lists of files: M3U8, CUE, rekordbox, each read back and by readers that are not ours."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrekordbox.rbxml import RekordboxXml

from pipeline.formats.cue_sheet import CueSheet, CueTrack, NotACueSheet, read_cue, write_cue
from pipeline.formats.playlist import Entry, NotAPlaylist, file_uri, local_path, read_m3u8, write_m3u8
from pipeline.formats.rekordbox import Collection, NotRekordbox, Playlist, read_rekordbox, write_rekordbox
from pipeline.formats.song import Song
from tests.pipeline.formats.songs import drifting, steady


def test_m3u8_comes_back() -> None:
    songs = [steady(path=Path("/music/ä ö.flac")), Song("Two", path=Path("/b.mp3"), duration_s=61.4)]
    entries = read_m3u8(write_m3u8(songs).encode())
    assert entries == [
        Entry("/music/ä ö.flac", songs[0].display, float(round(songs[0].duration_s))),
        Entry("/b.mp3", "Two", 61.0),
    ]


def test_m3u_of_other_programs_is_read() -> None:
    text = (
        b'\xef\xbb\xbf#EXTM3U\r\n#EXTINF:-1 tvg-id="x",Radio\r\nhttps://example.org/a.mp3\r\n\r\nC:\\Music\\x.mp3\r\n'
    )
    assert read_m3u8(text) == [Entry("https://example.org/a.mp3", "Radio", None), Entry("C:\\Music\\x.mp3")]
    assert read_m3u8(text)[0].is_link and not read_m3u8(text)[1].is_link
    assert read_m3u8("caf\xe9.mp3".encode("latin-1")) == [Entry("café.mp3")]


def test_a_title_cannot_break_the_list() -> None:
    song = Song("a\n/etc/passwd", path=Path("/x.mp3"))
    assert [entry.location for entry in read_m3u8(write_m3u8([song]).encode())] == ["/x.mp3"]


def test_bytes_are_no_playlist() -> None:
    with pytest.raises(NotAPlaylist):
        read_m3u8(b"\0\1\2")


@pytest.mark.parametrize("path", ["/music/ä b#%?.mp3", "C:/Music/a b.mp3"])
def test_file_uris_come_back(path: str) -> None:
    assert file_uri(path).startswith("file://localhost/")
    assert local_path(file_uri(path)) == path


def test_cue_comes_back() -> None:
    sheet = CueSheet(
        "set.wav", (CueTrack(0.0, "One", "A"), CueTrack(61 + 37 / 75, 'Two "x"', "B"), CueTrack(7200.0)), "Set", "Me"
    )
    (back,) = read_cue(write_cue(sheet).encode())
    assert back.file == "set.wav" and (back.title, back.performer) == ("Set", "Me")
    assert [track.title for track in back.tracks] == ["One", "Two 'x'", ""]
    assert [track.start_s for track in back.tracks] == pytest.approx([0.0, 61 + 37 / 75, 7200.0])


def test_cue_with_words_behind_the_index_and_two_files() -> None:
    text = b'FILE "a.wav" WAVE\nTRACK 01 AUDIO\nINDEX 00 00:00:00\nINDEX 01 00:02:00\nTITLE "Late"\nFILE b.wav WAVE\n'
    first, second = read_cue(text + b"TRACK 02 AUDIO\nINDEX 01 00:00:00\n")
    assert first.tracks == (CueTrack(2.0, "Late"),) and second.file == "b.wav"


@pytest.mark.parametrize("text", [b"", b"hello", b'FILE "a" WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:99\n', b"\xff\xfe\0"])
def test_no_cue_sheet(text: bytes) -> None:
    with pytest.raises(NotACueSheet):
        read_cue(text)


def test_a_cue_sheet_rises_and_has_99_tracks_at_most() -> None:
    with pytest.raises(ValueError, match="one after the other"):
        write_cue(CueSheet("a", (CueTrack(1.0), CueTrack(1.0))))
    with pytest.raises(ValueError, match="99"):
        write_cue(CueSheet("a", tuple(CueTrack(float(n)) for n in range(100))))


def test_rekordbox_comes_back() -> None:
    songs = (steady(), steady(92.0, pickup=2, path=Path("/music/two.mp3")))
    collection = Collection(songs, (Playlist("Set & co", (1, 0, 1)),))
    back = read_rekordbox(write_rekordbox(collection, "1"))
    assert back.playlists == collection.playlists and back.faults == ()
    for song, read in zip(songs, back.songs, strict=True):
        assert (read.title, read.artist, read.key, read.year, read.path) == (
            song.title, song.artist, song.key, song.year, song.path
        )  # fmt: skip
        shared = len(song.beats)
        assert read.beats[:shared] == pytest.approx(song.beats, abs=2e-3)
        assert read.downbeats[: len(song.downbeats)] == pytest.approx(song.downbeats, abs=2e-3)
        marks = [mark for mark in song.marks if mark.kind != "section"]
        assert [(m.kind, m.name, m.number, m.colour) for m in read.marks] == [
            (m.kind, m.name, m.number, m.colour) for m in marks
        ]
        assert [m.start_s for m in read.marks] == pytest.approx([m.start_s for m in marks], abs=1e-3)


def test_rekordbox_is_read_by_another_program(tmp_path: Path) -> None:
    song = drifting()
    path = tmp_path / "out.xml"
    path.write_bytes(
        write_rekordbox(
            Collection((steady(), Song("D", path=Path("/d.wav"), beats=song.beats, downbeats=song.downbeats))), "1"
        )
    )
    other = RekordboxXml(str(path))
    first, second = other.get_tracks()
    assert first["Name"] == steady().title and first["TotalTime"] == round(steady().duration_s)
    assert [round(tempo["Bpm"], 2) for tempo in first.tempos] == [120.0]
    assert [(mark["Type"], mark["Num"]) for mark in first.marks] == [("cue", 0), ("loop", 2), ("cue", -1)]
    assert len(second.tempos) >= 2


def test_rekordbox_leaves_out_what_makes_no_sense() -> None:
    text = b"""<DJ_PLAYLISTS Version="1.0.0"><COLLECTION Entries="3">
      <TRACK TrackID="1" Name="No file"/>
      <TRACK TrackID="2" Name="Odd" Location="file://localhost/C:/a%20b.mp3" TotalTime="-3" AverageBpm="nan" Year="x">
        <TEMPO Inizio="0" Bpm="0" Metro="x" Battito="y"/><POSITION_MARK Type="4" Start="3" End="2" Num="0"/>
        <POSITION_MARK Type="0" Start="1e99" Num="0"/></TRACK></COLLECTION>
      <PLAYLISTS><NODE Type="0" Name="ROOT"><NODE Type="1" Name="P" KeyType="0"><TRACK Key="2"/><TRACK Key="9"/>
      </NODE></NODE></PLAYLISTS></DJ_PLAYLISTS>"""
    read = read_rekordbox(text)
    (song,) = read.songs
    assert song.path == Path("C:/a b.mp3") and song.beats == () and song.marks == () and song.tempo is None
    assert read.playlists == (Playlist("P", (0,)),)
    assert len(read.faults) == 5


@pytest.mark.parametrize(
    "text",
    [
        b"", b"<a/>", b"<DJ_PLAYLISTS", b"\xff\xff",
        b'<!DOCTYPE a [<!ENTITY x "y">]><DJ_PLAYLISTS>&x;</DJ_PLAYLISTS>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><DJ_PLAYLISTS/>',
    ],
)  # fmt: skip
def test_no_rekordbox(text: bytes) -> None:
    with pytest.raises(NotRekordbox):
        read_rekordbox(text)


@given(st.binary(max_size=300))
def test_readers_only_say_no(data: bytes) -> None:
    for read, refusal in ((read_m3u8, NotAPlaylist), (read_cue, NotACueSheet), (read_rekordbox, NotRekordbox)):
        try:
            read(data)
        except refusal as error:
            assert str(error)
