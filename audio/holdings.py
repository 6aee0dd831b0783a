"""What the kernel may read, kept alive until it and the stretchers have let go of it.

Owner: KernelHost; the key of each thing is the address of its audio, or of a grid's beats. Units: none.
"""

from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from audio.kernel.layout import HOST_CAPACITY
from audio.rings import Record, fence
from audio.stretcher import Stretchers
from audio.units import STEM_SLOTS

Memory = TypeVar("Memory")

_TRIES: Final = 1000


class Holdings(Generic[Memory]):
    """Keeps memories and grids of a kernel's state. Thread-safe: no. Realtime-safe: no, but the kernel never waits."""

    def __init__(self, state: Record, stretchers: Stretchers) -> None:
        """`state`: the kernel's STATE."""
        self._state, self._stretchers = state, stretchers
        self.memories: dict[int, Memory] = {}
        self.grids: dict[int, npt.NDArray[np.float64]] = {}

    def collect(self) -> list[Memory]:
        """Forget what is no longer in use, and return the memories among it; nothing while that cannot be seen."""
        held = self._in_use()
        if held is None:
            return []
        for key in [key for key in self.grids if key not in held]:
            del self.grids[key]
        gone = [key for key in self.memories if key not in held]
        return [self.memories.pop(key) for key in gone]

    def _in_use(self) -> set[int] | None:
        """Return the addresses that the kernel may still read; None when it or a stretcher was at it."""
        state = self._state
        for _ in range(_TRIES):
            busy = int(state["busy"])
            if busy % 2:
                continue
            fence()
            held = _read_by(state)
            stretched = self._stretchers.in_use()
            fence()
            if int(state["busy"]) == busy:
                return None if stretched is None else held | stretched
        return None


def _read_by(state: Any) -> set[int]:
    held = {int(address) for address in state["decks"]["grid"]["beats"]}
    tapes = state["decks"]["tapes"]
    for tape in tapes[tapes["used"] != 0]:
        held.update((int(tape["mix"]["audio"]), int(tape["take"]["audio"])))
        held.update(int(tape["stems"][slot]["audio"]) for slot in range(STEM_SLOTS) if tape["mask"] >> slot & 1)
    pads, voices = state["sampler"]["pads"], state["sampler"]["voices"]
    held.update(int(address) for address in pads["slot"]["audio"])
    held.update(int(address) for address in voices[voices["active"] != 0]["slot"]["audio"])
    for place in range(int(state["host_consumed"]["head"]), int(state["host_produced"]["tail"])):
        record = state["host_commands"][place % HOST_CAPACITY]
        held.update((int(record["mix"]["audio"]), int(record["grid"]["beats"])))
        held.update(int(address) for address in record["stems"]["audio"])
    return held
