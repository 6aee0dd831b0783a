"""The track list of a recording: which track became audible when, as a CUE sheet beside the file.

Owner: `server/recording.py`, one list a recording. Pure but for `resume`. Units: seconds from the recording's start.
A track counts from when its deck plays with the fader up, and is listed once, however often it comes back.
"""

from collections.abc import Mapping
from pathlib import Path

from audio.units import DECKS
from control.control import Value
from pipeline.formats.cue_sheet import FRAMES_PER_S, MOST_TRACKS, CueSheet, CueTrack, NotACueSheet, read_cue, write_cue


class TrackList:
    """What was heard so far."""

    def __init__(self, file: str, tracks: tuple[CueTrack, ...] = ()) -> None:
        """`file` is where the recording lies in its folder, which may be told later."""
        self.file = file
        self.tracks = tracks

    @classmethod
    def resume(cls, folder: Path, file: str) -> "TrackList":
        """Go on with the list that is beside the recording `file` of a folder, if one is."""
        try:
            sheet = read_cue((folder / file).with_suffix(".cue").read_bytes())[0]
        except (OSError, NotACueSheet):
            return cls(file)
        return cls(file, sheet.tracks)

    def hear(self, controls: Mapping[str, Value], at_s: float) -> bool:
        """List what is audible by these controls and was not listed yet; return whether there was any."""
        before = self.tracks
        for deck in range(1, DECKS + 1):
            path = f"/deck/{deck}"
            if not controls[f"{path}/play"] or not controls[f"{path}/volume"] or not controls[f"{path}/load"]:
                continue
            if controls[f"{path}/status"] != "ready":
                continue
            title, artist = str(controls[f"{path}/title"]), str(controls[f"{path}/artist"])
            known = any((track.title, track.performer) == _told(title, artist) for track in self.tracks)
            if known or len(self.tracks) == MOST_TRACKS:
                continue
            # In frames of the sheet, so that two tracks of one moment still begin one after the other there.
            first = round(self.tracks[-1].start_s * FRAMES_PER_S) + 1 if self.tracks else 0
            start = max(first, round(at_s * FRAMES_PER_S))
            self.tracks = (*self.tracks, CueTrack(start / FRAMES_PER_S, *_told(title, artist)))
        return self.tracks != before

    def sheet(self) -> str:
        """Return the list as the text of a CUE sheet."""
        file = Path(self.file)
        # A recording with buses has a folder of its own, and its name is that folder's.
        title = file.stem if file.parent == Path() else file.parent.name
        return write_cue(CueSheet(file.name, self.tracks, title))


def _told(title: str, artist: str) -> tuple[str, str]:
    """Return title and artist as a sheet holds them, so that a list that was read back knows its tracks."""
    return _plain(title) or "Untitled", _plain(artist)


def _plain(text: str) -> str:
    return " ".join(text.replace('"', "'").split())
