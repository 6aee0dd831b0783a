"""The jog wheel: a nudge for a deck that plays; the record under the needle for one that stands, or that a hand holds.

    deck plays, no hand on it --> nudge, which dies away (`motion.py`)
    deck stands               --> the wheel is a hand, until it has rested for WHEEL_S: the deck sounds at its speed
    hand on the record        --> the record goes with the wheel
    more than NEEDLE_S behind --> the needle is put down where the wheel is

Owner: the kernel. Units: track frames at the engine rate; a jog in turns of a platter at 33 1/3 a minute.
"""

from typing import Any, Final

from audio.kernel.compiled import compiled
from audio.kernel.places import go_to, here, track_frames

HAND: Final = 1
"""A hand lies on the record until it is taken off."""
WHEEL: Final = 2
"""The wheel of a standing deck is turned."""
TURN_S: Final = 1.8
WHEEL_S: Final = 0.15
"""After so long a rest of the wheel the deck stands again, exactly where the wheel has brought it."""
SMOOTH_S: Final = 0.01
SPREAD_S: Final = 0.025
"""Wheels tell of themselves in steps, some hundred times a second, which would be heard as a rattle: so each is spread
over as long as it took, up to this."""
NEEDLE_S: Final = 0.3
"""The record is never further behind the hand than this."""


@compiled
def _on_its_way(k: Any, deck: Any) -> float:
    """Return how much of the wheel's last turn is still to come: it is spread over the time since the one before."""
    if deck.hand_span <= 0:
        return 0.0
    return deck.hand_step * max(0.0, 1.0 - (k.frame - deck.hand_at) / deck.hand_span)


@compiled
def turn_record(k: Any, deck: Any, turns: float) -> None:
    """Take the record along with the wheel, to the ends of the track. Pre: a hand is on it."""
    before = deck.hand_from + deck.hand_to
    place = min(max(before + turns * TURN_S * k.rate, 0.0), float(track_frames(deck)))
    since = k.frame - deck.hand_at
    deck.hand_step = place - before + _on_its_way(k, deck)
    if since > 0:
        deck.hand_span = min(since, int(SPREAD_S * k.rate))
    deck.hand_at = k.frame
    deck.hand_to = place - deck.hand_from
    if abs(place - here(deck)) > NEEDLE_S * k.rate:
        deck.hand_step = 0.0
        go_to(deck, place)


@compiled
def speed_of_wheel(k: Any, deck: Any, behind: float, frames: int) -> float:
    """Return the speed for the next `frames` of a record that is `behind` frames behind the wheel: what follows the
    wheel's spread turns with two time constants of SMOOTH_S, critically damped."""
    span = SMOOTH_S * k.rate
    pull = (behind - _on_its_way(k, deck)) / span
    return deck.rate.target + frames / span * (pull - 2.0 * deck.rate.target)


@compiled
def has_rested(k: Any, deck: Any) -> bool:
    """Say whether the wheel has come to rest."""
    return k.frame - deck.hand_at >= WHEEL_S * k.rate


@compiled
def leave_wheel(deck: Any) -> None:
    """Let a deck that sounds because its wheel is turned stand, where it is, before it is asked for something else."""
    if deck.hand == WHEEL:
        deck.hand = 0
        deck.hand_started = 0
        deck.want_play = 0
