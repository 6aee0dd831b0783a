"""A JavaScript interpreter without doors: text goes in, text comes out, and a call that takes too long is cut off.

Owner: the script process, one for each device. The one file that knows QuickJS (package `quickjs-ng`).
Units: seconds of processor time; bytes.

Scripts can call nothing of ours: values are mirrored into them beforehand, and what they ask for waits in an outbox
that is read after each turn. So a call can be cut off anywhere, by time or memory, and nothing is half done outside.
"""

import json
from pathlib import Path
from typing import Any, Final

from control.control import ControlError

CALL_S: Final = 0.1
"""What a call may take; a mapping's function takes less than a thousandth of this."""

LOAD_S: Final = 2.0
"""What loading a file, and `init`, may take."""

MEMORY_BYTES: Final = 64 << 20
STACK_BYTES: Final = 512 << 10

_HERE: Final = Path(__file__).parent


class ScriptsMissing(ControlError):
    """Scripts of mappings need the package quickjs-ng; pip install quickjs-ng."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class ScriptFailed(ControlError):
    """A script cannot be run."""


class Interpreter:
    """One script world. Everything is called from one thread."""

    def __init__(self) -> None:
        """Make an empty world. Raises ScriptsMissing."""
        try:
            import quickjs
        except ImportError as error:
            raise ScriptsMissing from error
        self._error: type[Exception] = quickjs.JSException
        self._context: Any = quickjs.Context()
        self._context.set_memory_limit(MEMORY_BYTES)
        self._context.set_max_stack_size(STACK_BYTES)
        for name in ("engine.js", "components.js"):
            self._context.eval((_HERE / name).read_text(encoding="utf-8"))
        self._turn: Any = self._context.get("__turn")
        self._context.eval("delete globalThis.__turn")

    def load(self, name: str, text: str) -> None:
        """Run a file. Raises ScriptFailed."""
        self._context.set_time_limit(LOAD_S)
        try:
            self._context.eval(text)
        except self._error as error:
            raise ScriptFailed(f"{name}: {_reason(error)}") from error

    def turn(self, now_ms: float, limit_s: float = CALL_S, **request: Any) -> tuple[list[list[Any]], float | None]:
        """Do one turn at `now_ms`; return what the script asks for and when its next timer is due.

        A turn that is cut off returns what was asked for until then, and "stopped" with what ran.
        """
        try:
            return self._do(now_ms, limit_s, request)
        except self._error as error:
            reason = _reason(error)
        self._context.gc()
        try:
            found, due = self._do(now_ms, limit_s, {"turn": "strike"})
        except self._error as error:
            raise ScriptFailed(f"nothing runs any more: {_reason(error)}") from error
        return [*found, ["reason", reason]], due

    def _do(self, now_ms: float, limit_s: float, request: dict[str, Any]) -> tuple[list[list[Any]], float | None]:
        self._context.set_time_limit(limit_s)
        found, due = json.loads(self._turn(json.dumps({"now": now_ms, **request})))
        return found, due


def _reason(error: Exception) -> str:
    """Return the first line of an error, in words."""
    text = str(error).split("\n", 1)[0].strip()[:200]
    if "interrupted" in text:
        return "it took too long and was stopped"
    if "out of memory" in text:
        return "it wanted too much memory and was stopped"
    return text
