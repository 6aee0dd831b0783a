"""Fifty pages beside one: what the server spends, how soon a change is told, how often the engine is late.

    python -m bench pages [SECONDS]

Owner: the command line. The program plays a tone on the null device while changes come over OSC; ten of the pages sleep
with full sockets. What does nothing (`bench.beside`) runs beside each part, so that blocks which the machine loses are
not taken for ours. All pages are read by one event loop, which is slower than fifty browsers: the delay is its own in
part. Units: seconds, megabytes, cores.
"""

import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from bench.beside import IdleTimers
from bench.late import tone
from tests.end_to_end.crowd import Crowd, Reader
from tests.end_to_end.program import Program, until

SECONDS: Final = 20.0
PAGES: Final = 50
SLEEPERS: Final = 10
CHANGES_S: Final = 300
MARK: Final = "/deck/4/trim_db"
MARKS: Final = 40
"""Changes whose arrival is timed in each part."""


def main(seconds: float = SECONDS) -> None:
    """Print what one page costs, and fifty."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder) / "data", "--no-workers")
        with program:
            program.load(1, program.upload(tone(Path(folder) / "tone.flac", 4 * seconds + 60))["id"])
            program.set("/deck/1/play", 1)
            for awake, asleep in ((1, 0), (PAGES - SLEEPERS, SLEEPERS)):
                with Crowd(program) as crowd:
                    crowd.enter(awake, "meters", "jobs")
                    for page in crowd.enter(asleep, "meters", "jobs", "audio", sleeper=True):
                        crowd.sleep(page)
                        crowd.say(page, *[{"type": "hello", "protocol": 1, "client": "asleep"}] * 100)
                    _measure(program, crowd, seconds)


def _measure(program: Program, crowd: Crowd, seconds: float) -> None:
    crowd.expect(MARK)
    awake = [page for page in crowd.pages if page.reads.is_set()]
    stop = threading.Event()
    sender = threading.Thread(target=_storm, args=(program, stop), name="storm")
    server, beside = psutil.Process(program.process.pid), IdleTimers(program.runtime())
    memory, used, begun = _own_mb(server), sum(server.cpu_times()[:2]), time.monotonic()
    sender.start()
    delays: list[float] = []
    try:
        for number in range(MARKS):
            time.sleep(max(0.0, begun + seconds * number / MARKS - time.monotonic()))
            value, sent = -6.0 - number / 8, time.monotonic()
            program.osc.send_message(MARK, value)
            until("the mark", partial(_told, awake, value))
            delays += [page.told[MARK, value] - sent for page in awake]
    finally:
        stop.set()
        sender.join()
    cores = (sum(server.cpu_times()[:2]) - used) / (time.monotonic() - begun)
    grown = _own_mb(server) - memory
    late, _, told = beside.verdict()
    delays.sort()
    print(
        f"   {len(awake)} pages that read, {len(crowd.pages) - len(awake)} asleep, {CHANGES_S} changes a second: one "
        f"is told in {1e3 * statistics.median(delays):.2f} ms (p99 {1e3 * delays[int(0.99 * len(delays))]:.2f}); the "
        f"server takes {cores:.2f} of a core and grew by {grown:.1f} MB; engine late {late} times; {told}",
        flush=True,
    )


def _told(pages: list[Reader], value: float) -> bool:
    return all((MARK, value) in page.told for page in pages)


def _storm(program: Program, stop: threading.Event) -> None:
    due, number = time.monotonic(), 0
    while not stop.is_set():
        program.osc.send_message(f"/deck/{number % 4 + 1}/volume", number % 100 / 100)
        number += 1
        due += 1 / CHANGES_S
        stop.wait(max(0.0, due - time.monotonic()))


def _own_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss / 1e6)
