"""Sync: one deck leads, others follow its tempo and its beats.

    leader: asked for, or the deck that led and still plays, or the first that plays with a grid and does not follow
    follower: speed = leader's beats a frame / own beats a track frame (x 1/2, 1, 2), less a small part of its phase

Once locked a follower is never moved, only steered: what it is off by goes away with a time constant of `LOCK_S`. Where
the performer bends or jogs it, the distance that makes is kept. A start and the moment of locking are the only jumps.

Owner: the kernel. Units: beats; speed as ratio; tempo in beats a minute.
"""

from typing import Any, Final

from audio.commands import RATE_LIMITS, EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.grid import beat_at, beats_a_frame, frame_of, has_grid, steady_beats_a_frame, wrapped
from audio.kernel.heads import place_of
from audio.kernel.layout import NONE
from audio.kernel.motion import direction, follow_speed
from audio.kernel.places import go_to, here
from audio.units import DECKS

LOCK_S: Final = 0.4
MOST: Final = 0.02
"""Largest part of its speed that the lock adds or takes."""
_TOLD: Final = 0.002
"""The surfaces hear of a follower's speed when it has moved by more than this."""
_JUMP_S: Final = 0.002
"""Off by less than this a deck that locks is steered into place, not moved."""
_SLOWEST: Final = RATE_LIMITS[0]
_FASTEST: Final = RATE_LIMITS[1]
_LEADER: Final = int(EventKind.LEADER_CHANGED)
_RATE: Final = int(EventKind.RATE_FOLLOWED)


@compiled
def _can_lead(deck: Any) -> bool:
    return deck.want_play != 0 and deck.preview == 0 and deck.hand_started == 0 and has_grid(deck)


@compiled
def choose_leader(k: Any, address: int) -> None:
    """Find who leads on this frame, and tell when it is another."""
    chosen = NONE
    if k.leader_asked != NONE and _can_lead(k.decks[k.leader_asked]):
        chosen = k.leader_asked
    elif k.leader != NONE and _can_lead(k.decks[k.leader]):
        chosen = k.leader
    else:
        for number in range(DECKS):
            deck = k.decks[number]
            if _can_lead(deck) and (chosen == NONE or (k.decks[chosen].sync and not deck.sync)):
                chosen = number
    if chosen != k.leader:
        was = k.leader
        k.leader = chosen
        if was != NONE:
            _let_go(k, address, was, k.decks[was])
        if chosen != NONE:
            _let_go(k, address, chosen, k.decks[chosen])
        for number in range(DECKS):
            k.decks[number].locked = 0  # followers find their multiple and their place anew, at the speed they have
        report(k, address, _LEADER, 0, chosen if chosen != NONE else 255, 0.0, 0.0, 0)


@compiled
def _let_go(k: Any, address: int, number: int, deck: Any) -> None:
    """Let a deck go on by itself at the speed it has."""
    if not deck.locked:
        return
    deck.locked = 0
    speed = min(max(deck.follow, _SLOWEST), _FASTEST)
    deck.pace = speed if deck.pace >= 0.0 else -speed
    deck.phase = 0.0
    follow_speed(k, deck)
    report(k, address, _RATE, number, 0, speed, 0.0, deck.token)


@compiled
def follows(k: Any, number: int, deck: Any) -> bool:
    """Say whether the deck has somebody to follow."""
    if not deck.sync or k.leader == NONE or k.leader == number:
        return False
    return has_grid(deck) and has_grid(k.decks[k.leader])


@compiled
def _period(k: Any, deck: Any) -> float:
    """Return after how many of the leader's beats the two beats fall the same way again; a loop of less than a beat
    comes round sooner."""
    period = min(1.0, deck.multiple)
    if deck.loop_active and deck.loop_beats < 1.0:
        period = min(period, deck.loop_beats * deck.multiple)
    leader = k.decks[k.leader]
    if leader.loop_active and leader.loop_beats < 1.0:
        period = min(period, leader.loop_beats)
    return period


@compiled
def _ahead(k: Any, deck: Any) -> float:
    """Return how far the deck is ahead of the leader's beat, in the leader's beats."""
    leader = k.decks[k.leader]
    mine = beat_at(deck.grid, here(deck)) * deck.multiple
    return wrapped(mine - beat_at(leader.grid, here(leader)), _period(k, deck))


@compiled
def _find_multiple(k: Any, deck: Any) -> None:
    """Choose how many of the leader's beats one beat of the deck is: the one that changes its speed least."""
    leader = k.decks[k.leader]
    ratio = steady_beats_a_frame(leader.grid, here(leader)) * abs(leader.drive)
    ratio /= steady_beats_a_frame(deck.grid, here(deck))
    deck.multiple = 1.0
    if ratio > 1.4142135623730951:
        deck.multiple = 2.0
    elif ratio < 0.7071067811865476:
        deck.multiple = 0.5


@compiled
def align(k: Any, deck: Any) -> None:
    """Move the deck onto the leader's beat, to the nearest place where it is.

    Pre: both have grids, and the leader is another.
    """
    _find_multiple(k, deck)
    deck.offset = 0.0
    off = _ahead(k, deck)
    if abs(off) < _JUMP_S * k.rate * steady_beats_a_frame(deck.grid, here(deck)):
        return
    beat = beat_at(deck.grid, here(deck)) - off / deck.multiple
    place = frame_of(deck.grid, beat)
    if place < 0.0:
        place = frame_of(deck.grid, beat + _period(k, deck) / deck.multiple)
    inside = deck.loop_inside
    go_to(deck, place)
    deck.loop_inside = inside


@compiled
def set_sync(k: Any, address: int, number: int, deck: Any, on: bool) -> None:
    """Let the deck follow, or let it go; a deck that plays is moved onto the beat."""
    deck.sync = 1 if on else 0
    if not on:
        _let_go(k, address, number, deck)
    elif follows(k, number, deck) and deck.want_play:
        deck.locked = 0
        align(k, deck)
        _lock(k, deck)
        follow_speed(k, deck)


@compiled
def start_in_time(k: Any, number: int, deck: Any) -> None:
    """Let a deck that starts quantised or in sync start on the leader's beat."""
    if not (deck.quantize or deck.sync) or k.leader == NONE or k.leader == number:
        return
    if has_grid(deck) and has_grid(k.decks[k.leader]):
        align(k, deck)
        if deck.sync:
            _lock(k, deck)


@compiled
def set_tempo(k: Any, address: int, tempo: float) -> None:
    """Set the session's tempo; a deck that leads takes it."""
    if k.leader == NONE:
        k.tempo = tempo
        return
    leader = k.decks[k.leader]
    own = 60.0 * k.rate * steady_beats_a_frame(leader.grid, here(leader))
    speed = min(max(tempo / own, _SLOWEST), _FASTEST)
    leader.pace = speed if leader.pace >= 0.0 else -speed
    follow_speed(k, leader)
    report(k, address, _RATE, k.leader, 0, speed, 0.0, leader.token)


@compiled
def _is_off_beat(deck: Any) -> bool:
    """Say whether the deck moves in a way that has no beat."""
    return deck.hand != 0 or deck.winding != 0 or direction(deck) < 0.0


@compiled
def _lock(k: Any, deck: Any) -> None:
    """Aim the follower's speed at the leader's beat, from where both are on this frame."""
    leader = k.decks[k.leader]
    wanted = beats_a_frame(leader.grid, here(leader)) * leader.drive
    base = wanted / (deck.multiple * beats_a_frame(deck.grid, here(deck)))
    off = _ahead(k, deck)
    if deck.bend != 0.0 or deck.jog != 0.0 or _is_off_beat(deck) or _is_off_beat(leader):
        deck.offset = off
    deck.phase = off
    behind = wrapped(off - deck.offset, _period(k, deck))
    pull = behind / max(wanted * LOCK_S * k.rate, 1e-9)
    deck.locked = 1
    deck.follow = min(max(base * (1.0 - min(max(pull, -MOST), MOST)), _SLOWEST), _FASTEST)


@compiled
def follow_leader(k: Any, address: int, number: int, deck: Any) -> None:
    """Steer a follower. Pre: the engine's counter is at a multiple of TICK, and the leader is chosen."""
    if not follows(k, number, deck) or not deck.want_play or deck.preview or deck.hand_started:
        if deck.locked and not follows(k, number, deck):
            _let_go(k, address, number, deck)
        return
    if not deck.locked:
        align(k, deck)
    _lock(k, deck)
    if abs(deck.follow - deck.told) > _TOLD:
        deck.told = deck.follow
        deck.pace = deck.follow if deck.pace >= 0.0 else -deck.follow
        report(k, address, _RATE, number, 0, deck.follow, 0.0, deck.token)


@compiled
def tempo_of(k: Any, deck: Any) -> float:
    """Return the deck's tempo at the speed it has, in beats a minute; 0 without a grid."""
    if not has_grid(deck):
        return 0.0
    return 60.0 * k.rate * steady_beats_a_frame(deck.grid, place_of(deck.heads[0])) * deck.drive


@compiled
def tell_tempo(k: Any) -> None:
    """Let the session's tempo be the leader's."""
    if k.leader != NONE:
        k.tempo = tempo_of(k, k.decks[k.leader])


@compiled
def tell_beat(deck: Any) -> None:
    """Note where the deck is in its grid."""
    deck.beat = 0.0
    deck.beat_step = 0.0
    if not has_grid(deck):
        return
    place = place_of(deck.heads[0])
    deck.beat = beat_at(deck.grid, place)
    if deck.play:
        deck.beat_step = beats_a_frame(deck.grid, place) * deck.rate.value
