"""Where the performer's decisions about OSC senders are kept.

Owner: the OSC surface. Units: none.
"""

from collections.abc import Sequence
from typing import Protocol


class PeerStore(Protocol):
    """Where the performer's decisions about senders are kept; the database has one."""

    async def load(self) -> Sequence[tuple[str, str]]:
        """Return (address, status) of every sender that was allowed or blocked."""

    async def save(self, address: str, status: str) -> None:
        """Keep a decision."""

    async def forget(self, address: str) -> None:
        """Drop a decision."""


class MemoryPeers:
    """Decisions that last as long as the program: for tests, and while there is no database."""

    def __init__(self) -> None:
        self.decisions: dict[str, str] = {}

    async def load(self) -> Sequence[tuple[str, str]]:
        return list(self.decisions.items())

    async def save(self, address: str, status: str) -> None:
        self.decisions[address] = status

    async def forget(self, address: str) -> None:
        self.decisions.pop(address, None)
