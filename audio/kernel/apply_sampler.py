"""What commands do to the sampler and its sequencer.

Owner: the kernel. Units: as `audio/commands.py` says for each kind; the record's `deck` is the bank, `slot` the pad.
"""

from typing import Any, Final

import numpy as np

from audio.commands import CommandKind
from audio.kernel.compiled import compiled
from audio.kernel.ramps import clamp, glide
from audio.kernel.sampler import GATE, follow_pad, let_go, silence_all, silence_pad, speed_of
from audio.kernel.sequencer import forget_hit, hit, run_sequencer, seek_step, set_step
from audio.units import BANKS, CHOKE_GROUPS, PADS, STEPS

FIRST_SAMPLER: Final = int(CommandKind.PAD_HIT)
LAST_SAMPLER: Final = int(CommandKind.PAD_PFL)
_HIT: Final = int(CommandKind.PAD_HIT)
_STOP: Final = int(CommandKind.PAD_STOP)
_MODE: Final = int(CommandKind.PAD_MODE)
_CHOKE: Final = int(CommandKind.PAD_CHOKE)
_GAIN: Final = int(CommandKind.PAD_GAIN)
_PAN: Final = int(CommandKind.PAD_PAN)
_PITCH: Final = int(CommandKind.PAD_PITCH)
_START: Final = int(CommandKind.PAD_START)
_END: Final = int(CommandKind.PAD_END)
_QUANTIZE: Final = int(CommandKind.PAD_QUANTIZE)
_PFL: Final = int(CommandKind.PAD_PFL)
_VOLUME: Final = int(CommandKind.SAMPLER_VOLUME)
_STOP_ALL: Final = int(CommandKind.SAMPLER_STOP)
_RUN: Final = int(CommandKind.SEQUENCER_RUN)
_BANK: Final = int(CommandKind.SEQUENCER_BANK)
_STEP: Final = int(CommandKind.SEQUENCER_STEP)
_LENGTH: Final = int(CommandKind.SEQUENCER_LENGTH)
_SWING: Final = int(CommandKind.SEQUENCER_SWING)
_SET: Final = int(CommandKind.SEQUENCER_SET)
_LONGEST: Final = 1e12


@compiled
def _hit(k: Any, number: int, velocity: float) -> None:
    if velocity > 0.0:
        hit(k, number, min(velocity, 1.0))
        return
    if k.sampler.pads[number].mode == GATE:
        forget_hit(k, number)
    let_go(k, number)


@compiled
def _apply_pad(k: Any, number: int, kind: int, a: float, b: float) -> bool:
    pad = k.sampler.pads[number]
    if kind == _HIT:
        _hit(k, number, a)
    elif kind == _STOP:
        forget_hit(k, number)
        silence_pad(k, number)
    elif kind == _MODE:
        pad.mode = int(clamp(np.rint(a), 0.0, 2.0))
    elif kind == _CHOKE:
        pad.choke = int(clamp(np.rint(a), 0.0, float(CHOKE_GROUPS)))
    elif kind == _GAIN:
        pad.gain = clamp(a, 0.0, 1.0)
        follow_pad(k, number)
    elif kind == _PAN:
        pad.pan = clamp(a, -1.0, 1.0)
        follow_pad(k, number)
    elif kind == _PITCH:
        pad.speed = speed_of(a)
        follow_pad(k, number)
    elif kind == _START:
        pad.start = int(clamp(np.rint(a), 0.0, _LONGEST))
    elif kind == _END:
        pad.end = int(clamp(np.rint(a), 0.0, _LONGEST))
    elif kind == _QUANTIZE:
        pad.quantize = clamp(a, 0.0, 64.0)
        if pad.quantize == 0.0:
            forget_hit(k, number)
    elif kind == _PFL:
        pad.pfl = 1 if a >= 0.5 else 0
        follow_pad(k, number)
    elif kind == _SET:
        return set_step(k, number, int(clamp(np.rint(a), -1.0, 99.0)), clamp(b, 0.0, 1.0))
    else:
        return False
    return True


@compiled
def apply_sampler(k: Any, bank: int, slot: int, kind: int, a: float, b: float) -> bool:
    """Carry out one command of the sampler; False where there is no such bank, pad or step."""
    sampler = k.sampler
    if kind <= _QUANTIZE or kind >= _SET:
        return bank < BANKS and slot < PADS and _apply_pad(k, bank * PADS + slot, kind, a, b)
    if kind == _VOLUME:
        glide(sampler.level, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _STOP_ALL:
        silence_all(k)
        for number in range(BANKS * PADS):
            forget_hit(k, number)
    elif kind == _RUN:
        run_sequencer(k, a >= 0.5)
    elif kind == _BANK:
        sampler.bank = int(clamp(np.rint(a), 0.0, float(BANKS - 1)))
    elif kind == _STEP:
        sampler.step_beats = clamp(a, 1.0 / 32.0, 4.0)
        seek_step(k)
    elif kind == _LENGTH:
        sampler.length = int(clamp(np.rint(a), 1.0, float(STEPS)))
    elif kind == _SWING:
        sampler.swing = clamp(a, 0.0, 0.5)
    else:
        return False
    return True
