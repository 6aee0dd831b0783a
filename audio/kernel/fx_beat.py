"""The beat that effects follow: of each deck, and of the deck that the master's effect goes with.

    deck.beat, deck.beat_step --at multiples of SEGMENT--> beats[deck] --> beats[DECKS], the master's

Owner: the kernel. A deck that plays without a grid has 120 beats a minute, counted from engine frame 0; one that stops
keeps its tempo, so that an echo rings out in time. The master follows the deck that leads; where none does (no grids) a
deck as long as it plays, then the first that does.
Units: beats; frames at the engine rate.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.layout import NONE
from audio.units import DECKS

_NO_GRID_HZ: Final = 2.0
_HAIR: Final = 1e-7


@compiled
def keep_beat(kept: Any, beat: float, step: float, plays: int, frame: int, rate: int) -> None:
    """Note where the beat is at `frame`; `step` is 0 where there is no grid, or nothing plays.

    The first such note is passed over: a deck's step is known one segment after its start.
    """
    if step != 0.0:
        kept.beat, kept.step, kept.frame, kept.waits = beat, step, frame, 0
    elif not plays:
        kept.waits = 0
    elif kept.waits == 0:
        kept.waits = 1
    else:
        kept.step = _NO_GRID_HZ / rate
        kept.beat = frame * kept.step
        kept.frame = frame


@compiled
def keep_beats(k: Any) -> None:
    """Note where all beats are. Pre: the engine's frame is a multiple of SEGMENT."""
    for number in range(DECKS):
        deck = k.decks[number]
        keep_beat(k.beats[number], deck.beat, deck.beat_step, deck.play, k.frame, k.rate)
    if k.leader != NONE:
        k.fx_lead = k.leader
    elif not k.decks[k.fx_lead].play:
        for number in range(DECKS):
            if k.decks[number].play:
                k.fx_lead = number
                break
    lead, master = k.beats[k.fx_lead], k.beats[DECKS]
    master.beat, master.step, master.frame = lead.beat, lead.step, lead.frame


@compiled
def beat_at(kept: Any, frame: int) -> float:
    """Return which beat engine frame `frame` is, raised by so little that a beat's own frame is never before it."""
    return kept.beat + kept.step * (frame - kept.frame) + _HAIR


@compiled
def floor_of(value: float) -> int:
    """Return the whole number below `value`, faster than NumPy's floor."""
    whole = int(value)
    return whole - 1 if value < whole else whole


@compiled
def frames_of(kept: Any, beats: float, most: int) -> int:
    """Return how many frames `beats` take, rounded; halved until they are no more than `most`."""
    frames = beats / max(abs(kept.step), 1e-9)
    while frames > most:
        frames /= 2.0
    return max(1, int(np.rint(frames)))
