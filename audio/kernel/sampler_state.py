"""What the sampler remembers: pads of all banks, voices, the clock that hits and steps fall on, patterns.

    pads (8 x 16) --hit--> voices (32 that sound, and as many that fade out) --> master
    clock --> hits that wait for their beat, steps of the sequencer

Owner: the kernel. Units: frames at the engine rate; beats of the session; gains linear; speeds as ratio.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.ramps import RAMP, RATE_RAMP
from audio.kernel.slots import SLOT
from audio.units import BANKS, PADS, SESSION_TEMPO_BPM, STEPS

SOUNDING: Final = 32
"""Voices that may sound at once; one more lets the oldest fade out."""

VOICES: Final = 64
"""Those, and as many that fade out."""

PAD: Final = np.dtype(
    [
        ("slot", SLOT),
        ("lead", "<i8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("speed", "<f8"),
        ("quantize", "<f8"),
        ("due", "<f8"),
        ("gain", "<f4"),
        ("pan", "<f4"),
        ("velocity", "<f4"),
        ("mode", "<i4"),
        ("choke", "<i4"),
        ("waiting", "<i4"),
        ("pfl", "<i4"),
    ],
    align=True,
)
"""A pad. `lead`: frames of its memory that lie before the sample. `pfl`: it is heard in the headphones alone. While it
is `waiting`, a hit of `velocity` falls on beat `due`."""

VOICE: Final = np.dtype(
    [
        ("active", "<i4"),
        ("pad", "<i4"),
        ("mode", "<i4"),
        ("ending", "<i4"),
        ("wrapped", "<i4"),
        ("velocity", "<f4"),
        ("slot", SLOT),
        ("first", "<i8"),
        ("last", "<i8"),
        ("cross", "<i8"),
        ("index", "<i8"),
        ("fraction", "<i8"),
        ("born", "<i8"),
        ("until", "<i8"),
        ("rate", RATE_RAMP),
        ("fade", RAMP),
        ("left", RAMP),
        ("right", RAMP),
        ("cued", RAMP),
    ],
    align=True,
)
"""One sounding hit of pad number `pad` (bank x PADS + pad): frames `first` to `last` of its memory. `cross` frames
before the end a loop fades over to what lies before its beginning; `wrapped` once it has come round. `until`: the
engine frame at which a step lets it go, 0 for none. `cued`: the part of it that goes to the headphones. `born` orders
voices by age."""

SAMPLER: Final = np.dtype(
    [
        ("pads", PAD, (BANKS * PADS,)),
        ("voices", VOICE, (VOICES,)),
        ("level", RAMP),
        ("born", "<i8"),
        ("waiting", "<i4"),
        # The clock: beat `beat` is on engine frame `anchor`, and each frame is `step` beats.
        ("anchor", "<i8"),
        ("beat", "<f8"),
        ("step", "<f8"),
        ("tempo", "<f8"),
        ("led", "<i4"),
        # The sequencer.
        ("run", "<i4"),
        ("bank", "<i4"),
        ("length", "<i4"),
        ("step_beats", "<f8"),
        ("swing", "<f8"),
        ("next", "<i8"),
        ("struck", "<i8"),
        ("column", "<i4"),
        ("pattern", "<f4", (BANKS * PADS, STEPS)),
    ],
    align=True,
)
"""The sampler. `led`: the clock is the leading deck's; `next` counts steps of the clock, `struck` is the engine frame
of the last one, `column` its place in the pattern."""


def rest_sampler(sampler: Any, rate: int) -> None:
    """Put a zeroed SAMPLER of an engine at `rate` Hz to rest: empty pads at their defaults, the sequencer standing."""
    pads = sampler["pads"]
    pads["speed"] = pads["gain"] = 1.0
    sampler["level"]["value"] = sampler["level"]["target"] = 1.0
    sampler["length"] = STEPS
    sampler["step_beats"] = 0.25
    sampler["tempo"] = SESSION_TEMPO_BPM
    sampler["step"] = SESSION_TEMPO_BPM / (60.0 * rate)
    sampler["column"] = -1
    sampler["struck"] = -(1 << 60)
