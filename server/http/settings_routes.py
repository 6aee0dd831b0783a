"""Routes of settings: every one explained, and new values for the next start.

Owner: one request each. Settings are of the whole program, so they are the owner's.
"""

from __future__ import annotations

import os
from typing import Final

import anyio.to_thread

from server import settings_file
from server.errors import NotAllowed
from server.http.table import Call, Row
from server.settings import Settings
from server.settings_file import Given, SettingView


async def list_settings(call: Call) -> list[SettingView]:
    settings = _settings(call)
    return await anyio.to_thread.run_sync(settings_file.views, settings, os.environ)


async def change_settings(call: Call) -> list[SettingView]:
    """Write values into alchemy.toml; they hold from the next start on. Null takes one out of the file."""
    settings = _settings(call)
    wanted: dict[str, Given] = call.body

    def write() -> list[SettingView]:
        settings_file.change(settings.data, wanted, os.environ)
        return settings_file.views(settings, os.environ)

    return await anyio.to_thread.run_sync(write)


def _settings(call: Call) -> Settings:
    if call.who is None or not call.who.is_owner:
        raise NotAllowed("Settings are the owner's.")
    settings = call.services.settings
    assert isinstance(settings, Settings)
    return settings


ROWS: Final = (
    Row("GET", "/api/settings", list_settings, "Every setting, explained", list[SettingView], tag="show"),
    Row("PATCH", "/api/settings", change_settings, "Values for the next start; null goes back to the default",
        list[SettingView], dict[str, Given], tag="show"),
)  # fmt: skip
