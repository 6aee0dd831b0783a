"""The audio package's settings, read once and passed down.

Owner: whoever built it; frozen. The environment and files are read by the server, never here.
Units: block in frames, channels counted singly, rate in Hz, memory in MiB, times in seconds.
"""

import os
from dataclasses import dataclass
from typing import Final

from audio.units import MOST_CHANNELS

RATES: Final = (44_100, 48_000, 88_200, 96_000)
"""Engine rates in Hz that may be asked for."""

BLOCK_RANGE: Final = (16, 4096)
"""Smallest and largest block in frames."""


def default_memory_mib() -> int:
    """Three tenths of the machine's memory in MiB, between 512 and 6144: what decks may hold decoded."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 1024
    return max(512, min(6144, int(total * 0.3) >> 20))


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """How the engine runs. Every fault is collected by `faults`, so that all can be shown together."""

    #: `auto` (the default output, else no device), `null` (a timer), or part of a device's name.
    device: str = "auto"
    #: What is heard: nothing (empty), `auto` (the output's own device, else the default input), or part of a name.
    source: str = ""
    #: Frames per block.
    block: int = 128
    #: Output channels to play on; 0 takes what the device has, where it can be believed.
    channels: int = 0
    #: Engine rate in Hz, fixed for a run.
    rate: int = 48_000
    #: Memory in MiB that decoded audio of all decks may take; 0 lets the machine decide.
    memory_mib: int = 0
    #: Seconds around each playhead that are locked in memory, where the system allows it.
    lock_s: float = 12.0
    #: Seconds without a server, and with nothing playing, after which the engine ends itself.
    orphan_s: float = 600.0

    def __post_init__(self) -> None:
        faults = self.faults()
        if faults:
            raise ValueError("; ".join(faults))

    def faults(self) -> list[str]:
        """Sentences about values that cannot be used; empty when all is well."""
        found = []
        if not self.device:
            found.append("audio device is empty: use auto, null or part of a device's name")
        if not BLOCK_RANGE[0] <= self.block <= BLOCK_RANGE[1]:
            found.append(f"audio block {self.block} is outside {BLOCK_RANGE[0]} to {BLOCK_RANGE[1]} frames")
        if self.channels not in range(0, MOST_CHANNELS + 1, 2):
            found.append(f"audio channels {self.channels} is not 0 (what the device has), 2, 4, 6 or {MOST_CHANNELS}")
        if self.rate not in RATES:
            found.append(f"audio rate {self.rate} Hz is not one of {', '.join(map(str, RATES))}")
        if self.memory_mib and self.memory_mib < 64:
            found.append(f"audio memory {self.memory_mib} MiB is below 64 MiB")
        if self.lock_s < 0 or self.orphan_s <= 0:
            found.append("audio lock_s and orphan_s must be positive seconds")
        return found

    @property
    def memory_bytes(self) -> int:
        """Budget in bytes for decoded audio."""
        return (self.memory_mib or default_memory_mib()) << 20
