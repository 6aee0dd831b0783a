"""Measures how long sound takes from the master to the input, when the show asks for it.

    status `measuring` --> a second passes --> master ring, input ring: alike at which lag? --> /practice/input/latency

Owner: the lifespan's task group. Units: seconds; frames at the engine rate.
"""

import logging
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from audio.client import EngineClient
from audio.round_trip import LONGEST_S, find_delay
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.input_delay import LATENCY, MEASURING, STATUS
from server.session.intent import Intent
from server.session.show import Show

_log = logging.getLogger(__name__)

WAIT_S: Final = 1.0
"""After this long the noise has been heard, if it is heard at all."""
BEFORE_S: Final = 0.2
"""The noise may have begun so much before this hears of it."""

LOST: Final = (
    "The noise did not come back: let the microphone hear a loudspeaker, or join output and input by a cable, and turn "
    "the master up"
)


class RoundTrip:
    """See the module. Thread-safe: no."""

    def __init__(self, show: Show, client: Callable[[], EngineClient | None]) -> None:
        """`client` gives the engine that plays."""
        self._show, self._client = show, client

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        self._rest()
        async with self._show.subscribe("round trip") as changes:
            task_status.started()
            async for _ in changes:
                changes.drain()
                if self._show.value(STATUS) == MEASURING:
                    await self._measure()
                    self._rest()

    async def _measure(self) -> None:
        client = self._client()
        if client is None:
            self._say("error", "The input cannot be measured: no engine plays")
            return
        cursor = max(0, client.master_cursor - round(BEFORE_S * client.rate))
        await anyio.sleep(WAIT_S)
        frames = client.master_cursor - cursor
        sent, heard = client.read_master(cursor, frames)[0], client.read_input(cursor, frames)[0]
        if len(sent) != frames or len(heard) != frames:
            self._say("error", 'There is no input: set input = "auto" in alchemy.toml and start again')
            return
        delay = await anyio.to_thread.run_sync(find_delay, sent, heard, round(LONGEST_S * client.rate))
        if delay is None:
            self._say("warning", LOST)
            return
        self._show.submit(Intent(LATENCY, delay / client.rate, "round trip"))
        self._say("info", f"What is played comes back by the input after {1000 * delay / client.rate:.1f} ms")

    def _rest(self) -> None:
        self._show.report(Reported(((STATUS, "idle"),)))

    def _say(self, level: str, sentence: str) -> None:
        _log.info("%s", sentence)
        self._show.notice(Notice(level, "round_trip", sentence, LATENCY))
