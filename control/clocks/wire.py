"""What the server and the clock process tell each other: one JSON object a line, over the process's pipes.

Owner: whoever built the message; frozen.
Units: engine frames, nanoseconds of the monotonic clock, beats, BPM, seconds.
"""

from typing import Final

import msgspec

from control.clocks.song import Pair, Song

OFF: Final = "off"
"""Timecode of nobody."""


class FollowEngine(msgspec.Struct, frozen=True, tag="engine"):
    """The engine's clock is as `pair` says."""

    pair: Pair


class FollowSong(msgspec.Struct, frozen=True, tag="song"):
    """The music is as `song` says."""

    song: Song


class Wanted(msgspec.Struct, frozen=True, tag="wanted"):
    """What is to be sent and heard.

    `outputs` and `inputs` are patterns of port names (* and ?), beside our own virtual ports; an empty `inputs` hears
    nothing. `timecode` is a rate's name or "off".
    """

    clock: bool = False
    timecode: str = OFF
    offset_s: float = 0.0
    outputs: str = ""
    inputs: str = ""


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """The clock that is followed is like this; told when it changes, and ten times a second while it runs."""

    status: str
    tempo_bpm: float
    beat: float
    at_ns: int


class Pressed(msgspec.Struct, frozen=True, tag="pressed"):
    """The machine that is followed was started, continued or stopped, or put at a beat: `deed` is start, continue,
    stop or position."""

    deed: str
    beat: float
    at_ns: int


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """How punctual it was since the last report: messages, and how late they were handed to the system, in frames."""

    messages: int
    median_frames: float
    worst_frames: float


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """Something cannot be done."""

    message: str


ToProcess = FollowEngine | FollowSong | Wanted
FromProcess = Heard | Pressed | Sent | Fault

to_process: Final = msgspec.json.Decoder(ToProcess)
from_process: Final = msgspec.json.Decoder(FromProcess)


def line(message: ToProcess | FromProcess) -> bytes:
    """Return a message as it is written."""
    return msgspec.json.encode(message) + b"\n"
