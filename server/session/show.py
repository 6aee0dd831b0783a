"""The show: the one task that owns the state, takes every surface's intents and tells every surface what changed.

Owner: the session task (`Show.run`); everyone else holds a snapshot with its revision. Thread-safe: no, event loop
only; a foreign thread comes in by `loop.call_soon_threadsafe(show.submit, intent)`.
Units: `clock` in seconds of the monotonic clock; `at` of an intent in engine frames.

What is waiting is bounded. A newer value of a continuous control takes the place of an older one that still waits, as
long as nothing else (a press, a toggle, a choice, a fact, a timed value) was asked for between them; so a storm of
fader moves costs one step per turn, and no order that could be heard is lost.
"""

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from control.control import BadValue, ControlError, Kind, Value, check
from control.registry import resolve
from server.pads import Pad
from server.session.effects import (
    AdoptDeck,
    Changed,
    Effect,
    EjectDeck,
    EngineCommand,
    LoadPad,
    LoadRefused,
    LoadTrack,
    LogClean,
    LogPass,
    Notice,
    OpenSetlist,
    SaveBank,
    SaveMarks,
    SavePractice,
    SetGrid,
)
from server.session.facts import Fact
from server.session.intent import Changes, Intent, Refused
from server.session.port import Deckhand
from server.session.state import State, initial
from server.session.step import step
from server.session.subscription import Subscription

_log = logging.getLogger(__name__)

CAPACITY: Final = 65_536
"""Intents that may wait at once; one more is refused with the code `busy`."""

TURN: Final = 64
"""Steps between two looks at the rest of the event loop: well under 2 ms."""

AT_ONCE: Final = 8
"""Most that is taken without waiting for the task's turn of the loop: a hand's moves, not a storm."""

FACTS_SOURCE: Final = "engine"
"""Source of changes that no surface asked for."""

_Settled = Callable[[int], None]
_T = TypeVar("_T")


class Show:
    """Call `submit` and `report` from anywhere on the loop; run `run` in a task group of the lifespan."""

    def __init__(
        self,
        deckhand: Deckhand,
        state: State | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_intent: Callable[[Intent, float], None] | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        """`state` is a restored show; `on_intent` hears every intent that was obeyed, with its time (a log)."""
        self._deckhand = deckhand
        self._state = state or initial()
        self._clock = clock
        self._on_intent = on_intent
        self._capacity = capacity
        self._queue: dict[object, Intent | Fact | _Settled] = {}
        self._epoch = 0
        self._wake = anyio.Event()
        self._idle = False
        self._subscriptions: list[Subscription] = []
        self._watchers: list[Callable[[Notice], None]] = []
        self._load_replies: dict[int, tuple[int, Callable[[Refused], None]]] = {}

    # --- reading -----------------------------------------------------------------------------------------------------

    @property
    def rev(self) -> int:
        """Revision of the show; grows with every change."""
        return self._state.rev

    @property
    def controls(self) -> Mapping[str, Value]:
        """Every control that is state, by path; a view of this moment that never changes."""
        return MappingProxyType(dict(self._state.controls))

    def value(self, path: str) -> Value | None:
        """Return the value of one control that is state, None for any other."""
        return self._state.controls.get(path)

    @property
    def state(self) -> State:
        """The whole show, immutable."""
        return self._state

    @property
    def pads(self) -> tuple[Pad, ...]:
        """The sampler's pads, bank by bank."""
        return self._state.pads

    def session(self) -> tuple[int, dict[str, Value]]:
        """Return the revision and every control, the decks' positions (`/deck/N/position`, s) at this moment too."""
        controls = dict(self._state.controls)
        for deck, position_s in enumerate(self.positions()):
            controls[f"/deck/{deck + 1}/position"] = position_s
        return self._state.rev, controls

    def positions(self) -> tuple[float, ...]:
        """Return where each deck is at this moment, in seconds of its track."""
        audible = self._deckhand.audible()
        places = []
        for memory, heard in zip(self._state.decks, audible, strict=True):
            known = self._state.connected and memory.token and heard.token == memory.token
            places.append(heard.position_s if known else memory.position_s)
        return tuple(places)

    # --- asking ------------------------------------------------------------------------------------------------------

    def submit(self, intent: Intent) -> None:
        """Ask for a change; returns at once. A bad value is answered on `intent.reply` before this returns."""
        try:
            control = resolve(intent.path, "1")
            check(control, intent.value)
        except ControlError as error:
            code = "bad_value" if isinstance(error, BadValue) else "unknown_control"
            self._refuse(intent.reply, Refused(code, str(error), intent.path))
            return
        if len(self._queue) >= self._capacity:
            self._refuse(intent.reply, Refused("busy", "Too much at once: this was not taken", intent.path))
            return
        # A number that remembers nothing acts each time it is written: two beat jumps are not one.
        if control.kind is Kind.CONTINUOUS and control.is_readable and intent.at is None:
            key = (self._epoch, intent.path)
            self._queue.pop(key, None)
            self._queue[key] = intent
            self._wake.set()
        else:
            self._enqueue(intent)

    def report(self, fact: Fact) -> None:
        """Tell the show what happened; returns at once, never dropped."""
        self._enqueue(fact)

    def act(self) -> None:
        """Take what was asked for now, and not in the task's next turn of the loop, if that is little and nothing older
        is still being taken. Otherwise, and while the task does not run, nothing happens here.

        A surface calls it when it has submitted what a hand has moved. Not from a listener of the show.
        """
        if self._idle and 0 < len(self._queue) <= AT_ONCE:
            self._idle = False
            try:
                self._turn(self._take())
            finally:
                self._idle = True

    async def settle(self) -> int:
        """Wait until everything asked for before this call is done; return the revision then."""
        done = anyio.Event()
        revs: list[int] = []

        def settled(rev: int) -> None:
            revs.append(rev)
            done.set()

        self._enqueue(settled)
        await done.wait()
        return revs[0]

    def _enqueue(self, event: Intent | Fact | _Settled) -> None:
        self._epoch += 1
        self._queue[self._epoch] = event
        self._wake.set()

    # --- hearing -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def subscribe(self, surface: str) -> AsyncIterator[Subscription]:
        """Hear every change from this moment on. Read `rev` and `controls` first thing inside, before any await: they
        are the show just before the first message."""
        subscription = Subscription(surface, self._snapshot)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def watch(self, watcher: Callable[[Notice], None]) -> Callable[[], None]:
        """Call `watcher` with every notice, on the loop; it must not block. Returns the way to stop it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def notice(self, notice: Notice) -> None:
        """Tell everybody who watches something the performer should know."""
        for watcher in list(self._watchers):
            _guarded(watcher, notice)

    def _snapshot(self) -> Changes:
        return Changes(self._state.rev, dict(self._state.controls), "", lagged=True)

    # --- the task ----------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take what is asked for until cancelled."""
        task_status.started()
        while True:
            self._idle = True
            try:
                await self._wake.wait()
            finally:
                self._idle = False
            self._wake = anyio.Event()
            events = self._take()
            while events:
                self._turn([events.popleft() for _ in range(min(TURN, len(events)))])
                if events:
                    await anyio.lowlevel.checkpoint()

    def _take(self) -> deque[Intent | Fact | _Settled]:
        """Return what waits, and let nothing that comes take its place."""
        events = deque(self._queue.values())
        self._queue = {}
        self._epoch += 1
        return events

    def _turn(self, events: Iterable[Intent | Fact | _Settled]) -> None:
        """Take a handful of events: one batch to the engine, one message for each run of one source."""
        commands: list[EngineCommand] = []
        changes: dict[str, Value] = {}
        speaker = ""
        for event in events:
            source = event.source if isinstance(event, Intent) else FACTS_SOURCE
            if source != speaker or callable(event):
                changes = self._publish(changes, speaker)
                speaker = source
            if callable(event):
                self._send(commands)
                event(self._state.rev)
                continue
            now = self._clock()
            try:
                self._state, effects = step(self._state, event, now)
                obeyed = self._perform(event, effects, commands, changes)
                if obeyed and isinstance(event, Intent) and self._on_intent is not None:
                    self._on_intent(event, now)
            except Exception:
                _log.exception("the show could not do what was asked for: %r", event)
                if isinstance(event, Intent):
                    self._refuse(event.reply, Refused("internal", "That went wrong inside; try again", event.path))
        self._send(commands)
        self._publish(changes, speaker)

    def _perform(
        self,
        event: Intent | Fact,
        effects: Iterable[Effect],
        commands: list[EngineCommand],
        changes: dict[str, Value],
    ) -> bool:
        """Do what a step asks for, adding to `commands` and `changes`; return whether the event was obeyed."""
        obeyed = True
        for effect in effects:
            match effect:
                case EngineCommand():
                    commands.append(effect)
                case Changed():
                    changes.update(effect.changes)
                case LoadTrack():
                    self._send(commands)
                    self._load_replies.pop(effect.deck, None)
                    if isinstance(event, Intent) and event.reply is not None:
                        self._load_replies[effect.deck] = (effect.token, event.reply)
                    self._deckhand.load(effect.deck, effect.token, effect.track_id, effect.position_s)
                case EjectDeck():
                    self._send(commands)
                    self._load_replies.pop(effect.deck, None)
                    self._deckhand.eject(effect.deck)
                case SetGrid():
                    self._send(commands)
                    self._deckhand.set_grid(effect.deck, effect.token, effect.beats, effect.origin)
                case SaveMarks():
                    self._deckhand.save_marks(effect.track_id, effect.marks)
                case SavePractice():
                    self._deckhand.save_practice(effect.deck, effect.token, effect.track_id, effect.practice)
                case LogPass() | LogClean():
                    self._deckhand.log_pass(effect.track_id, effect.made, clean=isinstance(effect, LogClean))
                case LoadPad():
                    self._send(commands)
                    self._deckhand.load_pad(effect.bank, effect.pad, effect.token, effect.source)
                case SaveBank():
                    self._deckhand.save_bank(effect.bank, effect.pads)
                case AdoptDeck():
                    self._deckhand.adopt(effect.deck, effect.token, effect.track_id)
                case OpenSetlist():
                    self._deckhand.open_setlist(effect.name)
                case Notice():
                    self.notice(effect)
                case Refused():
                    obeyed = False
                    self._refuse(event.reply if isinstance(event, Intent) else None, effect)
                case LoadRefused():
                    for deck, (token, reply) in list(self._load_replies.items()):
                        if token == effect.token:
                            del self._load_replies[deck]
                            self._refuse(reply, effect.refused)
        return obeyed

    def _send(self, commands: list[EngineCommand]) -> None:
        """Hand over what is in `commands`, and empty it. A fault there keeps nobody waiting for this turn."""
        if commands:
            try:
                self._deckhand.send(tuple(commands))
            except Exception:
                _log.exception("the engine was not told of %r", commands)
                self.notice(Notice("error", "internal", "The engine was not told of a change; set the control again"))
            commands.clear()

    def _publish(self, changes: dict[str, Value], source: str) -> dict[str, Value]:
        if changes:
            message = Changes(self._state.rev, changes, source)
            for subscription in self._subscriptions:
                subscription.push(message)
        return {}

    @staticmethod
    def _refuse(reply: Callable[[Refused], None] | None, refused: Refused) -> None:
        if reply is not None:
            _guarded(reply, refused)


def _guarded(listener: Callable[[_T], None], value: _T) -> None:
    """Call a listener; a faulty surface is logged and the show goes on."""
    try:
        listener(value)
    except Exception:
        _log.exception("a listener of the show failed")
