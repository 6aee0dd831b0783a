"""The real deckhand: performs the show's effects on the engine and the library, and tells the show what happened.

    Show --send, load, eject--> EngineDeckhand --commands, sources--> EngineClient --> engine
    Show <------- facts ------- (poll 5 ms, snapshot 30 Hz) <--------------------------'
                                      '-- what a track is made of --> library

Owner: the event loop; `run` is one task with one child a deck. Thread-safe: no. Finding, starting and restarting the
engine is the caller's: it hands every engine in with `attach`, and is told by `on_lost` when one is gone.
Units: decks and slots count from 0; seconds of the track above, track frames at the engine rate below, stem ranges in
frames at 44.1 kHz.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import anyio.lowlevel
import numpy as np
import numpy.typing as npt
from anyio.abc import TaskStatus

from audio.client import EngineClient
from audio.commands import EventKind
from audio.errors import AudioError, EngineBusy
from audio.rings import ClockPair
from audio.units import BANKS, DECKS, ENGINE_RATE, SESSION_TEMPO_BPM
from server.marks import Marks
from server.pads import Pad
from server.practice import Pass, Practice
from server.protocol import EngineStatus, Meters
from server.session import telemetry
from server.session.banks_keeper import BanksKeeper
from server.session.effects import EngineCommand, Notice
from server.session.facts import (
    AudibleDeck,
    EngineLost,
    EngineRestored,
    Fact,
    GapChanged,
    PadsSounding,
    PendingChanged,
    TempoChanged,
)
from server.session.hearing import fact_of
from server.session.loader import DeckLoader, Tracks
from server.session.pad_loader import PadLoader
from server.session.records import records

_log = logging.getLogger(__name__)

POLL_S: Final = 0.005
"""Between two looks at the engine's events."""

TEMPO_STEP_BPM: Final = 0.01
"""By how much the session's tempo has to change to be told: a leader's drifts with its beats."""

SNAPSHOT_S: Final = 1 / 30
"""Between two looks at the engine's snapshot."""

STATUS_S: Final = 1.0
"""Between two questions for the engine's status."""

EXTRAPOLATE_S: Final = 0.25
"""A snapshot older than this is not carried on: the engine stands still."""

UNSENT_LIMIT: Final = 65_536
"""Commands kept for a full ring; beyond it the engine is considered gone."""

STOPPED: Final = EngineStatus(False, "", ENGINE_RATE, 0, 0.0, 0, 0.0)
"""The status without an engine."""


class EngineDeckhand:
    """See `server.session.port.Deckhand`, which this is."""

    def __init__(self, tracks: Tracks, *, on_lost: Callable[[], None] = lambda: None) -> None:
        """`tracks` knows what a track is made of; `on_lost` is called on the loop when the engine is gone."""
        self._client: EngineClient | None = None
        self._departed: list[EngineClient] = []
        self._on_lost = on_lost
        self._report: Callable[[Fact], None] = lambda fact: None
        self._notify: Callable[[Notice], None] = lambda notice: None
        self._unsent: deque[EngineCommand] = deque()
        self._last: tuple[AudibleDeck, ...] = (AudibleDeck(),) * DECKS
        self._gaps = [0] * DECKS
        self._pending = [0] * DECKS
        self._tempo = SESSION_TEMPO_BPM
        self._status = STOPPED
        self._refused = 0
        #: How long the recording is, in seconds; whoever records replaces it.
        self.recorded_s: Callable[[], float] = lambda: 0.0
        #: The frame at which the setlist goes on and the deck it plays on, as in `telemetry.meters`.
        self.setlist_due: Callable[[], tuple[int, int]] = lambda: (-1, 0)
        #: Reads setlists; whoever keeps them replaces it.
        self.on_setlist: Callable[[str], None] = lambda name: None
        self._missing: dict[int, float] = {}
        self._pads = (0,) * BANKS
        self.loader = DeckLoader(tracks, self._tell, lambda notice: self._notify(notice))
        self.loader.practice.place_of = self._place_of
        self._samples = PadLoader(tracks, self._tell)
        self._banks = BanksKeeper(tracks.save_bank, lambda notice: self._notify(notice))

    # --- the port ----------------------------------------------------------------------------------------------------

    def send(self, commands: Sequence[EngineCommand]) -> None:
        """Hand commands to the engine, in order; a full ring is tried again at every poll."""
        if self._client is None:
            return
        self._unsent.extend(commands)
        self._flush()

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        """Start bringing a track to a deck."""
        self.loader.load(deck, token, track_id, position_s)

    def eject(self, deck: int) -> None:
        """Take off what the deck holds."""
        self.loader.eject(deck)

    def set_grid(self, deck: int, token: int, beats: Sequence[float], origin: int) -> None:
        """Give the track `token` on a deck its beats."""
        self.loader.set_grid(deck, token, beats, origin)

    def save_marks(self, track_id: str, marks: Marks) -> None:
        """Keep a track's marks in the library."""
        self.loader.keeper.save(track_id, marks)

    def open_setlist(self, name: str) -> None:
        """Have a setlist read."""
        self.on_setlist(name)

    def save_practice(self, deck: int, token: int, track_id: str, practice: Practice) -> None:
        """Keep how the song on a deck stands."""
        self.loader.practice.save(deck, token, track_id, practice)

    def log_pass(self, track_id: str, made: Pass, *, clean: bool) -> None:
        """Write a pass of a loop down."""
        self.loader.practice.log(track_id, made, clean=clean)

    def _place_of(self, deck: int, token: int) -> float | None:
        """Return where the track `token` on a deck is; None where the deck no longer holds it."""
        heard = self.audible()[deck]
        return heard.position_s if self._client is not None and heard.token == token else None

    def load_pad(self, bank: int, pad: int, token: int, source: str) -> None:
        """Start bringing a source to a pad, or empty it."""
        self._samples.load(bank, pad, token, source)

    def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        """Keep a bank's pads in the library."""
        self._banks.save(bank, pads)

    def adopt(self, deck: int, token: int, track_id: str) -> None:
        """Go on feeding a deck that an engine kept playing."""
        self.loader.adopt(deck, token, track_id)

    def audible(self) -> tuple[AudibleDeck, ...]:
        """Return what each deck sounds like now, from a fresh snapshot carried on by the engine's clock."""
        client = self._client
        if client is not None:
            snapshot = client.snapshot()
            ahead_s = (_frame_now(client) - int(snapshot["frame"])) / client.rate
            self._last = _audible(snapshot, client.rate, min(max(ahead_s, 0.0), EXTRAPOLATE_S))
        return self._last

    # --- the engine --------------------------------------------------------------------------------------------------

    @property
    def client(self) -> EngineClient | None:
        """The engine that is attached, if any."""
        return self._client

    @property
    def status(self) -> EngineStatus:
        """How the engine is; at most a second old."""
        return self._status

    def frame(self) -> int:
        """Return the engine's clock at this moment; 0 without an engine."""
        return _frame_now(self._client) if self._client is not None else 0

    def meters(self) -> Meters:
        """Return one message of telemetry, of this moment."""
        snapshot = self._client.snapshot() if self._client is not None else None
        places = tuple(deck.position_s for deck in self.audible())
        # Two messages' worth, so that no frame falls between two.
        heard = self._client.input_peak(2 * self._client.rate // telemetry.RATE_HZ) if self._client is not None else 0.0
        return telemetry.meters(snapshot, self._status, places, self.recorded_s(), self.setlist_due(), heard)

    def telemetry(self) -> dict[str, float]:
        """Return the telemetry controls of the registry by path, of this moment."""
        return telemetry.values(self.meters())

    def clock(self) -> ClockPair | None:
        """Return the engine's pair of frame and monotonic time; None without an engine."""
        return self._client.clock() if self._client is not None else None

    def time_of(self, frame: int) -> float:
        """Return when an engine frame begins, in seconds of the monotonic clock; now without an engine."""
        pair = self.clock()
        if pair is None or pair.monotonic_ns == 0:
            return time.monotonic()
        return pair.monotonic_ns / 1e9 + (frame - pair.frame) / pair.rate

    def read_master(self, cursor: int, limit_frames: int) -> tuple[npt.NDArray[np.float32], int]:
        """Return the master as `EngineClient.read_master` does; nothing without an engine."""
        if self._client is None:
            return np.zeros((0, 2), np.float32), cursor
        return self._client.read_master(cursor, limit_frames)

    def attach(self, client: EngineClient) -> None:
        """Play through `client` from now on, a new engine or one that played on without a server."""
        if self._client is not None:
            self.detach()
        self._client = client
        self._unsent.clear()
        self._gaps = [-1] * DECKS
        self._pending = [-1] * DECKS
        client.events()  # what happened before is in the snapshot
        self._status = EngineStatus(True, "", client.rate, client.block_frames, 0.0, 0, 0.0)
        self.loader.attach(client)
        self._samples.attach(client)
        self._pads = (0,) * BANKS
        audible = self.audible()
        # What a new engine begins with is nobody's wish: the show tells it its own.
        self._tempo = 0.0 if any(deck.token for deck in audible) else SESSION_TEMPO_BPM
        snapshot = client.snapshot()
        steps = int(snapshot["blocks"]) > 0 and int(snapshot["step"]) >= 0
        self._report(EngineRestored(audible, client.rate, steps))

    def detach(self) -> None:
        """Forget the engine and tell the show that it is gone."""
        if self._client is None:
            return
        self._departed.append(self._client)
        self._client = None
        self._status = STOPPED
        self.loader.attach(None)
        self._samples.attach(None)
        self._report(EngineLost(self._last))

    async def run(
        self,
        report: Callable[[Fact], None],
        notify: Callable[[Notice], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; facts go to `report` (`Show.report`), notices to `notify` (`Show.notice`)."""
        self._report, self._notify = report, notify
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.loader.run)
            tasks.start_soon(self._samples.run)
            tasks.start_soon(self._banks.run)
            tasks.start_soon(self._poll)
            tasks.start_soon(self._ask_status)
            task_status.started()

    def _tell(self, fact: Fact) -> None:
        self._report(fact)

    def _flush(self) -> None:
        client = self._client
        while client is not None and self._unsent:
            batch = [self._unsent.popleft() for _ in range(min(len(self._unsent), 512))]
            try:
                client.send(records(batch))
            except EngineBusy:
                self._unsent.extendleft(reversed(batch))
                if len(self._unsent) > UNSENT_LIMIT:
                    self._lose("The engine has stopped taking commands")
                return
            except AudioError as error:
                self._lose(str(error))
                return

    def _lose(self, why: str) -> None:
        _log.error("the engine is gone: %s", why)
        self.detach()
        self._on_lost()

    async def _poll(self) -> None:
        snapshot_due = 0.0
        while True:
            await anyio.sleep(POLL_S)
            while self._departed:
                await self._departed.pop().aclose()
            client = self._client
            if client is None:
                continue
            self._flush()
            self._hear(client)
            if time.monotonic() >= snapshot_due:
                snapshot_due = time.monotonic() + SNAPSHOT_S
                if client.alive:
                    self._look()
                else:
                    self._lose("its process has ended")

    def _hear(self, client: EngineClient) -> None:
        """Take the engine's events."""
        for event in client.events():
            kind, deck = int(event["kind"]), int(event["deck"])
            fact = fact_of(event, client.rate)
            if fact is not None:
                self._report(fact)
            elif kind == EventKind.COMMAND_REFUSED:
                _log.warning("the engine refused a command of kind %d for deck %d", int(event["a"]), deck + 1)
            elif kind == EventKind.AUDIO_MISSING:
                self._missed(deck, float(event["a"]) / client.rate)

    def _missed(self, deck: int, position_s: float) -> None:
        """Tell of silence, at most once in five seconds a deck."""
        now = time.monotonic()
        if now - self._missing.get(deck, -5.0) >= 5.0:
            self._missing[deck] = now
            text = f"Deck {deck + 1} was silent for a moment at {position_s:.1f} s: the disk did not keep up"
            self._notify(Notice("warning", "audio_missing", text, f"/deck/{deck + 1}/position"))

    def _look(self) -> None:
        """Compare a snapshot with the one before."""
        if self._client is None:
            return
        self.audible()
        snapshot = self._client.snapshot()
        tempo = float(snapshot["tempo"])
        if tempo > 0.0 and abs(tempo - self._tempo) >= TEMPO_STEP_BPM:
            self._tempo = tempo
            self._report(TempoChanged(round(tempo, 3)))
        pads = tuple(snapshot["pads"].tolist())
        if pads != self._pads:
            self._pads = pads
            self._report(PadsSounding(pads))
        for deck, record in enumerate(snapshot["decks"]):
            if record["gap"] != self._gaps[deck]:
                self._gaps[deck] = int(record["gap"])
                self._report(GapChanged(deck, bool(record["gap"])))
            if record["pending_mask"] != self._pending[deck]:
                self._pending[deck] = int(record["pending_mask"])
                self._report(PendingChanged(deck, int(record["pending_mask"])))

    async def _ask_status(self) -> None:
        """Keep `status` fresh."""
        while True:
            await anyio.sleep(STATUS_S / 4)
            client = self._client
            if client is None:
                continue
            try:
                with anyio.fail_after(5):
                    report = await client.status()
            except (AudioError, TimeoutError) as error:
                _log.info("the engine did not tell its status: %s", error)
                continue
            if self._client is not client:
                continue
            snapshot = client.snapshot()
            self._status = EngineStatus(
                True,
                report.device,
                report.rate,
                report.block,
                float(snapshot["load"]),
                int(snapshot["late_blocks"]),
                1000.0 * report.latency_frames / report.rate,
            )
            for message in report.messages:
                self._notify(Notice("warning", "engine", message))
            await anyio.sleep(STATUS_S * 3 / 4)


def _frame_now(client: EngineClient) -> int:
    pair = client.clock()
    if pair.monotonic_ns == 0:
        return pair.frame
    return pair.frame + round((time.monotonic_ns() - pair.monotonic_ns) * pair.rate / 1e9)


def _audible(snapshot: np.void, rate: int, ahead_s: float) -> tuple[AudibleDeck, ...]:
    decks = []
    for record in snapshot["decks"]:
        playing, duration_s = bool(record["playing"]), int(record["duration"]) / rate
        position_s = float(record["position"]) / rate
        start_s, end_s = float(record["loop_in"]) / rate, float(record["loop_out"]) / rate
        loops = bool(record["loop_active"])
        if playing:
            inside = loops and start_s <= position_s < end_s
            position_s += ahead_s * float(record["rate"])
            if inside:
                position_s = start_s + (position_s - start_s) % (end_s - start_s)
        place_s = min(max(position_s, 0.0), duration_s)
        ends = (start_s, end_s) if end_s > start_s else (-1.0, -1.0)
        decks.append(AudibleDeck(int(record["token"]), place_s, playing, duration_s, loops, ends))
    return tuple(decks)
