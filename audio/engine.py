"""The engine: kernel, decks' memory, device and control socket, in one process that outlives the server.

Owner: one event-loop thread. Python here may stall without harm: compiled code makes the sound.
Units: frames at the engine rate; decks and slots 0-based; seconds.

    unix socket --> Engine --> Residency --> filler child --> slot memory --> kernel --> device or timer
                      '-----> KernelHost (pointers) --------------------------^ ^
    shared block (commands, events, snapshot, clock, master) <------------------'
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final

import anyio
import anyio.to_thread

from audio.block import VERSION
from audio.commands import EventKind
from audio.control_messages import (
    Answer,
    DeckReport,
    DeclareStems,
    Done,
    Eject,
    Hello,
    Load,
    LoadPad,
    LoadTake,
    Quit,
    Refused,
    Request,
    SetGrid,
    SlotReport,
    Status,
    StatusReport,
    StemRanges,
)
from audio.devices import DeviceKeeper
from audio.errors import AudioError, EngineBusy, LoadRefused
from audio.fill_messages import Awake, PadFilled, ToEngine, ToFiller
from audio.filler_link import FillerLink
from audio.host import HostBusy, KernelHost, SlotMemory
from audio.pads import Pads
from audio.residency import Residency, StemSet, Track, source_of
from audio.samples import Samples
from audio.settings import AudioSettings
from audio.store import SlotStore
from audio.takes import Takes
from audio.units import DECKS

MESSAGES_KEPT: Final = 50
TICK_S: Final = 0.02
HOUSEKEEPING_S: Final = 0.1
DEVICE_S: Final = 0.1
LOCK_S: Final = 0.5
LOAD_TIMEOUT_S: Final = 10.0
FILLER_START_S: Final = 15.0
RESPAWN_S: Final = 0.2
"""A filler that dies at once is started again no faster than this."""


class Pending:
    """A load on its way: from the filler's first chunks to the kernel's word that the deck holds it."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.filled = anyio.Event()
        self.fault: str | None = None

    def refuse(self, fault: str) -> None:
        self.fault = fault
        self.filled.set()


class Engine:
    """Everything but the socket's bytes. All methods run on the loop's thread unless they say otherwise."""

    def __init__(self, settings: AudioSettings, host: KernelHost, devices: DeviceKeeper, filler: FillerLink) -> None:
        """`filler`: a child that nobody listens to yet; the engine ends it."""
        self._settings, self._host, self._devices = settings, host, devices
        self._messages: deque[str] = deque(maxlen=MESSAGES_KEPT)
        self._message_count = 0
        self._decks: dict[int, Track] = {}
        self._pending: dict[int, Pending] = {}
        self._binds: deque[tuple[Track, StemSet, StemSet | None]] = deque()
        self._leaving: dict[int, SlotStore] = {}
        #: Addresses of memory that the host knows.
        self._given: set[int] = set()
        self._heard: deque[ToEngine] = deque()
        self._loaded: set[int] = set()
        self._filler = filler
        self._awake = anyio.Event()
        self._filler_ended = False
        self._filler_started_s = 0.0
        self.filler_restarts = 0
        self.servers = 0
        self._last_server_s = time.monotonic()
        self.quitting = anyio.Event()
        self._wake = anyio.Event()
        self._loop = asyncio.get_running_loop().call_soon_threadsafe
        self.residency = Residency(
            settings.rate,
            settings.memory_bytes,
            settings.lock_s,
            send=self._to_filler,
            on_ready=self._ready,
            on_refused=self._refused,
            on_bind=lambda track, new, old: self._binds.append((track, new, old)),
            say=self.say,
        )
        numbers = count(1)
        self._samples = tuple(
            Samples(settings.rate, numbers, send=self._to_filler, given=self._give, leave=self._leave) for _ in range(2)
        )
        self.pads = Pads(settings.rate, host, self._samples[0])
        self.takes = Takes(settings.rate, host, self._samples[1])

    def _give(self, store: SlotStore) -> None:
        self._given.add(store.address)

    def say(self, text: str) -> None:
        """Keep a sentence for the status report. Thread-safe: yes."""
        self._messages.append(text)
        self._message_count += 1

    # Life.

    async def run(self, announce: Callable[[], None]) -> None:
        """Start, `announce` it, and keep house until `quitting` is set."""
        self._listen_to_filler()
        await anyio.to_thread.run_sync(self._devices.start)
        with anyio.move_on_after(FILLER_START_S):
            while not self._awake.is_set():
                self._take_messages()
                await anyio.sleep(0.005)
        self._last_server_s = time.monotonic()
        announce()
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_device)
            group.start_soon(self._keep_house)
            await self.quitting.wait()
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            # A device driver that hangs must not keep the process: the caller ends it all the same.
            with anyio.move_on_after(0.6):
                await anyio.to_thread.run_sync(self._devices.close, abandon_on_cancel=True)
            self._host.stretchers.stop()
            self._filler.process.kill()
            await anyio.to_thread.run_sync(self._filler.close)

    def connected(self) -> None:
        """A server is there."""
        self.servers += 1

    def disconnected(self) -> None:
        """A server has left."""
        self.servers -= 1
        self._last_server_s = time.monotonic()

    async def _keep_device(self) -> None:
        while True:
            await anyio.sleep(DEVICE_S)
            await anyio.to_thread.run_sync(self._devices.check, time.monotonic())

    async def _keep_house(self) -> None:
        housekeeping_s = locks_s = 0.0
        while True:
            with anyio.move_on_after(TICK_S):
                await self._wake.wait()
            self._wake = anyio.Event()
            self.drain()
            now = time.monotonic()
            if self._filler_ended and now - self._filler_started_s > RESPAWN_S:
                self._replace_filler()
            self._host.stretchers.tend(int(self._host.snapshot()["stretch_lost"]))
            # Every tick: a seek to what is not in memory sounds as soon as the filler knows.
            self._follow_playheads()
            if now - housekeeping_s > HOUSEKEEPING_S:
                housekeeping_s = now
                self._free()
                self.residency.settle(now)
                self._end_when_orphaned(now)
            if now - locks_s > LOCK_S:
                locks_s = now
                self.residency.lock_near_playheads()

    def drain(self) -> None:
        """Take what the filler and the kernel have said, and pass on what waits for them."""
        self._take_messages()
        for event in self._host.events():
            if int(event["kind"]) == EventKind.DECK_LOADED:
                self._loaded.add(int(event["token"]))
        while self._binds:
            try:
                self._bind(*self._binds[0])
            except HostBusy:
                break
            self._binds.popleft()

    def _take_messages(self) -> None:
        while self._heard:
            message = self._heard.popleft()
            if isinstance(message, Awake):
                self._awake.set()
            elif isinstance(message, PadFilled):
                for samples in self._samples:
                    samples.hear(message)
            else:
                self.residency.hear(message)

    def _end_when_orphaned(self, now: float) -> None:
        if self.servers or now - self._last_server_s < self._settings.orphan_s:
            return
        if not self._host.snapshot()["decks"]["playing"].any():
            self.quitting.set()

    # Requests.

    async def answer(self, request: Request) -> Answer:
        """Do what a server asks, and say how it went."""
        try:
            match request:
                case Load():
                    await self._load(request)
                case DeclareStems():
                    track = self._track(request.deck, request.token)
                    if track is not None:
                        self.residency.declare(track, request.stems)
                case StemRanges():
                    self._stem_ranges(request)
                case SetGrid():
                    self._set_grid(request)
                case LoadPad():
                    await self.pads.load(request.bank, request.pad, request.source)
                case LoadTake():
                    if self._track(request.deck, request.token) is not None:
                        await self.takes.load(request.deck, request.token, request.source)
                case Eject():
                    self._eject(request)
                case Status():
                    return self.report()
                case Quit():
                    self.quitting.set()
                case Hello():
                    pass
        except AudioError as fault:
            return Refused(type(fault).__name__, str(fault))
        self.drain()
        return Done()

    async def _load(self, request: Load) -> None:
        if not 0 <= request.deck < DECKS:
            raise LoadRefused(f"there is no deck {request.deck + 1}")
        if not 0 < request.token < 1 << 64:
            raise LoadRefused(f"a load's token is a number from 1, not {request.token}")
        earlier = self._pending.get(request.deck)
        if earlier is not None:
            earlier.refuse("another track was loaded on the deck meanwhile")
        pending = Pending(self.residency.hold(request.deck, request.token, request.source))
        track = pending.track
        self._pending[request.deck] = pending
        try:
            with anyio.move_on_after(LOAD_TIMEOUT_S):
                await pending.filled.wait()
            if not pending.filled.is_set():
                raise LoadRefused(f"{request.source.reference.name} could not be read in {LOAD_TIMEOUT_S:.0f} s")
            if pending.fault is not None:
                raise LoadRefused(pending.fault)
            self._loaded.discard(track.token)
            stems = self._given_stems(track.stems) if track.stems is not None else None
            self._given.add(track.mix.address)
            self._host.load(track.deck, track.token, _memory(track.mix), track.playhead, stems)
        except BaseException as fault:
            self._leave(self.residency.let_go(track))
            if isinstance(fault, HostBusy):
                raise EngineBusy(str(fault)) from fault
            raise
        finally:
            if self._pending.get(request.deck) is pending:
                del self._pending[request.deck]
        before, self._decks[track.deck] = self._decks.get(track.deck), track
        if before is not None:
            self._leave(self.residency.let_go(before))
        await self._until_loaded(track)
        self.takes.forget(track.deck, track.token)

    async def _until_loaded(self, track: Track) -> None:
        """Wait for the kernel's word; without anybody calling the kernel, the deck sounds when somebody does."""
        with anyio.move_on_after(1.0):
            while track.token not in self._loaded and self._decks.get(track.deck) is track:
                self.drain()
                await anyio.sleep(0.001)
        self._loaded.discard(track.token)

    def _stem_ranges(self, request: StemRanges) -> None:
        track = self._track(request.deck, request.token)
        if track is None:
            return
        known = track.coming or track.stems
        label = known.sources[request.slot].label if known and request.slot in known.sources else request.label
        source = source_of(request.slot, label, request.path, request.ranges, request.gain)
        self.residency.update(track, source)

    def _set_grid(self, request: SetGrid) -> None:
        if self._track(request.deck, request.token) is None:
            return
        places = [beat * self._settings.rate for beat in request.beats]
        try:
            self._host.set_grid(request.deck, request.token, places, request.origin)
        except HostBusy as fault:
            raise EngineBusy(str(fault)) from fault
        except ValueError as fault:
            raise LoadRefused(str(fault)) from fault

    def _eject(self, request: Eject) -> None:
        if not 0 <= request.deck < DECKS:
            raise LoadRefused(f"there is no deck {request.deck + 1}")
        pending = self._pending.get(request.deck)
        if pending is not None and request.token in (0, pending.track.token):
            pending.refuse("the deck was ejected meanwhile")
        track = self._decks.get(request.deck)
        if track is None or request.token not in (0, track.token):
            return
        self._host.eject(request.deck, track.token)
        del self._decks[request.deck]
        self._leave(self.residency.let_go(track))
        self.takes.forget(request.deck, 0)

    def _track(self, deck: int, token: int) -> Track | None:
        pending = self._pending.get(deck)
        if pending is not None and pending.track.token == token:
            return pending.track
        track = self._decks.get(deck)
        return track if track is not None and track.token == token else None

    def report(self) -> StatusReport:
        """Return the state of everything, and the last sentences."""
        host, residency, output = self._host, self.residency, self._devices.output
        return StatusReport(
            pid=os.getpid(),
            version=VERSION,
            device=self._devices.name,
            rate=self._settings.rate,
            block=self._settings.block,
            realtime=output is not None and output.realtime,
            latency_frames=host.clock.read().latency_frames,
            decks=tuple(_deck_report(track) for _, track in sorted(self._decks.items())),
            resident_bytes=residency.resident_bytes,
            budget_bytes=residency.budget_bytes,
            filler_pid=self._filler.process.pid,
            filler_restarts=self.filler_restarts,
            lock_refusals=residency.lock_refusals,
            prefault_refusals=residency.prefault_refusals,
            device_losses=self._devices.losses,
            messages=tuple(self._messages),
            message_count=self._message_count,
        )

    # Memory.

    def _ready(self, track: Track) -> None:
        pending = self._pending.get(track.deck)
        if pending is not None and pending.track is track:
            pending.filled.set()

    def _refused(self, track: Track, fault: str) -> None:
        pending = self._pending.get(track.deck)
        if pending is not None and pending.track is track:
            pending.refuse(fault)

    def _bind(self, track: Track, new: StemSet, old: StemSet | None) -> None:
        if self._decks.get(track.deck) is not track or new is not track.stems:
            return
        gone = tuple(slot for slot in (old.stores if old is not None else ()) if slot not in new.stores)
        if gone:
            self._host.unbind_stems(track.deck, track.token, gone)
        self._host.bind_stems(track.deck, track.token, self._given_stems(new))

    def _given_stems(self, stem_set: StemSet) -> dict[int, SlotMemory]:
        self._given.update(store.address for store in stem_set.stores.values())
        return {slot: _memory(store) for slot, store in stem_set.stores.items()}

    def _leave(self, stores: list[SlotStore]) -> None:
        """Keep memory until the kernel has let go of it."""
        for store in stores:
            self._leaving[store.address] = store

    def _free(self) -> None:
        for track in self.residency.tracks.values():
            self._leave(track.retired)
            track.retired = []
        for memory in self._host.collect():
            self._given.discard(int(memory.audio.ctypes.data))
        for address in [address for address in self._leaving if address not in self._given]:
            self._leaving.pop(address).close()

    def _follow_playheads(self) -> None:
        decks = self._host.snapshot()["decks"]
        playheads = {}
        for number, track in self._decks.items():
            deck = decks[number]
            if int(deck["token"]) == track.token:
                playheads[track.holding] = (max(0, int(deck["position"])), bool(deck["playing"]))
        self.residency.move(playheads)

    # The filler.

    def _to_filler(self, message: ToFiller, descriptors: list[int]) -> None:
        if not self._filler_ended:
            self._filler.send(message, descriptors)

    def _listen_to_filler(self) -> None:
        self._filler_ended = False
        self._filler_started_s = time.monotonic()
        self._filler.attach(self._hear, self._filler_gone)

    def _replace_filler(self) -> None:
        self._filler.close()
        self.filler_restarts += 1
        self.say("the process that fills decks' memory ended and was started again; what is loaded plays on")
        self._filler = FillerLink()
        self._listen_to_filler()
        self.residency.refill()
        for samples in self._samples:
            samples.refill()

    def _hear(self, message: ToEngine) -> None:
        """Called by the link's thread."""
        self._heard.append(message)
        self._loop(self._woken)

    def _filler_gone(self) -> None:
        """Called by the link's thread."""
        self._filler_ended = True
        self._loop(self._woken)

    def _woken(self) -> None:
        self._wake.set()


def _memory(store: SlotStore) -> SlotMemory:
    return SlotMemory(store.audio[: store.frames], store.ready)


def _deck_report(track: Track) -> DeckReport:
    """Describe what a deck holds."""
    entries = [(-1, "mix", track.mix, True)]
    for stem_set in (track.stems, track.coming):
        if stem_set is not None:
            for slot, store in stem_set.stores.items():
                entries.append((slot, stem_set.sources[slot].label, store, stem_set.bound))
    slots = tuple(
        SlotReport(slot, label, float(store.ready.mean()) if store.chunks else 1.0, store.resident_bytes, bound)
        for slot, label, store, bound in entries
    )
    return DeckReport(track.deck, track.token, track.frames, slots, track.window > 0)
