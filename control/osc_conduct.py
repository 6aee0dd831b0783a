"""How senders behave: who floods, and who sends what cannot be read. They are marked and served on, in their turn.

Owner: the OSC surface. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: messages, seconds.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control.osc_queue import Sender

FLOOD_PER_S: Final = 2000
"""Messages of one sender in a second from which on it floods: ten hands on ten faders at 100 a second send half."""

GARBAGE_PER_S: Final = 10
"""Unreadable packets of one sender in a second from which on it sends garbage."""

MARKED_S: Final = 10.0
"""How long a mark stays after the last such second."""

REMEMBERED: Final = 256
"""Senders watched at once; the one that has been silent longest is forgotten for a new one."""


class Trouble(StrEnum):
    """What is wrong with a sender."""

    FLOOD = "flood"
    GARBAGE = "garbage"


@dataclass(slots=True)
class _Watched:
    since: float
    messages: int = 0
    unreadable: int = 0
    trouble: Trouble | None = None
    until: float = 0.0


class Conduct:
    """Counts what senders send, second by second."""

    def __init__(self) -> None:
        self._watched: OrderedDict[Sender, _Watched] = OrderedDict()

    def heard(self, sender: Sender, now: float) -> None:
        """Count a packet."""
        watched = self._of(sender, now)
        watched.messages += 1
        if watched.messages >= FLOOD_PER_S:
            watched.trouble, watched.until = Trouble.FLOOD, now + MARKED_S

    def unreadable(self, sender: Sender, now: float) -> None:
        """Count a packet that could not be read."""
        watched = self._of(sender, now)
        watched.unreadable += 1
        if watched.unreadable >= GARBAGE_PER_S:
            watched.trouble, watched.until = Trouble.GARBAGE, now + MARKED_S

    def troubles(self, now: float) -> dict[Sender, Trouble]:
        """Return who is marked now."""
        return {
            sender: watched.trouble
            for sender, watched in self._watched.items()
            if watched.trouble is not None and now < watched.until
        }

    def _of(self, sender: Sender, now: float) -> _Watched:
        watched = self._watched.get(sender)
        if watched is None:
            if len(self._watched) >= REMEMBERED:
                self._watched.popitem(last=False)
            watched = self._watched[sender] = _Watched(now)
        elif now - watched.since >= 1.0:
            watched.since, watched.messages, watched.unreadable = now, 0, 0
            self._watched.move_to_end(sender)
        return watched
