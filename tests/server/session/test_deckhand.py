"""The real deckhand, between a show and an engine with manners."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from audio.commands import EVENT, SNAPSHOT, CommandKind, EventKind
from audio.errors import EngineBusy, EngineGone, LoadRefused
from audio.rings import ClockPair
from audio.source import DeckSource, StemSource
from control.control import Value
from server.errors import DatabaseGone, NotFound
from server.marks import NO_MARKS, Grid, Marks
from server.pads import Pad
from server.practice import Pass, Practice, Rehearsal
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.intent import Intent, Refused
from server.session.show import Show

pytestmark = pytest.mark.anyio
SECONDS = 10
FRAMES = SECONDS * 44_100


class FakeEngine:
    """Does what it is told at once, refuses misuse, and can be told to fail."""

    rate = 48_000
    block_frames = 128

    def __init__(self) -> None:
        self.alive = True
        self.closed = False
        self.full = 0
        self.sent: list[tuple[CommandKind, int, float, int]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.stems: dict[int, dict[int, StemSource]] = {}
        self.state = np.zeros((), SNAPSHOT)
        self.pending_events: list[tuple[int, int, float, int]] = []
        self.fault: Exception | None = None
        self.gate = anyio.Event()
        self.gate.set()

    def send(self, commands: np.ndarray) -> None:
        if not self.alive:
            raise EngineGone
        if self.full:
            self.full -= 1
            raise EngineBusy
        for c in commands:
            if int(c["deck"]) >= len(self.state["decks"]):
                continue  # the master's effects
            deck = self.state["decks"][int(c["deck"])]
            assert c["token"] in (0, deck["token"]), "a command for a track that is not there"
            if c["kind"] == CommandKind.DECK_PLAY:
                deck["playing"] = c["a"]
            self.sent.append((CommandKind(int(c["kind"])), int(c["deck"]), float(c["a"]), int(c["frame"])))

    def snapshot(self) -> np.void:
        return self.state.copy()[()]

    def events(self) -> np.ndarray:
        found = np.zeros(len(self.pending_events), EVENT)
        for row, (kind, deck, a, token) in zip(found, self.pending_events, strict=True):
            row["kind"], row["deck"], row["a"], row["token"] = kind, deck, a, token
        self.pending_events = []
        return found

    def input_peak(self, frames: int) -> float:
        return 0.375

    def clock(self) -> ClockPair:
        return ClockPair(int(self.state["frame"]), 0, 0, 48_000.0)

    async def _ask(self, *request: Any) -> None:
        if not self.alive:
            raise EngineGone
        self.asked.append(request)
        await self.gate.wait()
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    async def load(self, deck: int, token: int, source: DeckSource) -> None:
        await self._ask("load", deck, token, source)
        record = self.state["decks"][deck]
        record["token"], record["playing"] = token, 0
        record["position"], record["duration"] = source.position_s * self.rate, source.frames * self.rate / source.rate
        self.stems[deck] = {stem.slot: stem for stem in source.stems}

    async def declare_stems(self, deck: int, token: int, stems: Sequence[StemSource]) -> None:
        await self._ask("declare", deck, token, tuple(stems))
        self.stems[deck] = {stem.slot: stem for stem in stems}

    async def stem_ranges(self, deck, token, slot, path, ranges, *, gain=1.0, label="") -> None:
        assert slot in self.stems[deck], "ranges of a stem that was not declared"
        await self._ask("ranges", deck, token, slot, path, ranges)

    async def set_grid(self, deck: int, token: int, beats: tuple[float, ...], origin: int = 0) -> None:
        self.asked.append(("set_grid", deck, token, beats, origin))

    async def eject(self, deck: int, token: int = 0) -> None:
        await self._ask("eject", deck)
        self.state["decks"][deck] = np.zeros((), SNAPSHOT)["decks"][0]

    async def aclose(self) -> None:
        self.closed = True

    async def status(self) -> SimpleNamespace:
        decks = tuple(
            SimpleNamespace(deck=d, token=int(self.state["decks"][d]["token"]), slots=tuple(
                SimpleNamespace(slot=slot, label=stem.label) for slot, stem in stems.items()
            ))
            for d, stems in self.stems.items()
        )  # fmt: skip
        return SimpleNamespace(device="fake", rate=48_000, block=128, latency_frames=480, decks=decks, messages=())


@dataclass
class Library:
    """Tracks by id; each may get stems later."""

    tracks: dict[UUID, DeckSource] = field(default_factory=dict)
    fault: Exception | None = None
    kept: dict[UUID, Marks] = field(default_factory=dict)
    left: dict[UUID, Practice] = field(default_factory=dict)
    passes: list[tuple[UUID, Pass, bool]] = field(default_factory=list)

    def add(self, *stems: StemSource) -> UUID:
        track_id = uuid4()
        self.set_stems(track_id, *stems)
        return track_id

    def set_stems(self, track_id: UUID, *stems: StemSource) -> None:
        self.tracks[track_id] = DeckSource(Path("reference.flac"), 1.0, 44_100, FRAMES, 0.0, stems)

    async def marks(self, track_id: UUID) -> tuple[Grid | None, Marks]:
        return None, self.kept.get(track_id, NO_MARKS)

    async def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        self.banks[bank] = pads

    async def save_marks(self, track_id: UUID, marks: Marks) -> None:
        self.kept[track_id] = marks

    async def rehearsal(self, track_id: UUID) -> Rehearsal:
        return Rehearsal((), self.left.get(track_id))

    async def save_practice(self, track_id: UUID, practice: Practice) -> None:
        self.left[track_id] = practice

    async def log_pass(self, track_id: UUID, made: Pass, *, clean: bool) -> None:
        self.passes.append((track_id, made, clean))

    async def track(self, track_id: UUID, user_id: int | None) -> SimpleNamespace:
        await self.deck_source(track_id)
        return SimpleNamespace(title="Title", artist=None)

    async def deck_source(self, track_id: UUID) -> DeckSource:
        await anyio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        if track_id not in self.tracks:
            raise NotFound
        return self.tracks[track_id]


def part(slot: int, label: str, ranges: tuple[tuple[int, int], ...] | None = ()) -> StemSource:
    return StemSource(slot, label, Path(f"{label}.part"), "part", 1.0, ranges)


class Stage:
    """A show, its deckhand, a library, an engine."""

    def __init__(self) -> None:
        self.library = Library()
        self.engine = FakeEngine()
        self.lost = anyio.Event()
        self.deckhand = EngineDeckhand(self.library, on_lost=self.lost.set)
        self.show = Show(self.deckhand)
        self.notices: list[Notice] = []
        self.refusals: list[Refused] = []
        self.show.watch(self.notices.append)

    def put(self, path: str, value: object) -> None:
        self.show.submit(Intent(path, value, "test", reply=self.refusals.append))

    async def until(self, path: str, value: Value) -> None:
        """Wait until a control has a value."""
        with anyio.fail_after(10):
            async with self.show.subscribe("test") as changes:
                while self.show.controls[path] != value:
                    await anext(changes)

    def attach(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.deckhand.attach(engine)  # type: ignore[arg-type]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    async with anyio.create_task_group() as tasks:
        await tasks.start(made.show.run)
        await tasks.start(made.deckhand.run, made.show.report, made.show.notice)
        made.attach(made.engine)
        await made.show.settle()
        made.engine.sent.clear()
        yield made
        tasks.cancel_scope.cancel()


async def test_a_track_is_loaded_and_played():
    async with stage() as on:
        track = on.library.add()
        on.put("/deck/2/load", str(track))
        on.put("/deck/2/play", 1)
        await on.until("/deck/2/status", "ready")
        await on.show.settle()
        (request,) = on.engine.asked
        assert request[:2] == ("load", 1) and request[3].position_s == 0.0
        assert on.engine.sent == [(CommandKind.DECK_PLAY, 1, 1.0, 0)]
        assert on.show.controls["/deck/2/title"] == "Title" and on.show.controls["/deck/2/duration"] == SECONDS
        assert on.deckhand.loader.holders(track) == [1]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (DatabaseGone(), "database_gone"),
        (RuntimeError("surprise"), "runtime_error"),
    ],
)
async def test_a_library_that_fails_is_answered(fault: Exception, code: str, caplog):
    async with stage() as on:
        track = on.library.add()
        on.library.fault = fault
        on.put("/deck/1/load", str(track))
        await on.until("/deck/1/status", "failed")
        await on.show.settle()
        assert [r.code for r in on.refusals] == [code] and on.refusals[0].path == "/deck/1/load"
        on.library.fault = None
        on.put("/deck/1/load", str(track))
        await on.until("/deck/1/status", "ready")


@pytest.mark.parametrize("track_id", ["abc", "../../etc/passwd", str(uuid4())])
async def test_an_unknown_track_is_answered(track_id: str):
    async with stage() as on:
        on.put("/deck/1/load", track_id)
        await on.until("/deck/1/status", "failed")
        assert [r.code for r in on.refusals] == ["unknown_track"] and on.engine.asked == []


async def test_an_engine_that_refuses_a_load_is_answered_and_the_deck_keeps_what_it_had():
    async with stage() as on:
        first, second = on.library.add(), on.library.add()
        on.put("/deck/1/load", str(first))
        await on.until("/deck/1/status", "ready")
        on.engine.fault = LoadRefused("reference.flac is missing")
        on.put("/deck/1/load", str(second))
        await on.until("/deck/1/status", "failed")
        assert [r.message for r in on.refusals] == ["reference.flac is missing"]
        assert on.show.controls["/deck/1/load"] == str(first) and on.deckhand.loader.holders(first) == [0]


async def test_the_last_of_many_loads_wins():
    async with stage() as on:
        tracks = [on.library.add() for _ in range(5)]
        on.engine.gate = anyio.Event()
        for track in tracks:
            on.put("/deck/1/load", str(track))
            await on.show.settle()
        on.engine.gate.set()
        await on.until("/deck/1/status", "ready")
        assert on.show.controls["/deck/1/load"] == str(tracks[-1])
        assert int(on.engine.state["decks"][0]["token"]) == on.show.state.decks[0].token
        assert len([r for r in on.engine.asked if r[0] == "load"]) <= 2


async def test_what_is_found_in_a_track_on_its_way_to_a_deck_comes_too():
    async with stage() as on:
        track = on.library.add()
        on.engine.gate = anyio.Event()
        on.put("/deck/1/load", str(track))
        with anyio.fail_after(10):
            while not on.engine.asked:  # everything about the track has been read by then
                await anyio.lowlevel.checkpoint()
        on.library.kept[track] = Marks(cue_s=3.0)
        on.deckhand.loader.remark(track)
        on.engine.gate.set()
        await on.until("/deck/1/cue/position", 3.0)


async def test_eject_during_a_load_leaves_the_deck_empty():
    async with stage() as on:
        on.engine.gate = anyio.Event()
        on.put("/deck/1/load", str(on.library.add()))
        with anyio.fail_after(5):
            while not on.engine.asked:
                await anyio.lowlevel.checkpoint()
        on.put("/deck/1/eject", 1)
        await on.show.settle()
        on.engine.gate.set()
        with anyio.fail_after(5):
            while ("eject", 0) not in on.engine.asked or on.engine.state["decks"][0]["token"]:
                await anyio.lowlevel.checkpoint()
        assert on.show.controls["/deck/1/status"] == "empty"


async def test_stems_grow_as_they_come():
    async with stage() as on:
        track = on.library.add(part(0, "vocals"), part(1, "drums"))
        on.put("/deck/1/load", str(track))
        await on.until("/deck/1/status", "ready")
        job = uuid4()
        for start in (FRAMES // 2, 0):
            on.deckhand.loader.on_stretch(track, job, "vocals", Path("vocals.part"), start, start + FRAMES // 2)
        await on.until("/deck/1/stem/vocals/ready", 1.0)
        told = [r for r in on.engine.asked if r[0] == "ranges"]
        assert told[-1][3:] == (0, Path("vocals.part"), ((0, FRAMES),))
        assert on.show.controls["/deck/1/stem/drums/ready"] == 0.0


async def test_a_separation_that_begins_after_the_load_declares_its_stems_at_once():
    async with stage() as on:
        track = on.library.add()
        on.put("/deck/1/load", str(track))
        await on.until("/deck/1/status", "ready")
        on.library.set_stems(track, part(0, "vocals"), part(3, "other"))
        on.deckhand.loader.on_stretch(track, uuid4(), "vocals", Path("vocals.part"), 0, FRAMES // 4)
        await on.until("/deck/1/stem/vocals/ready", 0.25)
        (declared,) = [r for r in on.engine.asked if r[0] == "declare"]
        assert [(s.slot, s.ranges) for s in declared[3]] == [(0, ((0, FRAMES // 4),)), (3, ())]


async def test_stretches_that_come_during_a_load_are_not_lost():
    async with stage() as on:
        track = on.library.add(part(0, "vocals"))
        on.engine.gate = anyio.Event()
        on.put("/deck/1/load", str(track))
        with anyio.fail_after(5):
            while not on.engine.asked:
                await anyio.lowlevel.checkpoint()
        on.deckhand.loader.on_stretch(track, uuid4(), "vocals", Path("vocals.part"), 0, FRAMES // 2)
        on.engine.gate.set()
        await on.until("/deck/1/stem/vocals/ready", 0.5)
        assert [r[5] for r in on.engine.asked if r[0] == "ranges"] == [((0, FRAMES // 2),)]


async def test_finished_stems_take_the_place_of_growing_ones():
    async with stage() as on:
        track = on.library.add(part(0, "vocals", ((0, 100),)))
        on.put("/deck/1/load", str(track))
        await on.until("/deck/1/status", "ready")
        on.library.set_stems(track, StemSource(0, "vocals", Path("vocals.flac")))
        on.deckhand.loader.refresh(track)
        await on.until("/deck/1/stem/vocals/ready", 1.0)
        assert [r for r in on.engine.asked if r[0] == "declare"] == []
        assert [r[4:] for r in on.engine.asked if r[0] == "ranges"] == [(Path("vocals.flac"), None)]


async def test_a_full_ring_is_tried_again_in_order():
    async with stage() as on:
        on.engine.full = 3
        for k in range(10):
            on.put("/deck/1/stem/drums/mute", k % 2)
        await on.show.settle()
        on.put("/deck/1/volume", 0.5)
        with anyio.fail_after(5):
            while len(on.engine.sent) < 11:
                await anyio.lowlevel.checkpoint()
        assert [c[2] for c in on.engine.sent] == [float(k % 2) for k in range(10)] + [0.5]


async def test_what_the_engine_does_becomes_state():
    async with stage() as on:
        on.put("/deck/1/load", str(on.library.add()))
        on.put("/deck/1/play", 1)
        await on.until("/deck/1/status", "ready")
        on.engine.state["decks"][0]["gap"] = 1
        on.engine.state["decks"][0]["pending_mask"] = 0b10
        await on.until("/deck/1/gap", 1)
        await on.until("/deck/1/stem/drums/pending", 1)
        token = on.show.state.decks[0].token
        on.engine.pending_events.append((EventKind.AUDIO_MISSING, 0, 48_000.0, token))
        on.engine.pending_events.append((EventKind.DECK_ENDED, 0, 480_000.0, token))
        await on.until("/deck/1/play", 0)
        assert [n.code for n in on.notices] == ["audio_missing"]


async def test_a_lost_engine_is_noticed_and_the_next_one_plays_on_from_there():
    async with stage() as on:
        track = on.library.add()
        on.put("/deck/1/load", str(track))
        on.put("/deck/1/play", 1)
        on.put("/deck/1/volume", 0.25)
        await on.until("/deck/1/status", "ready")
        on.engine.state["decks"][0]["position"] = 3 * 48_000
        on.deckhand.audible()
        on.engine.alive = False
        with anyio.fail_after(10):
            await on.lost.wait()
        await on.show.settle()
        with anyio.fail_after(5):
            while not on.engine.closed:
                await anyio.lowlevel.checkpoint()
        assert "engine_lost" in [n.code for n in on.notices]
        assert on.deckhand.status.running is False and on.deckhand.frame() == 0
        assert on.show.session()[1]["/deck/1/position"] == 3.0
        on.put("/deck/1/volume", 0.75)
        on.attach(FakeEngine())
        await on.show.settle()
        await on.until("/deck/1/status", "ready")
        await on.show.settle()
        (load,) = on.engine.asked
        assert load[3].position_s == 3.0
        assert (CommandKind.DECK_VOLUME, 0, 0.75, 0) in on.engine.sent
        assert on.engine.sent[-1] == (CommandKind.DECK_PLAY, 0, 1.0, 0)


async def test_a_server_that_comes_back_disturbs_nothing():
    async with stage() as on:
        track = on.library.add(part(0, "vocals"))
        on.put("/deck/1/load", str(track))
        on.put("/deck/1/play", 1)
        await on.until("/deck/1/status", "ready")
        await on.show.settle()
        engine, state = on.engine, on.show.state
    engine.asked.clear()
    engine.sent.clear()
    again = Stage()
    again.library = on.library
    again.deckhand = EngineDeckhand(on.library)
    again.show = Show(again.deckhand, state)
    async with anyio.create_task_group() as tasks:
        await tasks.start(again.show.run)
        await tasks.start(again.deckhand.run, again.show.report, again.show.notice)
        again.attach(engine)
        await again.show.settle()
        assert again.show.controls["/deck/1/play"] == 1
        with anyio.fail_after(5):
            while not [r for r in engine.asked if r[0] == "ranges"]:
                await anyio.lowlevel.checkpoint()
        assert {c[0] for c in engine.sent}.isdisjoint({CommandKind.DECK_PLAY, CommandKind.DECK_SEEK})
        assert {r[0] for r in engine.asked} == {"ranges"}, "neither loaded nor declared anew"
        again.deckhand.loader.on_stretch(track, uuid4(), "vocals", Path("vocals.part"), 0, FRAMES)
        await again.until("/deck/1/stem/vocals/ready", 1.0)
        tasks.cancel_scope.cancel()


async def test_a_playhead_is_carried_on_between_snapshots():
    async with stage() as on:
        on.put("/deck/1/load", str(on.library.add()))
        await on.until("/deck/1/status", "ready")
        deck = on.engine.state["decks"][0]
        deck["position"], deck["rate"], deck["playing"] = 48_000, 2.0, 1
        on.engine.clock = lambda: ClockPair(4_800, 0, 0, 48_000.0)  # type: ignore[method-assign]
        assert on.deckhand.audible()[0].position_s == pytest.approx(1.2)
        on.engine.clock = lambda: ClockPair(10**9, 0, 0, 48_000.0)  # type: ignore[method-assign]
        assert on.deckhand.audible()[0].position_s == pytest.approx(1.5), (
            "an engine that stands still is not carried on"
        )
        on.engine.clock = lambda: ClockPair(4_800, 7_000_000_000, 0, 48_000.0)  # type: ignore[method-assign]
        assert on.deckhand.time_of(4_800 + 24_000) == pytest.approx(7.5)
        deck["playing"] = 0
        assert on.deckhand.audible()[0].position_s == 1.0
        message = on.deckhand.meters()
        assert on.deckhand.telemetry()["/deck/1/position"] == 1.0
        assert message.decks[0].position == 1.0 and message.engine.running
        assert message.input == on.deckhand.telemetry()["/practice/input/level"] == 0.375


async def test_a_song_that_is_practised_is_kept_where_it_is_and_comes_back():
    async with stage() as on:
        first, second = on.library.add(), on.library.add()
        on.put("/session/mode", "practice")
        on.put("/deck/1/load", str(first))
        await on.until("/deck/1/status", "ready")
        on.put("/deck/1/rate", 0.75)
        on.engine.state["decks"][0]["position"] = 4.5 * 48_000
        token = on.show.state.decks[0].token
        on.put("/deck/1/loop/start", 2.0)
        on.put("/deck/1/loop/end", 6.0)
        await on.show.settle()
        on.deckhand.log_pass(str(first), Pass(2.0, 6.0, 0.75), clean=False)
        on.put("/deck/1/load", str(second))
        await on.until("/deck/1/load", str(second))
        await on.until("/deck/1/status", "ready")
        assert on.show.controls["/deck/1/rate"] == 1.0 and on.show.state.decks[0].token != token
        on.put("/deck/1/load", str(first))
        await on.until("/deck/1/rate", 0.75)
        await on.until("/deck/1/status", "ready")
        left = on.library.left[first]
        assert left.position_s == 4.5 and left.controls["loop/end"] == 6.0
        assert on.library.passes == [(first, Pass(2.0, 6.0, 0.75), False)]
        await on.show.settle()
        assert (CommandKind.DECK_SEEK, 0, 4.5 * 48_000, 0) in on.engine.sent
