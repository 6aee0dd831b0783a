"""Songs with a grid that is known, for every format's tests."""

from pathlib import Path

from pipeline.formats.song import Chord, Hit, Mark, Song


def steady(
    bpm: float = 120.0, beats: int = 64, first_s: float = 0.25, pickup: int = 0, path: Path | None = None
) -> Song:
    """A song of `beats` beats at one tempo; `pickup` beats lie before the first downbeat."""
    at = tuple(first_s + n * 60.0 / bpm for n in range(beats))
    return Song(
        title='The "Long" <Song> & Co',
        artist="Ünï Côde",
        album="Album",
        genre="House",
        year=2024,
        duration_s=at[-1] + 1.0,
        tempo=bpm,
        key="Am",
        beats=at,
        downbeats=at[pickup::4],
        marks=(
            Mark("cue", at[4], name="Drop", colour="#FF8000", number=1),
            Mark("loop", at[8], at[12], name="Loop", number=3),
            Mark("memory", at[16], name="Out"),
            Mark("section", at[pickup], name="intro"),
            Mark("section", at[pickup + 16], name="verse"),
        ),
        chords=(Chord(at[0], at[4], "Am"), Chord(at[4], at[8], "F#m7"), Chord(at[8], at[12], "N")),
        hits=(Hit(at[0], "kick"), Hit(at[1], "snare", 0.5)),
        path=path or Path("/music/a b.flac"),
    )


def drifting(beats: int = 128) -> Song:
    """A song that goes from 100 to 110 BPM and stays there."""
    at = [0.5]
    for n in range(beats - 1):
        bpm = 100.0 + 10.0 * min(1.0, n / (beats / 2))
        at.append(at[-1] + 60.0 / bpm)
    return Song(title="Drift", duration_s=at[-1] + 1.0, tempo=105.0, beats=tuple(at), downbeats=tuple(at[::4]))
