"""Commands of the show as records of the engine's ring: every field arrives as it was given."""

import numpy as np

from audio.commands import COMMAND, NOW, CommandKind
from server.session.effects import EngineCommand
from server.session.records import records


def test_every_field_arrives():
    sent = [
        EngineCommand(CommandKind.DECK_VOLUME, 3, 7, -0.1, 2**62, 2**63 + 1, 1e300),
        EngineCommand(CommandKind.DECK_PLAY, 0, 0, 1.0, NOW),
    ]
    made = records(sent)
    assert made.dtype == COMMAND and made.shape == (2,)
    for record, command in zip(made, sent, strict=True):
        for name in ("kind", "deck", "slot", "frame", "a", "b", "token"):
            assert record[name] == getattr(command, name), name
        assert record["flags"] == 0 and not np.any(record["reserved"])


def test_nothing_is_nothing():
    assert len(records([])) == 0
