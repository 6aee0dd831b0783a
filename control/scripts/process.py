"""A script process: runs the scripts of one device's mapping, away from the server's loop.

Owner: itself; started by the server as `python -m control.scripts.process`, it ends when its input ends. A process, so
that nothing a script does delays anything: an endless loop is cut off by the interpreter, and what that cannot cut
off ends with the process.
Units: milliseconds of the monotonic clock.
"""

import contextlib
import os
import select
import sys
import time
from typing import Any, BinaryIO, Final

import msgspec

from control.scripts.interpreter import LOAD_S, Interpreter, ScriptFailed, ScriptsMissing
from control.scripts.wire import (
    Asked,
    Begin,
    Done,
    FromScript,
    Heard,
    Says,
    Sends,
    Shut,
    Told,
    ToScript,
    Trouble,
    Watches,
    line,
    to_script,
)

ADDRESS_BYTES: Final = 1 << 30
"""What the whole process may have, where the system can be told so."""

MOST_A_SECOND: Final = 4000
"""Messages and values that a script may send in a second; more is a loop that nobody wants."""


class ScriptWorld:
    """The scripts of one device: what comes from the server in, what goes to it out. Time is an argument."""

    def __init__(self) -> None:
        self._interpreter: Interpreter | None = None
        self._prefixes: list[str] = []
        self.due_ms: float | None = None
        self.out: list[FromScript] = []
        self.ended = False
        self._second = 0
        self._sent = 0

    def obey(self, message: ToScript, now_ms: float) -> None:
        """Do what the server says; what comes of it lies in `out`."""
        try:
            match message:
                case Begin():
                    self._begin(message, now_ms)
                case Told(values=values):
                    self._run(now_ms, turn="told", values=values)
                case Heard(data=data) if data and data[0] == 0xF0:
                    self._run(now_ms, turn="sysex", data=data, prefixes=self._prefixes)
                case Heard(data=data) if data:
                    self._run(now_ms, turn="heard", data=data)
                case Shut():
                    for prefix in self._prefixes:
                        self._run(now_ms, LOAD_S, turn="call", name=f"{prefix}.shutdown", args=[])
                    self.ended = True
        except ScriptFailed as error:
            self._interpreter, self.due_ms = None, None
            self.out.append(Trouble(str(error), True))

    def tick(self, now_ms: float) -> None:
        """Let timers run that are due."""
        if self.due_ms is not None and self.due_ms <= now_ms:
            try:
                self._run(now_ms, turn="timers")
            except ScriptFailed as error:
                self._interpreter, self.due_ms = None, None
                self.out.append(Trouble(str(error), True))

    def _begin(self, begin: Begin, now_ms: float) -> None:
        try:
            self._interpreter = Interpreter()
        except ScriptsMissing as error:
            self.out.append(Trouble(str(error), True))
            return
        self._prefixes = [prefix for prefix in begin.prefixes if prefix]
        self._run(now_ms, turn="bind", calls=begin.calls, scales=begin.scales)
        self._run(now_ms, turn="told", values=begin.values)
        for name, text in begin.files:
            try:
                self._interpreter.load(name, text)
            except ScriptFailed as error:
                self.out.append(Trouble(str(error), True))
        for prefix in self._prefixes:
            self._run(now_ms, LOAD_S, turn="call", name=f"{prefix}.init", args=[begin.device, False])

    def _run(self, now_ms: float, *limit_s: float, **request: Any) -> None:
        if self._interpreter is None:
            return
        found, self.due_ms = self._interpreter.turn(now_ms, *limit_s, **request)
        stopped: tuple[str, int] | None = None
        for what, *rest in found:
            match what:
                case "set":
                    self._post(Asked(rest[0], float(rest[1])), now_ms)
                case "path":
                    self._post(Asked(rest[0], float(rest[1]), True), now_ms)
                case "midi":
                    self._post(Sends(rest[0]), now_ms)
                case "watch":
                    self.out.append(Watches(rest[0]))
                case "says":
                    self.out.append(Says(str(rest[0])[:500]))
                case "lacks":
                    self.out.append(Says(f"{rest[0].replace(',', ' ')} has no counterpart here"))
                case "fault":
                    text = f"{rest[0]}: {rest[1]}"[:500]
                    self.out.append(Trouble(text, text.endswith("called no more")))
                case "stopped":
                    stopped = (str(rest[0]) or "a script", int(rest[1]))
                case "reason" if stopped is not None:
                    name, strikes = stopped
                    gone = "; it is called no more" if strikes >= 3 else ""
                    self.out.append(Trouble(f"{name}: {rest[0]}{gone}", strikes >= 3))

    def _post(self, message: Asked | Sends, now_ms: float) -> None:
        second = int(now_ms // 1000)
        if second != self._second:
            self._second, self._sent = second, 0
        self._sent += 1
        if self._sent <= MOST_A_SECOND:
            self.out.append(message)
        elif self._sent == MOST_A_SECOND + 1:
            self.out.append(Trouble(f"the script sends more than {MOST_A_SECOND} messages a second; the rest is lost"))


def main() -> int:
    """Serve until standard input ends."""
    _limit()
    world = ScriptWorld()
    read, write = sys.stdin.fileno(), sys.stdout.buffer
    buffer = b""
    while not world.ended:
        wait = None if world.due_ms is None else max(world.due_ms - _now_ms(), 0.0) / 1000
        ready, _, _ = select.select([read], [], [], wait)
        count = 0
        if ready:
            part = os.read(read, 65_536)
            if not part:
                return 0
            *lines, buffer = (buffer + part).split(b"\n")
            for text in lines:
                count += 1
                try:
                    world.obey(to_script.decode(text), _now_ms())
                except msgspec.MsgspecError as error:
                    world.out.append(Trouble(f"a message cannot be read: {error}"))
        world.tick(_now_ms())
        if not _tell(world, write, count):
            return 0
    return 0


def _tell(world: ScriptWorld, write: BinaryIO, count: int) -> bool:
    out = [*world.out, Done(count)] if count else world.out
    world.out = []
    try:
        write.write(b"".join(line(message) for message in out))
        write.flush()
    except BrokenPipeError:
        return False
    return True


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _now_ms() -> float:
    return time.monotonic() * 1000


if __name__ == "__main__":
    sys.exit(main())
