"""The relay: hands messages that were written with their jobs to RabbitMQ or Redis, when `ALCHEMY_BROKER` names one.

Owner: one task, `Relay.run`; the broker is used in one worker thread at a time.
Units: seconds.

A message is noted as handed over after the broker has it, so what a crash interrupts is handed over twice, which the
book (`ledger.py`) makes good. While the broker is away messages wait in the database.
"""

import logging
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from server.db import Database
from server.errors import ServerError
from server.jobs import ledger
from server.jobs.service import JobService

if TYPE_CHECKING:
    from dramatiq.broker import Broker

log = logging.getLogger(__name__)

LOOK_S: Final = 0.1
"""How often the table is looked at; nothing is heard of a message but that."""

LIFE_S: Final = 1.0
"""How often the broker is asked whether it is still the one that it was."""

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0


class Relay:
    """Hands messages over to the broker at `url`. Raises BrokerUnsupported (of `pipeline`) when run, if it is none."""

    def __init__(self, db: Database, jobs: JobService, url: str) -> None:
        self._db = db
        self._jobs = jobs
        self._url = url
        self._broker: Broker | None = None
        self._life: str | None = None
        self._looked = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                try:
                    await self._hand_over()
                    pause_s = _FIRST_PAUSE_S
                    await anyio.sleep(LOOK_S)
                except ServerError as error:
                    log.debug("Messages wait: %s", error)
                    await anyio.sleep(pause_s)
                except _Away as away:
                    log.warning("The message broker is out of reach, messages wait: %s", away)
                    await anyio.sleep(pause_s)
                    pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        finally:
            if self._broker is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._broker.close)

    async def _hand_over(self) -> None:
        now = anyio.current_time()
        if self._life is None or now - self._looked > LIFE_S:
            self._looked = now
            life = await _in_thread(self._read_life)
            if life != self._life:
                await ledger.forget_handing(self._db)
                self._life = life
        for entry in await ledger.due(self._db, self._jobs.at_work()):
            await _in_thread(self._put, entry.payload)
            await ledger.handed(self._db, entry.message_id)

    def _read_life(self) -> str:
        from pipeline.broker_others import life

        return life(self._opened())

    def _put(self, payload: bytes) -> None:
        from dramatiq.message import Message

        broker = self._opened()
        message: Message[Any] = Message.decode(payload)
        broker.declare_queue(message.queue_name)
        broker.enqueue(message)

    def _opened(self) -> "Broker":
        if self._broker is None:
            from pipeline.broker import broker_for

            self._broker = broker_for(self._url)
        return self._broker


class _Away(Exception):
    """The broker is out of reach."""


async def _in_thread(function: Any, *arguments: Any) -> Any:
    """Run what talks to the broker. Raises _Away for whatever its client says, PipelineError as it is."""
    from pipeline.errors import PipelineError

    try:
        return await anyio.to_thread.run_sync(function, *arguments)
    except PipelineError:
        raise
    except Exception as error:  # pika, redis and sockets each have their own
        raise _Away(f"{type(error).__name__}: {error}") from error
