"""A slot: where audio lies, and which of its chunks are there.

Owner: KernelHost fills it; the kernel reads what it names (`memory.py`). Units: addresses; frames at the engine rate.
"""

from typing import Final

import numpy as np

SLOT: Final = np.dtype([("audio", "<i8"), ("ready", "<i8"), ("frames", "<i8"), ("chunks", "<i8")], align=True)
"""Address of float32 (frames, 2), address of one readiness byte for each chunk. `audio` of 0: nothing here."""
