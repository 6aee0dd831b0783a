"""Input: what a device hears, in a ring beside the master's, and as much of it among the sound as the performer wants.

    device --> take_input --> input ring --> recorder
                                  '--> x level --> master or headphones, `delay_frames` after it was played to
    probe (noise) --> master --> loudspeaker, microphone or a cable --> input ring: how late is it?

Owner: the kernel. A frame of the ring is the one that was rendered in the same callback; `delay_frames` says how long
before it was heard what was played to. Without an input the ring is not filled.
Units: frames at the engine rate; samples linear, full scale 1.0.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.atomics import float_at, load_acquire, put_float, store_release
from audio.kernel.compiled import compiled
from audio.kernel.lane_rows import TOO_LOUD
from audio.kernel.layout import LOOK_AHEAD
from audio.kernel.outputs import has_phones
from audio.kernel.ramps import advance
from audio.kernel.strip import pass_by
from audio.rings import BUS_CAPACITY, BUS_RING

_SINCE: Final = int(BUS_RING.fields["since"][1])  # type: ignore[index]
_DELAY: Final = int(BUS_RING.fields["delay_frames"][1])  # type: ignore[index]
_SAMPLES: Final = int(BUS_RING.fields["samples"][1])  # type: ignore[index]
_SILENCE: Final = np.float32(0.0)
PROBE_FRAMES: Final = 4096
"""Length of the noise that measures the way from the output to the input."""
_PROBE_LEVEL: Final = np.float32(0.25)
_STEP: Final = 1_103_515_245
_ADD: Final = 12_345
_MASK: Final = (1 << 31) - 1


@compiled
def take_input(k: Any, source: int, frames: int) -> None:
    """Put what the device has heard, float32 (frames, input channels) at `source`, into the ring; one channel is both.

    Pre: the block that belongs to it is rendered next.
    """
    channels = k.input_channels
    if source == 0 or channels == 0:
        return
    ring = k.input
    if load_acquire(ring) != k.frame:
        store_release(ring + _SINCE, k.frame)
    asked = k.input_asked if k.input_asked > 0 else k.input_told
    store_release(ring + _DELAY, asked + (LOOK_AHEAD if k.look_ahead else 0))
    second = 1 if channels > 1 else 0
    for n in range(frames):
        left, right = float_at(source, n * channels), float_at(source, n * channels + second)
        if not (abs(left) < TOO_LOUD and abs(right) < TOO_LOUD):
            left, right = _SILENCE, _SILENCE
        place = (k.frame + n) & (BUS_CAPACITY - 1)
        put_float(ring + _SAMPLES, 2 * place, left)
        put_float(ring + _SAMPLES, 2 * place + 1, right)
    store_release(ring, k.frame + frames)


@compiled
def _sound_probe(k: Any, count: int) -> None:
    for n in range(min(count, k.probe_left)):
        k.probe_noise = (k.probe_noise * _STEP + _ADD) & _MASK
        value = np.float32(k.probe_noise / (0.5 * _MASK) - 1.0) * _PROBE_LEVEL
        k.master_bus[0, n] += value
        k.master_bus[1, n] += value
    k.probe_left = max(0, k.probe_left - count)


@compiled
def sound_input(k: Any, count: int) -> None:
    """Add `count` frames (at most SEGMENT) of the input to where it is heard, and of the probe to the master."""
    if k.probe_left > 0:
        _sound_probe(k, count)
    level = k.input_level
    silent = level.left == 0 and level.value == 0.0
    if silent or load_acquire(k.input) < k.frame + count or (k.input_output == 0 and not has_phones(k)):
        pass_by(level, count)
        return
    to = k.cue_bus if k.input_output == 0 else k.master_bus
    for n in range(count):
        place = (k.frame + n) & (BUS_CAPACITY - 1)
        gain = np.float32(advance(level))
        to[0, n] += float_at(k.input + _SAMPLES, 2 * place) * gain
        to[1, n] += float_at(k.input + _SAMPLES, 2 * place + 1) * gain
