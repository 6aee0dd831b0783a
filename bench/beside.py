"""Who does nothing beside the engine, so that what the machine is late is told from what the engine is late.

    on the timer: a timer on every core, with the engine's priority and deadlines
    on JACK:      a client without work in the same graph; JACK's own log says who was late

Owner: the benchmark that asks. Units: blocks, seconds.
"""

import json
import os
import re
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Final, Protocol

import jack

from tests.audio.test_jack import JackServer
from tests.end_to_end.program import ROOT

IDLE: Final = "nothing"
TOGETHER_S: Final = 0.02
"""A machine that stands still wakes all that wait for it within so long."""

_LATE: Final = re.compile(r"JackEngine::XRun: client = (.+?) (?:was not finished|finished after)")
_DRIVER_LATE: Final = "JackTimedDriver::Process XRun"


class Beside(Protocol):
    """What runs beside the engine. `keeps_time`: the engine goes by the monotonic clock, and not by a device."""

    keeps_time: bool

    def verdict(self) -> tuple[int, int, str]:
        """End it; return the engine's late blocks, the fewest of those that do nothing, and a sentence."""


class IdleTimers:
    """A do-nothing timer on each core, for an engine on the null device."""

    keeps_time = True

    def __init__(self, runtime: Path) -> None:
        """Start them; return when all keep time."""
        self._timers = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.idle_timer", str(runtime), str(core)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for core in sorted(os.sched_getaffinity(0))
        ]  # fmt: skip
        for timer in self._timers:
            assert timer.stdout is not None
            assert timer.stdout.readline().startswith("active"), "a timer that does nothing did not start"

    def verdict(self) -> tuple[int, int, str]:
        """See Beside."""
        told = []
        for timer in self._timers:
            text, _ = timer.communicate(timeout=30)
            told.append(json.loads(text))
        moments = sorted(moment for one in told for moment in one["late"])
        # Each saw the engine's counter by itself; any one will do.
        engine = told[0]["engine"]
        alone = sum(blocks for moment, blocks in engine if not _near(moments, moment))
        total = sum(blocks for _, blocks in engine)
        counts = [len(one["late"]) for one in told]
        return total, min(counts), (
            f"timers that do nothing, one on each core, were late {' and '.join(map(str, counts))} times; {alone} of "
            f"the engine's within {TOGETHER_S * 1e3:g} ms of none of theirs"
        )  # fmt: skip


def _near(moments: list[float], moment: float) -> bool:
    place = bisect_left(moments, moment - TOGETHER_S)
    return place < len(moments) and moments[place] <= moment + TOGETHER_S


class IdleClient:
    """A do-nothing client in the engine's JACK graph."""

    keeps_time = False

    def __init__(self, server: JackServer) -> None:
        """Start to count: the client runs already. Pre: `server` writes a log."""
        assert server.log is not None
        self._log = server.log
        self._mark = self._log.stat().st_size
        self._engine = client_with_sound(server.name)

    def verdict(self) -> tuple[int, int, str]:
        """See Beside."""
        text = self._log.read_text(errors="replace")[self._mark :]
        late = Counter(_LATE.findall(text))
        engine, idle = late[self._engine], late[IDLE]
        others = sum(late.values()) - engine - idle
        return engine, idle, (
            f"a client that does nothing was late {idle} times, the server's MIDI ports {others}, the driver itself "
            f"{text.count(_DRIVER_LATE)}"
        )  # fmt: skip


def client_with_sound(server: str) -> str:
    """Return the name of the JACK client that plays, which is the engine's."""
    probe = jack.Client("probe", servername=server, no_start_server=True)
    names = {port.name.split(":")[0] for port in probe.get_ports(is_audio=True, is_output=True)} - {"system", IDLE}
    probe.close()
    engine: str
    (engine,) = names
    return engine


@contextmanager
def idle_client(server: str) -> Iterator[None]:
    """Run a client that does nothing in the graph of `server`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.idle_client", server, IDLE],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "active\n", "the client that does nothing did not start"
        yield
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def jack_environment(server: str) -> dict[str, str]:
    """Return what lets a program find the JACK server of this name, and start none."""
    return {"JACK_DEFAULT_SERVER": server, "JACK_NO_START_SERVER": "1"}


def as_rare(nothing: int) -> int:
    """Return how often something may be late that is late as rarely as what was `nothing` times, by chance (three
    deviations); none more where that was never late."""
    return nothing + round(3.0 * sqrt(nothing))


def own_server(folder: Path) -> JackServer:
    """Return a JACK server of this process' own, on the dummy driver, that writes its log to `folder`."""
    # The library tells standard error of every try to reach a server that is on its way up.
    jack.set_error_function(lambda text: None)
    return JackServer(f"sfa-bench-{os.getpid()}", log=folder / "jack.log", realtime=True)
