"""Keeps marks: what the performer has marked goes to the library, one track at a time, the latest of each.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: as in `server.marks`.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import anyio

from server.errors import ServerError
from server.marks import Marks
from server.session.effects import Notice

_log = logging.getLogger(__name__)

RETRY_S: Final = 2.0
"""Before a library that did not answer is asked again."""


class MarksKeeper:
    """Call `save` from the loop; run `run` in a task group."""

    def __init__(self, save: Callable[[UUID, Marks], Awaitable[None]], notify: Callable[[Notice], None]) -> None:
        """`save` keeps the marks of one track and raises ServerError; `notify` is told when it cannot."""
        self._save = save
        self._notify = notify
        self._waiting: dict[str, Marks] = {}
        #: How often marks were to be kept: a reader who finds it unchanged has read no older ones.
        self.count = 0
        self._wake = anyio.Event()

    def save(self, track_id: str, marks: Marks) -> None:
        """Keep these marks; an earlier wish for the track that is not fulfilled yet is forgotten."""
        self.count += 1
        self._waiting.pop(track_id, None)
        self._waiting[track_id] = marks
        self._wake.set()

    async def run(self) -> None:
        """Save until cancelled; then what still waits, once."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                if not await self.flush():
                    await anyio.sleep(RETRY_S)
                    self._wake.set()
        finally:
            with anyio.move_on_after(2.0, shield=True):
                await self.flush()

    async def flush(self) -> bool:
        """Save what waits; False when some of it has to wait on."""
        for track_id, marks in list(self._waiting.items()):
            try:
                await self._save(UUID(track_id), marks)
            except (ServerError, OSError, ValueError) as error:
                gone = isinstance(error, ValueError) or getattr(error, "code", "") == "not_found"
                if not gone:
                    _log.warning("the marks of %s could not be saved: %s", track_id, error)
                    text = f"Cue points and grid could not be saved ({error}); they are tried again"
                    self._notify(Notice("warning", "marks_not_saved", text))
                    return False
            if self._waiting.get(track_id) is marks:
                del self._waiting[track_id]
        return True
