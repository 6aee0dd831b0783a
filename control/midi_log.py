"""What was heard last, for the monitors of the terminal and the page: each message in words, and what it moved.

Owner: whoever hears the ports. Nothing is put into words before somebody looks.
Units: seconds of the monotonic clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from control.control import Value
from control.errors import BadMessage
from control.midi_messages import decode
from control.midi_names import Arrived

KEPT: Final = 200
"""Messages that are kept."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message: `number` counts from 1; `moved` is what it asked for; `learned` if learning took it."""

    number: int
    arrived: Arrived
    device: str
    moved: tuple[tuple[str, Value], ...]
    learned: bool = False

    @property
    def text(self) -> str:
        """The message in words."""
        return in_words(self.arrived.data)


class MidiLog:
    """The last messages of all ports."""

    def __init__(self) -> None:
        self._heard: deque[Heard] = deque(maxlen=KEPT)
        self._number = 0

    def note(
        self, arrived: Arrived, device: str, moved: Sequence[tuple[str, Value]] = (), learned: bool = False
    ) -> None:
        """Keep a message."""
        self._number += 1
        self._heard.append(Heard(self._number, arrived, device, tuple(moved), learned))

    def since(self, number: int) -> list[Heard]:
        """Return the messages after the one of this number that are still there, the oldest first."""
        return [heard for heard in self._heard if heard.number > number]


def in_words(data: Sequence[int]) -> str:
    """Return a message in words, whatever its bytes are."""
    try:
        return str(decode(data))
    except BadMessage as error:
        return f"unreadable {' '.join(f'{byte:02x}' for byte in data[:16])}: {error}"
