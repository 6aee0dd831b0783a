"""What waits to be sent to one page, and what gives way when the page is slow.

Owner: the event loop; one writer task takes from it.
Units: encoded messages.

Every outbox is bounded. Meters are one slot (the newest wins) and audio a short queue (the oldest goes), so they are
what a slow page loses first. A page whose outbox is full loses what is in it and gets a fresh welcome once it reads.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

OUTBOX_MESSAGES: Final = 256
"""Messages a page may be behind before it counts as lagged."""

AUDIO_BLOCKS: Final = 16
"""Audio blocks a page may be behind before the oldest goes."""


class Outbox:
    """What waits for one page. Thread-safe: no. Nothing here awaits except `next`."""

    def __init__(self) -> None:
        self._messages: deque[tuple[bytes, bool]] = deque()
        self._audio: deque[bytes] = deque(maxlen=AUDIO_BLOCKS)
        self._meters: bytes | None = None
        self._event = anyio.Event()
        self._lagged = False

    def put(self, data: bytes, keep: bool = False) -> None:
        """Queue a message. `keep` marks what a welcome cannot make good: answers and notices."""
        if len(self._messages) >= OUTBOX_MESSAGES:
            self.resync()
        if keep or not self._lagged:
            self._messages.append((data, keep))
        self._event.set()

    def resync(self) -> None:
        """Drop what waits, but for the newest answers and notices, and begin again with a welcome."""
        kept = [entry for entry in self._messages if entry[1]]
        self._messages = deque(kept[-(OUTBOX_MESSAGES // 8) :])
        self._lagged = True
        self._event.set()

    def put_meters(self, data: bytes) -> None:
        """Replace the meters that wait."""
        self._meters = data
        self._event.set()

    def put_audio(self, data: bytes) -> None:
        """Queue a block of the master; the oldest goes when the queue is full."""
        self._audio.append(data)
        self._event.set()

    def drop_telemetry(self, meters: bool, audio: bool) -> None:
        """Forget the kinds that are no longer wanted."""
        if not meters:
            self._meters = None
        if not audio:
            self._audio.clear()

    async def next(self, welcome: Callable[[], list[bytes]]) -> bytes:
        """Return what to send now: a welcome if the page has lagged, then messages, audio, meters."""
        while True:
            if self._lagged:
                self._lagged = False
                kept = self._messages
                self._messages = deque((data, False) for data in welcome())
                self._messages.extend(kept)
            if self._messages:
                return self._messages.popleft()[0]
            if self._audio:
                return self._audio.popleft()
            if self._meters is not None:
                data, self._meters = self._meters, None
                return data
            self._event = anyio.Event()
            await self._event.wait()
