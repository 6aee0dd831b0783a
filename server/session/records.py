"""The show's commands as the engine's records, a batch at a time.

Owner: the caller. Units: as in `audio.commands`.
"""

from collections.abc import Sequence

import numpy as np

from audio.commands import COMMAND, Commands
from server.session.effects import EngineCommand


def records(commands: Sequence[EngineCommand]) -> Commands:
    """Return COMMAND records of shape (len(commands),), in order."""
    batch = np.zeros(len(commands), COMMAND)
    batch["kind"] = [command.kind for command in commands]
    batch["deck"] = [command.deck for command in commands]
    batch["slot"] = [command.slot for command in commands]
    batch["frame"] = [command.frame for command in commands]
    batch["a"] = [command.a for command in commands]
    batch["b"] = [command.b for command in commands]
    batch["token"] = [command.token for command in commands]
    return batch
