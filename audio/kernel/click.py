"""The click: a short tone on every beat of a deck's grid, and on what lies evenly between them.

    playhead over a beat's frame --> voice, on that very engine frame --> x volume --> master, or headphones alone

It follows the grid as it drifts, at any speed and in both directions, and is silent without one, under a hand and while
the deck stands. It is laid past the deck's fader and effects and goes through the master's level and limiter.

Owner: the kernel. What is decided on a frame depends on the state of that frame alone: runs of frames end where a click
is due. Units: track frames and engine frames; beats; gains linear, float32.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.fx_beat import floor_of
from audio.kernel.grid import beat_at, frame_of, has_grid
from audio.kernel.heads import place_of
from audio.kernel.outputs import has_phones
from audio.kernel.practice_state import ACCENT, BEAT, CLICK_ROOM, SUBDIVISION, VOICES
from audio.kernel.ramps import advance
from audio.kernel.strip import pass_by
from audio.units import DECKS

_BACK: Final = 1.0
"""Track frames: a jump that lands this little behind a beat is on it, since places are whole frames."""
_HAIR: Final = 1e-6
"""Track frames: what rounding leaves of a place between two beats; a click this little beyond a frame is on it."""
_NOWHERE: Final = -1e18


@compiled
def strike(deck: Any, frame: int, kind: int) -> None:
    """Begin a click on engine frame `frame`; where all voices sound it is left out."""
    for which in range(VOICES):
        voice = deck.click.voices[which]
        if not voice.sounds:
            voice.sounds = 1
            voice.start = frame
            voice.kind = kind
            voice.output = deck.click.output
            return


@compiled
def forget_place(deck: Any) -> None:
    """Begin a new track: the playhead comes from nowhere."""
    deck.click.goes_on = _NOWHERE


@compiled
def kind_of(click: Any, number: int, divide: int) -> int:
    """Return what click number `number` is, counted from the first downbeat, `divide` to a beat."""
    if number % divide:
        return SUBDIVISION
    return ACCENT if click.accent and number // divide % click.bar == 0 else BEAT


@compiled
def _next_number(deck: Any, place: float, forwards: bool) -> int:
    """Return the number of the first click beyond `place`. Pre: there is a grid."""
    divide = deck.click.divide
    along = beat_at(deck.grid, place) * divide
    number = floor_of(along)
    # The way to beats and back is not exact: what counts is where the click's frame lies.
    if forwards:
        while frame_of(deck.grid, number / divide) <= place + _HAIR:
            number += 1
        return number
    number += 1
    while frame_of(deck.grid, number / divide) >= place - _HAIR:
        number -= 1
    return number


@compiled
def clicks(deck: Any) -> bool:
    """Say whether the deck's playhead strikes clicks now."""
    if not deck.click.on or not deck.heads[0].sounding or deck.hand or deck.winding:
        return False
    return deck.rate.value != 0.0 and has_grid(deck)


@compiled
def watch_beat(deck: Any, frame: int) -> None:
    """Strike a click where the playhead has come to one on engine frame `frame`. Pre: `clicks`."""
    click = deck.click
    place = place_of(deck.heads[0])
    forwards = deck.rate.value > 0.0
    before = click.place
    if place != click.goes_on:
        before = place - _BACK if forwards else place + _BACK
    click.place = place
    if before == place:
        return
    number = _next_number(deck, before, forwards)
    at = frame_of(deck.grid, number / click.divide)
    if (forwards and at <= place + _HAIR) or (not forwards and at >= place - _HAIR):
        strike(deck, frame, kind_of(click, number, click.divide))


@compiled
def frames_to_click(deck: Any, limit: int) -> int:
    """Return how many output frames, 1 to `limit`, surely lie before the next click. Pre: the speed is steady."""
    if not clicks(deck):
        return limit
    place = place_of(deck.heads[0])
    speed = abs(deck.rate.value)
    forwards = deck.rate.value > 0.0
    at = frame_of(deck.grid, _next_number(deck, place, forwards) / deck.click.divide)
    return max(1, min(limit, int(abs(at - place) / speed)))


@compiled
def _sound(k: Any, click: Any, voice: Any, to: Any, count: int, frames: int) -> None:
    """Add one voice to both channels of `to`; the volume lies in scratch."""
    row = k.curve_row[0]
    for n in range(max(0, voice.start - k.frame), count):
        age = k.frame + n - voice.start
        if age >= frames:
            voice.sounds = 0
            return
        value = k.click_sounds[voice.kind, age] * row[n]
        to[0, n] += value
        to[1, n] += value


@compiled
def sound_clicks(k: Any, count: int) -> None:
    """Add `count` frames (at most SEGMENT) of every deck's clicks to the master, or to what is cued."""
    frames = min(CLICK_ROOM, k.click_frames)
    for number in range(DECKS):
        click = k.decks[number].click
        heard = False
        for which in range(VOICES):
            heard = heard or click.voices[which].sounds != 0
        if not heard:
            pass_by(click.volume, count)
            continue
        for n in range(count):
            k.curve_row[0, n] = np.float32(advance(click.volume))
        for which in range(VOICES):
            voice = click.voices[which]
            if not voice.sounds:
                continue
            if voice.output == 0:
                _sound(k, click, voice, k.master_bus, count, frames)
            elif has_phones(k):
                _sound(k, click, voice, k.cue_bus, count, frames)
            elif k.frame + count - voice.start >= frames:
                voice.sounds = 0
