"""The sampler's pads in the engine: which stretch of which file each plays.

Owner: the engine's loop thread. Units: frames at the engine rate; banks and pads 0-based; seconds; bytes.
"""

import math
from typing import Final

from audio.errors import LoadRefused
from audio.host import KernelHost, SlotMemory
from audio.samples import Samples
from audio.source import PadSource, stretch_frames
from audio.units import BANKS, LONGEST_SAMPLE_S, PADS

MOST_BYTES: Final = 512 << 20
"""Memory of all pads together."""


class Pads:
    """All pads."""

    def __init__(self, rate: int, host: KernelHost, samples: Samples) -> None:
        """`samples` holds nothing else."""
        self._rate, self._host, self._samples = rate, host, samples

    async def load(self, bank: int, pad: int, source: PadSource | None) -> None:
        """Give a pad a sample, return when it can be hit; or empty it. Raises LoadRefused, OutOfMemory, EngineBusy."""
        if not (0 <= bank < BANKS and 0 <= pad < PADS):
            raise LoadRefused(f"there is no pad {pad + 1} in bank {bank + 1}")
        place, lead = (bank, pad), 0

        def hand(memory: SlotMemory | None) -> None:
            self._host.load_pad(bank, pad, memory, lead)

        if source is None:
            self._samples.clear(place, hand)
            return
        if self._samples.holds(place) == source:
            return
        if not (math.isfinite(source.start_s) and math.isfinite(source.stop_s) and 0 <= source.start_s < source.stop_s):
            raise LoadRefused(f"{source.path.name} has no stretch from {source.start_s:g} s to {source.stop_s:g} s")
        if source.stop_s - source.start_s > LONGEST_SAMPLE_S + 1e-6:
            raise LoadRefused(f"a pad plays {LONGEST_SAMPLE_S:g} s at most")
        first, lead, stop = stretch_frames(source.start_s, source.stop_s, self._rate)
        if (self._samples.frames(place) + stop - first) * 8 > MOST_BYTES:
            raise LoadRefused(f"all pads together hold {MOST_BYTES >> 20} MB of sound: empty some first")
        await self._samples.put(place, source, f"pad{bank + 1}-{pad + 1}", first, stop, hand)
