"""Standard MIDI files of what the analysis found: beats as a click, chords as notes, drum hits on the drum channel.

Owner: nobody; bytes out. A type 1 file whose tempo map is the song's beat grid, so that a sequencer's bars are the
song's bars. Source of the drum notes: General MIDI percussion map.
Units: seconds in, ticks of 1/960 beat out; time before the first beat is a tempo stretch of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Final

import mido

from pipeline.formats.song import Chord, Grid, Song, grid_of

TICKS: Final = 960
_DRUMS: Final = 9
_NOTES: Final = {"kick": 36, "snare": 38, "hat": 42, "tom": 45, "cymbal": 49}
_CLICK, _ACCENT = 37, 76
_HIT_TICKS: Final = TICKS // 8
_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUALITIES: Final = {
    "": (0, 4, 7), "maj": (0, 4, 7), "m": (0, 3, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8),
    "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "min7": (0, 3, 7, 10), "sus2": (0, 2, 7),
    "sus4": (0, 5, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10),
    "9": (0, 4, 7, 10, 14),
}  # fmt: skip
_CHORD: Final = re.compile(r"([A-G])([#b]?):?([^/]*)(?:/.*)?")


def write_midi(song: Song, parts: Iterable[str] = ("beats", "chords", "drums")) -> bytes:
    """Return a MIDI file with those of `parts` that the song has something for.

    Raises ValueError for a song without a beat grid, or when there is nothing to write.
    """
    grid = grid_of(song)
    if not grid.stretches:
        raise ValueError(f"{song.display} has no beat grid: analyse it first")
    place = _Places(grid)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    file.tracks.append(_tempo_track(song, grid, place))
    wanted = set(parts)
    if "beats" in wanted and song.beats:
        downbeats = set(song.downbeats)
        hits = [(at, _ACCENT if at in downbeats else _CLICK, 100 if at in downbeats else 80) for at in song.beats]
        file.tracks.append(_hits("Beats", hits, place))
    if "chords" in wanted and song.chords:
        file.tracks.append(_chords(song.chords, place))
    if "drums" in wanted and song.hits:
        drums = [(hit.at_s, _NOTES[hit.drum], max(1, min(127, round(hit.strength * 127)))) for hit in song.hits]
        file.tracks.append(_hits("Drums", drums, place))
    if len(file.tracks) == 1:
        raise ValueError(f"{song.display} has nothing of {', '.join(sorted(wanted))} to write")
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


class _Places:
    """Where a second lies in ticks. Bars are moved so that downbeats fall on bar lines and nothing is before 0."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._shift = grid.bar_shift

    def ticks(self, seconds: float) -> int:
        return max(0, round((self._grid.beat_at(seconds) + self._shift) * TICKS))

    def of_beat(self, beat: int) -> int:
        return (beat + self._shift) * TICKS


def _tempo_track(song: Song, grid: Grid, place: _Places) -> mido.MidiTrack:
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [
        (0, mido.MetaMessage("track_name", name=song.display[:120])),
        (0, mido.MetaMessage("time_signature", numerator=grid.beats_per_bar, denominator=4)),
    ]
    for number, stretch in enumerate(grid.stretches):
        at = place.of_beat(stretch.beat) if number else 0
        events.append((at, mido.MetaMessage("set_tempo", tempo=min(0xFFFFFF, round(60e6 / stretch.bpm)))))
    marks = [mark for mark in song.marks if mark.kind == "section"]
    events += [(place.ticks(mark.start_s), mido.MetaMessage("marker", text=mark.name[:120])) for mark in marks]
    return _track(events)


def _hits(name: str, hits: Iterable[tuple[float, int, int]], place: _Places) -> mido.MidiTrack:
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, mido.MetaMessage("track_name", name=name))]
    for at, note, velocity in hits:
        tick = place.ticks(at)
        events.append((tick, mido.Message("note_on", channel=_DRUMS, note=note, velocity=velocity)))
        events.append((tick + _HIT_TICKS, mido.Message("note_off", channel=_DRUMS, note=note)))
    return _track(events)


def _chords(chords: Iterable[Chord], place: _Places) -> mido.MidiTrack:
    events: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, mido.MetaMessage("track_name", name="Chords"))]
    for chord in chords:
        start, end = place.ticks(chord.start_s), place.ticks(chord.end_s)
        for note in chord_notes(chord.name):
            events.append((start, mido.Message("note_on", channel=0, note=note, velocity=80)))
            events.append((max(start + 1, end), mido.Message("note_off", channel=0, note=note)))
    return _track(events)


def chord_notes(name: str) -> tuple[int, ...]:
    """Return the MIDI notes of a chord by its name, from the C below middle C up; none for `N` and names unknown."""
    found = _CHORD.fullmatch(name.strip())
    if found is None or found[3] not in _QUALITIES:
        return ()
    root = 48 + _LETTERS[found[1]] + {"#": 1, "b": -1, "": 0}[found[2]]
    return tuple(root + interval for interval in _QUALITIES[found[3]])


def _track(events: list[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """Return the events in order of time, ends before starts, as a track of differences."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=tick - now))
        now = tick
    return track
