"""What a request for work means: engine, model, options and features, decided when the job is made.

Owner: the event loop. What a request leaves open is as its user has chosen (`server/preferences.py`), else as the
program is set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pipeline.engines.choices import PAID
from pipeline.settings import PipelineSettings
from server import preferences
from server.db import Database
from server.errors import BadRequest
from server.jobs.engines import chosen_options, resolve


class Plans:
    """Turns wishes into what goes into a job."""

    def __init__(self, db: Database, settings: PipelineSettings) -> None:
        self._db = db
        self._settings = settings
        #: Engines that connected workers offer, best first; set by the hub.
        self.offers: Callable[[], Mapping[str, tuple[str, ...]]] = dict
        #: Whether a user can pay for work elsewhere.
        self.has_account: Callable[[int], Awaitable[bool]] = _nobody

    async def separation(
        self, user_id: int, engine: str, model: str, options: Mapping[str, Any]
    ) -> tuple[str, str, dict[str, Any]]:
        """Return engine, model and options of a separation as they go into a job. What is left open is as the user
        has chosen, else as the program is set. Raises BadRequest."""
        wishes = await preferences.load(self._db, user_id)
        if not engine:
            engine = wishes.separation_engine or self._settings.engine
            if engine not in PAID:
                model = model or wishes.demucs_model or self._settings.model
        chosen, model = await resolve(engine, model, self.offers(), self._settings.engine_options())
        asked = chosen_options(options, chosen)
        if chosen not in PAID:
            return chosen, model, self._settings.job_options() | asked
        if not await self.has_account(user_id):
            raise BadRequest("lalal.ai needs your licence key; enter it in the settings.")
        return chosen, model, wishes.cloud_options() | asked

    async def features(self, user_id: int, names: Sequence[str]) -> list[str]:
        """Return what an analysis is to find, as it goes into a job; none is what the user has chosen, else all of it.
        Raises BadRequest."""
        chosen = names or (await preferences.load(self._db, user_id)).analysis_features or ()
        return preferences.known_features(chosen)


async def _nobody(user_id: int) -> bool:
    return False
