"""What one OSC subscriber still has to be sent: the newest value of each control, paced.

Owner: the OSC surface. Pure: no I/O, no clock.
Units: packets.
"""

from typing import Final

BATCH: Final = 32
"""Packets sent to one subscriber at a time. The whole registry is more than a default receive buffer holds."""

PAUSE_S: Final = 0.002
"""Pause between two batches."""


class Outbox:
    """Newest packet by path, in the order of the last change; telemetry after everything else."""

    def __init__(self) -> None:
        self._state: dict[str, bytes] = {}
        self._telemetry: dict[str, bytes] = {}
        self.sending = False
        """Whether a next batch is planned already."""

    def __bool__(self) -> bool:
        return bool(self._state or self._telemetry)

    def __len__(self) -> int:
        return len(self._state) + len(self._telemetry)

    def put(self, path: str, packet: bytes) -> None:
        """Replace what waits for `path`; it goes to the end of the line."""
        self._state.pop(path, None)
        self._state[path] = packet

    def put_telemetry(self, path: str, packet: bytes) -> None:
        """Replace what waits for `path`; it keeps its place, so a slow line still shows every meter."""
        self._telemetry[path] = packet

    def take(self, limit: int = BATCH) -> list[tuple[str, bytes]]:
        """Remove and return what to send next."""
        taken: list[tuple[str, bytes]] = []
        for waiting in (self._state, self._telemetry):
            taken += [(path, waiting.pop(path)) for path in list(waiting)[: limit - len(taken)]]
        return taken

    def give_back(self, unsent: list[tuple[str, bytes]]) -> None:
        """Put back what could not be sent, first in line, unless something newer came meanwhile."""
        self._state = dict(unsent) | self._state
