"""What decks hold in memory: slots, their filling by the filler child, and the budget they share.

Owner: the engine's loop thread; nothing here blocks. Units: frames at the engine rate, chunks of CHUNK_FRAMES, bytes.

A track is a mix slot and, one after another, generations of stem slots. The first generation is bound as soon as it is
declared (nothing of it is ready, so the mix plays); a later one when it has been filled at the playhead, so that stems
that can be heard stay until better ones can.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from audio.commands import CHUNK_FRAMES
from audio.errors import LoadRefused
from audio.fill_messages import (
    Drop,
    Filled,
    Hold,
    HoldStems,
    MoreRanges,
    Playhead,
    Playheads,
    ToFiller,
    Unreadable,
)
from audio.source import DeckSource, Range, StemSource
from audio.store import CHUNK_BYTES, SlotStore
from audio.units import STEM_SLOTS, STEMS

OTHER: Final = STEMS.index("other")
"""The slot that takes what the other stems leave of the mix."""

SMALLEST_WINDOW: Final = 128
"""Chunks that a track keeps around its playhead however small the budget is: eleven seconds."""

SETTLE_S: Final = 0.1
SETTLE_WITHOUT_OTHER_S: Final = 1.0
"""Stems that come one by one without being declared make a set when no more have come for so long."""

PREFETCH_BEHIND: Final = 0.25
"""Share of the locked stretch that lies behind the playhead."""


@dataclass(slots=True)
class StemSet:
    """One generation of a track's stems. `wanted` until it is bound."""

    generation: int
    sources: dict[int, StemSource]
    stores: dict[int, SlotStore]
    bound: bool = False


@dataclass(slots=True)
class Track:
    """One load: a deck's track with its memory."""

    holding: int
    deck: int
    token: int
    source: DeckSource
    frames: int
    mix: SlotStore
    playhead: int
    playing: bool = False
    window: int = 0
    stems: StemSet | None = None
    coming: StemSet | None = None
    #: Memory that the kernel may still read; freed when the host says so.
    retired: list[SlotStore] = field(default_factory=list)
    opened: bool = False
    #: Stems that nobody declared, and when the last of them came.
    undeclared: dict[int, StemSource] = field(default_factory=dict)
    undeclared_s: float = 0.0

    def stores(self) -> Iterable[SlotStore]:
        """Every slot's memory."""
        yield self.mix
        for stem_set in (self.stems, self.coming):
            if stem_set is not None:
                yield from stem_set.stores.values()


class Residency:
    """All tracks that decks hold. `on_ready(track)`: it can sound; `on_bind(track, set)`: bind these stems now."""

    def __init__(
        self,
        rate: int,
        budget_bytes: int,
        lock_s: float,
        *,
        send: Callable[[ToFiller, list[int]], None],
        on_ready: Callable[[Track], None],
        on_refused: Callable[[Track, str], None],
        on_bind: Callable[[Track, StemSet, StemSet | None], None],
        say: Callable[[str], None],
    ) -> None:
        self.rate, self.budget_bytes, self._lock_s = rate, budget_bytes, lock_s
        self._send, self._on_ready, self._on_refused = send, on_ready, on_refused
        self._on_bind, self._say = on_bind, say
        self.tracks: dict[int, Track] = {}
        self._numbers = itertools.count(1)
        self._generations = itertools.count(1)
        #: Times that the system refused to lock or to map memory ahead.
        self.lock_refusals = 0
        self.prefault_refusals = 0
        self._may_lock = True

    @property
    def resident_bytes(self) -> int:
        """Bytes of audio in memory, of all tracks."""
        return sum(store.resident_bytes for track in self.tracks.values() for store in track.stores())

    def hold(self, deck: int, token: int, source: DeckSource) -> Track:
        """Begin to load a track. Raises LoadRefused for nonsense, OutOfMemory."""
        if source.frames <= 0 or source.rate <= 0 or not math.isfinite(source.gain) or source.gain <= 0:
            raise LoadRefused(
                f"{source.reference.name} was announced with {source.frames} frames at {source.rate} Hz and "
                f"gain {source.gain}: no track is like that"
            )
        if not math.isfinite(source.position_s):
            raise LoadRefused(f"{source.reference.name} cannot start at {source.position_s} s")
        self._check_stems(source.stems)
        frames = -(-source.frames * self.rate // source.rate)
        playhead = max(0, min(round(source.position_s * self.rate), frames))
        mix = SlotStore.create(frames, f"deck{deck + 1}-mix")
        track = Track(next(self._numbers), deck, token, source, frames, mix, playhead)
        self.tracks[track.holding] = track
        self._send(self._hold_message(track), [mix.segment.descriptor])
        if source.stems:
            self.declare(track, source.stems)
        self.share()
        return track

    def declare(self, track: Track, sources: Iterable[StemSource]) -> None:
        """Give a track a new set of stems; the same set with other files or ranges is only updated."""
        wanted = {source.slot: source for source in sources}
        self._check_stems(wanted.values())
        newest = track.coming or track.stems
        if newest is not None and set(newest.sources) == set(wanted):
            same = {slot: (s.path, s.gain) for slot, s in newest.sources.items()}
            if all(same[slot] == (s.path, s.gain) for slot, s in wanted.items()):
                for source in wanted.values():
                    self._update(track, newest, source)
                return
        if track.coming is not None:
            track.retired += self._closed(track.coming)
            track.coming = None
        if not wanted:
            return
        stores = {slot: SlotStore.create(track.frames, f"deck{track.deck + 1}-stem{slot + 1}") for slot in wanted}
        made = StemSet(next(self._generations), wanted, stores)
        if track.stems is None:
            track.stems = made
        else:
            track.coming = made
        self._send_stems(track, made)
        if track.opened and made is track.stems:
            made.bound = True
            self._on_bind(track, made, None)
        self.share()

    def update(self, track: Track, source: StemSource) -> None:
        """Take new ranges, or another file, of a stem that is declared; others soon make a new set."""
        self._check_stems([source])
        newest = track.coming or track.stems
        if newest is not None and source.slot in newest.sources:
            self._update(track, newest, source)
        else:
            track.undeclared[source.slot] = source
            track.undeclared_s = time.monotonic()

    def settle(self, now: float) -> None:
        """Make sets of stems that came one by one, once no more come: a set of one voice would silence the others."""
        for track in self.tracks.values():
            whole = OTHER in track.undeclared
            if track.undeclared and now - track.undeclared_s > (SETTLE_S if whole else SETTLE_WITHOUT_OTHER_S):
                newest = track.coming or track.stems
                known = list(newest.sources.values()) if newest is not None else []
                found, track.undeclared = list(track.undeclared.values()), {}
                self.declare(track, [*known, *found])

    def _update(self, track: Track, stem_set: StemSet, source: StemSource) -> None:
        stem_set.sources[source.slot] = source
        self._send(MoreRanges(track.holding, stem_set.generation, source), [])

    def let_go(self, track: Track) -> list[SlotStore]:
        """Forget a track; return its memory, to be closed when the kernel has let go of it."""
        if self.tracks.pop(track.holding, None) is None:
            return []
        self._send(Drop(track.holding), [])
        stores = [*track.stores(), *track.retired]
        self.share()
        return stores

    def refill(self) -> None:
        """Tell a new filler everything; what is in memory stays and is not made again."""
        for track in self.tracks.values():
            self._send(self._hold_message(track), [track.mix.segment.descriptor])
            newest = track.coming or track.stems
            if newest is not None:
                self._send_stems(track, newest)

    def move(self, playheads: dict[int, tuple[int, bool]]) -> None:
        """Take where each holding plays (frame, playing), and tell the filler."""
        told = []
        for holding, track in self.tracks.items():
            if holding in playheads:
                track.playhead, track.playing = playheads[holding]
            told.append(Playhead(holding, track.playhead, track.playing, track.window))
        if told:
            self._send(Playheads(tuple(told)), [])

    def lock_near_playheads(self) -> None:
        """Keep what is about to be played in memory, as far as the system allows; a few times a second."""
        for track in self.tracks.values():
            self._lock_near(track)

    def hear(self, message: Filled | Unreadable) -> None:
        """Take what the filler says."""
        track = self.tracks.get(message.holding)
        if track is None:
            return
        if isinstance(message, Unreadable):
            self._unreadable(track, message)
            return
        self._filled(track, message)

    def share(self) -> None:
        """Divide the budget: tracks that need less than their share leave the rest to the others."""
        needs = {holding: self._chunk_bytes(track) * track.mix.chunks for holding, track in self.tracks.items()}
        left, waiting = self.budget_bytes, sorted(needs, key=lambda holding: needs[holding])
        for index, holding in enumerate(waiting):
            share = left // (len(waiting) - index)
            track = self.tracks[holding]
            if needs[holding] <= share:
                track.window = 0
                left -= needs[holding]
                continue
            track.window = max(SMALLEST_WINDOW, share // self._chunk_bytes(track))
            if track.window >= track.mix.chunks:
                track.window = 0
            left -= share

    # Inside.

    def _filled(self, track: Track, message: Filled) -> None:
        if message.generation == 0:
            self._prefault(track.mix, message)
            if not track.opened:
                track.opened = True
                if track.stems is not None:
                    track.stems.bound = True
                self._on_ready(track)
            return
        for stem_set in (track.stems, track.coming):
            if stem_set is not None and stem_set.generation == message.generation:
                for store in stem_set.stores.values():
                    self._prefault(store, message)
        coming = track.coming
        if coming is not None and track.opened and self._reaches_playhead(track, coming):
            before, track.stems, track.coming = track.stems, coming, None
            coming.bound = True
            self._on_bind(track, coming, before)
            if before is not None:
                track.retired += self._closed(before)

    def _reaches_playhead(self, track: Track, stem_set: StemSet) -> bool:
        """Whether a set has been filled at the playhead, or wherever its files reach."""
        ready = np.logical_and.reduce([store.ready != 0 for store in stem_set.stores.values()])
        here = min(track.playhead // CHUNK_FRAMES, len(ready) - 1)
        return bool(ready[here : here + 8].all())

    def _unreadable(self, track: Track, message: Unreadable) -> None:
        name = "mix" if message.slot < 0 else f"stem {message.slot + 1}"
        text = f"deck {track.deck + 1}, {name}: {message.message}"
        if message.fatal and not track.opened:
            self._on_refused(track, message.message)
        else:
            self._say(text)

    def _hold_message(self, track: Track) -> Hold:
        source = track.source
        return Hold(
            track.holding,
            str(source.reference),
            source.gain,
            source.rate,
            source.frames,
            self.rate,
            track.frames,
            track.playhead,
        )

    def _send_stems(self, track: Track, stem_set: StemSet) -> None:
        message = HoldStems(track.holding, stem_set.generation, tuple(stem_set.sources.values()))
        self._send(message, [stem_set.stores[slot].segment.descriptor for slot in stem_set.sources])

    @staticmethod
    def _check_stems(sources: Iterable[StemSource]) -> None:
        seen = set()
        for source in sources:
            if not 0 <= source.slot < STEM_SLOTS or source.slot in seen:
                raise LoadRefused(f"stem {source.label or source.path.name} has slot {source.slot}: not a free slot")
            if not math.isfinite(source.gain) or source.gain <= 0:
                raise LoadRefused(f"stem {source.label or source.path.name} has gain {source.gain}")
            if source.ranges is not None and any(not 0 <= a <= b for a, b in source.ranges):
                raise LoadRefused(f"stem {source.label or source.path.name} has a stretch that ends before it begins")
            seen.add(source.slot)

    @staticmethod
    def _closed(stem_set: StemSet) -> list[SlotStore]:
        return list(stem_set.stores.values())

    @staticmethod
    def _chunk_bytes(track: Track) -> int:
        return sum(1 for _ in track.stores()) * CHUNK_BYTES

    def _prefault(self, store: SlotStore, message: Filled) -> None:
        if not store.prefault(message.start, message.stop):
            self.prefault_refusals += 1

    def _lock_near(self, track: Track) -> None:
        if not self._may_lock or self._lock_s <= 0:
            return
        span = int(self._lock_s * self.rate / CHUNK_FRAMES)
        here = track.playhead // CHUNK_FRAMES
        start = max(0, here - int(span * PREFETCH_BEHIND))
        stop = min(track.mix.chunks, start + span)
        for store in track.stores():
            store.unlock_outside(start, stop)
            for chunk in range(start, stop):
                if store.ready[chunk] and not store.lock(chunk):
                    self.lock_refusals += 1
                    self._may_lock = False
                    return


def source_of(slot: int, label: str, path: str, ranges: tuple[Range, ...] | None, gain: float) -> StemSource:
    """Return a stem source, its kind told by the file's name."""
    file = Path(path)
    return StemSource(slot, label, file, "part" if file.suffix == ".part" else "flac", gain, ranges)
