"""OSC senders that were allowed or blocked, remembered in the database.

Owner: the OSC surface. While the database is away decisions hold for the run.
"""

from collections.abc import Sequence

from server.db import Database


class DatabasePeers:
    """A `server.surfaces.osc_store.PeerStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[tuple[str, str]]:
        """Return (address, status) of every sender that was decided on. Raises DatabaseGone."""
        rows = await self._db.rows("SELECT address, status FROM peers WHERE status <> 'waiting'")
        return [(row["address"], row["status"]) for row in rows]

    async def save(self, address: str, status: str) -> None:
        """Remember a decision. Raises DatabaseGone."""
        await self._db.execute(
            "INSERT INTO peers (address, status, last_seen_at) VALUES ($1, $2, now()) "
            "ON CONFLICT (address) DO UPDATE SET status = excluded.status, last_seen_at = now(), updated_at = now()",
            address, status,
        )  # fmt: skip

    async def forget(self, address: str) -> None:
        """Forget a sender. Raises DatabaseGone."""
        await self._db.execute("DELETE FROM peers WHERE address = $1", address)
