"""Keeps banks: what the performer does to pads and patterns goes to the library, the latest of each bank.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: banks count from 0.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from server.errors import ServerError
from server.pads import Pad
from server.session.effects import Notice

_log = logging.getLogger(__name__)

THROTTLE_S: Final = 0.5
"""At least this long between two saves: a knob that is turned is one change."""

RETRY_S: Final = 2.0
"""Before a library that did not answer is asked again."""


class BanksKeeper:
    """Call `save` from the loop; run `run` in a task group."""

    def __init__(
        self, save: Callable[[int, tuple[Pad, ...]], Awaitable[None]], notify: Callable[[Notice], None]
    ) -> None:
        """`save` keeps one bank and raises ServerError; `notify` is told when it cannot."""
        self._save = save
        self._notify = notify
        self._waiting: dict[int, tuple[Pad, ...]] = {}
        self._wake = anyio.Event()
        self._failed = False

    def save(self, bank: int, pads: tuple[Pad, ...]) -> None:
        """Keep a bank; an earlier wish for it that is not fulfilled yet is forgotten."""
        self._waiting[bank] = pads
        self._wake.set()

    async def run(self) -> None:
        """Save until cancelled; then what still waits, once."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await anyio.sleep(THROTTLE_S)
                if not await self._flush():
                    await anyio.sleep(RETRY_S)
                    self._wake.set()
        finally:
            with anyio.move_on_after(2.0, shield=True):
                await self._flush()

    async def _flush(self) -> bool:
        """Save what waits; False when some of it has to wait on."""
        for bank, pads in list(self._waiting.items()):
            try:
                await self._save(bank, pads)
            except (ServerError, OSError) as error:
                _log.warning("bank %d could not be saved: %s", bank + 1, error)
                if not self._failed:
                    text = f"The sampler's bank {bank + 1} could not be saved ({error}); it is tried again"
                    self._notify(Notice("warning", "bank_not_saved", text))
                self._failed = True
                return False
            if self._waiting.get(bank) is pads:
                del self._waiting[bank]
        self._failed = False
        return True
