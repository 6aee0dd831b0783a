"""Sound that is filled whole before it is played: one block of shared memory each, filled by the filler child.

    put --> memory --descriptor--> filler --> filled --> handed to the kernel
                                                '------> what the place held is let go of when nothing sounds of it

Owner: the engine's loop thread. Units: frames at the engine rate; seconds; bytes.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

import anyio

from audio.errors import EngineBusy, LoadRefused
from audio.fill_messages import FillPad, PadFilled, ToFiller
from audio.host import HostBusy, SlotMemory
from audio.source import PadSource
from audio.store import SlotStore

FILL_TIMEOUT_S: Final = 20.0

Hand = Callable[[SlotMemory | None], None]
"""Gives the kernel what a place holds from now on, or nothing. Raises HostBusy."""


@dataclass(slots=True)
class _Sample:
    """What a place holds, or is about to."""

    number: int
    source: PadSource
    store: SlotStore
    first: int
    filled: anyio.Event = field(default_factory=anyio.Event)
    fault: str = ""


class Samples:
    """What all places hold. `leave` takes memory that the kernel may still read, `given` notes memory that it knows."""

    def __init__(
        self,
        rate: int,
        numbers: Iterator[int],
        *,
        send: Callable[[ToFiller, list[int]], None],
        given: Callable[[SlotStore], None],
        leave: Callable[[list[SlotStore]], None],
    ) -> None:
        """`numbers` tell apart what is asked of the filler, by whomever."""
        self._rate = rate
        self._send, self._given, self._leave = send, given, leave
        self._held: dict[Hashable, _Sample] = {}
        self._coming: dict[int, tuple[Hashable, _Sample]] = {}
        self._newest: dict[Hashable, int] = {}
        self._numbers = numbers

    def holds(self, place: Hashable) -> PadSource | None:
        """Return what a place plays."""
        return self._held[place].source if place in self._held else None

    def frames(self, but: Hashable) -> int:
        """Return the frames of all places, and of what is on its way; not of what the place `but` holds."""
        held = sum(sample.store.frames for place, sample in self._held.items() if place != but)
        return held + sum(sample.store.frames for _, sample in self._coming.values())

    def clear(self, place: Hashable, hand: Hand) -> None:
        """Empty a place. Raises EngineBusy."""
        self._begin(place)
        if place in self._held:
            self._swap(place, None, hand)

    def forget(self, place: Hashable) -> None:
        """Let go of what a place holds, which the kernel plays no longer."""
        self._begin(place)
        held = self._held.pop(place, None)
        if held is not None:
            self._leave([held.store])

    async def put(self, place: Hashable, source: PadSource, label: str, first: int, stop: int, hand: Hand) -> None:
        """Fill memory with frames `first` to `stop` of a source and hand it over. Raises LoadRefused, OutOfMemory,
        EngineBusy."""
        sample = _Sample(self._begin(place), source, SlotStore.create(stop - first, label), first)
        self._coming[sample.number] = place, sample
        self._ask(sample)
        try:
            with anyio.move_on_after(FILL_TIMEOUT_S):
                await sample.filled.wait()
            if not sample.filled.is_set():
                raise LoadRefused(f"{source.path.name} could not be read in {FILL_TIMEOUT_S:.0f} s")
            if sample.fault:
                raise LoadRefused(sample.fault)
            if self._newest[place] != sample.number:
                raise LoadRefused("something else was put there meanwhile")
            self._swap(place, sample, hand)
        except BaseException:
            sample.store.close()
            raise
        finally:
            self._coming.pop(sample.number, None)

    def hear(self, message: PadFilled) -> None:
        """Take what the filler says."""
        if message.number in self._coming:
            _, sample = self._coming[message.number]
            sample.fault = message.fault
            sample.filled.set()

    def refill(self) -> None:
        """Tell a new filler of what the one before has not finished."""
        for _, sample in self._coming.values():
            self._ask(sample)

    def _begin(self, place: Hashable) -> int:
        number = next(self._numbers)
        self._newest[place] = number
        return number

    def _ask(self, sample: _Sample) -> None:
        message = FillPad(sample.number, sample.source, self._rate, sample.first, sample.store.frames)
        self._send(message, [sample.store.segment.descriptor])

    def _swap(self, place: Hashable, sample: _Sample | None, hand: Hand) -> None:
        """Hand a sample, or none, to the kernel."""
        memory = None
        if sample is not None:
            store = sample.store
            store.prefault(0, store.chunks)
            for chunk in range(store.chunks):
                store.lock(chunk)
            memory = SlotMemory(store.audio[: store.frames], store.ready)
        try:
            hand(memory)
        except HostBusy as fault:
            raise EngineBusy(str(fault)) from fault
        before = self._held.pop(place, None)
        if sample is not None:
            self._given(sample.store)
            self._held[place] = sample
        if before is not None:
            self._leave([before.store])
