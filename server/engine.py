"""Keeps an engine playing: adopts the one that runs, starts one where there is none, replaces one that died.

Owner: the lifespan's task group. The music does not depend on this task: an engine plays on without it.
Units: seconds.
"""

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from audio.client import EngineClient
from audio.errors import AudioError, BlockVersionMismatch
from audio.launch import WarmStandby, adopt, adopt_or_start, ready
from audio.process import EngineProcess
from audio.settings import AudioSettings
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.show import Show

_log = logging.getLogger(__name__)

RETRY_S: Final = (0.0, 0.2, 1.0, 5.0)
"""Pauses before the next try, the last one from then on."""

QUIT_S: Final = 2.0
"""How long an engine may take to end before it is killed."""


class EngineKeeper:
    """Hands every engine there is to the deckhand. `lost` is for the deckhand to call."""

    def __init__(self, settings: AudioSettings, runtime: Path, log: Path, begun: EngineProcess | None = None) -> None:
        """`begun`: an engine for these settings that is on its way up already."""
        self._settings = settings
        self._runtime = runtime
        self._log_file = log
        self._lost = anyio.Event()
        self._process = begun
        self._attached = 0
        self._first = anyio.Event()

    def lost(self) -> None:
        """The engine that was attached is gone."""
        self._lost.set()

    async def wait_first(self) -> None:
        """Wait until the first engine plays, or could not be had."""
        await self._first.wait()

    async def _first_engine(self) -> EngineClient:
        if self._process is not None:
            return await ready(self._process, self._runtime)
        client, self._process = await adopt_or_start(self._runtime, self._settings, log=self._log_file)
        return client

    async def run(self, deckhand: EngineDeckhand, show: Show) -> None:
        """Keep an engine until cancelled; leaves it running."""
        failures = 0
        try:
            self._attach(deckhand, await self._first_engine())
        except BlockVersionMismatch as error:
            show.notice(Notice("warning", "engine_version", str(error)))
        except AudioError as error:
            failures = 1
            self._refused(show, error)
        finally:
            self._first.set()
        async with WarmStandby(self._log_file) as standby:
            while True:
                await self._lost.wait()
                self._lost = anyio.Event()
                await self._end_stuck()
                await anyio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                try:
                    client = await self._another(standby)
                except AudioError as error:
                    failures += 1
                    self._refused(show, error)
                else:
                    failures = 0
                    self._attach(deckhand, client)
                    show.notice(Notice("warning", "engine_restarted", "The engine had stopped and plays again"))
                await standby.prepare()

    def _attach(self, deckhand: EngineDeckhand, client: EngineClient) -> None:
        self._attached = client.pid
        deckhand.attach(client)

    async def _another(self, standby: WarmStandby) -> EngineClient:
        """Return an engine in place of the one that was lost: one that plays already, else the one in reserve.

        The one that was lost, if it still holds the place, is stuck and has to go. Raises AudioError.
        """
        running = await adopt(self._runtime)
        if running is not None and running.pid != self._attached:
            return running
        if running is not None:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
            with anyio.move_on_after(QUIT_S):
                while running.alive:
                    await anyio.sleep(0.01)
        client, self._process = await standby.take(self._runtime, self._settings)
        return client

    def _refused(self, show: Show, error: AudioError) -> None:
        _log.error("no engine: %s", error)
        show.notice(Notice("error", "engine_missing", f"No sound: {error}"))
        self._lost.set()

    async def _end_stuck(self) -> None:
        """An engine that no longer answers but has not ended either must go before the next one can have its place."""
        process, self._process = self._process, None
        if process is not None and process.running:
            await anyio.to_thread.run_sync(process.end)

    async def stop(self, client: EngineClient | None) -> None:
        """End the engine, politely first."""
        process, self._process = self._process, None
        if client is not None:
            with suppress(AudioError), anyio.move_on_after(QUIT_S):
                await client.quit()
                while client.alive:
                    await anyio.sleep(0.01)
        if process is not None and process.running:
            await anyio.to_thread.run_sync(process.end)
        elif process is None and client is not None and client.alive:
            with suppress(ProcessLookupError):
                os.kill(client.pid, signal.SIGKILL)
