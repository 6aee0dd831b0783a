"""What the kernel remembers of linear timecode (LTC).

Owner: the kernel. Units: engine frames with a fraction for where a timecode frame lies; seconds for the offset.
"""

from typing import Final

import numpy as np

from audio.kernel.ramps import RAMP

BITS: Final = 80
"""Bits of a timecode frame."""

HALVES: Final = 2 * BITS
"""Their halves: the level may change at the beginning of each."""

RATES: Final = ((24, 24.0), (25, 25.0), (30, 30_000 / 1001), (30, 30.0))
"""Names a second and frames a second of each rate, in the order of TIMECODE_RATES in `audio/units.py`."""

DROPS: Final = 2
"""Index of the rate that drops names."""

TIMECODE: Final = np.dtype(
    [
        ("rate", "<i4"),
        ("channel", "<i4"),
        ("deck", "<i4"),
        ("sounding", "<i4"),
        ("number", "<i8"),
        ("offset", "<f8"),
        ("begin", "<f8"),
        ("end", "<f8"),
        ("level", RAMP),
        ("bits", "i1", (BITS,)),
        ("halves", "i1", (HALVES,)),
    ],
    align=True,
)
"""`rate`: -1 for none, else an index of RATES. `channel` counts from 0; `number` is the timecode frame that sounds from
`begin` to `end`, whose level is 1 or -1 in each of `halves`."""
