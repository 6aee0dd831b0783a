"""What the server and a script process tell each other: one JSON object a line, over the process's pipes.

Owner: whoever built the message; frozen.
Units: milliseconds; values in the scale of the scripts; names are "group,key".
"""

from typing import Final

import msgspec


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Load these scripts (name and text), call `init` of each prefix. `calls` are status, number, function, group;
    `scales` say of each name how it is counted: kind, lowest, highest, default."""

    files: list[tuple[str, str]]
    prefixes: list[str]
    calls: list[tuple[int, int | None, str, str]]
    scales: dict[str, tuple[str, float, float, float]]
    values: dict[str, float]
    device: str = ""


class Told(msgspec.Struct, frozen=True, tag="told"):
    """These values are so now."""

    values: dict[str, float]


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """A message came from the device."""

    data: list[int]


class Shut(msgspec.Struct, frozen=True, tag="shut"):
    """Call `shutdown` of each prefix; the process ends after it."""


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """The script sets a value by its name, or a control of ours by its path."""

    name: str
    value: float
    is_path: bool = False


class Sends(msgspec.Struct, frozen=True, tag="sends"):
    """The script sends this to the device."""

    data: list[int]


class Watches(msgspec.Struct, frozen=True, tag="watches"):
    """The script listens to a value."""

    name: str


class Says(msgspec.Struct, frozen=True, tag="says"):
    """The script says something for whoever writes it."""

    text: str


class Trouble(msgspec.Struct, frozen=True, tag="trouble"):
    """Something cannot be done; `is_grave` where a function is called no more, or nothing runs at all."""

    text: str
    is_grave: bool = False


class Done(msgspec.Struct, frozen=True, tag="done"):
    """So many of the server's messages are dealt with."""

    count: int


ToScript = Begin | Told | Heard | Shut
FromScript = Asked | Sends | Watches | Says | Trouble | Done

to_script: Final = msgspec.json.Decoder(ToScript)
from_script: Final = msgspec.json.Decoder(FromScript)


def line(message: ToScript | FromScript) -> bytes:
    """Return a message as it is written."""
    return msgspec.json.encode(message) + b"\n"
