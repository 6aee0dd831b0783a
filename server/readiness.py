"""Where all stems of a track can be heard, as stretches come in: what the page paints over the waveform.

Owner: the event loop. Units: frames at 44.1 kHz in, seconds out.
"""

from collections.abc import Iterable
from uuid import UUID

from audio.units import MODEL_RATE
from server.protocol import StemsReady

Ranges = list[tuple[int, int]]


class Readiness:
    """Remembers the stretches of the separations that run."""

    def __init__(self) -> None:
        self._stems: dict[tuple[UUID, UUID], dict[str, Ranges]] = {}

    def add(self, track_id: UUID, job_id: UUID, stems: Iterable[str], stem: str, start: int, stop: int) -> StemsReady:
        """Take in a stretch of `stem` and return where all of `stems`, that one among them, are ready."""
        known = self._stems.setdefault((track_id, job_id), {})
        known[stem] = joined([*known.get(stem, []), (start, stop)])
        common = known[stem]
        for name in stems:
            common = common_to(common, known.get(name, []))
        return StemsReady(str(track_id), [(a / MODEL_RATE, b / MODEL_RATE) for a, b in common])

    def forget(self, job_id: UUID) -> None:
        """Forget a separation that is over."""
        for key in [key for key in self._stems if key[1] == job_id]:
            del self._stems[key]


def joined(ranges: Ranges) -> Ranges:
    """Return half-open ranges sorted, those that touch made one."""
    result: Ranges = []
    for start, stop in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def common_to(one: Ranges, other: Ranges) -> Ranges:
    """Return what both lists of ranges cover."""
    return [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d)]
