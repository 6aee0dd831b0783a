"""A disk that is full holds jobs up; it ends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from server.db import Database
from server.errors import DatabaseGone, ServerError, StorageFull
from server.jobs import healer
from server.jobs.service import JobService

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("trouble", [StorageFull, DatabaseGone])
async def test_the_healer_outlives_a_database_that_cannot_write(
    trouble: type[ServerError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = anyio.Event()

    class Full:
        turns = 0

        async def execute(self, query: str, *values: Any) -> bool:
            self.turns += 1
            if self.turns == 3:
                asked.set()
            raise trouble

    monkeypatch.setattr(healer, "HEAL_S", 0.0)
    jobs = JobService(cast("Database", Full()), tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(healer.Healer(cast("Database", Full()), jobs).run)
        with anyio.fail_after(30):
            await asked.wait()
        tasks.cancel_scope.cancel()
