"""Stretching a take that was played to a slowed-down track at pitch: by a deck of its own, offline.

    take, silence around it --deck with keylock, steered to be where the track was--> as high as it was played

Owner: the process that lays takes; it imports the kernel. Units: frames at the engine rate.
"""

from typing import Final

import numpy as np

from audio.commands import PITCH_LIMITS, CommandKind, command, join
from audio.flac import gain_for
from audio.host import KernelHost, SlotMemory
from audio.take_pass import Float32, Float64

_BLOCK: Final = 256
_LEAD_S: Final = 0.5
"""The deck plays so long before the take, for the stretcher to be there when it begins."""


def stretch(sound: Float32, at: Float64, pitch: float, rate: int) -> Float32:
    """Return (len(at), 2): what `sound` is like at its frames `at`, which grow, `pitch` times as high."""
    semitones = float(np.clip(12.0 * np.log2(pitch), *PITCH_LIMITS))
    lead = round(_LEAD_S * rate)
    gain = np.float32(1.0 / (2.0 * gain_for(float(np.abs(sound).max(initial=0.0)))))
    host = KernelHost(rate)
    host.load(0, 1, SlotMemory.whole(np.pad(sound * gain, ((lead, lead), (0, 0)))))
    pace = float(np.clip((at[-1] - at[0]) / max(1, len(at) - 1), 0.25, 4.0))
    before = int(lead / pace) // _BLOCK * _BLOCK
    sent = [
        command(CommandKind.DECK_ASSIGN, a=1), command(CommandKind.DECK_KEYLOCK, a=1),
        command(CommandKind.DECK_PITCH, a=semitones),
        command(CommandKind.DECK_RATE, a=pace), command(CommandKind.DECK_SEEK, a=lead + at[0] - before * pace),
        command(CommandKind.DECK_PLAY, a=1),
    ]  # fmt: skip
    host.send(join(sent))
    out = np.zeros((before + len(at) + _BLOCK, 2), np.float32)
    last = pace
    for done in range(0, before + len(at), _BLOCK):
        due = min(done + _BLOCK - before, len(at) - 1)
        wanted = lead + (at[due] if due >= 0 else at[0] + due * pace)
        speed = float(np.clip((wanted - float(host.snapshot()["decks"][0]["position"])) / _BLOCK, 0.25, 4.0))
        if done and abs(speed - last) > 1e-3:
            host.send(command(CommandKind.DECK_RATE, a=speed))
            last = speed
        out[done : done + _BLOCK] = host.render(_BLOCK)
    return out[before : before + len(at)] / gain
