"""MIDI clock in: tempo and beat of another machine, out of ticks that come early and late.

Owner: whoever hears the port. Pure: no I/O; times come with the messages.
Units: seconds of the monotonic clock; beats; 24 ticks a beat.

A delay-locked loop of second order (F. Adriaensen, "Using a DLL to filter time", 2005) follows the ticks: it begins
wide, to be there within a beat, and narrows, to let jitter pass by. A tempo that is changed in one step is taken up
anew.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TICKS: Final = 24
LOST_S: Final = 0.5
"""Silence after which the clock is gone: 24 ticks a beat come every 0.125 s even at 20 BPM."""

LOWEST_BPM: Final = 20.0
HIGHEST_BPM: Final = 400.0

_WIDE_HZ: Final = 3.0
_NARROW_HZ: Final = 0.3
_NARROWING: Final = 0.97
_STEP: Final = 0.25
"""Part of a tick by which a tick must be off, this many times in a row, to be a new tempo and no jitter."""
_STEP_TICKS: Final = 4


class ClockStatus(StrEnum):
    """How the clock is."""

    WAITING = "waiting"
    STOPPED = "stopped"
    RUNNING = "running"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known at `at_s`: `tempo_bpm` is 0 until there is one."""

    status: ClockStatus
    tempo_bpm: float
    beat: float
    at_s: float


class ClockIn:
    """Follows one machine."""

    def __init__(self) -> None:
        self._period = 0.0
        self._expected = 0.0
        self._last = -math.inf
        self._bandwidth = _WIDE_HZ
        self._off = 0
        self._ticks = 0
        self._running = False
        self._begins = False

    def tick(self, at_s: float) -> None:
        """A clock message came."""
        gap = at_s - self._last
        self._last = at_s
        if self._begins:
            self._begins = False  # the first tick after Start or Continue is the place itself
        elif self._running:
            self._ticks += 1
        if gap > LOST_S or self._period <= 0:
            self._restart(at_s, gap)
            return
        error = at_s - self._expected
        if abs(error) > _STEP * self._period:
            self._off += 1
            if self._off >= _STEP_TICKS:
                self._restart(at_s, gap)
                return
        else:
            self._off = 0
        omega = 2 * math.pi * self._bandwidth * self._period
        self._expected += self._period + math.sqrt(2) * omega * error
        self._period += omega * omega * error
        self._bandwidth = max(_NARROW_HZ, self._bandwidth * _NARROWING)

    def _restart(self, at_s: float, gap: float) -> None:
        shortest, longest = 60 / HIGHEST_BPM / TICKS, 60 / LOWEST_BPM / TICKS
        self._period = gap if shortest * 0.5 <= gap <= longest * 1.5 else 0.0
        self._expected = at_s + self._period
        self._bandwidth = _WIDE_HZ
        self._off = 0

    def start(self) -> None:
        """Start: the next tick is beat 0."""
        self._ticks = 0
        self._running = self._begins = True

    def go_on(self) -> None:
        """Continue: the next tick is where it stands."""
        self._running = self._begins = True

    def stop(self) -> None:
        """Stop."""
        self._running = self._begins = False

    def put(self, sixteenths: int) -> None:
        """Song position: it stands there now."""
        self._ticks = sixteenths * TICKS // 4
        self._begins = self._running

    def state(self, now_s: float) -> Followed:
        """Return what is known now."""
        tempo = 60 / TICKS / self._period if self._period > 0 else 0.0
        tempo = tempo if LOWEST_BPM <= tempo <= HIGHEST_BPM else 0.0
        if self._last == -math.inf:
            status = ClockStatus.WAITING
        elif now_s - self._last > LOST_S:
            status = ClockStatus.LOST
        else:
            status = ClockStatus.RUNNING if self._running else ClockStatus.STOPPED
        beat = self._ticks / TICKS
        if status is ClockStatus.RUNNING and not self._begins and self._period > 0:
            # the loop's own time of the last tick, not the jittery one it came at
            since = now_s - (self._expected - self._period)
            beat += min(max(since / self._period, -1.0), 2.0) / TICKS
        return Followed(status, tempo if status is not ClockStatus.LOST else 0.0, beat, now_s)
