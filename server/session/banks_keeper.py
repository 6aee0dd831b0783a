"""Keeps banks: what the performer does to pads and patterns goes to the library, the latest of each bank.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: banks count from 0.
"""

import logging
from collections.abc import Awaitable, Callable

from server.pads import Pad
from server.session.effects import Notice
from server.session.latest_keeper import LatestKeeper

_log = logging.getLogger(__name__)


class BanksKeeper(LatestKeeper[int, tuple[Pad, ...]]):
    """Pads by their bank."""

    pause_s = 0.5

    def __init__(
        self, save: Callable[[int, tuple[Pad, ...]], Awaitable[None]], notify: Callable[[Notice], None]
    ) -> None:
        """`save` keeps one bank and raises ServerError; `notify` is told once when it cannot."""
        super().__init__()
        self._save = save
        self._notify = notify
        self._told = False

    async def _keep(self, key: int, value: tuple[Pad, ...]) -> None:
        await self._save(key, value)

    def _is_hopeless(self, key: int, error: Exception) -> bool:
        _log.warning("bank %d could not be saved: %s", key + 1, error)
        if not self._told:
            text = f"The sampler's bank {key + 1} could not be saved ({error}); it is tried again"
            self._notify(Notice("warning", "bank_not_saved", text))
        self._told = True
        return False

    async def flush(self) -> bool:
        """Save what waits; False when some of it has to wait on. The next failure after a success is told again."""
        done = await super().flush()
        if done:
            self._told = False
        return done
