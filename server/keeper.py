"""Keeps a long-lived background task running: what it did not foresee is logged, told, and the task begun again.

Owner: the task group of `server/run.py`; one `Keeper` for all of its tasks.
Units: seconds.

Pauses between beginnings grow, so that a fault that stays (a full disk) neither burns the processor nor fills the log.
Cancellation passes, and so does whatever keeps a task from coming up for the first time: a start that fails is told by
the start.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from server.session.effects import Notice

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0
"""A task that ran this long was well: the next pause is short again, and its next fault is told again."""

Work = Callable[..., Awaitable[object]]


class Keeper:
    """`tell` hears the first of a row of faults of each task; `clock` and `sleep` are anyio's but in tests."""

    def __init__(
        self,
        tell: Callable[[Notice], None],
        *,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._sleep = sleep

    async def keep(self, name: str, work: Work) -> None:
        """Run `work()` until it returns or is cancelled, however often it fails. `name` is for people: "cleaning"."""
        await self._keep(name, lambda: work(), lambda: True)

    async def begin(self, name: str, work: Work, *, task_status: TaskStatus[Any] = anyio.TASK_STATUS_IGNORED) -> None:
        """Like `keep` for work that says when it is up, for `TaskGroup.start`. Raises what keeps it from coming up."""
        up = _Up(task_status)
        await self._keep(name, lambda: work(task_status=up), lambda: up.said)

    async def _keep(self, name: str, work: Callable[[], Awaitable[object]], is_up: Callable[[], bool]) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = self._clock()
            try:
                await work()
                return
            except Exception as error:
                if not is_up():
                    raise
                steady = self._clock() - began >= STEADY_S
                first = steady or pause_s == FIRST_PAUSE_S
                pause_s = FIRST_PAUSE_S if steady else pause_s
                log.exception("%s failed in a way that nobody thought of; again in %g s.", name, pause_s)
                if first:
                    self._say(name, error)
            await self._sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _say(self, name: str, error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        text = (
            f"A fault in {name} ({type(error).__name__}); it is begun again, and the music plays on. The log says more."
        )
        try:
            self._tell(Notice("warning", "task_restarted", text))
        except Exception:
            log.exception("Nobody could be told.")


class _Up:
    """Passes the first `started` on; a task that is begun again says it once more."""

    def __init__(self, status: TaskStatus[Any]) -> None:
        self._status = status
        self.said = False

    def started(self, value: Any = None) -> None:
        if not self.said:
            self.said = True
            self._status.started(value)
