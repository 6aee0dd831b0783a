"""One surface's view of the changes: a bounded mailbox that never slows the show.

Owner: `Show` fills it on the event loop; one task reads it. Thread-safe: no.
Units: revisions as in `server.session.intent.Changes`.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from server.session.intent import Changes

MAILBOX: Final = 256
"""Messages a reader may be behind before it is given a fresh snapshot instead."""


class Subscription:
    """Iterate to receive Changes. When the mailbox overflows, everything in it gives way to one `lagged` message
    that holds the whole show as it is when it is read."""

    def __init__(self, surface: str, snapshot: Callable[[], Changes], mailbox: int = MAILBOX) -> None:
        self.surface = surface
        self._snapshot = snapshot
        self._mailbox = mailbox
        self._waiting: deque[Changes] = deque()
        self._arrived = anyio.Event()
        self._lagged = False
        self._closed = False

    @property
    def lagged(self) -> bool:
        """Whether the reader has missed messages that the next one will make up for."""
        return self._lagged

    def push(self, message: Changes) -> None:
        """Add a message; never blocks."""
        if self._lagged or self._closed:
            return
        if len(self._waiting) >= self._mailbox:
            self._waiting.clear()
            self._lagged = True
        else:
            self._waiting.append(message)
        self._arrived.set()

    def drain(self) -> None:
        """Forget what waits, for a reader that only needs to know that something changed."""
        self._waiting.clear()
        self._lagged = False

    def close(self) -> None:
        """End the iteration once the mailbox is empty."""
        self._closed = True
        self._arrived.set()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Changes:
        while not self._waiting and not self._lagged:
            if self._closed:
                raise StopAsyncIteration
            self._arrived = anyio.Event()
            await self._arrived.wait()
        if self._lagged:
            self._lagged = False
            return self._snapshot()
        return self._waiting.popleft()
