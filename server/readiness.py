"""Where all stems of a track can be heard, as stretches come in: what the page paints over the waveform.

Owner: the event loop. Units: frames at 44.1 kHz in, seconds out.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from audio.units import MODEL_RATE
from pipeline.pcm import Ranges, difference, union
from server.jobs.store import ArrivingStem
from server.protocol import StemsReady


class Readiness:
    """Remembers the stretches of the separations that run."""

    def __init__(self) -> None:
        self._stems: dict[tuple[UUID, UUID], dict[str, Ranges]] = {}

    def restore(self, stems: Iterable[ArrivingStem]) -> list[StemsReady]:
        """Take in what had come before this server was there; return what to tell of each separation, in its order."""
        for stem in stems:
            self._stems.setdefault((stem.track_id, stem.job_id), {})[stem.stem_type] = union(stem.ranges)
        return [_ready(track_id, known, known) for (track_id, _), known in self._stems.items()]

    def add(self, track_id: UUID, job_id: UUID, stems: Iterable[str], stem: str, start: int, stop: int) -> StemsReady:
        """Take in a stretch of `stem` and return where all of `stems`, that one among them, are ready."""
        known = self._stems.setdefault((track_id, job_id), {})
        known[stem] = union([*known.get(stem, ()), (start, stop)])
        return _ready(track_id, known, (stem, *stems))

    def forget(self, job_id: UUID) -> None:
        """Forget a separation that is over."""
        for key in [key for key in self._stems if key[1] == job_id]:
            del self._stems[key]


def _ready(track_id: UUID, known: Mapping[str, Ranges], stems: Iterable[str]) -> StemsReady:
    """Say where all of `stems`, which are not none, are ready."""
    first, *others = stems
    common = known.get(first, ())
    for name in others:
        common = difference(common, difference(common, known.get(name, ())))
    return StemsReady(str(track_id), [(a / MODEL_RATE, b / MODEL_RATE) for a, b in common])
