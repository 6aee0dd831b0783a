"""`DATA/alchemy.toml` as the page edits it: every setting with where its value comes from, and new values written into
the file, where they take effect at the next start. What somebody wrote there by hand, comments included, stays.

Owner: one request, in a thread. Units as in `server/settings.py`.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from audio.files import write_whole
from server.errors import BadRequest, SettingsRejected, StorageFull
from server.settings import OPTIONS, Option, Settings, load

SECRET: Final = frozenset({"token", "secret_key", "spotify_client_secret", "lalalai_key"})
"""What is never told, only whether it is set."""

BY_HAND: Final = frozenset({"token", "secret_key", "broker"})
"""What only the file, the environment or the command line change: a slip here would lock the owner or the data out."""

FILE: Final = "alchemy.toml"

Given = bool | int | float | str | list[str] | None
"""A value for a setting; None takes it out of the file, so that the default holds."""


class SettingView(msgspec.Struct, frozen=True):
    """One setting. `value` is what this run goes by, `next` what the next start will, `source` where `next` comes from
    (default, file, environment); `pending` where they differ: a change that waits, or a command line that said
    otherwise. Secrets are empty, `is_set` tells."""

    key: str
    kind: str
    help: str
    default: Given
    value: Given
    next: Given
    source: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    is_set: bool
    editable: bool
    pending: bool


def views(settings: Settings, environment: Mapping[str, str]) -> list[SettingView]:
    """Return every setting in the order of the table. Raises SettingsRejected for a file that somebody has broken."""
    content = _content(_read(settings.data))
    coming = load({"data": settings.data}, environment)
    return [_view(option, settings, coming, content, environment) for option in OPTIONS]


def change(data: Path, wanted: Mapping[str, Given], environment: Mapping[str, str]) -> None:
    """Write values into the file, all or none. Raises BadRequest, SettingsRejected with every fault, StorageFull."""
    options = {option.key: option for option in OPTIONS}
    for key in wanted:
        if key not in options:
            raise BadRequest(f"No setting is called {key[:60]!r}.")
        if key in BY_HAND:
            raise BadRequest(f"{key} is changed in {FILE} by hand, or in the environment.")
    text = _read(data)
    for key, value in wanted.items():
        text = _with(text, key, value)
    content = _content(text)
    load({"data": data}, environment, content)
    for key, value in wanted.items():
        if content.get(key) != value:
            raise BadRequest(f"{key} could not be written: {FILE} says something else about it further down.")
    _write(data / FILE, text)


def _view(
    option: Option, settings: Settings, coming: Settings, content: Mapping[str, Any], environment: Mapping[str, str]
) -> SettingView:
    now, then = _plain(getattr(settings, option.key)), _plain(getattr(coming, option.key))
    source = "environment" if option.variable in environment else "file" if option.key in content else "default"
    secret = option.key in SECRET
    pending = now != then
    return SettingView(
        option.key, option.kind.__name__, option.help, "" if secret else _plain(option.default),
        "" if secret else now, "" if secret else then, source, option.choices, option.minimum, option.maximum,
        bool(then) if secret else option.key in content, option.key not in BY_HAND and source != "environment", pending,
    )  # fmt: skip


def _plain(value: Any) -> Given:
    return list(value) if isinstance(value, tuple) else value


def _read(data: Path) -> str:
    try:
        return (data / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRejected(f"{FILE}: {error}", faults=[str(error)]) from error


def _content(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsRejected(f"{FILE}: {error}", faults=[str(error)]) from error


def _with(text: str, key: str, value: Given) -> str:
    """Return the text with a value for a key of its first table; a statement may run over several lines."""
    lines = text.splitlines()
    begin = next((n for n, line in enumerate(lines) if re.match(rf"\s*{re.escape(key)}\s*=", line)), None)
    statement = [] if value is None else [f"{key} = {_written(value)}"]
    if begin is not None:
        end = begin + 1
        while end < len(lines) and not _whole("\n".join(lines[begin:end])):
            end += 1
        lines[begin:end] = statement
    else:
        table = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
        lines[table:table] = statement
    return "\n".join(lines) + "\n" if lines else ""


def _whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _written(value: Given) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise BadRequest("A number has to be finite.")
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode(), private=True)
    except OSError as error:
        raise StorageFull(f"The settings could not be written: {error.strerror}") from error
