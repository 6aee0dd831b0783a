"""What is on a deck gets its stems: asks for a separation of what was loaded without, and says where the playheads are.

Owner: one task of the lifespan. It asks the job service and never waits for a job.
Units: seconds of the track.
"""

import logging
from typing import Final
from uuid import UUID

import anyio

from server import preferences
from server.errors import ServerError
from server.jobs.service import PRIORITY_LIVE
from server.services import Services
from server.session.effects import Notice

_log = logging.getLogger(__name__)

FOCUS_S: Final = 0.5
"""How often workers hear where the playheads are: a segment takes them longer."""


class Preparation:
    """Run `run` in the lifespan's task group."""

    def __init__(self, services: Services) -> None:
        self._show = services.show
        self._jobs = services.jobs
        self._library = services.library
        self._user_id = services.auth.owner_id
        self._db = services.db
        self._workers = services.settings.workers
        self._separate_on_load = services.settings.separate_on_load
        self._seen: dict[int, tuple[int, str]] = {}
        self._focused: set[UUID] = set()

    async def run(self) -> None:
        """Look at the decks until cancelled."""
        while True:
            for deck, memory in enumerate(self._show.state.decks):
                held = (memory.token, memory.track_id)
                if memory.token and memory.track_id and self._seen.get(deck) != held:
                    self._seen[deck] = held
                    await self._prepare(deck, memory.track_id)
            self._tell_focus()
            await anyio.sleep(FOCUS_S)

    async def _prepare(self, deck: int, track: str) -> None:
        if not self._workers:
            return
        try:
            wished = (await preferences.load(self._db, self._user_id)).separate_on_load
            if not (self._separate_on_load if wished is None else wished):
                return
            track_id = UUID(track)
            if not (await self._library.deck_source(track_id)).stems:
                await self._jobs.separate(track_id, self._user_id, priority=PRIORITY_LIVE)
        except ValueError:
            _log.debug("deck %d holds %r, which the library does not know", deck + 1, track)
        except ServerError as error:
            self._seen.pop(deck, None)
            self._show.notice(Notice("warning", error.code, f"No stems for deck {deck + 1} yet: {error}"))

    def _tell_focus(self) -> None:
        where: dict[UUID, list[float]] = {}
        for memory, position_s in zip(self._show.state.decks, self._show.positions(), strict=True):
            if memory.token and memory.track_id:
                try:
                    where.setdefault(UUID(memory.track_id), []).append(position_s)
                except ValueError:
                    continue
        for track_id in self._focused - where.keys():
            self._jobs.focus(track_id, [])
        for track_id, positions_s in where.items():
            self._jobs.focus(track_id, positions_s)
        self._focused = set(where)
