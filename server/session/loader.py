"""Tracks and stems on their way to the engine's decks: one worker a deck, the latest wish wins.

Owner: the event loop; `run` holds one task a deck. Thread-safe: no.
Units: decks and slots count from 0; stem ranges are half-open, in frames at 44.1 kHz.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import anyio
import msgspec

from audio.client import EngineClient
from audio.errors import AudioError, EngineGone, EngineMissing
from audio.source import DeckSource, PadSource, Range, StemSource
from audio.units import DECKS, MODEL_RATE
from pipeline.pcm import union
from server.errors import ServerError
from server.marks import Grid, Marks
from server.pads import Pad
from server.practice import Pass, Practice, Rehearsal
from server.session.effects import Notice
from server.session.facts import DeckLoaded, DeckLoadFailed, Fact, StemsReady, TrackMarked, TrackMeasured
from server.session.marks_keeper import MarksKeeper
from server.session.practice_keeper import PracticeKeeper

_log = logging.getLogger(__name__)

RETRY_S: Final = 0.1
"""Before an engine that did not answer is asked again."""

UNKNOWN_TRACK: Final = "unknown_track"


class Titled(Protocol):
    """What a track is called."""

    @property
    def title(self) -> str: ...
    @property
    def artist(self) -> str | None: ...


class Tracks(Protocol):
    """The library as a deck sees it; `server.library.service.Library` is one."""

    async def deck_source(self, track_id: UUID) -> DeckSource:
        """Return what to play: every stem there is, or is to be, of the chosen separation.

        Raises ServerError, of which NotFound is one.
        """

    async def marks(self, track_id: UUID) -> tuple[Grid | None, Marks]:
        """Return the grid of the chosen analysis, if any, and what the performer has marked. Raises ServerError."""

    async def save_marks(self, track_id: UUID, marks: Marks) -> None:
        """Keep what the performer has marked, in place of what was kept. Raises ServerError."""

    async def rehearsal(self, track_id: UUID) -> Rehearsal:
        """Return the track's sections, and how its owner has left it in practice. Raises ServerError."""

    async def save_practice(self, track_id: UUID, practice: Practice) -> None:
        """Keep how the track was left, in place of what was kept. Raises ServerError."""

    async def log_pass(self, track_id: UUID, made: Pass, *, clean: bool) -> None:
        """Write a pass down, or that the latest was clean. Raises ServerError."""

    async def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        """Keep a bank of the sampler, from 0, in place of what was kept. Raises ServerError."""

    async def track(self, track_id: UUID, user_id: int | None) -> Titled:
        """Return what the track is called, whoever it belongs to when `user_id` is None. Raises ServerError."""


@dataclass(slots=True)
class _Held:
    """What the engine holds on a deck, as far as this side knows."""

    token: int
    track_id: UUID
    frames_at_model_rate: int = 0
    stems: dict[int, StemSource] = field(default_factory=dict)
    #: Stretches heard of since, by file: the library may not know of the newest yet.
    stretches: dict[Path, tuple[Range, ...]] = field(default_factory=dict)
    adopted: bool = False
    take: PadSource | None = None

    def now(self, stem: StemSource) -> StemSource:
        """Return `stem` with the stretches that have come since."""
        if stem.ranges is None or stem.path not in self.stretches:
            return stem
        return msgspec.structs.replace(stem, ranges=union([*stem.ranges, *self.stretches[stem.path]]))


@dataclass(slots=True)
class _Desk:
    """A deck's wishes; `wake` is set with each."""

    wake: anyio.Event = field(default_factory=anyio.Event)
    wanted: tuple[int, str, float] | None = None
    eject: bool = False
    refresh: bool = False
    remark: bool = False
    grown: set[int] = field(default_factory=set)
    grid: tuple[int, tuple[float, ...], int] | None = None
    held: _Held | None = None
    coming: _Held | None = None

    def is_about(self, track_id: UUID) -> bool:
        """Say whether the track is on the deck, or on its way there: what it is made of may have been read already."""
        return any(one is not None and one.track_id == track_id for one in (self.held, self.coming))


class DeckLoader:
    """Brings tracks and growing stems to the decks of whatever engine is attached."""

    def __init__(
        self, tracks: Tracks, report: Callable[[Fact], None], notify: Callable[[Notice], None] = lambda notice: None
    ) -> None:
        self._tracks = tracks
        #: Keeps what is marked in the tracks.
        self.keeper = MarksKeeper(tracks.save_marks, notify)
        #: Keeps how songs are left in practice, and the log of it.
        self.practice = PracticeKeeper(tracks.save_practice, tracks.log_pass, notify)
        self._report = report
        self._notify = notify
        self._client: EngineClient | None = None
        self._desks = tuple(_Desk() for _ in range(DECKS))

    def attach(self, client: EngineClient | None) -> None:
        """Use another engine, or none. What a lost one held is forgotten: the show asks for it again."""
        self._client = client
        for desk in self._desks:
            desk.held = desk.coming = desk.wanted = desk.grid = None
            desk.eject = desk.refresh = False
            desk.grown.clear()

    def adopt(self, deck: int, token: int, track_id: str) -> None:
        """Take over a deck that an engine kept playing, so that its stems go on growing."""
        key = _uuid(track_id)
        if key is not None:
            self._desks[deck].held = _Held(token, key, adopted=True)
            self._desks[deck].remark = True
            self._wake(deck, refresh=True)

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        """Ask for a track; an earlier wish that is not fulfilled yet is forgotten."""
        self._desks[deck].wanted = (token, track_id, position_s)
        self._desks[deck].eject = False
        self._wake(deck)

    def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int) -> None:
        """Ask for a grid on the track `token`."""
        self._desks[deck].grid = (token, tuple(beats), origin)
        self._wake(deck)

    def eject(self, deck: int) -> None:
        """Ask for an empty deck."""
        self._desks[deck].wanted = None
        self._desks[deck].eject = True
        self._wake(deck)

    def on_stretch(self, track_id: UUID, job_id: UUID, stem_type: str, path: Path, start: int, stop: int) -> None:
        """Feed a stretch that has just come to disk to every deck that holds the track."""
        for deck, desk in enumerate(self._desks):
            for held in (desk.held, desk.coming):
                if held is None or held.track_id != track_id:
                    continue
                held.stretches[path] = union([*held.stretches.get(path, ()), (start, stop)])
                if held is desk.coming:
                    continue
                slots = [slot for slot, stem in held.stems.items() if stem.path == path]
                desk.grown.update(slots)
                self._wake(deck, refresh=not slots)

    def refresh(self, track_id: UUID) -> None:
        """Look again at what a track is made of: stems were added, finished, chosen or removed."""
        for deck, desk in enumerate(self._desks):
            if desk.is_about(track_id):
                self._wake(deck, refresh=True)

    def remark(self, track_id: UUID) -> None:
        """Look again at a track's grid and cue points: they were analysed, or marked by somebody else."""
        for deck, desk in enumerate(self._desks):
            if desk.is_about(track_id):
                desk.remark = True
                self._wake(deck)

    async def _remark(self, deck: int) -> None:
        """Report the marks that the library has of what a deck holds, none older than what was just marked there."""
        held = self._desks[deck].held
        while held is not None and self._desks[deck].held is held:
            if not await self.keeper.flush():
                return
            count = self.keeper.count
            analysed, marks = await self._tracks.marks(held.track_id)
            rehearsal = await self._tracks.rehearsal(held.track_id)
            if self.keeper.count == count:
                self._report(TrackMarked(deck, held.token, analysed, marks, rehearsal))
                return

    def holders(self, track_id: UUID) -> list[int]:
        """Return the decks that hold the track."""
        return [deck for deck, desk in enumerate(self._desks) if desk.held and desk.held.track_id == track_id]

    async def run(self) -> None:
        """Serve until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.keeper.run)
            tasks.start_soon(self.practice.run)
            for deck in range(DECKS):
                tasks.start_soon(self._serve, deck)

    def _wake(self, deck: int, *, refresh: bool = False) -> None:
        desk = self._desks[deck]
        desk.refresh |= refresh
        desk.wake.set()

    async def _serve(self, deck: int) -> None:
        desk = self._desks[deck]
        while True:
            await desk.wake.wait()
            desk.wake = anyio.Event()
            client = self._client
            if client is None:
                continue
            try:
                if desk.eject:
                    await client.eject(deck)
                    desk.eject = False
                    desk.held = None
                if desk.wanted is not None:
                    await self._load(client, deck, *desk.wanted)
                if desk.grid is not None:
                    grid, desk.grid = desk.grid, None
                    await client.set_grid(deck, *grid)
                if desk.remark:
                    desk.remark = False
                    await self._remark(deck)
                if desk.refresh:
                    desk.refresh = False
                    await self._refresh(client, deck)
                await self._grow(client, deck)
            except (EngineGone, EngineMissing) as error:
                _log.info("deck %d: %s", deck + 1, error)
                await anyio.sleep(RETRY_S)
                desk.wake.set()  # the same engine again, or none: then the show asks again when one is back
            except (AudioError, ServerError) as error:
                _log.warning("deck %d: %s", deck + 1, error)
            except Exception:
                _log.exception("deck %d: its stems could not be brought up to date", deck + 1)

    async def _load(self, client: EngineClient, deck: int, token: int, track_id: str, position_s: float) -> None:
        desk = self._desks[deck]
        wish = desk.wanted

        def overtaken() -> bool:
            return desk.wanted is not wish or self._client is not client

        try:
            key = _uuid(track_id)
            if key is None:
                raise _NoTrack(track_id)
            desk.coming = coming = _Held(token, key)
            track = await self._tracks.track(key, None)
            source = await self._tracks.deck_source(key)
            analysed, marks = await self._tracks.marks(key)
            await self.practice.flush(track_id)
            rehearsal = await self._tracks.rehearsal(key)
            if overtaken():
                return
            source = msgspec.structs.replace(source, position_s=position_s)
            await client.load(deck, token, source)
        except (EngineGone, EngineMissing):
            raise
        except Exception as error:  # a deck that waits for ever would be worse than any fault of the library
            if not isinstance(error, AudioError | ServerError | OSError):
                _log.exception("deck %d: loading %s failed", deck + 1, track_id)
            if not overtaken():
                desk.wanted = desk.coming = None
                code = UNKNOWN_TRACK if getattr(error, "code", "") == "not_found" else _code(error)
                message = str(_NoTrack(track_id)) if code == UNKNOWN_TRACK else str(error)
                self._report(DeckLoadFailed(deck, token, code, message))
            return
        coming.frames_at_model_rate = -(-source.frames * MODEL_RATE // source.rate)
        coming.stems = {stem.slot: stem for stem in source.stems}
        desk.held, desk.coming = coming, None
        desk.grown = {slot for slot, stem in coming.stems.items() if coming.now(stem) != stem}
        if overtaken():
            return
        desk.wanted = None
        duration_s = source.frames / source.rate
        self._report(DeckLoaded(deck, token, track.title, track.artist or "", duration_s, analysed, marks, rehearsal))
        self._report(TrackMeasured(deck, token, loudness_of(track)))
        self._tell_ready(deck, coming, coming.stems)
        await self._put_take(client, deck, coming, source.take)

    async def _refresh(self, client: EngineClient, deck: int) -> None:
        """Bring the engine's set of stems in line with the library's, keeping what has arrived since."""
        held = self._desks[deck].held
        if held is None:
            return
        source = await self._tracks.deck_source(held.track_id)
        track = await self._tracks.track(held.track_id, None)
        self._report(TrackMeasured(deck, held.token, loudness_of(track)))
        await self._put_take(client, deck, held, source.take)
        held.frames_at_model_rate = -(-source.frames * MODEL_RATE // source.rate)
        fresh = {stem.slot: held.now(stem) for stem in source.stems}
        if held.adopted:
            held.adopted = False
            report = next((d for d in (await client.status()).decks if d.deck == deck and d.token == held.token), None)
            known = {s.slot: s.label for s in report.slots if s.slot >= 0} if report is not None else {}
        else:
            known = {slot: stem.label for slot, stem in held.stems.items()}
        same = known == {slot: stem.label for slot, stem in fresh.items()}
        changed = {slot for slot, stem in fresh.items() if stem != held.stems.get(slot)}
        held.stems = fresh
        if same:
            self._desks[deck].grown |= changed
            return
        self._desks[deck].grown.clear()
        await client.declare_stems(deck, held.token, list(fresh.values()))
        self._tell_ready(deck, held, fresh)

    async def _put_take(self, client: EngineClient, deck: int, held: _Held, take: PadSource | None) -> None:
        """Let the chosen take play beside what the deck holds; one that cannot be read leaves the track as it is."""
        if take == held.take:
            return
        try:
            await client.load_take(deck, held.token, take)
            held.take = take
        except (EngineGone, EngineMissing):
            raise
        except AudioError as error:
            self._notify(Notice("warning", "take_failed", f"The take of deck {deck + 1} does not play: {error}"))

    async def _grow(self, client: EngineClient, deck: int) -> None:
        """Tell the engine of the stretches that have come since."""
        desk = self._desks[deck]
        held = desk.held
        grown, desk.grown = desk.grown, set()
        if held is None:
            return
        for slot in sorted(grown):
            stem = held.stems[slot] = held.now(held.stems[slot])
            await client.stem_ranges(deck, held.token, slot, stem.path, stem.ranges, gain=stem.gain, label=stem.label)
        self._tell_ready(deck, held, grown)

    def _tell_ready(self, deck: int, held: _Held, slots: Iterable[int]) -> None:
        for slot in slots:
            ranges = held.stems[slot].ranges
            there = held.frames_at_model_rate if ranges is None else sum(stop - start for start, stop in ranges)
            ready = there / held.frames_at_model_rate if held.frames_at_model_rate else 0.0
            self._report(StemsReady(deck, held.token, slot, min(1.0, ready)))


def loudness_of(track: Titled) -> float | None:
    """Return the integrated loudness that the analysis of a track found, in LUFS; None where there is none."""
    analysis = getattr(track, "analysis", None)
    found = analysis.features.get("loudness_lufs") if analysis is not None else None
    return float(found) if isinstance(found, int | float) else None


class _NoTrack(ServerError):
    """There is no track by that id; search the library for one."""

    code = "not_found"

    def __init__(self, track_id: str) -> None:
        super().__init__(f"There is no track {track_id[:80]!r} in the library: the deck keeps what it had")


def _code(error: Exception) -> str:
    """Return the snake_case name of an error."""
    known = getattr(error, "code", None)
    if isinstance(known, str):
        return known
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _uuid(track_id: str) -> UUID | None:
    try:
        return UUID(track_id)
    except ValueError:
        return None
