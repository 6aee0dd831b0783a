"""Fold any number of channels to stereo.

Owner: nobody; pure. Units: linear gains. Coefficients after ITU-R BS.775: centre and surrounds at -3 dB, no LFE.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_HALF_POWER: Final = 0.5**0.5

#: What a channel gives to left and right.
_SHARES: Final = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BL": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "SL": (_HALF_POWER, 0.0),
    "SR": (0.0, _HALF_POWER),
    "BC": (0.5, 0.5),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}

#: The order of WAV files, by number of channels.
_ORDERS: Final = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def names_for(channels: int) -> tuple[str, ...]:
    """Return channel names for a file that does not say them; unknown ones are called `?`."""
    return _ORDERS.get(channels, ("?",) * channels)


def matrix(layout: tuple[str, ...]) -> Float32:
    """Return the (channels, 2) fold for a layout. Mono is doubled; unknown channels alternate left and right."""
    if len(layout) == 1:
        return np.ones((1, 2), np.float32)
    unknown = 1 / max(1, len(layout) // 2) ** 0.5
    rows = [
        _SHARES.get(name, (unknown, 0.0) if index % 2 == 0 else (0.0, unknown)) for index, name in enumerate(layout)
    ]
    return np.array(rows, np.float32)


def fold(block: Float32, layout: tuple[str, ...]) -> Float32:
    """Return `block` (n, channels) as (n, 2). Peaks may pass 1."""
    if layout == ("FL", "FR"):
        return block
    folded: Float32 = (block @ matrix(layout)).astype(np.float32)
    return folded
