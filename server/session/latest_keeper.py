"""Keeps what changes often: the latest value of each key goes to the library, and waits while that cannot take it.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: seconds.
"""

from typing import Final, Generic, TypeVar

import anyio

from server.errors import ServerError

RETRY_S: Final = 2.0
"""Before a library that did not answer is asked again."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class LatestKeeper(Generic[Key, Value]):
    """Call `save` from the loop; run `run` in a task group. A subclass says how one value is kept."""

    pause_s = 0.0
    """At least this long from a change to the save, for what is turned like a knob."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Value] = {}
        self._wake = anyio.Event()

    async def _keep(self, key: Key, value: Value) -> None:
        """Keep one value. Raises ServerError, OSError."""
        raise NotImplementedError

    def _is_hopeless(self, key: Key, error: Exception) -> bool:
        """Say whether a value that could not be kept is forgotten, not tried again; tell the performer if it is not."""
        raise NotImplementedError

    def save(self, key: Key, value: Value) -> None:
        """Keep this; an earlier wish for the key that is not fulfilled yet is forgotten."""
        self._waiting.pop(key, None)
        self._waiting[key] = value
        self._wake.set()

    async def run(self) -> None:
        """Save until cancelled; then what still waits, once."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await anyio.sleep(self.pause_s)
                if not await self.flush():
                    await anyio.sleep(RETRY_S)
                    self._wake.set()
        finally:
            with anyio.move_on_after(2.0, shield=True):
                await self.flush()

    async def flush(self) -> bool:
        """Save what waits; False when some of it has to wait on."""
        for key, value in list(self._waiting.items()):
            try:
                await self._keep(key, value)
            except (ServerError, OSError) as error:
                if not self._is_hopeless(key, error):
                    return False
            if self._waiting.get(key) is value:
                del self._waiting[key]
        return True
