"""The show's commands as the engine's records, a batch at a time.

Owner: the caller. Units: as in `audio.commands`.

Packed by `struct`: filling an array field by field takes ten times as long, and every press waits for it.
"""

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from audio.commands import COMMAND, Commands
from server.session.effects import EngineCommand

_RECORD: Final = struct.Struct("<HBB4xqddQ24x")
"""COMMAND: kind, deck, slot, frame, a, b, token."""


def records(commands: Sequence[EngineCommand]) -> Commands:
    """Return COMMAND records of shape (len(commands),), in order."""
    packed = b"".join(_RECORD.pack(c.kind, c.deck, c.slot, c.frame, c.a, c.b, c.token) for c in commands)
    return np.frombuffer(packed, COMMAND)
