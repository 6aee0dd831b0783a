"""What is said between who keeps takes and the process that lays one: the folder of a pass there, what came of it back.

Owner: whoever wrote it. Units: frames at the engine rate. Imports nothing that reads or writes audio files.
"""

from typing import Final

import msgspec

FULL: Final = 3
"""Exit status where the disk is full."""
TAKE_NAME: Final = "take.flac"


class Laid(msgspec.Struct, frozen=True):
    """What the process answers: first and last track frame of the take, the gain of its file, the speed it was played
    at, and whether the track was heard at another pitch than that speed gives it."""

    start: int
    stop: int
    gain: float
    speed: float
    stretched: bool
