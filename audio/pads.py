"""The sampler's memory in the engine: one block of shared memory a pad, filled whole by the filler child.

    load --> memory --descriptor--> filler --> filled --> kernel
                                                 '------> what the pad held is let go of when nothing sounds of it

Owner: the engine's loop thread. Units: frames at the engine rate; banks and pads 0-based; seconds; bytes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import anyio

from audio.errors import EngineBusy, LoadRefused
from audio.fill_messages import FillPad, PadFilled, ToFiller
from audio.host import HostBusy, KernelHost, SlotMemory
from audio.source import PadSource, stretch_frames
from audio.store import SlotStore
from audio.units import BANKS, LONGEST_SAMPLE_S, PADS

MOST_BYTES: Final = 512 << 20
"""Memory of all pads together."""

FILL_TIMEOUT_S: Final = 20.0


@dataclass(slots=True)
class _Sample:
    """What a pad holds, or is about to."""

    number: int
    source: PadSource
    store: SlotStore
    first: int
    lead: int
    filled: anyio.Event = field(default_factory=anyio.Event)
    fault: str = ""


class Pads:
    """All pads. `leave` takes memory that the kernel may still read, `given` notes memory that it knows."""

    def __init__(
        self,
        rate: int,
        host: KernelHost,
        *,
        send: Callable[[ToFiller, list[int]], None],
        given: Callable[[SlotStore], None],
        leave: Callable[[list[SlotStore]], None],
    ) -> None:
        self._rate, self._host = rate, host
        self._send, self._given, self._leave = send, given, leave
        self._held: dict[tuple[int, int], _Sample] = {}
        self._coming: dict[int, _Sample] = {}
        self._newest: dict[tuple[int, int], int] = {}
        self._numbers = 0

    async def load(self, bank: int, pad: int, source: PadSource | None) -> None:
        """Give a pad a sample, return when it can be hit; or empty it. Raises LoadRefused, OutOfMemory, EngineBusy."""
        if not (0 <= bank < BANKS and 0 <= pad < PADS):
            raise LoadRefused(f"there is no pad {pad + 1} in bank {bank + 1}")
        place = bank, pad
        held = self._held.get(place)
        self._numbers += 1
        self._newest[place] = self._numbers
        if source is None:
            if held is not None:
                self._swap(place, None)
            return
        if held is not None and held.source == source:
            return
        sample = self._begin(place, source)
        try:
            with anyio.move_on_after(FILL_TIMEOUT_S):
                await sample.filled.wait()
            if not sample.filled.is_set():
                raise LoadRefused(f"{source.path.name} could not be read in {FILL_TIMEOUT_S:.0f} s")
            if sample.fault:
                raise LoadRefused(sample.fault)
            if self._newest[place] != sample.number:
                raise LoadRefused("another sample was put on the pad meanwhile")
            self._swap(place, sample)
        except BaseException:
            sample.store.close()
            raise
        finally:
            self._coming.pop(sample.number, None)

    def hear(self, message: PadFilled) -> None:
        """Take what the filler says."""
        sample = self._coming.get(message.number)
        if sample is not None:
            sample.fault = message.fault
            sample.filled.set()

    def refill(self) -> None:
        """Tell a new filler of what the one before has not finished."""
        for sample in self._coming.values():
            self._ask(sample)

    def _begin(self, place: tuple[int, int], source: PadSource) -> _Sample:
        if not (math.isfinite(source.start_s) and math.isfinite(source.stop_s) and 0 <= source.start_s < source.stop_s):
            raise LoadRefused(f"{source.path.name} has no stretch from {source.start_s:g} s to {source.stop_s:g} s")
        if source.stop_s - source.start_s > LONGEST_SAMPLE_S + 1e-6:
            raise LoadRefused(f"a pad plays {LONGEST_SAMPLE_S:g} s at most")
        start, lead, stop = stretch_frames(source.start_s, source.stop_s, self._rate)
        samples = [*self._coming.values(), *(held for at, held in self._held.items() if at != place)]
        if sum(sample.store.frames for sample in samples) * 8 + (stop - start) * 8 > MOST_BYTES:
            raise LoadRefused(f"all pads together hold {MOST_BYTES >> 20} MB of sound: empty some first")
        store = SlotStore.create(stop - start, f"pad{place[0] + 1}-{place[1] + 1}")
        sample = _Sample(self._numbers, source, store, start, lead)
        self._coming[sample.number] = sample
        self._ask(sample)
        return sample

    def _ask(self, sample: _Sample) -> None:
        message = FillPad(sample.number, sample.source, self._rate, sample.first, sample.store.frames)
        self._send(message, [sample.store.segment.descriptor])

    def _swap(self, place: tuple[int, int], sample: _Sample | None) -> None:
        """Hand a sample, or none, to the kernel."""
        memory = None
        if sample is not None:
            store = sample.store
            store.prefault(0, store.chunks)
            for chunk in range(store.chunks):
                store.lock(chunk)
            memory = SlotMemory(store.audio[: store.frames], store.ready)
        try:
            self._host.load_pad(*place, memory, 0 if sample is None else sample.lead)
        except HostBusy as fault:
            raise EngineBusy(str(fault)) from fault
        before = self._held.pop(place, None)
        if sample is not None:
            self._given(sample.store)
            self._held[place] = sample
        if before is not None:
            self._leave([before.store])
