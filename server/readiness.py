"""Where all stems of a track can be heard, as stretches come in: what the page paints over the waveform.

Owner: the event loop. Units: frames at 44.1 kHz in, seconds out.
"""

from collections.abc import Iterable
from uuid import UUID

from audio.units import MODEL_RATE
from pipeline.pcm import Ranges, difference, union
from server.protocol import StemsReady


class Readiness:
    """Remembers the stretches of the separations that run."""

    def __init__(self) -> None:
        self._stems: dict[tuple[UUID, UUID], dict[str, Ranges]] = {}

    def add(self, track_id: UUID, job_id: UUID, stems: Iterable[str], stem: str, start: int, stop: int) -> StemsReady:
        """Take in a stretch of `stem` and return where all of `stems`, that one among them, are ready."""
        known = self._stems.setdefault((track_id, job_id), {})
        known[stem] = union([*known.get(stem, ()), (start, stop)])
        common = known[stem]
        for name in stems:
            common = difference(common, difference(common, known.get(name, ())))
        return StemsReady(str(track_id), [(a / MODEL_RATE, b / MODEL_RATE) for a, b in common])

    def forget(self, job_id: UUID) -> None:
        """Forget a separation that is over."""
        for key in [key for key in self._stems if key[1] == job_id]:
            del self._stems[key]
