"""`python -m scripts.pictures`: the pictures of docs/behaviour.md, drawn from what `alchemy render` plays.

Owner: the command line. Each picture is a script of intents on made-up sound, rendered offline; the SVG holds the
samples that came out, so that nothing in it is drawn by hand. Units: milliseconds or seconds across, full scale 1 up.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from control.control import Value
from scripts.charts import PICTURES, Curve, chart
from server.render import render

RATE: Final = 48_000
BEAT_S: Final = 0.5
SONG_S: Final = 6.0
COLUMNS: Final = 360
"""Points that a waveform is drawn with where it has more samples than that."""

Sound = npt.NDArray[np.float64]
Line = tuple[float, str, Value]


def _times(seconds: float = SONG_S) -> Sound:
    return np.arange(round(seconds * RATE)) / RATE


def material(folder: Path) -> None:
    """Write `tone` (a mix of 200 Hz whose one stem is 400 Hz) and `beat` (a drum on every half second, with its
    grid)."""
    times = _times()
    drum = np.sin(2 * np.pi * 180 * (times % BEAT_S)) * np.exp(-(times % BEAT_S) / 0.03)
    low, high = np.sin(2 * np.pi * 200 * times), np.sin(2 * np.pi * 400 * times)
    for song, files in {"tone": {"mix": low, "other": high}, "beat": {"drums": drum}, "steady": {"other": low}}.items():
        (folder / song).mkdir()
        for name, wave in files.items():
            soundfile.write(folder / song / f"{name}.wav", np.stack([0.5 * wave] * 2, 1), RATE, subtype="FLOAT")
        beats = np.arange(0.0, SONG_S, BEAT_S).tolist()
        grid = {"beats": beats, "downbeats": beats[::4], "sections": []}
        (folder / song / "analysis.json").write_text(json.dumps(grid))


def hear(*lines: Line, seconds: float, song: str = "steady") -> Sound:
    """Return the left channel of the master: `song` on deck 1, and `lines`."""
    start: list[Line] = [(0.0, "/deck/1/assign", "thru"), (0.0, "/deck/1/load", song), (0.0, "/deck/1/play", 1)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material(folder)
        text = "\n".join(json.dumps({"at": at, "path": path, "value": value}) for at, path, value in (*start, *lines))
        (folder / "scene.jsonl").write_text(text)
        made = render(folder / "scene.jsonl", folder / "out.wav", seconds=seconds, rate=RATE)
        sound, _ = soundfile.read(made.path, dtype="float64")
    return np.asarray(sound[:, 0])


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


def _drawn(title: str, curves: Mapping[str, Curve], marks: Sequence[float], unit: str, top: float = 0.6) -> str:
    across = [(mark, f"{mark:g} {unit}") for mark in marks]
    return chart(title, curves, across, [(-top, f"-{top:g}"), (0.0, "0"), (top, f"{top:g}")], logarithmic=False)


def loop_seam() -> str:
    """A loop of 0.2525 s: the tone's phase does not meet itself at the seam."""
    lines = ((0.5, "/deck/1/loop/in", 1), (0.7525, "/deck/1/loop/out", 1))
    out = hear(*lines, seconds=1.6)
    curves = {"what is heard around the second seam": wave(out, 0.985, 1.025, 1.005)}
    return _drawn("The seam of a loop", curves, (-20, -10, 0, 10, 20), "ms")


def mute_ramp() -> str:
    out = hear((0.5, "/deck/1/stem/other/mute", 1), seconds=0.6)
    return _drawn("A stem is muted at 0", {"the stem": wave(out, 0.49, 0.51, 0.5)}, (-10, -5, 0, 5, 10), "ms")


def crossfader() -> str:
    """The level of a deck on the left side over the way of the fader, for each curve."""
    places = np.linspace(-1.0, 1.0, 41)
    curves = {}
    for law in ("linear", "constant_power", "cut"):
        lines: list[Line] = [(0.0, "/deck/1/assign", "left"), (0.0, "/mixer/crossfader/curve", law)]
        lines += [(0.1 * n, "/mixer/crossfader", float(place)) for n, place in enumerate(places)]
        out = hear(*lines, seconds=4.2)
        # Ten whole periods, after the fader has come to rest.
        parts = [out[round((0.1 * n + 0.04) * RATE) :][:2400] for n in range(len(places))]
        curves[law.replace("_", " ")] = (places, np.array([np.abs(part).max() / 0.5 for part in parts]))
    across = [(-1.0, "left"), (0.0, "middle"), (1.0, "right")]
    return chart("The left deck over the crossfader", curves, across, [(0, "0"), (0.5, "0.5"), (1, "1")],
                 logarithmic=False)  # fmt: skip


def cue_jump() -> str:
    lines = ((0.2013, "/deck/1/hotcue/1/set", 1), (0.5, "/deck/1/hotcue/1/go", 1))
    curves = {"the old place fades out, the new one in": wave(hear(*lines, seconds=0.6), 0.49, 0.51, 0.5)}
    return _drawn("A jump to a hot cue at 0", curves, (-10, -5, 0, 5, 10), "ms")


def stem_swap() -> str:
    lines = ((0.0, "/deck/1/source", "mix"), (0.5, "/deck/1/source", "stems"))
    out = hear(*lines, seconds=0.6, song="tone")
    curves = {"the mix (200 Hz), and from 0 on the stem (400 Hz)": wave(out, 0.485, 0.515, 0.5)}
    return _drawn("From the mix to stems at 0", curves, (-15, 0, 15), "ms")


def _effect(name: str, title: str, knobs: Mapping[int, float], on_s: float, off_s: float, song: str) -> str:
    unit = "/deck/1/fx/1"
    lines: list[Line] = [(0.0, f"{unit}/type", name), (on_s, f"{unit}/on", 1), (off_s, f"{unit}/on", 0)]
    lines += [(0.0, f"{unit}/param/{number}", value) for number, value in knobs.items()]
    lines += [(0.0, f"{unit}/wet", 0.5 if name == "echo" else 1.0)]
    if name == "echo":
        lines.append((off_s, "/deck/1/stop", 1))
    curves = {title: wave(hear(*lines, seconds=3.0, song=song), 0.0, 3.0, unit=1.0)}
    return _drawn(title, curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def echo() -> str:
    return _effect("echo", "Echo of half a beat; the deck stops at 1.2 s", {1: 0.35, 2: 0.7, 3: 1.0}, 0.9, 1.2, "beat")


def gate() -> str:
    return _effect("gate", "Gate from 1 to 2 s, a quarter of a beat", {1: 0.5, 2: 0.45, 3: 0.5}, 1.0, 2.0, "steady")


def beat_repeat() -> str:
    return _effect("repeat", "Repeat of a quarter of a beat from 1 to 2 s", {1: 0.4, 2: 0.2, 3: 0.5}, 1.0, 2.0, "beat")


def keylock() -> str:
    """The spectrum of a tone of 200 Hz at 0.8 of its speed."""
    curves = {}
    for name, value in (("keylock on", 1), ("keylock off", 0)):
        lines = ((0.0, "/deck/1/rate", 0.8), (0.0, "/deck/1/keylock", value))
        part = hear(*lines, seconds=3.0)[RATE : RATE * 5 // 2]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) * 4 / len(part)
        hertz = np.fft.rfftfreq(len(part), 1 / RATE).astype(np.float64)
        shown = (hertz >= 120) & (hertz <= 240)
        curves[name] = (hertz[shown], 20 * np.log10(np.maximum(spectrum[shown], 1e-6)))
    across = [(hz, f"{hz} Hz") for hz in (120, 160, 200, 240)]
    up = [(db, f"{db} dB") for db in (-90, -60, -30, 0)]
    return chart("A tone of 200 Hz at 0.8 of its speed", curves, across, up, logarithmic=False)


def brake() -> str:
    curves = {"brake at 0.5 s": wave(hear((0.5, "/deck/1/brake", 1), seconds=2.0), 0.4, 2.0, unit=1.0)}
    return _drawn("A brake", curves, (0.4, 0.8, 1.2, 1.6, 2.0), "s")


DRAWN: Final[Mapping[str, Callable[[], str]]] = {
    "loop-seam": loop_seam,
    "mute": mute_ramp,
    "crossfader": crossfader,
    "cue-jump": cue_jump,
    "stem-swap": stem_swap,
    "echo": echo,
    "gate": gate,
    "beat-repeat": beat_repeat,
    "keylock": keylock,
    "brake": brake,
}


def main() -> int:
    """Draw all pictures."""
    for name, draw in DRAWN.items():
        path = PICTURES / f"{name}.svg"
        path.write_text(draw(), encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
