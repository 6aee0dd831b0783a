"""Pictures of the mixer and of effects.

Owner: `scripts.pictures`. Units: milliseconds or seconds across, full scale 1 up.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from scripts.charts import chart
from scripts.scenes import RATE, Line, drawn, hear, spectrum, wave


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


def _effect(name: str, title: str, knobs: Mapping[int, float], on_s: float, off_s: float, song: str) -> str:
    unit = "/deck/1/fx/1"
    lines: list[Line] = [(0.0, f"{unit}/type", name), (on_s, f"{unit}/on", 1), (off_s, f"{unit}/on", 0)]
    lines += [(0.0, f"{unit}/param/{number}", value) for number, value in knobs.items()]
    lines += [(0.0, f"{unit}/wet", 0.5 if name == "echo" else 1.0)]
    if name == "echo":
        lines.append((off_s, "/deck/1/stop", 1))
    curves = {title: wave(hear(*lines, seconds=3.0, song=song), 0.0, 3.0, unit=1.0)}
    return drawn(title, curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def echo() -> str:
    return _effect("echo", "Echo of half a beat; the deck stops at 1.2 s", {1: 0.35, 2: 0.7, 3: 1.0}, 0.9, 1.2, "beat")


def gate() -> str:
    return _effect("gate", "Gate from 1 to 2 s, a quarter of a beat", {1: 0.5, 2: 0.45, 3: 0.5}, 1.0, 2.0, "steady")


def beat_repeat() -> str:
    return _effect("repeat", "Repeat of a quarter of a beat from 1 to 2 s", {1: 0.4, 2: 0.2, 3: 0.5}, 1.0, 2.0, "beat")


def reverb() -> str:
    lines = ((0.0, "/deck/1/fx/1/type", "reverb"), (0.0, "/deck/1/fx/1/on", 1), (0.0, "/deck/1/fx/1/wet", 0.7),
             (0.95, "/deck/1/stop", 1))  # fmt: skip
    curves = {"a drum; the deck stops at 0.95 s": wave(hear(*lines, seconds=3.0, song="beat"), 0.0, 3.0, unit=1.0)}
    return drawn("Reverb", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s", top=0.4)


def combs() -> str:
    """What flanger and phaser leave of noise, at one moment of their way."""
    curves = {}
    for name in ("flanger", "phaser"):
        unit = "/deck/1/fx/1"
        lines = ((0.0, f"{unit}/type", name), (0.0, f"{unit}/on", 1), (0.0, f"{unit}/wet", 0.5))
        wet, dry = (hear(*which, seconds=1.6, song="noise")[RATE : RATE * 5 // 4] for which in (lines, ()))
        hertz, after = spectrum(wet, (0, 8_000))
        left = after - spectrum(dry, (0, 8_000))[1]
        size = len(left) // 160 * 160
        curves[name] = (hertz[:size].reshape(160, -1).mean(1), left[:size].reshape(160, -1).mean(1))
    across = [(hz, f"{hz} Hz") for hz in (0, 2000, 4000, 6000, 8000)]
    up = [(db, f"{db} dB") for db in (-24, -12, 0, 12)]
    return chart("What flanger and phaser do to noise", curves, across, up, logarithmic=False)


def crusher() -> str:
    unit = "/deck/1/fx/1"
    lines: list[Line] = [(0.0, f"{unit}/type", "crusher"), (0.0, f"{unit}/wet", 1.0), (0.5, f"{unit}/on", 1)]
    lines += [(0.0, f"{unit}/param/1", 0.1), (0.0, f"{unit}/param/2", 0.6)]
    curves = {"few bits and samples that are held, from 0 on": wave(hear(*lines, seconds=0.6), 0.49, 0.51, 0.5)}
    return drawn("The crusher", curves, (-10, -5, 0, 5, 10), "ms")


DRAWN: Final[Mapping[str, Callable[[], str]]] = {
    "crossfader": crossfader,
    "echo": echo,
    "gate": gate,
    "beat-repeat": beat_repeat,
    "reverb": reverb,
    "combs": combs,
    "crusher": crusher,
}
