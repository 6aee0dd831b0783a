"""The line between a deck and its stretcher: what the deck asks for, and a ring of what it gets.

    kernel --> PLAN --> stretcher (`stretch.py`) --> ring of frames, by number of the engine frame --> kernel

Both sides know frames by the engine's frame counter, so nobody tells the other when a frame is to be heard: the
stretcher works out where the playhead will be at each frame, and the kernel, which alone moves the playhead, plays what
fits where it is. `end` is the first frame that is not there yet; it is lowered before frames are made again and raised
after, so what lies below it stands.

Owner: KernelHost makes it. The kernel writes `plan`, the stretcher all else.
Units: frames at the engine rate; places in track frames; speeds and pitch as ratio.
"""

from typing import Any, Final

import numpy as np
from numba import from_dtype

from audio.kernel.fourier import LENGTH
from audio.kernel.layout import BATCH
from audio.kernel.sinc import TAPS
from audio.kernel.slots import SLOT
from audio.units import STEM_SLOTS

GRAIN: Final = LENGTH
"""Frames of one grain: 85 ms at 48 kHz, which tells partials apart from 47 Hz on."""
OVERLAP: Final = 4
HOP: Final = GRAIN // OVERLAP
"""Frames between two grains, and what is finished at a time."""
HOPS: Final = 16
CAPACITY: Final = HOPS * HOP
"""Frames of the ring."""
BINS: Final = GRAIN // 2 + 1
SLOTS: Final = STEM_SLOTS + 2
"""The stems, the mix and, as the last one, the take."""

STRAY_FRAMES: Final = 4_800
"""Track frames between what is heard and the playhead beyond which the stretcher starts again, and the deck sounds as
its tape does until it has."""

PLAN: Final = np.dtype(
    [
        ("sequence", "<i8"),
        ("frame", "<i8"),
        ("place", "<f8"),
        ("speed", "<f8"),
        ("pitch", "<f8"),
        ("loop_start", "<f8"),
        ("loop_length", "<f8"),
        ("tag", "<i8"),
        ("asked", "<i4"),
        ("wanted", "<i4"),
        ("mask", "<i8"),
        ("slots", SLOT, (SLOTS,)),
    ],
    align=True,
)
"""What a deck asks for. At engine frame `frame` the playhead is at `place` and moves at `speed`, which is negative
backwards; what is heard shall be `pitch` times as high as the track. `loop_length` above 0: from
`loop_start` on it goes round in so many frames. `tag` grows with every jump. `asked`: keylock or a
pitch is set; `wanted`: there is something to do now. `mask` has a bit for each of `slots` that is there. `sequence` is
odd while the kernel writes."""

_ROW: Final = ("<f4", (GRAIN,))
_HALF: Final = ("<f4", (4, BINS))

LINE: Final = np.dtype(
    [
        ("plan", PLAN),
        ("padding", "u1", (64,)),
        ("end", "<i8"),
        ("numbers", "<i8", (HOPS,)),
        ("tags", "<i8", (HOPS,)),
        ("masks", "<i8", (HOPS,)),
        ("places", "<f8", (HOPS,)),
        ("ring", "<f4", (SLOTS, 2, CAPACITY)),
        # Set by the host.
        ("ahead", "<i8"),
        ("margin", "<i8"),
        ("table", "<i8"),
        ("turn", "<f4", (2, GRAIN)),
        ("window", *_ROW),
        # Odd while a step is made; `stop` ends the stretcher's loop.
        ("busy", "<i8"),
        ("stop", "<i8"),
        ("timespec", "<i8", (2,)),
        # The stretcher's own.
        ("mine", PLAN),
        ("running", "<i4"),
        ("fresh", "<i4"),
        ("tag", "<i8"),
        ("first", "<i8"),
        ("joint", "<i8"),
        ("next", "<i8"),
        ("place", "<f8"),
        ("grains", "<i8", (OVERLAP,)),
        ("live", "<i4", (SLOTS,)),
        ("real", "<f4", (SLOTS, GRAIN)),
        ("imaginary", "<f4", (SLOTS, GRAIN)),
        ("past", "<f4", (2, GRAIN)),
        ("room", "<f4", (2, GRAIN)),
        ("now", *_HALF),
        ("before", *_HALF),
        ("old", *_HALF),
        ("energy", "<f4", (BINS,)),
        ("rotation", "<f4", (2, BINS)),
        ("sum", "<f4", (SLOTS, 2, GRAIN)),
        ("at", "<i8", (BATCH,)),
        ("weights", "<f4", (BATCH, 2 * TAPS)),
        ("gathered", "<f4", (2 * TAPS,)),
    ],
    align=True,
)
"""A deck's line. Hop h holds engine frames h x HOP on and lies in place h modulo HOPS: its number, the tag and the
slots that are in it, and the place in the track that its first frame sounds like. `joint` is the hop over which a new
start fades in, -1 for none."""

Line: Any = from_dtype(LINE)

OFFSET: Final = {name: int(LINE.fields[name][1]) for name in LINE.names or ()}  # type: ignore[index]
"""Offset in bytes of each part of LINE."""
