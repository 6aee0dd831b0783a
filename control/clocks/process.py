"""The clock process: sends MIDI clock and timecode on the engine's clock, and listens to another machine's clock.

Owner: itself; started by the server as `python -m control.clocks.process`, it ends when its input ends. It is a process
so that nothing the server does delays a tick: here nothing happens but this.
Units: nanoseconds of the monotonic clock.

It sleeps to shortly before a message is due and looks at the clock for the rest: a sleep may be late by more than the
message may.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import Final

import msgspec

from control.clock_port import ClockPorts
from control.clocks.desk import ClockDesk
from control.clocks.wire import Fault, FromProcess, Sent, ToProcess, line, to_process
from control.settings import MidiApi

LOOK_S: Final = 0.5
"""Between two looks for ports."""

REPORT_NS: Final = 1_000_000_000
"""Between two reports of how punctual it is."""

WATCH_NS: Final = 300_000
"""What is slept less, to be there in time."""

SWITCH_S: Final = 0.0001


def main() -> int:
    """Serve until standard input ends."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.setswitchinterval(SWITCH_S)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(20))
    api = MidiApi(sys.argv[1]) if len(sys.argv) > 1 else MidiApi.AUTO
    desk = ClockDesk()
    ports = ClockPorts(api)
    waiting: deque[ToProcess] = deque()
    ended, arrived = threading.Event(), threading.Event()
    reader = threading.Thread(target=_read, args=(waiting, arrived, ended), daemon=True)
    reader.start()
    looker = threading.Thread(target=_look, args=(desk, ports, ended), daemon=True)
    looker.start()
    reported = time.monotonic_ns()
    try:
        while not ended.is_set():
            now = time.monotonic_ns()
            while waiting:
                desk.obey(waiting.popleft(), now)
            for data in desk.due(now):
                ports.send(data)
            for data, at_ns in ports.poll():
                desk.hear(data, at_ns)
            for message in desk.told(now):
                _write(message)
            if now - reported >= REPORT_NS:
                reported = now
                punctuality: Sent | None = desk.punctuality()
                if punctuality is not None:
                    _write(punctuality)
            _sleep_until(desk.next_ns(time.monotonic_ns()), arrived)
    finally:
        ended.set()
        looker.join(2 * LOOK_S)
        ports.close()
    return 0


def _look(desk: ClockDesk, ports: ClockPorts, ended: threading.Event) -> None:
    """Keep up with what is plugged in, on a thread of its own: opening a port may take its time."""
    while not ended.wait(LOOK_S):
        wanted = desk.wanted
        ports.look(wanted.outputs if desk.sends else None, wanted.inputs)


def _sleep_until(due_ns: int, arrived: threading.Event) -> None:
    """Return at `due_ns`, or as soon as the server says something."""
    left = due_ns - time.monotonic_ns() - WATCH_NS
    if left > 0 and arrived.wait(left / 1e9):
        arrived.clear()
        return
    while time.monotonic_ns() < due_ns and not arrived.is_set():
        pass
    arrived.clear()


def _read(waiting: "deque[ToProcess]", arrived: threading.Event, ended: threading.Event) -> None:
    for text in sys.stdin.buffer:
        try:
            waiting.append(to_process.decode(text))
        except msgspec.MsgspecError as error:
            _write(Fault(f"a message cannot be read: {error}"))
        arrived.set()
    ended.set()
    arrived.set()


def _write(message: FromProcess) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line(message))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
