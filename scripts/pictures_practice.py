"""Pictures of practice, pads and setlists.

Owner: `scripts.pictures`. Units: seconds across, full scale 1 up.
"""

from collections.abc import Callable, Mapping
from typing import Final

from scripts.charts import chart
from scripts.scenes import Line, drawn, hear, loudness, render_lines, render_setlist, stand, wave


def count_in() -> str:
    """Four clicks in the song's tempo, then the song, on which the click goes on."""
    lines: list[Line] = [(0.0, "/deck/1/countin", 4), (0.0, "/deck/1/click", 1), (0.1, "/deck/1/play", 1)]
    lines.append((0.0, "/deck/1/click/volume", 0.3))
    sound = stand(*lines, seconds=4.2, song="band")
    curves = {"play at 0.1 s: four clicks, then the song with its click": wave(sound, 0.0, 4.2, unit=1.0)}
    return drawn("Count-in and click", curves, (0, 0.6, 1.2, 1.8, 2.4, 3.0, 3.6, 4.2), "s", top=0.8)


def mute_region() -> str:
    curves = {"the drums are mute from 1 to 2 s": wave(
        hear((0.0, "/deck/1/stem/drums/mutes", "1-2"), seconds=3.0, song="band"), 0.0, 3.0, unit=1.0
    )}  # fmt: skip
    return drawn("A stem that is mute in a stretch", curves, (0, 0.5, 1, 1.5, 2, 2.5, 3), "s")


def trainer() -> str:
    """A loop of two beats, from half the speed to the full one, up after each pass."""
    lines: list[Line] = [(0.0, "/deck/1/loop/beats", 2), (0.2, "/deck/1/loop/again", 1)]
    lines += [(0.2, f"/deck/1/trainer/{name}", value) for name, value in (
        ("start", 0.5), ("step", 0.1), ("every", 1), ("on", 1)
    )]  # fmt: skip
    sound = stand(*lines, seconds=8.0, song="beat")
    curves = {"passes, each a tenth of the speed faster than the one before": wave(sound, 0.0, 8.0, unit=1.0)}
    return drawn("The speed trainer", curves, (0, 1, 2, 3, 4, 5, 6, 7, 8), "s")


def pads() -> str:
    """Two pads of one choke group: the second silences the first."""
    lines: list[Line] = [(0.0, "/pad/1/source", "steady"), (0.0, "/pad/2/source", "tone")]
    lines += [(0.0, f"/pad/{pad}/choke", "1") for pad in (1, 2)]
    lines += [(0.2, "/pad/1", 1.0), (0.3, "/pad/2", 0.5), (0.4, "/pad/stop", 1)]
    curves = {"pad 1 at 0.2 s, pad 2 at half the velocity at 0.3 s, stop at 0.4 s": wave(
        render_lines(lines, 0.5)[:, 0], 0.18, 0.42, unit=1.0
    )}  # fmt: skip
    return drawn("Pads that choke each other", curves, (0.2, 0.25, 0.3, 0.35, 0.4), "s")


def sequencer() -> str:
    """Sixteenths on one pad, accents and swing."""
    lines: list[Line] = [(0.0, "/pad/1/source", "beat@0-0.1"), (0.0, "/sequencer/pattern/1", "9.5.9.5593.5.9.5"),
                         (0.0, "/sequencer/swing", 0.3), (0.2, "/sequencer/run", 1)]  # fmt: skip
    curves = {"a pattern of 16 steps, with swing": wave(render_lines(lines, 2.4)[:, 0], 0.0, 2.4, unit=1.0)}
    return drawn("The step sequencer", curves, (0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4), "s")


_SET: Final = """
[[entry]]
track = "first"
end = 4.0
[[entry]]
track = "second"
transition = "{transition}"
seconds = 2
quantize = false
"""


def setlist_fade() -> str:
    """The levels of both decks over a fade of two seconds that ends at 4 s."""
    text = _SET.format(transition="fade")
    curves = {name: loudness(render_setlist(text, 6.0, bus)[:, 0], 0.0, 6.0, 0.1)
              for name, bus in (("the first track", "deck1"), ("the second", "deck2"))}  # fmt: skip
    across = [(second, f"{second} s") for second in range(7)]
    up = [(0.0, "0"), (0.3, "0.3"), (0.6, "0.6"), (0.9, "0.9")]
    return chart("A fade of a setlist", curves, across, up, logarithmic=False)


DRAWN: Final[Mapping[str, Callable[[], str]]] = {
    "count-in": count_in,
    "mute-region": mute_region,
    "trainer": trainer,
    "pads": pads,
    "sequencer": sequencer,
    "setlist-fade": setlist_fade,
}
