"""Scripts: a show written down, as a log of intents (JSON lines); read whole and checked before anything plays.

Owner: the caller. Units: `at` in seconds from the start, exact to the frame nearest to it.

    {"at": 1.5, "path": "/deck/1/play", "value": 1}
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from control.control import ControlError, UnknownControl, Value, check
from control.registry import ALIASES, REGISTRY, resolve
from server.errors import ServerError

LONGEST_S: Final = 24 * 3600.0
"""The latest time a script may name."""

KEYS: Final = ("at", "path", "value")


@dataclass(frozen=True, slots=True)
class TimedIntent:
    """One line: at `at_s` seconds, `path` takes `value`. `line` counts from 1, 0 for none."""

    at_s: float
    path: str
    value: Value
    line: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a script, and where. `line` counts from 1, 0 where there is none."""

    line: int
    message: str
    key: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return where + (f"{self.key}: " if self.key else "") + self.message


class ScriptRejected(ServerError):
    """The script has faults; nothing was written."""

    code = "script_rejected"
    http_status = 422

    def __init__(self, script: Path, problems: Iterable[Problem]) -> None:
        self.script = script
        self.problems = tuple(problems)
        lines = "\n".join(f"{script.name}: {problem}" for problem in self.problems[:20])
        more = len(self.problems) - 20
        details = [{"line": one.line, "key": one.key, "message": one.message} for one in self.problems]
        super().__init__(lines + (f"\n... and {more} more" if more > 0 else ""), problems=details)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest known word, or nothing."""
    nearest = get_close_matches(word, list(known), 1, 0.6)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def read_text(script: Path) -> str:
    """Return the text of a script. Raises ScriptRejected for a missing file or bytes that are not UTF-8."""
    try:
        return script.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScriptRejected(script, [Problem(0, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ScriptRejected(script, [Problem(0, f"is not UTF-8 text (byte {error.start})")]) from error


def read_log(script: Path) -> list[TimedIntent]:
    """Return a log's intents in the order they happen: by time, then by line. Empty lines and `#` lines are skipped.

    Raises ScriptRejected with every fault, each with its line.
    """
    intents: list[TimedIntent] = []
    problems: list[Problem] = []
    for number, text in enumerate(read_text(script).splitlines(), start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            intents.append(_intent(number, text))
        except _Fault as fault:
            problems.append(Problem(number, str(fault), fault.key))
    if problems:
        raise ScriptRejected(script, problems)
    return sorted(intents, key=lambda intent: intent.at_s)


class _Fault(Exception):
    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


def _intent(number: int, text: str) -> TimedIntent:
    try:
        line = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _Fault(f"is not JSON: {getattr(error, 'msg', 'nested too deep')}") from error
    except ValueError as error:
        raise _Fault(f"is not JSON: {error}") from error
    if not isinstance(line, dict):
        raise _Fault('is not an object like {"at": 1.5, "path": "/deck/1/play", "value": 1}')
    for key in line:
        if key not in KEYS:
            raise _Fault("is not known here" + did_you_mean(key, KEYS), key)
    for key in KEYS:
        if key not in line:
            raise _Fault("is missing", key)
    return TimedIntent(_time(line["at"]), *_checked(line["path"], line["value"]), number)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Fault("takes a time in seconds", "at")
    if not 0 <= value <= LONGEST_S or not math.isfinite(value):
        raise _Fault(f"lies between 0 and {LONGEST_S:g} seconds, not {value:g}", "at")
    return float(value)


def _checked(path: Any, value: Any) -> tuple[str, Value]:
    if not isinstance(path, str):
        raise _Fault("takes the name of a control", "path")
    try:
        control = resolve(path, "1")
        check(control, value)
    except UnknownControl as error:
        raise _Fault(f"{error}{did_you_mean(path, (*REGISTRY, *ALIASES))}", "path") from error
    except ControlError as error:
        raise _Fault(str(error), "value") from error
    return path, value
