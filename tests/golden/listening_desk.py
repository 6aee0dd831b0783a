"""A scene of four playing decks that is rendered twice, with a control moved and without, on every bus at once."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from audio.host import KernelHost
from audio.units import BUS_CHANNELS, BUSES, DECKS, MOST_CHANNELS, STEMS
from control.control import Value
from server.render import _House, _Player
from server.session.script import TimedIntent

RATE = 16_000
SECONDS = 2.4
BEAT_S = 0.5
SONG_S = 6.0
SETTLED = round(0.02 * RATE)
"""Frames after which every ramp has ended."""

KEPT = 8
"""Renders that are kept, so that a scene that many controls share is rendered once."""

Audio = np.ndarray
Line = tuple[float, str, Value]


class House(_House):
    """The scene's material, kept for all renders."""

    KEPT = 2 * DECKS


class _Ears:
    """Takes all buses in place of a file."""

    def __init__(self) -> None:
        self.blocks: list[Audio] = []

    def write(self, block: Audio) -> None:
        self.blocks.append(block.copy())


@dataclass(frozen=True)
class Heard:
    """All channels of a render, and the values that the session ended with."""

    channels: Audio
    controls: dict[str, Value]
    warnings: tuple[str, ...]

    def bus(self, name: str) -> Audio:
        """Return (frames, 2) of the master, a bus, or a pair of device channels such as `7-8`."""
        if name == "master":
            first = 0
        elif name in BUSES:
            first = MOST_CHANNELS + 2 * BUSES.index(name)
        else:
            first = int(name.split("-")[0]) - 1
        return self.channels[:, first : first + 2]


def material(folder: Path) -> Path:
    """Write two songs of noise for each deck, six stems and a mix that is their sum, with a grid of 120 beats a minute;
    the second has a take beside it."""
    beats = np.arange(0, SONG_S, BEAT_S)
    for deck, name in itertools.product(range(1, DECKS + 1), ("song", "next")):
        song = folder / f"{name}{deck}"
        song.mkdir(parents=True)
        for slot, stem in enumerate(STEMS):
            noise = np.random.default_rng([deck, slot, len(name) + ord(name[0])])
            wave = noise.uniform(-0.05, 0.05, (round(SONG_S * RATE), 2)).astype(np.float32)
            soundfile.write(song / f"{stem}.wav", wave, RATE, subtype="FLOAT")
        if name == "next":
            wave = np.random.default_rng([deck, 99]).uniform(-0.2, 0.2, (round(SONG_S * RATE), 2)).astype(np.float32)
            soundfile.write(song / "take.wav", wave, RATE, subtype="FLOAT")
        downbeats = beats[::4].tolist()
        sections = '[{"start": 0, "end": 1, "label": "intro"}, {"start": 1, "end": 3, "label": "verse"}]'
        text = f'{{"beats": {beats.tolist()}, "downbeats": {downbeats}, "sections": {sections}}}'
        (song / "analysis.json").write_text(text)
    return folder


class Desk:
    """Renders scenes. One kernel a render, the material decoded once."""

    def __init__(self, folder: Path) -> None:
        self._script = material(folder) / "scene.jsonl"
        self._house = House(self._script, RATE, None)
        self._recent: dict[tuple[Line, ...], Heard] = {}
        self.start: tuple[Line, ...] = tuple(
            line
            for deck in range(1, DECKS + 1)
            for line in (
                (0.0, f"/deck/{deck}/load", f"song{deck}"),
                (0.0, f"/deck/{deck}/assign", "thru"),
                (0.0, f"/deck/{deck}/play", 1),
            )
        )

    def hear(self, lines: Iterable[Line]) -> Heard:
        """Return what the four decks sound like with `lines`."""
        wanted = tuple(sorted((*self.start, *lines), key=lambda line: line[0]))
        heard = self._recent.pop(wanted, None) or self._render(wanted)
        self._recent[wanted] = heard
        while len(self._recent) > KEPT:
            del self._recent[next(iter(self._recent))]
        return heard

    def _render(self, lines: tuple[Line, ...]) -> Heard:
        ears = _Ears()
        player = _Player(self._house, RATE, 128, "master", ears, _deaf)  # type: ignore[arg-type]
        player._host = KernelHost(RATE, BUS_CHANNELS, looks_ahead=True)
        player._heard_channels = slice(0, BUS_CHANNELS)
        intents = [TimedIntent(at, path, value, n) for n, (at, path, value) in enumerate(lines, start=1)]
        player.play(intents, round(SECONDS * RATE))
        return Heard(np.concatenate(ears.blocks), dict(player.state.controls), tuple(player.warnings))


def _deaf(seconds: float) -> None:
    """Hear nothing of the progress."""


def level(part: Audio) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(part, dtype=np.float64))))


def brightness(part: Audio) -> float:
    """Return how strong the differences between neighbours are beside the sound itself; 1.41 for white noise."""
    return level(np.diff(part, axis=0)) / max(level(part), 1e-9)


Law = Callable[[Audio, Audio], bool]
"""Says whether the second sound is to the first as the control promises. Both (frames, 2), after the ramps."""


def differs(before: Audio, after: Audio) -> bool:
    return level(after - before) > 0.02 * level(before)


def silent(before: Audio, after: Audio) -> bool:
    return level(before) > 0.01 and level(after) < 1e-4


def appears(before: Audio, after: Audio) -> bool:
    return level(before) < 1e-6 and level(after) > 0.005


def quieter(before: Audio, after: Audio) -> bool:
    return level(after) < 0.99 * level(before)


def louder(before: Audio, after: Audio) -> bool:
    return level(after) > 1.03 * level(before)


def darker(before: Audio, after: Audio) -> bool:
    return quieter(before, after) and brightness(after) < 0.995 * brightness(before)


def thinner(before: Audio, after: Audio) -> bool:
    return level(after) < 0.995 * level(before) and brightness(after) > 1.004 * brightness(before)


def to_the_right(before: Audio, after: Audio) -> bool:
    return level(after[:, 0]) < 0.97 * level(before[:, 0]) and level(after[:, 1]) > 0.99 * level(before[:, 1])
