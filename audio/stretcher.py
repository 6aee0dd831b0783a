"""The stretchers of all decks: their lines, and who makes them step.

    live:     one thread for each deck that asks for keylock or pitch, compiled, without the GIL
    offline:  in step with the render, on every multiple of STEP_FRAMES, so that a render is the same bytes each time

Owner: KernelHost, which puts the lines' addresses into the kernel's state.
Units: frames at the engine rate.
"""

import threading
import time
from typing import Any, Final

import numpy as np

from audio.kernel.fourier import turns
from audio.kernel.sinc import table
from audio.kernel.stretch import step, stretch_loop
from audio.kernel.stretch_layout import GRAIN, HOP
from audio.realtime import STRETCHER, ask_for_realtime, go_ordinary, used_s
from audio.rings import Record, fence
from audio.units import DECKS

STEP_FRAMES: Final = 256
"""Frames between two steps offline. A block is cut here, so a render does not depend on its block size."""

LARGEST_BLOCK: Final = 4_096
_AHEAD: Final = 1_024
"""How far a ring reaches beyond the playhead, offline: what is nearer to the last change of speed is nearer to it."""
_AHEAD_LIVE: Final = 1_536
_FURTHEST: Final = 4_096
"""The same while it plays: to begin with, and where the machine has turned out to be too busy for that."""
_MARGIN: Final = 512
_MOST_REALTIME: Final = 0.6
"""Cores that all stretchers together may use at a real-time priority."""
_WATCH_S: Final = 1.0


class Stretchers:
    """One line and one stretcher a deck. Thread-safe: `tend` and `stop` from one thread; `step` when none is tended.

    Realtime-safe: no, and nothing of it runs in the callback.
    """

    def __init__(self, lines: list[Record]) -> None:
        """`lines`: a zeroed LINE for each deck, aligned to a cache line."""
        self.lines = lines
        self._table = table()
        self._threads: list[threading.Thread | None] = [None] * DECKS
        #: Threads started so far.
        self.started = 0
        #: Whether they ask for real-time priority: until they use too much of it.
        self.realtime = True
        self._lost = 0
        self._watched_s = time.monotonic()
        self._used: dict[int, float] = {}
        for line in lines:
            line["table"] = self._table.ctypes.data
            line["turn"] = turns()
            line["window"] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(GRAIN) / GRAIN)
            line["ahead"], line["margin"] = _AHEAD, _MARGIN

    def prepare(self, block: int) -> None:
        """Stay far enough ahead for a device that asks for `block` frames at a time. Raises ValueError."""
        if not 1 <= block <= LARGEST_BLOCK:
            raise ValueError(f"a block has 1 to {LARGEST_BLOCK} frames, not {block}")
        for line in self.lines:
            line["ahead"] = max(_AHEAD_LIVE, block + _MARGIN)
            line["margin"] = max(_MARGIN, block + _MARGIN // 2)

    def addresses(self) -> list[int]:
        """Return where the lines lie."""
        return [int(line.ctypes.data) for line in self.lines]

    def step(self) -> int:
        """Make what every deck's plan asks for, in this thread; return the grains made."""
        return sum(step(int(line.ctypes.data)) for line in self.lines if line["plan"]["asked"])

    def tend(self, lost: int = 0) -> None:
        """Start a thread for every deck that asks for keylock or pitch and has none; a few times a second.

        `lost`: how often stretched sound has come too late so far. Each time it has, all look further ahead.
        """
        if lost > self._lost:
            self._lost = lost
            for line in self.lines:
                line["ahead"] = max(int(line["ahead"]), min(int(line["ahead"]) + HOP, _FURTHEST))
        for number, line in enumerate(self.lines):
            thread = self._threads[number]
            if line["plan"]["asked"] and (thread is None or not thread.is_alive()):
                line["stop"] = 0
                made = threading.Thread(target=self._run, args=(line,), name=f"stretch-{number + 1}", daemon=True)
                self._threads[number] = made
                self.started += 1
                made.start()

        self._watch(time.monotonic())

    def _watch(self, now_s: float) -> None:
        """Give real-time priority back when the stretchers use more than their share of the machine."""
        passed_s = now_s - self._watched_s
        if not self.realtime or passed_s < _WATCH_S:
            return
        alive = [one.native_id for one in self._threads if one is not None and one.native_id and one.is_alive()]
        used = {thread: used_s(thread) for thread in alive}
        busy = sum(seconds - self._used.get(thread, 0.0) for thread, seconds in used.items()) / passed_s
        self._used, self._watched_s = used, now_s
        if busy > _MOST_REALTIME:
            self.realtime = False
            for thread in alive:
                go_ordinary(thread)

    def _run(self, line: Any) -> None:
        if self.realtime:
            ask_for_realtime(STRETCHER)
        stretch_loop(int(line.ctypes.data))

    @property
    def running(self) -> int:
        """Threads that run now."""
        return sum(thread is not None and thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End all threads and wait for them."""
        for line in self.lines:
            line["stop"] = 1
        for thread in self._threads:
            if thread is not None:
                thread.join()

    def in_use(self) -> set[int] | None:
        """Return the addresses that a stretcher may read from now on; None while one reads.

        Pre: no block is being rendered.
        """
        held: set[int] = set()
        for line in self.lines:
            if line["busy"] % 2:
                return None
            fence()
            plan = line["plan"]
            if plan["wanted"]:
                mask = int(plan["mask"])
                held.update(int(slot["audio"]) for number, slot in enumerate(plan["slots"]) if mask >> number & 1)
        return held
