"""How long sound takes from the master to the input: found from what went out and what came in.

Owner: whoever asks; pure. The lag is where the two are most alike; noise is alike at one lag only.
Units: frames at the engine rate.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

LONGEST_S: Final = 0.5
"""A way longer than this is not looked for."""
_CLEAR: Final = 8.0
"""What is found stands out from all other lags by at least this factor of their spread."""


def find_delay(sent: npt.NDArray[np.float32], heard: npt.NDArray[np.float32], most: int) -> int | None:
    """Return after how many frames, at most `most`, what was `sent` is in `heard`; None where it is not.

    Both float32 (frames, 2) of the same stretch of time. A signal that comes back upside down is found too.
    """
    a, b = sent.astype(np.float64).sum(axis=1), heard.astype(np.float64).sum(axis=1)
    if not np.any(a) or not np.any(b):
        return None
    size = 1 << (len(a) + len(b) - 1).bit_length()
    alike = np.abs(np.fft.irfft(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), size)[: most + 1])
    found = int(np.argmax(alike))
    others = np.delete(alike, np.arange(max(0, found - 8), min(len(alike), found + 9)))
    if len(others) and alike[found] < _CLEAR * float(np.sqrt(np.mean(others**2))):
        return None
    return found
