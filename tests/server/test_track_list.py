"""The track list of a recording: who was heard when, written and read back."""

from pathlib import Path

import pytest

from control.control import Value
from pipeline.formats.cue_sheet import MOST_TRACKS, read_cue
from server.session.state import DEFAULTS
from server.track_list import TrackList


def controls(**decks: tuple[str, str, int, float]) -> dict[str, Value]:
    """Return controls with decks `d1`.. as (title, artist, play, volume), each loaded and ready."""
    found = dict(DEFAULTS)
    for name, (title, artist, play, volume) in decks.items():
        path = f"/deck/{name[1]}"
        told = {"title": title, "artist": artist, "play": play, "volume": volume, "load": "an id", "status": "ready"}
        found |= {f"{path}/{key}": value for key, value in told.items()}
    return found


def test_a_track_is_listed_when_it_is_heard_and_once():
    tracks = TrackList("a set.flac")
    assert tracks.hear(controls(d1=("One", "Ann", 1, 1.0), d2=("Two", "Bob", 1, 0.0)), 0.0)
    assert not tracks.hear(controls(d1=("One", "Ann", 1, 0.5), d2=("Two", "Bob", 0, 1.0)), 5.0)
    assert tracks.hear(controls(d1=("One", "Ann", 1, 1.0), d2=("Two", "Bob", 1, 0.1)), 62.0)
    assert not tracks.hear(controls(d3=("One", "Ann", 1, 1.0)), 90.0)
    assert [(t.start_s, t.title, t.performer) for t in tracks.tracks] == [(0.0, "One", "Ann"), (62.0, "Two", "Bob")]
    [sheet] = read_cue(tracks.sheet().encode())
    assert (sheet.file, sheet.title, sheet.tracks) == ("a set.flac", "a set", tracks.tracks)


def test_two_tracks_of_one_moment_begin_one_after_the_other():
    tracks = TrackList("a.flac")
    tracks.hear(controls(d1=("One", "", 1, 1.0), d2=("Two", "", 1, 1.0)), -0.1)
    assert [t.title for t in read_cue(tracks.sheet().encode())[0].tracks] == ["One", "Two"]
    assert tracks.tracks[0].start_s == 0


@pytest.mark.parametrize("lacks", [{"status": "loading"}, {"load": ""}, {"play": 0}])
def test_what_is_not_there_is_not_listed(lacks: dict[str, Value]):
    heard = controls(d1=("One", "", 1, 1.0)) | {f"/deck/1/{name}": value for name, value in lacks.items()}
    assert not TrackList("a.flac").hear(heard, 1.0)


def test_a_list_goes_on_where_it_was_left(tmp_path: Path):
    tracks = TrackList("a.flac")
    tracks.hear(controls(d1=('The "One"', "  Ann\n B ", 1, 1.0)), 2.0)
    (tmp_path / "a.cue").write_text(tracks.sheet(), encoding="utf-8")
    again = TrackList.resume(tmp_path, "a.flac")
    assert again.tracks == tracks.tracks and again.tracks[0].title == "The 'One'"
    assert not again.hear(controls(d1=('The "One"', "  Ann\n B ", 1, 1.0)), 9.0)
    assert again.hear(controls(d1=("", "", 1, 1.0)), 10.0) and again.tracks[-1].title == "Untitled"


def test_without_a_list_or_with_something_else_one_begins(tmp_path: Path):
    assert TrackList.resume(tmp_path, "a.flac").tracks == ()
    (tmp_path / "a.cue").write_bytes(b"\xff\x00 nothing")
    assert TrackList.resume(tmp_path, "a.flac").tracks == ()


def test_a_sheet_that_is_full_stays_as_it_is():
    tracks = TrackList("a.flac")
    for number in range(MOST_TRACKS + 3):
        tracks.hear(controls(d1=(f"Track {number}", "", 1, 1.0)), number * 10.0)
    assert len(tracks.tracks) == MOST_TRACKS and len(read_cue(tracks.sheet().encode())[0].tracks) == MOST_TRACKS


def test_a_recording_in_a_folder_of_its_own_has_its_list_beside_it(tmp_path: Path):
    tracks = TrackList("a set/master.flac")
    tracks.hear(controls(d1=("One", "Ann", 1, 1.0)), 0.0)
    [sheet] = read_cue(tracks.sheet().encode())
    assert (sheet.file, sheet.title) == ("master.flac", "a set")
    (tmp_path / "a set").mkdir()
    (tmp_path / "a set" / "master.cue").write_text(tracks.sheet(), encoding="utf-8")
    again = TrackList.resume(tmp_path, "a set/master.flac")
    assert (again.file, again.tracks) == (tracks.file, tracks.tracks)
