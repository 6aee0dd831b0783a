"""Makes takes: what is played along with a deck goes to the library, each pass as a take of its own.

    /deck/N/take/record --> engine tells its places --> Taker --> DATA/takes/open/ID, written while it is played
        --its end--> process that lays it in track time --> Library.add_take, under the same ID

What lies in `open` when the server starts was played before it ended, however it ended: it is laid and kept then.
Owner: the lifespan's task group. Units: seconds; frames at the engine rate.
"""

import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from audio.client import EngineClient
from audio.errors import AudioError
from audio.take_message import FULL, TAKE_NAME, Laid
from audio.take_pass import Label, OpenPass, label_of
from audio.taking import Taker
from server.errors import ServerError, StorageFull
from server.library.service import Library
from server.library.storage import full_disk_is_our_error
from server.library.takes import FOLDER
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.show import Show
from server.session.taking import RECORD

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.2
"""Between two looks at the rings, which hold ten times as much."""
LAST_S: Final = 0.25
"""After a stop of the server, so long is listened to the input: as late as most inputs are."""
OPEN: Final = "open"
"""Where passes lie before they are takes, among the folders of tracks."""
PATIENCE_S: Final = 2.0
"""An input that has not come by then is not there; what was played last has come back by then."""


class TakeKeeper:
    """See the module. Thread-safe: no."""

    def __init__(self, show: Show, client: Callable[[], EngineClient | None], library: Library, data: Path) -> None:
        """`client` gives the engine that plays; `data` is the data folder."""
        self._show, self._client, self._library = show, client, library
        self._folder = data / FOLDER / OPEN
        self._engine: EngineClient | None = None
        self._taker: Taker | None = None
        self._turn = anyio.Lock()
        self._tracks: dict[int, str] = {}
        self._asked_s = 0.0

    @property
    def seconds(self) -> float:
        """How long the pass that is being made is by now; 0 while none is."""
        made = self._taker.open_pass if self._taker is not None else None
        return made.frames / self._engine.rate if made is not None and self._engine is not None else 0.0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. A switch that was saved on stays so where the engine still tells its places: it is
        the one that a server before this began with."""
        self._taker = None
        left = await anyio.to_thread.run_sync(self._left)
        task_status.started()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._recover, left)
            await self._go_on()
            while True:
                await anyio.sleep(LOOK_S)
                async with self._turn:
                    made = await self._look()
                for one in made:
                    tasks.start_soon(self._keep, one.folder)

    async def stop(self) -> None:
        """End what is being made, up to the last that was heard: the next start keeps it. Call before the engine
        ends."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                taker, self._taker = self._taker, None
                if taker is None:
                    return
                with contextlib.suppress(OSError):
                    # What was played last comes by the input a moment later.
                    end_s = time.monotonic() + LAST_S
                    while time.monotonic() < end_s:
                        await anyio.to_thread.run_sync(taker.pull)
                        await anyio.sleep(0.02)
                taker.end()

    def _left(self) -> list[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return sorted(self._folder.iterdir())

    async def _recover(self, left: list[Path]) -> None:
        """Keep what was played before the server ended."""
        for folder in left:
            await self._keep(folder)

    async def _go_on(self) -> None:
        """Take up what an engine goes on telling, or begin with nothing."""
        if not any(self._show.value(path) for path in RECORD):
            return
        with anyio.move_on_after(PATIENCE_S):
            while (client := self._client()) is None:
                await anyio.sleep(LOOK_S)
            self._engine, self._taker = client, client.taker(self._begin_pass)
        if self._taker is None:
            self._switch_off()

    async def _look(self) -> list[OpenPass]:
        """Begin, go on or end as the switches say; return the passes that have ended."""
        wanted = any(self._show.value(path) for path in RECORD)
        if not wanted and self._taker is None:
            self._asked_s = 0.0
            return []
        client = self._client()
        self._tracks.update({deck.token: deck.track_id for deck in self._show.state.decks if deck.token})
        try:
            if client is None or client is not self._engine:
                going, left = self._taker is not None, await self._last_of()
                self._engine = client
                if going or client is None:
                    self._fail("The engine was lost while takes were made: turn recording on again")
                    return left
            if self._taker is None:
                self._begin()
                return []
            taker = self._taker
            passes = await anyio.to_thread.run_sync(taker.pull)
        except OSError as fault:
            self._fail(f"Takes cannot be written: {fault.strerror}; recording is off, what was played is kept")
            return self._end()
        if wanted:
            self._asked_s = time.monotonic()
        elif not taker.waiting or time.monotonic() - self._asked_s > PATIENCE_S:
            passes += self._end()
        return passes

    async def _last_of(self) -> list[OpenPass]:
        """End what an engine that is gone has told: its rings are still there."""
        taker = self._taker
        passes = await anyio.to_thread.run_sync(taker.pull) if taker is not None else []
        return passes + self._end()

    def _begin(self) -> None:
        assert self._engine is not None
        now = time.monotonic()
        self._asked_s = self._asked_s or now
        self._taker = self._engine.taker(self._begin_pass)
        if self._taker is None and now - self._asked_s > PATIENCE_S:
            self._fail('There is no input: set input = "auto" in alchemy.toml and start again')

    def _begin_pass(self, token: int) -> OpenPass:
        assert self._engine is not None
        return OpenPass(self._folder / str(uuid4()), Label(self._tracks.get(token, ""), self._engine.rate))

    def _end(self) -> list[OpenPass]:
        taker, self._taker, self._asked_s = self._taker, None, 0.0
        return taker.end() if taker is not None else []

    async def _keep(self, folder: Path) -> None:
        """Lay a pass and give it to the library; one for which there is no room stays for the next start."""
        try:
            label = await anyio.to_thread.run_sync(label_of, folder)
            take_id, track_id = UUID(folder.name), UUID(label.track_id)
            command = [sys.executable, "-m", "audio.take_laying", str(folder), str(label.rate)]
            done = await anyio.run_process(command, check=False)
            if done.returncode == FULL:
                raise StorageFull
            if done.returncode:
                raise OSError(done.stderr.decode(errors="replace").strip()[-300:] or f"exit {done.returncode}")
            laid = msgspec.json.decode(done.stdout, type=Laid)
            span_s = laid.start / label.rate, laid.stop / label.rate
            speed = round(laid.speed, 4)
            with full_disk_is_our_error():
                await self._library.add_take(
                    take_id, track_id, folder / TAKE_NAME, span_s, speed, keylock=laid.stretched, gain=laid.gain
                )
            self._say("info", f"A take of {span_s[1] - span_s[0]:.1f} s is kept")
        except StorageFull as error:
            _log.warning("a take waits for room: %s", error)
            self._say("error", "A take waits for room on the disk: it is kept at the next start")
            return
        except (ServerError, AudioError, OSError, ValueError, msgspec.DecodeError) as error:
            _log.warning("a take was lost: %s", error)
            self._say("error", f"A take could not be kept: {error}")
        await anyio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))

    def _fail(self, why: str) -> None:
        self._say("error", why)
        self._switch_off()
        self._asked_s = 0.0

    def _switch_off(self) -> None:
        self._show.report(Reported(tuple((path, 0) for path in RECORD)))

    def _say(self, level: str, sentence: str) -> None:
        self._show.notice(Notice(level, "take", sentence, RECORD[0]))
