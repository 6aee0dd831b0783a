"""Loops: a stretch of the track that repeats, and the seam between its end and its beginning.

    track:      ...in---------------------out...
    playhead:        ------------------>|         a fade before out it moves back by the length of the loop;
    seam:       fade in |>>>            |>>>      what it leaves fades out until out, and on the frame of `in` the
                                                  beginning is there in full

Where the track has nothing to fade in with, as in a loop from its very start, the cross-fade comes after the seam.

A length that is no whole number of frames (a beat loop) is kept exact: every pass is a whole number of frames, and what
it is too long or too short by is made up by the passes after it, so a loop does not drift from its grid.

Owner: the kernel. Units: track frames at the engine rate; a seam in output frames.
"""

from math import ceil
from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.grid import beat_at, frame_of, has_grid, moved_by, nearest
from audio.kernel.heads import place_of
from audio.kernel.places import go_to, here, in_phase, set_here, track_frames
from audio.kernel.slip import end_slip, start_slip

SHORTEST: Final = 256
"""Frames of the shortest loop: 5 ms at 48 kHz, room for a seam at every speed."""
FEWEST_BEATS: Final = 1.0 / 32.0
MOST_BEATS: Final = 64.0
_CHANGED: Final = int(EventKind.LOOP_CHANGED)
_SLOWEST: Final = 1e-3


@compiled
def seam_frames(k: Any, deck: Any) -> int:
    """Return how many output frames the cross-fade at the seam takes: a fade, or half the loop where it is shorter."""
    speed = max(abs(deck.rate.value), _SLOWEST)
    return max(1, min(k.fade_frames, int((deck.loop_out - deck.loop_in) / (2.0 * speed))))


@compiled
def find_pre_roll(k: Any, deck: Any) -> int:
    """Return by how many track frames a pass begins before the loop: none in a roll, and none before the track."""
    if deck.pre_roll <= 0.0 or deck.loop_roll:
        return 0
    return min(deck.loop_in, int(np.rint(deck.loop_in - moved_by(k, deck, float(deck.loop_in), -deck.pre_roll))))


@compiled
def _lead(k: Any, deck: Any) -> float:
    """Return how many track frames before the end of the loop its seam begins: the length of the cross-fade, or 0 where
    the track has no sound before the beginning of the loop (behind its end, backwards) to fade in with."""
    travel = seam_frames(k, deck) * abs(deck.rate.value)
    room = deck.loop_in - find_pre_roll(k, deck) if deck.rate.value >= 0.0 else track_frames(deck) - deck.loop_out
    return travel if room >= travel else 0.0


@compiled
def seam_due(k: Any, deck: Any) -> bool:
    """Say whether the playhead has come to the seam; notes when it enters the loop."""
    if not deck.loop_active or deck.hand or not deck.heads[0].sounding:
        return False
    place = place_of(deck.heads[0])
    if not deck.loop_inside:
        if not deck.loop_in <= place < deck.loop_out:
            return False
        deck.loop_inside = 1
    lead = _lead(k, deck)
    if deck.rate.value >= 0.0:
        return place >= deck.loop_out - lead
    return place <= deck.loop_in + lead


@compiled
def seam_jump(k: Any, deck: Any) -> int:
    """Return by how many frames the playhead moves at the seam. Pre: `seam_due`."""
    place = place_of(deck.heads[0])
    lead = _lead(k, deck)
    forwards = deck.rate.value >= 0.0
    beyond = place + lead - deck.loop_out if forwards else deck.loop_in + lead - place
    passes = max(1.0, ceil(beyond / max(deck.loop_length, 1.0)))
    exact = passes * deck.loop_length + deck.loop_debt
    whole = np.rint(exact)
    deck.loop_debt = exact - whole
    return int(-whole) - find_pre_roll(k, deck) if forwards else int(whole)


@compiled
def frames_to_seam(k: Any, deck: Any, limit: int) -> int:
    """Return how many output frames, 1 to `limit`, surely lie before the seam or the way into the loop.

    Pre: the speed is steady and not 0.
    """
    if not deck.loop_active or deck.hand:
        return limit
    place = place_of(deck.heads[0])
    speed = abs(deck.rate.value)
    forwards = deck.rate.value >= 0.0
    if deck.loop_inside:
        lead = _lead(k, deck)
        ahead = deck.loop_out - lead - place if forwards else place - deck.loop_in - lead
    else:
        ahead = deck.loop_in - place if forwards else place - deck.loop_out
        if ahead < 0.0:
            return limit
    return max(1, min(limit, int(ahead / speed)))


@compiled
def tell_loop(k: Any, address: int, number: int, deck: Any) -> None:
    """Report the loop as it is now."""
    state = deck.loop_active + 2 * deck.loop_roll
    report(k, address, _CHANGED, number, state, deck.loop_in, deck.loop_out, deck.token)


@compiled
def put_loop(deck: Any, start: float, length: float) -> bool:
    """Set the loop to `length` frames from `start`, cut to the track and to the shortest length; False where the
    track is too short for any."""
    frames = track_frames(deck)
    if frames < SHORTEST:
        return False
    deck.loop_in = int(np.rint(min(max(start, 0.0), float(frames - SHORTEST))))
    whole = int(np.rint(min(max(length, float(SHORTEST)), float(frames))))
    deck.loop_out = min(frames, deck.loop_in + whole)
    deck.loop_length = length
    if abs(deck.loop_out - deck.loop_in - length) > 0.5:
        deck.loop_length = float(deck.loop_out - deck.loop_in)
    deck.loop_debt = 0.0
    return True


@compiled
def catch(deck: Any) -> None:
    """Let the loop hold a playhead that lies in it or just beyond: within one length of it."""
    place = here(deck)
    length = deck.loop_out - deck.loop_in
    deck.loop_inside = 1 if deck.loop_in <= place <= deck.loop_out + length else 0


@compiled
def activate(deck: Any) -> None:
    """Turn the loop on."""
    deck.loop_active = 1
    start_slip(deck, False)
    catch(deck)


@compiled
def leave_loop(deck: Any) -> None:
    """Turn the loop off; a deck that slips goes back to where it would be."""
    if not deck.loop_active:
        return
    deck.loop_active = 0
    deck.loop_inside = 0
    deck.loop_roll = 0
    end_slip(deck)


@compiled
def forget_loop(deck: Any) -> None:
    """Begin a new track: no loop."""
    deck.loop_active = 0
    deck.loop_inside = 0
    deck.loop_roll = 0
    deck.loop_in = 0
    deck.loop_out = 0
    deck.loop_length = 0.0
    deck.loop_debt = 0.0


@compiled
def loop_in(deck: Any) -> bool:
    """Begin a loop here. A loop that is on keeps its end."""
    start = set_here(deck)
    end = float(deck.loop_out)
    if deck.loop_active and end - start >= SHORTEST:
        return put_loop(deck, start, end - start)
    leave_loop(deck)
    forget_loop(deck)
    deck.loop_in = int(np.rint(start))
    deck.loop_out = deck.loop_in
    return True


@compiled
def loop_out(k: Any, deck: Any) -> bool:
    """End the loop here and turn it on; a playhead beyond its end goes back by whole lengths."""
    end = set_here(deck)
    start = float(deck.loop_in)
    if end <= start:
        if here(deck) < start:
            return False
        end = moved_by(k, deck, start, 1.0) if deck.quantize else start + SHORTEST
    if not put_loop(deck, start, end - start):
        return False
    if has_grid(deck):
        beats = beat_at(deck.grid, end) - beat_at(deck.grid, start)
        deck.loop_beats = min(max(beats, FEWEST_BEATS), MOST_BEATS)
    activate(deck)
    return True


@compiled
def loop_beats(k: Any, deck: Any, beats: float) -> bool:
    """Make a loop of `beats` here, or of that length where one is on."""
    beats = min(max(beats, FEWEST_BEATS), MOST_BEATS)
    deck.loop_beats = beats
    if deck.loop_active:
        start = float(deck.loop_in)
    else:
        start = here(deck)
        if deck.quantize:
            start = max(0.0, nearest(deck, start, min(beats, 1.0)))
    if not put_loop(deck, start, moved_by(k, deck, start, beats) - start):
        return False
    if deck.loop_active:
        catch(deck)
    else:
        activate(deck)
    return True


@compiled
def loop_active(k: Any, deck: Any, on: bool) -> bool:
    """Turn the loop on or off; without one, on makes one of the beats last used."""
    if not on:
        leave_loop(deck)
        return True
    if deck.loop_out - deck.loop_in >= SHORTEST:
        if not deck.loop_active:
            activate(deck)
        return True
    return loop_beats(k, deck, deck.loop_beats)


@compiled
def loop_scale(k: Any, deck: Any, factor: float) -> bool:
    """Make the loop `factor` times as long from its beginning."""
    if deck.loop_out - deck.loop_in < SHORTEST or factor <= 0.0:
        return False
    beats = deck.loop_beats * factor
    if beats < FEWEST_BEATS or beats > MOST_BEATS or deck.loop_length * factor < SHORTEST:
        return False
    start = float(deck.loop_in)
    length = deck.loop_length * factor
    if has_grid(deck):
        first = beat_at(deck.grid, start)
        length = frame_of(deck.grid, first + (beat_at(deck.grid, start + deck.loop_length) - first) * factor) - start
    deck.loop_beats = beats
    if not put_loop(deck, start, length):
        return False
    if deck.loop_active:
        catch(deck)
    return True


@compiled
def loop_move(k: Any, deck: Any, beats: float) -> bool:
    """Move the loop by `beats`; a playhead inside goes along."""
    if deck.loop_out - deck.loop_in < SHORTEST:
        return False
    start, end = float(deck.loop_in), deck.loop_in + deck.loop_length
    to = max(0.0, moved_by(k, deck, start, beats))
    inside, place = deck.loop_active and deck.loop_inside, here(deck)
    length = moved_by(k, deck, end, beats) - moved_by(k, deck, start, beats)
    if to + length > track_frames(deck) or not put_loop(deck, to, length):
        return False
    if inside:
        go_to(deck, place + to - start)
        deck.loop_inside = 1
    return True


@compiled
def loop_again(deck: Any) -> bool:
    """Leave the loop, or go back to its beginning and turn it on."""
    if deck.loop_active:
        leave_loop(deck)
        return True
    if deck.loop_out - deck.loop_in < SHORTEST:
        return False
    deck.loop_active = 1
    start_slip(deck, False)
    go_to(deck, in_phase(deck, float(deck.loop_in)))
    deck.loop_inside = 1
    return True


@compiled
def loop_roll(k: Any, deck: Any, beats: float) -> bool:
    """Begin, change or end (0 beats) a loop under which the track runs on."""
    if beats <= 0.0:
        if deck.loop_roll:
            leave_loop(deck)
        return True
    if not deck.loop_roll:
        start_slip(deck, True)
        deck.loop_active = 0
    if not loop_beats(k, deck, beats):
        end_slip(deck)
        return False
    deck.loop_roll = 1
    return True
