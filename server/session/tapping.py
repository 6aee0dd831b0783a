"""The session's tempo by tapping: each tap is asked for its frame, and the line through the taps is the tempo.

    /session/tap --> PLACE_ASK --> the engine's frame --> taps --least squares--> /session/tempo

Owner: nobody. Pure. Which frame a tap falls on the kernel says, since nothing here knows a clock; a timed tap is exact.
Units: engine frames; BPM.
"""

from collections.abc import Sequence
from typing import Final

from audio.commands import CommandKind
from control.control import Value
from control.registry import REGISTRY
from server.session.draft import Draft, Handler

TEMPO_TAP: Final = 4
"""What a place is asked for here; the lower numbers are those of grids."""

MOST: Final = 32
"""Taps that count: more is a tempo of long ago."""

_STRAY: Final = 0.3
"""Part of a beat by which a tap may be off; one further off begins anew, since another tempo is meant."""

_LIMITS: Final = REGISTRY["/session/tempo"]
_SLOWEST: Final = float(_LIMITS.minimum or 20.0)
_FASTEST: Final = float(_LIMITS.maximum or 400.0)


def _tap(draft: Draft, value: Value, at: int) -> None:
    if value:
        draft.send(CommandKind.PLACE_ASK, 0, TEMPO_TAP, 0.0, at)


def tapped(draft: Draft, frame: int) -> None:
    """Take a tap on an engine frame; from the second on the tempo follows."""
    draft.taps = _with(draft.taps, frame, draft.engine_rate)
    if len(draft.taps) > 1:
        tempo = 60.0 * draft.engine_rate / _beat_frames(draft.taps)
        if _SLOWEST <= tempo <= _FASTEST:
            draft.wish("/session/tempo", round(tempo, 2))


def _with(taps: tuple[int, ...], frame: int, rate: int) -> tuple[int, ...]:
    """Return the taps with one more, or this alone where it does not go on from them."""
    if not taps or not 60.0 * rate / _FASTEST <= frame - taps[-1] <= 60.0 * rate / _SLOWEST:
        return (frame,)
    if len(taps) > 1:
        beat = _beat_frames(taps)
        if abs(frame - taps[-1] - beat) > _STRAY * beat:
            return (frame,)
    return (*taps, frame)[-MOST:]


def _beat_frames(taps: Sequence[int]) -> float:
    """Return the length of a beat by least squares: a single uneven tap moves it little."""
    middle, mean = (len(taps) - 1) / 2.0, sum(taps) / len(taps)
    spread = sum((n - middle) ** 2 for n in range(len(taps)))
    return sum((n - middle) * (tap - mean) for n, tap in enumerate(taps)) / spread


TAPPING: Final[dict[str, Handler]] = {"/session/tap": _tap}
"""What the tapping of the session's tempo does, by path."""
