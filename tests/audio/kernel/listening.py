"""What the kernel's tests share: signals, hosts that play them, and ways to listen.

Units: frames at 48 kHz; levels linear, full scale 1.0.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from audio.commands import CommandKind, Commands, command, join
from audio.host import KernelHost, SlotMemory
from audio.units import ENGINE_RATE

Sound = npt.NDArray[np.float32]
FADE = 240
"""Frames of every ramp at 48 kHz."""


def tone(frames: int, hz: float = 440.0, level: float = 0.5) -> Sound:
    """Return a sine left and a cosine right."""
    phase = 2 * np.pi * hz * np.arange(frames) / ENGINE_RATE
    return (level * np.stack([np.sin(phase), np.cos(phase)], axis=1)).astype(np.float32)


def constant(frames: int, level: float = 0.5) -> Sound:
    """Return a constant: every gain is heard as it is."""
    return np.full((frames, 2), level, np.float32)


def noise(frames: int, seed: int, level: float = 0.1) -> Sound:
    """Return seeded noise."""
    return (level * np.random.default_rng(seed).standard_normal((frames, 2))).astype(np.float32)


def stems_of(frames: int, count: int = 4) -> dict[int, Sound]:
    """Return stems on a coarse grid, so that their float32 sum is exact in any order."""
    return {slot: np.round(noise(frames, slot) * 2**12).astype(np.float32) / np.float32(2**12) for slot in range(count)}


def mixed(stems: Mapping[int, Sound]) -> Sound:
    """Return the sum of `stems`."""
    return np.sum(list(stems.values()), axis=0, dtype=np.float32)


def whole(stems: Mapping[int, Sound]) -> dict[int, SlotMemory]:
    """Return `stems` as memory that is all there."""
    return {slot: SlotMemory.whole(sound) for slot, sound in stems.items()}


def on(deck: int = 0, frame: int = 0) -> Commands:
    """Return a command that plays."""
    return command(CommandKind.DECK_PLAY, deck, a=1, frame=frame)


def off(deck: int = 0, frame: int = 0) -> Commands:
    """Return a command that pauses."""
    return command(CommandKind.DECK_PLAY, deck, a=0, frame=frame)


def host_with(
    sound: Sound, *commands: Commands, stems: Mapping[int, SlotMemory] | None = None, position: int = 0
) -> KernelHost:
    """Return a host with `sound` on deck 0, which goes straight to the master."""
    host = KernelHost()
    host.load(0, 1, SlotMemory.whole(sound), position, stems)
    host.send(join([command(CommandKind.DECK_ASSIGN, 0, a=1), *commands]))
    return host


def in_blocks(host: KernelHost, blocks: Iterable[int]) -> Sound:
    """Render blocks of the given sizes and return them as one."""
    return np.concatenate([host.render(block) for block in blocks])


def steps(sound: Sound) -> npt.NDArray[np.float64]:
    """Return the size of the step before each frame, the larger of both channels."""
    return np.abs(np.diff(sound.astype(np.float64), axis=0)).max(axis=1)


def decibels(ratio: float) -> float:
    """Return a level ratio in dB; -400 for nothing."""
    return 20.0 * float(np.log10(max(ratio, 1e-20)))


def kinds(events: npt.NDArray[Any]) -> list[int]:
    """Return the kinds of `events`, in order."""
    return [int(kind) for kind in events["kind"]]
