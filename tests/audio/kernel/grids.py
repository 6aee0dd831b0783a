"""What the transport's tests share: grids, hosts that play on them, and where a deck is.

Units: frames at 48 kHz; beats.
"""

from collections.abc import Sequence

import numpy as np

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.listening import Sound, noise

BEAT = 24_000
"""Frames of a beat at 120 a minute."""


def even(beats: int, step: float = BEAT, first: float = 0.0) -> np.ndarray:
    """Return the places of `beats` beats, `step` frames apart."""
    return first + step * np.arange(beats)


def drifting(beats: int, bpm: float, depth: float, turns: float) -> np.ndarray:
    """Return beats whose tempo swings by `depth` around `bpm`, `turns` times."""
    tempo = bpm * (1.0 + depth * np.sin(2 * np.pi * turns * np.arange(beats) / beats))
    return np.concatenate([[0.0], np.cumsum(60.0 * 48_000 / tempo)])[:beats]


def host_on_grid(
    sound: Sound,
    *commands: Commands,
    beats: Sequence[float] | np.ndarray | None = None,
    position: int = 0,
    origin: float = 0.0,
) -> KernelHost:
    """Return a host with `sound` and a grid of 120 beats a minute on deck 0, which goes straight to the master."""
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(sound), position)
    host.set_grid(0, 1, even(len(sound) // BEAT + 2) if beats is None else beats, origin)
    host.send(join([command(CommandKind.DECK_ASSIGN, 0, a=1), *commands]))
    return host


def track(frames: int, seed: int = 7) -> Sound:
    """Return noise in which every frame differs: a place is heard exactly."""
    return noise(frames, seed)


def ask(kind: CommandKind, a: float = 0.0, frame: int = 0, slot: int = 0, deck: int = 0, b: float = 0.0) -> Commands:
    """Return one command for deck 0."""
    return command(kind, deck, slot, a, b, frame)


def place(host: KernelHost, deck: int = 0) -> float:
    """Return where a deck is, in track frames."""
    return float(host.snapshot()["decks"][deck]["position"])
