"""What a command of the effects does: kind, switch, wet, parameters.

    kind, deck, slot, a --> checked, clamped --> knobs and ramps of a unit

Owner: the kernel. Where nothing of a deck is heard its effects are there at once; else they are faded over.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import CommandKind
from audio.kernel.compiled import compiled
from audio.kernel.fx_unit import aim
from audio.kernel.ramps import clamp
from audio.kernel.strip import was_heard
from audio.units import DECKS, EFFECT_PARAMS, EFFECT_UNITS, EFFECTS

FIRST_FX: Final = int(CommandKind.FX_TYPE)
_TYPE: Final = int(CommandKind.FX_TYPE)
_ON: Final = int(CommandKind.FX_ON)
_WET: Final = int(CommandKind.FX_WET)
_PARAM: Final = int(CommandKind.FX_PARAM_1)
_LAST_EFFECT: Final = len(EFFECTS) - 1.0


@compiled
def _apply_unit(k: Any, unit: Any, kind: int, a: float, heard: bool) -> bool:
    if kind == _TYPE:
        unit.wanted = int(clamp(np.rint(a), 0.0, _LAST_EFFECT))
        if not heard or not unit.running:
            unit.kind = unit.wanted
    elif kind == _ON:
        unit.on = 1 if a >= 0.5 else 0
    elif kind == _WET:
        unit.amount = clamp(a, 0.0, 1.0)
    elif kind < _PARAM + EFFECT_PARAMS:
        unit.goal[kind - _PARAM] = clamp(a, 0.0, 1.0)
        return True
    else:
        return False
    aim(k, unit, heard)
    return True


@compiled
def apply_fx(k: Any, number: int, slot: int, kind: int, a: float) -> bool:
    """Carry out one command of the effects; return False to refuse it."""
    if number < DECKS and slot < EFFECT_UNITS:
        deck = k.decks[number]
        return _apply_unit(k, deck.effects[slot], kind, a, was_heard(k, deck))
    return number == DECKS and slot == 0 and _apply_unit(k, k.master_effect, kind, a, True)
