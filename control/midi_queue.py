"""Waiting MIDI messages: one queue for each port, served in turn, so that a storm of one delays no other.

Owner: the event loop. Pure.
Units: messages.

A newer value of a fader takes the place of an older one of the same fader that still waits, unless something that must
not be lost came in between (a press, a step of an encoder, anything that is not a plain value); so presses are never
lost and never change their place among the values around them.
"""

from collections import deque
from collections.abc import Hashable
from typing import Final

from control.midi_names import Arrived

CAPACITY: Final = 16_384
"""Messages of one port that may wait; beyond that the newest are refused, and counted."""


class _Line:
    def __init__(self) -> None:
        self.waiting: dict[Hashable, Arrived] = {}
        self.epoch = 0


class MidiQueue:
    """Messages in the order in which they will be handled."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lines: dict[str, _Line] = {}
        self._turn: deque[str] = deque()
        self.superseded = 0
        """How many values gave way to a newer one."""

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def push(self, arrived: Arrived, fader: Hashable | None) -> bool:
        """Add a message; `fader` names what it is a plain value of, None if it must not be lost.

        Return False if its port has too much waiting: the message is not taken.
        """
        line = self._lines.get(arrived.port)
        if line is None:
            line = self._lines[arrived.port] = _Line()
        if not line.waiting:
            self._turn.append(arrived.port)
        if fader is None:
            line.epoch += 1
            key: Hashable = line.epoch
        else:
            key = (line.epoch, fader)
            if key in line.waiting:
                self.superseded += 1
                line.waiting[key] = arrived
                return True
        if len(line.waiting) >= self._capacity:
            return False
        line.waiting[key] = arrived
        return True

    def pop(self) -> Arrived | None:
        """Return the next message, None if nothing waits; ports take turns."""
        if not self._turn:
            return None
        port = self._turn.popleft()
        waiting = self._lines[port].waiting
        arrived = waiting.pop(next(iter(waiting)))
        if waiting:
            self._turn.append(port)
        return arrived

    def forget(self, port: str) -> None:
        """Drop what waits of a port that has gone."""
        if self._lines.pop(port, None) is not None and port in self._turn:
            self._turn.remove(port)
