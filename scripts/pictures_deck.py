"""Pictures of decks: jumps, loops, hands on the record, speed and pitch, sync.

Owner: `scripts.pictures`. Units: milliseconds or seconds across, full scale 1 up.
"""

from collections.abc import Callable, Mapping
from typing import Final

from scripts.charts import chart
from scripts.scenes import RATE, Line, drawn, hear, render_lines, spectrum, stand, wave


def loop_seam() -> str:
    """A loop of 0.2525 s: the tone's phase does not meet itself at the seam."""
    lines = ((0.5, "/deck/1/loop/in", 1), (0.7525, "/deck/1/loop/out", 1))
    out = hear(*lines, seconds=1.6)
    curves = {"what is heard around the second seam": wave(out, 0.985, 1.025, 1.005)}
    return drawn("The seam of a loop", curves, (-20, -10, 0, 10, 20), "ms")


def mute_ramp() -> str:
    out = hear((0.5, "/deck/1/stem/other/mute", 1), seconds=0.6)
    return drawn("A stem is muted at 0", {"the stem": wave(out, 0.49, 0.51, 0.5)}, (-10, -5, 0, 5, 10), "ms")


def cue_jump() -> str:
    lines = ((0.2013, "/deck/1/hotcue/1/set", 1), (0.5, "/deck/1/hotcue/1/go", 1))
    curves = {"the old place fades out, the new one in": wave(hear(*lines, seconds=0.6), 0.49, 0.51, 0.5)}
    return drawn("A jump to a hot cue at 0", curves, (-10, -5, 0, 5, 10), "ms")


def stem_swap() -> str:
    lines = ((0.0, "/deck/1/source", "mix"), (0.5, "/deck/1/source", "stems"))
    out = hear(*lines, seconds=0.6, song="tone")
    curves = {"the mix (200 Hz), and from 0 on the stem (400 Hz)": wave(out, 0.485, 0.515, 0.5)}
    return drawn("From the mix to stems at 0", curves, (-15, 0, 15), "ms")


def roll() -> str:
    """A quarter of a beat is rolled from 1 to 2 s: then the track is where it would have been."""
    lines = ((1.0, "/deck/1/loop/roll", 0.25), (2.0, "/deck/1/loop/roll", 0.0))
    curves = {"a roll from 1 to 2 s": wave(hear(*lines, seconds=3.0, song="beat"), 0.0, 3.0, unit=1.0)}
    return drawn("A roll of a quarter of a beat", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def stem_loop() -> str:
    """The drums loop a quarter of a beat, the bass goes on; each is drawn by itself."""
    loop = ((1.0, "/deck/1/stem/drums/loop/beats", 0.25), (1.0, "/deck/1/stem/drums/loop/active", 1),
            (2.0, "/deck/1/stem/drums/loop/active", 0))  # fmt: skip
    curves = {}
    for name, other in (("the bass goes on", "drums"), ("the drums loop from 1 to 2 s", "bass")):
        sound = hear(*loop, (0.0, f"/deck/1/stem/{other}/mute", 1), seconds=3.0, song="band")
        curves[name] = wave(sound, 0.0, 3.0, unit=1.0)
    return drawn("A loop of one stem", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def slip_reverse() -> str:
    """Backwards for a beat and a half, with slip: every beat after it is in its place."""
    lines = ((0.0, "/deck/1/slip", 1), (0.75, "/deck/1/reverse", 1), (1.5, "/deck/1/reverse", 0))
    curves = {"backwards from 0.75 to 1.5 s": wave(hear(*lines, seconds=3.0, song="beat"), 0.0, 3.0, unit=1.0)}
    return drawn("Reverse with slip", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def quantised_jump() -> str:
    """A hot cue is pressed between two beats: the beat goes on."""
    lines = ((0.0, "/deck/1/quantize", 1), (0.5, "/deck/1/hotcue/1/set", 1), (1.7, "/deck/1/hotcue/1/go", 1))
    curves = {"to a hot cue at 1.7 s, quantised": wave(hear(*lines, seconds=3.0, song="beat"), 0.0, 3.0, unit=1.0)}
    return drawn("A quantised jump", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def wheel() -> str:
    """The wheel of a standing deck: forwards at half the speed, back at twice of it, then at rest."""
    turned: list[Line] = [(0.0, "/deck/1/position", 2.0)]
    for first, last, speed in ((0.1, 0.4, 0.5), (0.5, 0.65, -1.0)):
        steps = range(round((last - first) * 200))
        turned += [(first + step / 200, "/deck/1/jog", speed / 200 / 1.8) for step in steps]
    curves = {"forwards 0.1 to 0.4 s, back 0.5 to 0.65 s": wave(stand(*turned, seconds=0.9), 0.0, 0.9)}
    return drawn("The wheel of a deck that stands", curves, (0, 100, 200, 300, 400, 500, 600, 700, 800, 900), "ms")


def scratch() -> str:
    """A hand goes back and forth over a tenth of a second."""
    lines: list[Line] = [(0.1, "/deck/1/touch", 1), (0.7, "/deck/1/touch", 0)]
    for step in range(100):
        place = 0.05 * (1 - abs(step % 40 - 20) / 10)
        lines.append((0.15 + step / 200, "/deck/1/scratch", place))
    curves = {"a hand on the record from 0.1 to 0.7 s": wave(hear(*lines, seconds=0.9), 0.0, 0.9)}
    return drawn("A scratch", curves, (0, 100, 200, 300, 400, 500, 600, 700, 800, 900), "ms")


def brake() -> str:
    curves = {"brake at 0.5 s": wave(hear((0.5, "/deck/1/brake", 1), seconds=2.0), 0.4, 2.0, unit=1.0)}
    return drawn("A brake", curves, (0.4, 0.8, 1.2, 1.6, 2.0), "s")


def spin_back() -> str:
    lines = ((0.0, "/deck/1/position", 3.0), (0.5, "/deck/1/spinback", 1))
    curves = {"spin-back at 0.5 s": wave(hear(*lines, seconds=2.0), 0.4, 2.0, unit=1.0)}
    return drawn("A spin-back", curves, (0.4, 0.8, 1.2, 1.6, 2.0), "s")


def keylock() -> str:
    """The spectrum of a tone of 200 Hz at 0.8 of its speed, with keylock, without, and three semitones higher."""
    curves = {}
    for name, lock, pitch in (("keylock on", 1, 0.0), ("keylock off", 0, 0.0), ("and 3 semitones up", 1, 3.0)):
        lines = ((0.0, "/deck/1/rate", 0.8), (0.0, "/deck/1/keylock", lock), (0.0, "/deck/1/pitch", pitch))
        curves[name] = spectrum(hear(*lines, seconds=3.0)[RATE : RATE * 5 // 2], (120, 280))
    across = [(hz, f"{hz} Hz") for hz in (120, 160, 200, 240, 280)]
    up = [(db, f"{db} dB") for db in (-90, -60, -30, 0)]
    return chart("A tone of 200 Hz at 0.8 of its speed", curves, across, up, logarithmic=False)


def sync() -> str:
    """Two drums, 120 and 133 beats a minute; the second follows from 2 s on. Each is heard on a side of its own."""
    lines: list[Line] = []
    for deck, song, pan in ((1, "beat", -1.0), (2, "fast", 1.0)):
        path = f"/deck/{deck}"
        lines += [(0.0, f"{path}/assign", "thru"), (0.0, f"{path}/load", song), (0.0, f"{path}/stem/drums/pan", pan),
                  (0.0, f"{path}/play", 1)]  # fmt: skip
    sound = render_lines([*lines, (2.0, "/deck/2/sync", 1)], 4.0)
    curves = {"the deck that leads": wave(sound[:, 0], 0.0, 4.0, unit=1.0),
              "the other; it follows from 2 s on": wave(sound[:, 1], 0.0, 4.0, unit=1.0)}  # fmt: skip
    return drawn("Two decks, in sync from 2 s on", curves, (0, 1, 2, 3, 4), "s")


DRAWN: Final[Mapping[str, Callable[[], str]]] = {
    "loop-seam": loop_seam,
    "mute": mute_ramp,
    "cue-jump": cue_jump,
    "stem-swap": stem_swap,
    "roll": roll,
    "stem-loop": stem_loop,
    "slip-reverse": slip_reverse,
    "quantised-jump": quantised_jump,
    "wheel": wheel,
    "scratch": scratch,
    "brake": brake,
    "spin-back": spin_back,
    "keylock": keylock,
    "sync": sync,
}
