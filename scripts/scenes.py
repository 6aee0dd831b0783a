"""What pictures of the docs are drawn from: made-up sound, a script of intents, and what the renderer plays of it.

Owner: `scripts.pictures`. Units: seconds of the render; samples linear, full scale 1.0.
"""

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from control.control import Value
from scripts.charts import Curve, chart
from server.render import render

RATE: Final = 48_000
BEAT_S: Final = 0.5
SONG_S: Final = 6.0
COLUMNS: Final = 360
"""Points that a waveform is drawn with where it has more samples than that."""

Sound = npt.NDArray[np.float64]
Line = tuple[float, str, Value]


def times(seconds: float = SONG_S) -> Sound:
    """Return the time of every sample."""
    return np.arange(round(seconds * RATE)) / RATE


def drum(seconds: float, beat_s: float, hz: float = 180.0) -> Sound:
    """Return a drum on every beat."""
    into = times(seconds) % beat_s
    return 0.5 * np.sin(2 * np.pi * hz * into) * np.exp(-into / 0.03)


def write_song(folder: Path, beat_s: float, **stems: Sound) -> None:
    """Write a folder of stems with an even grid."""
    folder.mkdir()
    for name, wave in stems.items():
        soundfile.write(folder / f"{name}.wav", np.stack([wave] * 2, 1), RATE, subtype="FLOAT")
    beats = np.arange(0.0, SONG_S, beat_s).tolist()
    grid = {"beats": beats, "downbeats": beats[::4], "sections": []}
    (folder / "analysis.json").write_text(json.dumps(grid))


def material(folder: Path) -> None:
    """Write the songs.

    `tone`, a mix of 200 Hz whose one stem is 400 Hz; `beat`, a drum on every half second; `fast`, one on every 0.45 s;
    `steady`, a tone of 200 Hz; `band`, that drum and a bass whose level grows within each beat; `noise`; `first` and
    `second`, a drum and a bass each, of different pitch.
    """
    low, high = (0.5 * np.sin(2 * np.pi * hz * times()) for hz in (200, 400))
    growing = 0.3 * np.sin(2 * np.pi * 80 * times()) * (times() % BEAT_S) / BEAT_S
    write_song(folder / "tone", BEAT_S, mix=low, other=high)
    write_song(folder / "beat", BEAT_S, drums=drum(SONG_S, BEAT_S))
    write_song(folder / "fast", 0.45, drums=drum(SONG_S, 0.45))
    write_song(folder / "steady", BEAT_S, other=low)
    write_song(folder / "band", BEAT_S, drums=drum(SONG_S, BEAT_S), bass=growing)
    write_song(folder / "noise", BEAT_S, other=np.random.default_rng(1).uniform(-0.3, 0.3, len(low)))
    for name, hz in (("first", 60), ("second", 90)):
        write_song(folder / name, BEAT_S, drums=drum(SONG_S, BEAT_S), bass=0.3 * np.sin(2 * np.pi * hz * times()))


def render_lines(lines: Sequence[Line], seconds: float, bus: str = "master") -> Sound:
    """Return both channels of a bus, float64 (frames, 2)."""
    return _rendered("scene.jsonl", "\n".join(
        json.dumps({"at": at, "path": path, "value": value}) for at, path, value in lines
    ), seconds, bus)  # fmt: skip


def render_setlist(text: str, seconds: float, bus: str = "master") -> Sound:
    """Return what a setlist sounds like on a bus, float64 (frames, 2)."""
    return _rendered("scene.toml", text, seconds, bus)


def _rendered(name: str, text: str, seconds: float, bus: str) -> Sound:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        material(folder)
        (folder / name).write_text(text)
        path = render(folder / name, folder / "out.wav", seconds=seconds, rate=RATE, bus=bus).path
        sound, _ = soundfile.read(path, dtype="float64")
    return np.asarray(sound)


def hear(*lines: Line, seconds: float, song: str = "steady") -> Sound:
    """Return the left channel of the master: `song` on deck 1, playing, and `lines`."""
    return stand(*lines, (0.0, "/deck/1/play", 1), seconds=seconds, song=song)


def stand(*lines: Line, seconds: float, song: str = "steady") -> Sound:
    """Return the left channel of the master: `song` on deck 1, which stands, and `lines`."""
    start: list[Line] = [(0.0, "/deck/1/assign", "thru"), (0.0, "/deck/1/load", song)]
    return render_lines([*start, *lines], seconds)[:, 0]


def wave(sound: Sound, start_s: float, stop_s: float, at_s: float = 0.0, unit: float = 1e3) -> Curve:
    """Return the part between two times as a curve whose 0 is at `at_s`; where it has many samples, the lowest and the
    highest of each column."""
    first, last = round(start_s * RATE), round(stop_s * RATE)
    part = sound[first:last]
    across = (np.arange(first, last) / RATE - at_s) * unit
    if len(part) <= 2 * COLUMNS:
        return across, part
    edges = np.linspace(0, len(part), COLUMNS + 1).astype(int)
    pieces = [part[a:b] for a, b in itertools.pairwise(edges)]
    ends = np.array([(piece.min(), piece.max()) for piece in pieces]).ravel()
    return np.repeat(across[edges[:-1]], 2), ends


def drawn(title: str, curves: Mapping[str, Curve], marks: Sequence[float], unit: str, top: float = 0.6) -> str:
    """Return a picture of waveforms over marks of time in `unit`."""
    across = [(mark, f"{mark:g} {unit}") for mark in marks]
    return chart(title, curves, across, [(-top, f"-{top:g}"), (0.0, "0"), (top, f"{top:g}")], logarithmic=False)


def loudness(sound: Sound, start_s: float, stop_s: float, window_s: float = 0.02) -> Curve:
    """Return the level of a part over time, in windows."""
    size = round(window_s * RATE)
    part = sound[round(start_s * RATE) : round(stop_s * RATE)]
    windows = part[: len(part) // size * size].reshape(-1, size)
    return start_s + (np.arange(len(windows)) + 0.5) * window_s, np.abs(windows).max(axis=1)


def spectrum(sound: Sound, hertz: tuple[float, float]) -> Curve:
    """Return the level of every frequency in a range, in dB of a full tone."""
    level = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) * 4 / len(sound)
    found = np.fft.rfftfreq(len(sound), 1 / RATE).astype(np.float64)
    shown = (found >= hertz[0]) & (found <= hertz[1])
    return found[shown], 20 * np.log10(np.maximum(level[shown], 1e-6))
