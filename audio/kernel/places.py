"""Places: where a deck is on this frame, and where it is asked to go.

    asked for --> on the grid? (quantise) --> keeps the phase? (quantise, sync) --> wish to seek --> reconcile

Owner: the kernel. Everything that depends on the playhead is worked out here, on the frame of its command.
Units: track frames at the engine rate; beats.
"""

from typing import Any

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.grid import beat_at, frame_of, has_grid, nearest, wrapped
from audio.kernel.heads import place_of
from audio.kernel.layout import NONE, UNCHANGED


@compiled
def holds_track(deck: Any) -> bool:
    """Say whether the deck's playhead holds a track that it keeps."""
    return deck.heads[0].tape != NONE and deck.want_tape == UNCHANGED


@compiled
def track_frames(deck: Any) -> int:
    """Return the length of the track. Pre: the playhead holds one."""
    return deck.tapes[deck.heads[0].tape].mix.frames


@compiled
def here(deck: Any) -> float:
    """Return where the playhead is, or is about to be."""
    if deck.want_seek:
        return float(deck.seek_to)
    return place_of(deck.heads[0])


@compiled
def keep_under_hand(deck: Any) -> None:
    """Let a record that has been asked for at another place stay there under the hand."""
    if deck.hand:
        deck.hand_from = deck.seek_to - deck.hand_to


@compiled
def go_to(deck: Any, frame: float) -> None:
    """Ask for the playhead at `frame`, cut to the track."""
    deck.seek_to = int(np.rint(min(max(frame, 0.0), float(track_frames(deck)))))
    deck.want_seek = 1
    deck.loop_inside = 0
    keep_under_hand(deck)


@compiled
def set_here(deck: Any) -> float:
    """Return the place that a cue or loop set now gets: the playhead, or the beat nearest to it when quantised."""
    at = here(deck)
    if deck.quantize:
        at = nearest(deck, at, 1.0)
    return min(max(at, 0.0), float(track_frames(deck)))


@compiled
def in_phase(deck: Any, target: float) -> float:
    """Return the place to jump to for `target`: while the deck plays quantised or in sync, the place nearest to it
    that lies as far into its beat as the playhead does, so that the beat goes on."""
    if not deck.want_play or deck.preview or not (deck.quantize or deck.locked) or not has_grid(deck):
        return target
    beat = beat_at(deck.grid, target)
    beat += wrapped(beat_at(deck.grid, here(deck)) - beat, 1.0)
    place = frame_of(deck.grid, beat)
    if place < 0.0:
        place = frame_of(deck.grid, beat + 1.0)
    return place
