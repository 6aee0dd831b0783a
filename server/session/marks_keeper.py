"""Keeps marks: what the performer has marked goes to the library, one track at a time, the latest of each.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: as in `server.marks`.
"""

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from server.marks import Marks
from server.session.effects import Notice
from server.session.latest_keeper import LatestKeeper

_log = logging.getLogger(__name__)


class MarksKeeper(LatestKeeper[str, Marks]):
    """Marks by the id of their track."""

    def __init__(self, save: Callable[[UUID, Marks], Awaitable[None]], notify: Callable[[Notice], None]) -> None:
        """`save` keeps the marks of one track and raises ServerError; `notify` is told when it cannot."""
        super().__init__()
        self._save = save
        self._notify = notify
        #: How often marks were to be kept: a reader who finds it unchanged has read no older ones.
        self.count = 0

    def save(self, key: str, value: Marks) -> None:
        """Keep the marks of a track."""
        self.count += 1
        super().save(key, value)

    async def _keep(self, key: str, value: Marks) -> None:
        try:
            await self._save(UUID(key), value)
        except ValueError:
            _log.debug("%r is no track that could be marked", key)

    def _is_hopeless(self, key: str, error: Exception) -> bool:
        if getattr(error, "code", "") == "not_found":
            return True
        _log.warning("the marks of %s could not be saved: %s", key, error)
        text = f"Cue points and grid could not be saved ({error}); they are tried again"
        self._notify(Notice("warning", "marks_not_saved", text))
        return False
