"""Motion: what a deck's speed is made of.

    pace (or what the leader asks for) x bend + jog --> drive --> x direction --.
    hand on the record, wheel: towards where the hand is -----------------------+--> rate --> heads
    brake, spin-back: to a stand ------------------------------------------------'

Commands glide to a new speed over one fade. What moves by itself is steered every TICK frames of the engine's counter,
wherever blocks begin: the hand's speed is aimed so that the record lags behind it by `HAND_S`.

Owner: the kernel. Units: speed as ratio; frames at the engine rate; a jog in turns of a platter at 33 1/3 a minute.
"""

from math import exp
from typing import Any, Final

from audio.commands import RATE_LIMITS, EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.heads import place_of
from audio.kernel.layout import SEGMENT
from audio.kernel.places import go_to, here, track_frames
from audio.kernel.ramps import glide_rate, snap_rate
from audio.kernel.requests import is_heard, others_heard
from audio.kernel.slip import end_slip, start_slip
from audio.kernel.wheel import HAND, TURN_S, WHEEL, has_rested, speed_of_wheel, turn_record

TICK: Final = SEGMENT
BEND_REACH: Final = 0.08
"""Part of the speed that a full bend adds or takes."""
JOG_SHARE: Final = 0.1
"""Part of its turn by which a jog moves a deck that plays."""
JOG_S: Final = 0.15
"""Time constant in which a nudge dies away."""
JOG_MOST: Final = 0.5
HAND_S: Final = 0.012
BRAKE_S: Final = 0.8
SPIN_S: Final = 1.0
SPIN_SPEED: Final = 3.0
FASTEST: Final = RATE_LIMITS[1]
SLIGHT: Final = 0.004
"""A change of speed that is taken at once, since it is far below what is heard as a step."""
_BRAKE: Final = 1
_SPIN: Final = 2
_PLAY_CHANGED: Final = int(EventKind.PLAY_CHANGED)


@compiled
def find_drive(deck: Any) -> float:
    """Work out and return the speed without hand, brake and direction."""
    base = deck.follow if deck.locked else abs(deck.pace)
    deck.drive = min(max(base * (1.0 + deck.bend * BEND_REACH) + deck.jog, 0.0), FASTEST)
    return deck.drive


@compiled
def direction(deck: Any) -> float:
    """Return 1 forwards, -1 backwards."""
    return -1.0 if (deck.pace < 0.0) != (deck.reverse != 0) else 1.0


@compiled
def follow_speed(k: Any, deck: Any) -> None:
    """Send the deck to the speed that its parts come to; at once while nothing of it is heard."""
    speed = find_drive(deck) * direction(deck)
    if deck.hand or deck.winding:
        return
    if is_heard(deck) or others_heard(deck):
        glide_rate(deck.rate, speed, k.fade_frames)
    else:
        snap_rate(deck.rate, speed)


@compiled
def _go_back(k: Any, deck: Any) -> None:
    """End what moved the deck: to where it would be, at its own speed at once, or on from here."""
    back = end_slip(deck)
    follow_speed(k, deck)
    if back:
        snap_rate(deck.rate, deck.rate.target)


@compiled
def turn(k: Any, deck: Any, backwards: bool) -> None:
    """Play backwards or forwards; a deck that slips goes on, afterwards, from where it would be."""
    was = deck.reverse
    if backwards and not was:
        start_slip(deck, False)
    deck.reverse = 1 if backwards else 0
    if was and not backwards and not deck.loop_active:
        _go_back(k, deck)
    else:
        follow_speed(k, deck)


@compiled
def start_speed(deck: Any) -> None:
    """Give a deck that is silent the speed to start with."""
    speed = find_drive(deck) * direction(deck)
    if deck.hand:
        speed = 0.0
    snap_rate(deck.rate, speed)


@compiled
def jog(k: Any, deck: Any, turns: float) -> None:
    """Nudge a deck that plays; move the record of one that stands, or that a hand holds, and let it be heard."""
    turns = min(max(turns, -4.0), 4.0)
    if deck.hand:
        turn_record(k, deck, turns)
    elif deck.want_play:
        deck.jog = min(max(deck.jog + turns * TURN_S * JOG_SHARE / JOG_S, -JOG_MOST), JOG_MOST)
        follow_speed(k, deck)
    elif deck.count.active:
        go_to(deck, here(deck) + turns * TURN_S * k.rate)
    else:
        touch(k, deck, True)
        deck.hand = WHEEL
        deck.hand_step = 0.0
        deck.hand_span = 0
        deck.hand_at = k.frame
        turn_record(k, deck, turns)


@compiled
def touch(k: Any, deck: Any, on: bool) -> None:
    """Lay a hand on the record, or take it off: the deck goes on, stands, or goes to where slip has brought it."""
    if on and deck.hand == WHEEL:
        deck.hand = HAND
        deck.hand_from = here(deck)
        deck.hand_to = 0.0
    elif on and not deck.hand:
        start_slip(deck, False)
        deck.hand = HAND
        deck.winding = 0
        deck.hand_from = here(deck)
        deck.hand_to = 0.0
        if not deck.want_play:
            deck.hand_started = 1
            deck.want_play = 1
        else:
            glide_rate(deck.rate, 0.0, k.fade_frames)
    elif not on and deck.hand:
        deck.hand = 0
        if deck.hand_started:
            deck.hand_started = 0
            deck.want_play = 0
            return
        _go_back(k, deck)


@compiled
def hold_at(k: Any, deck: Any, frames: float) -> None:
    """Move the hand to `frames` from where it touched the record, cut to the track."""
    touch(k, deck, True)
    last = float(track_frames(deck))
    deck.hand_to = min(max(deck.hand_from + frames, 0.0), last) - deck.hand_from


@compiled
def wind(k: Any, deck: Any, way: float) -> None:
    """Brake (1), spin back (-1) or let go (0)."""
    if way > 0.5:
        if deck.want_play and not deck.hand:
            start_slip(deck, False)
            deck.winding = _BRAKE
            deck.wind = deck.rate.value
    elif way < -0.5:
        if deck.want_play and not deck.hand:
            start_slip(deck, False)
            deck.winding = _SPIN
            deck.wind = -SPIN_SPEED
            glide_rate(deck.rate, deck.wind, 4 * k.fade_frames)
    elif deck.winding:
        deck.winding = 0
        _go_back(k, deck)


@compiled
def _steer_wind(k: Any, address: int, number: int, deck: Any) -> None:
    if deck.winding == _SPIN and deck.rate.left > TICK:
        return
    seconds = SPIN_S / SPIN_SPEED if deck.winding == _SPIN else BRAKE_S
    step = TICK / (seconds * k.rate)
    if abs(deck.wind) > step:
        deck.wind -= step if deck.wind > 0.0 else -step
        glide_rate(deck.rate, deck.wind, TICK)
        return
    glide_rate(deck.rate, 0.0, TICK)
    if abs(deck.rate.value) > step:
        return
    deck.winding = 0
    if deck.slipping:
        _go_back(k, deck)
        return
    deck.want_play = 0
    report(k, address, _PLAY_CHANGED, number, 0, 0.0, place_of(deck.heads[0]), deck.token)


@compiled
def steer(k: Any, address: int, number: int, deck: Any) -> None:
    """Bring the deck's speed up to date. Pre: the engine's counter is at a multiple of TICK."""
    if deck.jog != 0.0:
        deck.jog *= exp(-TICK / (JOG_S * k.rate))
        if abs(deck.jog) < 1e-4:
            deck.jog = 0.0
    speed = find_drive(deck) * direction(deck)
    if not deck.want_play:
        return
    if deck.hand:
        behind = deck.hand_from + deck.hand_to - here(deck)
        speed = behind / (HAND_S * k.rate)
        if deck.hand == WHEEL:
            speed = speed_of_wheel(k, deck, behind, TICK)
        glide_rate(deck.rate, min(max(speed, -FASTEST), FASTEST), TICK)
        if deck.hand == WHEEL and has_rested(k, deck):
            go_to(deck, deck.hand_from + deck.hand_to)
            touch(k, deck, False)
    elif deck.winding:
        _steer_wind(k, address, number, deck)
    elif speed != deck.rate.target:
        if abs(speed - deck.rate.target) > SLIGHT:
            glide_rate(deck.rate, speed, k.fade_frames)
        elif deck.rate.left == 0:
            snap_rate(deck.rate, speed)
