"""Told places: where in its track the deck is that is played along with, frame by frame, beside the input's ring.

    playhead --place, speed, token--> ring of places --.
    input ---> ring of the input ----------------------+--> what was played, and to which part of the track

Owner: the kernel. Nothing is written while nobody makes a take.
Units: track frames; engine frames number the ring, as in the master's.
"""

from typing import Any, Final

from numba import from_dtype

from audio.kernel.atomics import record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.heads import place_of
from audio.rings import BUS_CAPACITY, PLACE, PLACE_RING

_Place: Any = from_dtype(PLACE)
_SIZE: Final = PLACE.itemsize
_SINCE: Final = int(PLACE_RING.fields["since"][1])  # type: ignore[index]
_SAMPLES: Final = int(PLACE_RING.fields["samples"][1])  # type: ignore[index]


@compiled
def tell_places(k: Any, deck: int) -> None:
    """Tell the places of `deck`, from 1, from the next frame on; of none, 0."""
    if deck and k.taken != deck:
        store_release(k.place_ring + _SINCE, k.frame)
        store_release(k.place_ring, k.frame)
    k.taken = deck


@compiled
def lay_places(k: Any, deck: Any, at: int, count: int, sounds: bool) -> None:
    """Write where the playhead of `deck` will be on `count` frames from frame `at` of the segment on.

    Pre: its speed does not change within them; `sounds` says whether it plays.
    """
    head = deck.heads[0]
    place, speed = place_of(head), deck.rate.value
    pitch = speed
    if head.stretch > 0.5:
        pitch = deck.stretch.factor if deck.stretch.keylock else deck.stretch.factor * speed
    for n in range(count):
        told = record_at(k.place_ring + _SAMPLES + _SIZE * ((k.frame + at + n) & (BUS_CAPACITY - 1)), _Place)
        told.place = place + speed * n
        told.token = deck.tapes[head.tape].token if sounds else 0
        told.speed = speed
        told.pitch = pitch


@compiled
def publish_places(k: Any, count: int) -> None:
    """Show the `count` frames of this segment to readers. Pre: `lay_places` has written them."""
    store_release(k.place_ring, k.frame + count)
