"""The takes in the engine: what plays beside the track of each deck, in memory as a whole.

Owner: the engine's loop thread. Units: frames at the engine rate; decks 0-based; seconds.
"""

import math
from typing import Final

from audio.errors import LoadRefused
from audio.host import KernelHost, SlotMemory
from audio.samples import Samples
from audio.source import PadSource
from audio.units import DECKS

LONGEST_S: Final = 3600.0
"""No take ends later in its track."""


class Takes:
    """The take of each deck."""

    def __init__(self, rate: int, host: KernelHost, samples: Samples) -> None:
        """`samples` holds nothing else."""
        self._rate, self._host, self._samples = rate, host, samples
        self._tokens = [0] * DECKS

    async def load(self, deck: int, token: int, source: PadSource | None) -> None:
        """Let a file that begins with the track play beside it up to `stop_s`, or nothing; return when it does.

        Without effect when the deck holds another track by then. Raises LoadRefused, OutOfMemory, EngineBusy.
        """
        if not 0 <= deck < DECKS or not 0 < token < 1 << 64:
            raise LoadRefused(f"there is no deck {deck + 1} with a track {token}")

        def hand(memory: SlotMemory | None) -> None:
            self._host.load_take(deck, token, memory)

        if self._tokens[deck] != token:
            self._samples.forget(deck)
            self._tokens[deck] = token
        if source is None:
            self._samples.clear(deck, hand)
            return
        if self._samples.holds(deck) == source:
            return
        if not math.isfinite(source.stop_s) or not 0.0 < source.stop_s <= LONGEST_S:
            raise LoadRefused(f"a take ends within {LONGEST_S:g} s of the start of its track")
        stop = max(1, round(source.stop_s * self._rate))
        await self._samples.put(deck, source, f"take{deck + 1}", 0, stop, hand)

    def forget(self, deck: int, token: int) -> None:
        """Let go of the take of a deck that holds the track `token` now, 0 for none, if it was another's."""
        if self._tokens[deck] != token:
            self._tokens[deck] = 0
            self._samples.forget(deck)
