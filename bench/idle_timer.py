"""`python -m bench.idle_timer RUNTIME_DIR CORE`: a timer that does nothing, beside an engine that plays on its own.

It sleeps to the same deadlines as the engine's null device, with the same priority, on one core, and notes when it was
late by more than a block; what it is late, the machine is late. At each of its blocks it also notes whether the engine
has counted late blocks since the one before. When standard input ends it prints both as JSON: seconds of the monotonic
clock at which it was late, and [second, blocks] of the engine.

Owner: `bench.beside`. Units: blocks of 128 frames at 48 kHz, seconds.
"""

import gc
import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from audio import adoption
from audio.block import Block
from audio.realtime import TIMER, ask_for_realtime
from audio.rings import SnapshotReader

BLOCK_S: Final = 128 / 48_000
LOST_S: Final = 0.1
"""A timer that is later than this starts afresh, as the null device does."""


def main() -> None:
    """Keep time until standard input ends."""
    runtime, core = Path(sys.argv[1]), int(sys.argv[2])
    snapshots = SnapshotReader(Block.attach(adoption.find(runtime).segment).kernel["snapshots"])
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {core})
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    late: list[float] = []
    engine: list[tuple[float, int]] = []
    known = int(snapshots.read()["late_blocks"])
    gc.disable()
    print("active", "real-time" if ask_for_realtime(TIMER) else "ordinary", flush=True)
    due = time.monotonic()
    while not ended.is_set():
        due += BLOCK_S
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            now = time.monotonic()
        if now - due > BLOCK_S:
            late.append(now)
        if now - due > LOST_S:
            due = now
        counted = int(snapshots.read()["late_blocks"])
        if counted != known:
            engine.append((now, counted - known))
            known = counted
    print(json.dumps({"late": late, "engine": engine}), flush=True)


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
