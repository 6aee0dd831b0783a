"""What a surface asks of the show: one value for one control.

Owner: whoever built it; frozen. OSC, MIDI, the live socket, HTTP, a setlist and a log all make the same value.
Units: `at` is the engine's frame counter; None asks for now.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from control.control import Value


@dataclass(frozen=True, slots=True)
class Refused:
    """A request changed nothing. `message` tells the performer what to do; `code` is for programs."""

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """One value for one control.

    `value` may be anything that came over a wire: it is checked against the registry. `source` names the surface and
    comes back with the change. `reply` is called once, on the event loop, if the request is refused (at once for a
    bad value, later for a track that does not load); it must not block.
    """

    path: str
    value: object
    source: str = ""
    at: int | None = None
    reply: Callable[[Refused], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, for every surface, the one that asked included.

    `rev` grows with every message, not always by one. `lagged` is set when the reader was too slow: `changes` is then
    the whole show, to replace whatever the reader had.
    """

    rev: int
    changes: dict[str, Value]
    source: str = ""
    lagged: bool = False
