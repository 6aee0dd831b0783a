"""Mute regions: stretches of the track in which one stem is not heard.

    playhead over the edge of a region --> wanted --> applies? (requests.py) --> gain of the stem, over one fade

The fade begins on the frame of the edge. A playhead that jumps takes what holds where it lands. Where the mix stands in
for stems that are not ready, a region waits as a mute does.

Owner: the kernel. Units: track frames at the engine rate.
"""

from typing import Any

from audio.kernel.compiled import compiled
from audio.kernel.heads import place_of
from audio.kernel.practice_state import REGIONS
from audio.units import STEM_SLOTS


@compiled
def forget_regions(deck: Any) -> None:
    """Begin a new track: no stem is mute anywhere."""
    deck.region_mask = 0
    for slot in range(STEM_SLOTS):
        clear_regions(deck, slot)


@compiled
def clear_regions(deck: Any, slot: int) -> None:
    """Let a stem be heard everywhere."""
    deck.mutes[slot].count = 0
    deck.mutes[slot].wanted = 0
    deck.region_mask &= ~(1 << slot)


@compiled
def add_region(deck: Any, slot: int, start: int, end: int) -> bool:
    """Mute a stem from `start` to `end`; False unless that lies behind all of its regions and there is room."""
    mutes = deck.mutes[slot]
    count = mutes.count
    if count >= REGIONS or end <= start or start < 0 or (count > 0 and start < mutes.ends[count - 1]):
        return False
    mutes.starts[count] = start
    mutes.ends[count] = end
    mutes.count = count + 1
    deck.region_mask |= 1 << slot
    return True


@compiled
def _inside(mutes: Any, place: float) -> int:
    for n in range(mutes.count):
        if mutes.starts[n] <= place < mutes.ends[n]:
            return 1
    return 0


@compiled
def look_at_regions(deck: Any) -> bool:
    """Note which stems are mute where the playhead is; say whether that is news. Pre: it holds a track."""
    if deck.region_mask == 0:
        return False
    place = place_of(deck.heads[0])
    news = False
    for slot in range(STEM_SLOTS):
        if deck.region_mask >> slot & 1:
            mutes = deck.mutes[slot]
            wanted = _inside(mutes, place)
            news = news or wanted != mutes.wanted
            mutes.wanted = wanted
    return news


@compiled
def frames_to_region(deck: Any, limit: int) -> int:
    """Return how many output frames, 1 to `limit`, surely lie before the next edge of a region.

    Pre: the speed is steady and not 0.
    """
    if deck.region_mask == 0:
        return limit
    place = place_of(deck.heads[0])
    forwards = deck.rate.value >= 0.0
    nearest = 1e18
    for slot in range(STEM_SLOTS):
        if deck.region_mask >> slot & 1:
            mutes = deck.mutes[slot]
            for n in range(mutes.count):
                for edge in (mutes.starts[n], mutes.ends[n]):
                    ahead = edge - place if forwards else place - edge
                    if ahead >= 0.0 and (ahead > 0.0 or not forwards):
                        nearest = min(nearest, ahead)
    return max(1, min(limit, int(min(nearest / abs(deck.rate.value), 1e9))))
