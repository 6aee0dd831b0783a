"""The shift trick: a segment is heard at several offsets, and the mean of the answers is taken.

Owner: the thread that separates. A model answers a little differently wherever a segment begins; the mean of n such
answers is cleaner, at n times the work (Défossez et al. 2021, "Hybrid Spectrogram and Waveform Source Separation",
section on evaluation: random shifts of up to 0.5 s). Here the offsets are spread evenly instead of drawn, so that the
order of work cannot be heard and a second run gives the same stems.
Units: frames at 44.1 kHz.
"""

from typing import Final

import numpy as np

from audio.units import MODEL_RATE
from pipeline.engines.base import Audio, Cancelled
from pipeline.engines.overlap import SegmentModel

SPAN: Final = MODEL_RATE // 2
"""How far apart the outermost offsets are, at most."""


class Shifted:
    """A model heard at `shifts` offsets. Its segments are shorter by the span, so that every pass covers all of one.

    what is heard    |<------------- padded + span ------------->|
    first pass       |<------ padded ------>|
    last pass                |<------ padded ------>|
    its segment              |<---->| covered by all
    """

    def __init__(self, model: SegmentModel, shifts: int, span: int = SPAN) -> None:
        if shifts < 2:
            raise ValueError("one pass needs no shifting")
        self._model = model
        self._span = min(span, model.segment // 4)
        self._offsets = [round(self._span * number / (shifts - 1)) for number in range(shifts)]
        self.sources = model.sources
        self.normalise = model.normalise
        self.elsewhere = model.elsewhere
        self.segment = model.segment - self._span
        self.stride = max(-(-self.segment // 2), int(self.segment * model.stride / model.segment))

    def padded(self, frames: int) -> int:
        """What all passes hear together."""
        return self._model.padded(self._model.segment) + self._span

    def run(self, chunk: Audio, cancelled: Cancelled) -> Audio | None:
        """Separate one segment as often as there are offsets."""
        length = chunk.shape[-1] - self._span
        total = np.zeros((len(self.sources), *chunk.shape), np.float32)
        for offset in self._offsets:
            answer = self._model.run(np.ascontiguousarray(chunk[:, offset : offset + length]), cancelled)
            if answer is None:
                return None
            total[..., offset : offset + length] += answer
        total /= np.float32(len(self._offsets))
        return total


def shifted(model: SegmentModel, shifts: int) -> SegmentModel:
    """Return the model itself for one pass, else one that hears several."""
    return Shifted(model, shifts) if shifts > 1 else model
