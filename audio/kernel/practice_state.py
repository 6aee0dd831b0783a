"""What practising adds to a deck's state: its click, its count-in, its passes, and the stretches its stems are mute in.

Owner: the kernel; KernelHost fills in the sound of the click before the first block.
Units: frames at the engine rate; places in track frames; beats counted from the first downbeat.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.kernel.ramps import RAMP

ACCENT: Final = 0
BEAT: Final = 1
SUBDIVISION: Final = 2
"""What a click marks, the row of its sound."""

PITCHES_HZ: Final = (1760.0, 1174.66)
"""The two pitches of a click: an accent's, and every other's."""
LEVELS: Final = (0.5, 0.35, 0.18)
"""Peak of an accent, a beat and a subdivision, before the click's volume."""
CLICK_S: Final = 0.04
DECAY_S: Final = 0.008
ATTACK_S: Final = 0.0005
CLICK_ROOM: Final = 1 << 14
"""Frames that a click has room for: 40 ms at 384 kHz."""

VOICES: Final = 2
"""Clicks of one deck that sound at once."""
REGIONS: Final = 32
"""Most stretches in which one stem is mute."""

VOICE: Final = np.dtype([("start", "<i8"), ("kind", "<i4"), ("output", "<i4"), ("sounds", "<i4")], align=True)
"""A click that sounds: `start` is the engine frame that it began on, `output` where it goes."""

CLICK: Final = np.dtype(
    [
        ("on", "<i4"),
        ("accent", "<i4"),
        ("divide", "<i4"),
        ("bar", "<i4"),
        ("output", "<i4"),
        ("volume", RAMP),
        ("place", "<f8"),
        ("goes_on", "<f8"),
        ("voices", VOICE, (VOICES,)),
    ],
    align=True,
)
"""The click of a deck. `divide`: clicks a beat; `bar`: beats a bar; `output`: 0 master, 1 headphones. `place` is where
the playhead was when it was last looked at, `goes_on` where it comes to unless it jumps."""

COUNT_IN: Final = np.dtype(
    [
        ("beats", "<i4"),
        ("passes", "<i4"),
        ("active", "<i4"),
        ("starts", "<i8"),
        ("place", "<f8"),
        ("speed", "<f8"),
        ("beat", "<f8"),
        ("period", "<f8"),
        ("next", "<i8"),
    ],
    align=True,
)
"""The count-in: `beats` clicks before a start and, where `passes` is set, before each pass of the loop. While `active`
the deck starts on engine frame `starts`, at track frame `place`, at `speed`, negative backwards, and at beat `beat`; a
beat takes `period` frames, `next` is the next to click."""

MUTES: Final = np.dtype(
    [
        ("count", "<i4"),
        ("wanted", "<i4"),
        ("on", "<i4"),
        ("starts", "<i8", (REGIONS,)),
        ("ends", "<i8", (REGIONS,)),
    ],
    align=True,
)
"""Where one stem is mute, half-open, in order and apart. `wanted`: the playhead is in one; `on`: it applies."""


def click_sounds(rate: int) -> npt.NDArray[np.float32]:
    """Return the sound of each kind of click at `rate` Hz, float32 (3, CLICK_ROOM), silent after CLICK_S: a sine that
    begins on its first frame and dies away."""
    frames = min(round(CLICK_S * rate), CLICK_ROOM)
    n = np.arange(frames)
    shape = np.exp(-n / (DECAY_S * rate)) * (1.0 - n / frames) * np.minimum(1.0, (n + 1) / (ATTACK_S * rate))
    sounds = np.zeros((len(LEVELS), CLICK_ROOM), np.float32)
    for kind, level in enumerate(LEVELS):
        hertz = PITCHES_HZ[0] if kind == ACCENT else PITCHES_HZ[1]
        wave = np.sin(2 * np.pi * hertz * (n + 1) / rate) * shape
        sounds[kind, :frames] = level * wave / np.abs(wave).max()
    return sounds


def click_frames(rate: Any) -> int:
    """Return how many frames a click takes at `rate` Hz."""
    return min(round(CLICK_S * int(rate)), CLICK_ROOM)
