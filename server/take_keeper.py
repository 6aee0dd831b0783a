"""Makes takes: what is played along with a deck goes to the library, each pass as a take of its own.

    /deck/N/take/record --> engine tells its places --> Taker --passes--> process that lays them --> Library.add_take

Owner: the lifespan's task group. What has been played since the last seam, stop or seek is lost with the server, and
nothing of it is left on the disk. Units: seconds; frames at the engine rate.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from audio.client import EngineClient
from audio.take_message import FULL, TAKE_NAME, Laid, keep_pass
from audio.taking import Pass, Taker
from server.errors import ServerError, StorageFull
from server.library.storage import full_disk_is_our_error
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.show import Show
from server.session.taking import RECORD

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.2
"""Between two looks at the rings, which hold ten times as much."""
PATIENCE_S: Final = 2.0
"""An input that has not come by then is not there; what was played last has come back by then."""


class Shelf(Protocol):
    """The library as takes need it."""

    async def add_take(
        self, track_id: UUID, made: Path, span_s: tuple[float, float], rate: float, *, keylock: bool, gain: float
    ) -> None: ...


class Bench(Protocol):
    """Folders to work in, which nobody tidies away meanwhile."""

    async def new_scratch(self) -> Path: ...
    async def drop_scratch(self, folder: Path) -> None: ...


class TakeKeeper:
    """See the module. Thread-safe: no."""

    def __init__(self, show: Show, client: Callable[[], EngineClient | None], library: Shelf, bench: Bench) -> None:
        """`client` gives the engine that plays."""
        self._show, self._client, self._library, self._bench = show, client, library, bench
        self._engine: EngineClient | None = None
        self._taker: Taker | None = None
        self._tracks: dict[int, str] = {}
        self._asked_s = 0.0
        self._rate = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; a show that was saved while takes were made does not begin one."""
        self._switch_off()
        task_status.started()
        async with anyio.create_task_group() as tasks:
            while True:
                await anyio.sleep(LOOK_S)
                for made in await self._look():
                    track_id = self._tracks.get(made.token)
                    if track_id:
                        tasks.start_soon(self._keep, made, track_id, self._rate)

    async def _look(self) -> list[Pass]:
        """Begin, go on or end as the switches say; return the passes that have ended."""
        wanted = any(self._show.value(path) for path in RECORD)
        if not wanted and self._taker is None:
            self._asked_s = 0.0
            return []
        client = self._client()
        self._tracks.update({deck.token: deck.track_id for deck in self._show.state.decks if deck.token})
        if client is None or client is not self._engine:
            going, left = self._taker is not None, self._end()
            self._engine = client
            if going or client is None:
                self._fail("The engine was lost while takes were made: turn recording on again")
                return left
        if self._taker is None:
            self._begin()
            return []
        taker = self._taker
        passes = await anyio.to_thread.run_sync(taker.pull)
        if wanted:
            self._asked_s = time.monotonic()
        elif not taker.waiting or time.monotonic() - self._asked_s > PATIENCE_S:
            passes += self._end()
        return passes

    def _begin(self) -> None:
        assert self._engine is not None
        now = time.monotonic()
        self._asked_s = self._asked_s or now
        self._taker, self._rate = self._engine.taker(), self._engine.rate
        if self._taker is None and now - self._asked_s > PATIENCE_S:
            self._fail('There is no input: set input = "auto" in alchemy.toml and start again')

    def _end(self) -> list[Pass]:
        taker, self._taker, self._asked_s = self._taker, None, 0.0
        return taker.end() if taker is not None else []

    async def _keep(self, made: Pass, track_id: str, rate: int) -> None:
        """Lay a pass and give it to the library."""
        folder = await self._bench.new_scratch()
        try:
            with full_disk_is_our_error():
                await anyio.to_thread.run_sync(keep_pass, folder, made)
            command = [sys.executable, "-m", "audio.take_laying", str(folder), str(rate)]
            done = await anyio.run_process(command, check=False)
            if done.returncode == FULL:
                raise StorageFull
            if done.returncode:
                raise OSError(done.stderr.decode(errors="replace").strip()[-300:] or f"exit {done.returncode}")
            laid = msgspec.json.decode(done.stdout, type=Laid)
            span_s = laid.start / rate, laid.stop / rate
            speed = round(made.speed, 4)
            await self._library.add_take(
                UUID(track_id), folder / TAKE_NAME, span_s, speed, keylock=made.stretched, gain=laid.gain
            )
            self._say("info", f"A take of {span_s[1] - span_s[0]:.1f} s is kept")
        except (ServerError, OSError, ValueError, msgspec.DecodeError) as error:
            _log.warning("a take was lost: %s", error)
            self._say("error", f"A take could not be kept: {error}")
        finally:
            await self._bench.drop_scratch(folder)

    def _fail(self, why: str) -> None:
        self._say("error", why)
        self._switch_off()
        self._asked_s = 0.0

    def _switch_off(self) -> None:
        self._show.report(Reported(tuple((path, 0) for path in RECORD)))

    def _say(self, level: str, sentence: str) -> None:
        self._show.notice(Notice(level, "take", sentence, RECORD[0]))
