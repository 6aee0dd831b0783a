"""CUE sheets: where the tracks of one long recording begin. 75 frames a second, as on a compact disc.

Owner: nobody; text in, sheet out. Written by us of a recorded set or of a track's sections; read to cut a long mix.
Units: seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import PermanentFailure

FRAMES_PER_S: Final = 75
MOST_TRACKS: Final = 99
"""A sheet numbers its tracks with two digits."""

_TYPES: Final = {"wav": "WAVE", "mp3": "MP3", "aiff": "AIFF", "aif": "AIFF"}
_WORD: Final = re.compile(r'"([^"]*)"|(\S+)')
_TIME: Final = re.compile(r"(\d{1,4}):([0-5]?\d):(\d\d)")


class NotACueSheet(PermanentFailure):
    """This is not a CUE sheet that can be read."""

    code = "not_a_cue_sheet"


@dataclass(frozen=True, slots=True)
class CueTrack:
    """A track of the recording, from `start_s` to the start of the next."""

    start_s: float
    title: str = ""
    performer: str = ""


@dataclass(frozen=True, slots=True)
class CueSheet:
    """One file and the tracks in it, in order."""

    file: str
    tracks: tuple[CueTrack, ...]
    title: str = ""
    performer: str = ""


def write_cue(sheet: CueSheet) -> str:
    """Return the sheet as text. Raises ValueError for more than 99 tracks, or tracks that do not rise."""
    if len(sheet.tracks) > MOST_TRACKS:
        raise ValueError(f"a CUE sheet holds at most {MOST_TRACKS} tracks, not {len(sheet.tracks)}")
    if any(a.start_s >= b.start_s for a, b in zip(sheet.tracks, sheet.tracks[1:], strict=False)):
        raise ValueError("the tracks of a CUE sheet begin one after the other")
    kind = _TYPES.get(sheet.file.rsplit(".", 1)[-1].lower(), "WAVE")
    lines = [*_words(sheet.performer, sheet.title, ""), f"FILE {_quoted(sheet.file)} {kind}"]
    for number, track in enumerate(sheet.tracks, start=1):
        lines += [f"  TRACK {number:02d} AUDIO", *_words(track.performer, track.title, "    ")]
        lines.append(f"    INDEX 01 {_time(track.start_s)}")
    return "\n".join(lines) + "\n"


def read_cue(data: bytes) -> list[CueSheet]:
    """Return a sheet for each FILE of the text, in order. Raises NotACueSheet, naming the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    title, performer, file = "", "", None
    sheets: list[CueSheet] = []
    tracks: list[CueTrack] = []
    words = {"TITLE": "", "PERFORMER": ""}
    in_track = placed = False

    def close() -> None:
        if file is not None:
            sheets.append(CueSheet(file, tuple(tracks), title, performer))
            tracks.clear()

    for number, line in enumerate(text.splitlines(), start=1):
        parts = [quoted or bare for quoted, bare in _WORD.findall(line)]
        if not parts:
            continue
        command, rest = parts[0].upper(), parts[1:]
        if command == "FILE":
            close()
            file, in_track = _needs(rest, number, "a file name"), False
        elif command == "TRACK":
            in_track, placed = True, False
            words = {"TITLE": "", "PERFORMER": ""}
        elif command in words and not in_track:
            title, performer = (
                (rest[0] if rest else "", performer) if command == "TITLE" else (title, "".join(rest[:1]))
            )
        elif command in words:
            words[command] = rest[0] if rest else ""
            if placed:
                tracks[-1] = CueTrack(tracks[-1].start_s, words["TITLE"], words["PERFORMER"])
        elif command == "INDEX" and in_track and int(rest[0] if rest and rest[0].isdigit() else -1) == 1:
            start = _seconds(rest[1] if len(rest) > 1 else "", number)
            tracks.append(CueTrack(start, words["TITLE"], words["PERFORMER"]))
            placed = True
    close()
    if not any(sheet.tracks for sheet in sheets):
        raise NotACueSheet("This is not a CUE sheet: it names no track of a file.")
    return sheets


def _words(performer: str, title: str, indent: str) -> Sequence[str]:
    given = (("PERFORMER", performer), ("TITLE", title))
    return [f"{indent}{name} {_quoted(text)}" for name, text in given if text]


def _quoted(text: str) -> str:
    # The format has no way to write a quotation mark inside one.
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def _time(seconds: float) -> str:
    frames = round(seconds * FRAMES_PER_S)
    return f"{frames // (60 * FRAMES_PER_S):02d}:{frames // FRAMES_PER_S % 60:02d}:{frames % FRAMES_PER_S:02d}"


def _needs(rest: Sequence[str], number: int, what: str) -> str:
    if not rest:
        raise NotACueSheet(f"Line {number} needs {what}.")
    return rest[0]


def _seconds(text: str, number: int) -> float:
    found = _TIME.fullmatch(text)
    if found is None or int(found[3]) >= FRAMES_PER_S:
        raise NotACueSheet(f"Line {number} needs a time as mm:ss:ff, not {text[:20]!r}.")
    return int(found[1]) * 60 + int(found[2]) + int(found[3]) / FRAMES_PER_S
