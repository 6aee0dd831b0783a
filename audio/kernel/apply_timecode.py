"""What a command of linear timecode does.

    kind, a --> checked, clamped --> settings that the next timecode frame takes

Owner: the kernel. Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import CommandKind
from audio.kernel.compiled import compiled
from audio.kernel.ramps import clamp, glide
from audio.units import DECKS, TIMECODE_CHANNELS, TIMECODE_RATES

FIRST_TIMECODE: Final = int(CommandKind.TIMECODE_RATE)
LAST_TIMECODE: Final = int(CommandKind.TIMECODE_LEVEL)
_RATE: Final = int(CommandKind.TIMECODE_RATE)
_DECK: Final = int(CommandKind.TIMECODE_DECK)
_OFFSET: Final = int(CommandKind.TIMECODE_OFFSET)
_CHANNEL: Final = int(CommandKind.TIMECODE_CHANNEL)
_LAST_RATE: Final = len(TIMECODE_RATES) - 1
_LAST_CHANNEL: Final = len(TIMECODE_CHANNELS) - 1
_FIRST_CHANNEL: Final = int(TIMECODE_CHANNELS[0]) - 1
_DAY_S: Final = 86_400.0


@compiled
def apply_timecode(k: Any, kind: int, a: float) -> bool:
    """Set one thing of the timecode."""
    code = k.timecode
    if kind == _RATE:
        code.rate = int(clamp(np.rint(a), -1.0, _LAST_RATE))
        if code.rate < 0:
            code.sounding = 0
    elif kind == _DECK:
        code.deck = int(clamp(np.rint(a), 0.0, DECKS - 1))
    elif kind == _OFFSET:
        code.offset = clamp(a, 0.0, _DAY_S)
    elif kind == _CHANNEL:
        code.channel = _FIRST_CHANNEL + int(clamp(np.rint(a), 0.0, _LAST_CHANNEL))
    else:
        glide(code.level, clamp(a, 0.0, 1.0), k.fade_frames)
    return True
