"""Voices: what a pad that was hit sounds like, frame by frame.

    pad's memory --> at its pitch --> x fade (attack, release, choke) --> x gain, velocity, pan --.
                                                              all voices ----------> x volume ----+--> master bus

One-shots play to their end, loops until they are hit again, gates while they are held. A loop's seam is bent so that
nothing steps: where there is sound before its beginning it fades over to that, else its last frames lean towards the
first one.

Owner: the kernel. What a voice does on a frame depends on that frame alone, so block sizes change nothing.
Units: frames at the engine rate; gains linear, float32; speeds as ratio.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.atomics import put_float
from audio.kernel.compiled import Single, compiled
from audio.kernel.events import report
from audio.kernel.lane_rows import TOO_LOUD
from audio.kernel.layout import ADDRESS
from audio.kernel.memory import between_frames, frame_at
from audio.kernel.ramps import advance, advance_rate, clamp, glide, glide_rate, snap, snap_rate
from audio.kernel.sampler_state import SOUNDING, VOICES
from audio.kernel.sinc import FRACTION_BITS, interpolate, weigh, width_of
from audio.kernel.strip import gain_both, pass_by
from audio.units import BANKS, PADS

ONE_SHOT: Final = 0
LOOP: Final = 1
GATE: Final = 2
_NOBODY: Final = -1
_ENDED: Final = int(EventKind.PAD_ENDED)
_WEIGHTS: Final = ADDRESS["weights"]
_GATHERED: Final = ADDRESS["gathered"]
_FRACTION_ONE: Final = float(1 << FRACTION_BITS)
_FRACTION_MASK: Final = (1 << FRACTION_BITS) - 1
_ATTACK_PARTS: Final = 1000
"""A voice that begins within a sound comes up in this part of a second."""
SHORTEST_LOOP: Final = 64
_LEAN: Final = 240
"""Frames over which the end of a loop with nothing before it leans towards its beginning, at most."""
_SILENCE: Final = np.float32(0.0)


@compiled
def _release(k: Any, voice: Any) -> None:
    """Let a voice fade out."""
    if not voice.ending:
        voice.ending = 1
        glide(voice.fade, 0.0, k.fade_frames)
        if voice.fade.value == 0.0:
            voice.active = 0


@compiled
def silence_pad(k: Any, number: int) -> bool:
    """Let all voices of a pad fade out; say whether there were any."""
    found = False
    for n in range(VOICES):
        voice = k.sampler.voices[n]
        if voice.active and not voice.ending and voice.pad == number:
            _release(k, voice)
            found = True
    return found


@compiled
def silence_all(k: Any) -> None:
    """Let all voices fade out."""
    for n in range(VOICES):
        if k.sampler.voices[n].active:
            _release(k, k.sampler.voices[n])


@compiled
def let_go(k: Any, number: int) -> None:
    """Let go of a pad: what sounds only while it is held fades out."""
    for n in range(VOICES):
        voice = k.sampler.voices[n]
        if voice.active and voice.pad == number and voice.mode == GATE:
            _release(k, voice)


@compiled
def _choke(k: Any, number: int) -> None:
    """Let everything in the pad's choke group fade out, the pad itself too."""
    pads = k.sampler.pads
    group = pads[number].choke
    if group == 0:
        return
    for n in range(VOICES):
        voice = k.sampler.voices[n]
        if voice.active and voice.pad // PADS == number // PADS and pads[voice.pad].choke == group:
            _release(k, voice)


@compiled
def _free_voice(k: Any) -> int:
    """Return a voice that nothing sounds from, _NOBODY if all fade out; where too many sound, the oldest goes."""
    sounding, oldest, free = 0, _NOBODY, _NOBODY
    voices = k.sampler.voices
    for n in range(VOICES):
        if not voices[n].active:
            if free == _NOBODY:
                free = n
        elif not voices[n].ending:
            sounding += 1
            if oldest == _NOBODY or voices[n].born < voices[oldest].born:
                oldest = n
    if free != _NOBODY and sounding >= SOUNDING:
        _release(k, voices[oldest])
    return free


@compiled
def set_level(k: Any, number: int, voice: Any, frames: int) -> None:
    """Bring a voice to its pad's gain and pan; at once with 0 `frames`."""
    pad = k.sampler.pads[number]
    level = pad.gain * voice.velocity
    left = np.float32(level * min(1.0, 1.0 - pad.pan))
    right = np.float32(level * min(1.0, 1.0 + pad.pan))
    if frames == 0:
        snap(voice.left, left)
        snap(voice.right, right)
    else:
        glide(voice.left, left, frames)
        glide(voice.right, right, frames)


@compiled
def follow_pad(k: Any, number: int) -> None:
    """Bring all voices of a pad to its gain, pan and pitch."""
    for n in range(VOICES):
        voice = k.sampler.voices[n]
        if voice.active and voice.pad == number:
            set_level(k, number, voice, k.fade_frames)
            glide_rate(voice.rate, k.sampler.pads[number].speed, k.fade_frames)


@compiled
def strike(k: Any, number: int, velocity: float, step_frames: int) -> None:
    """Hit a pad on this frame. `step_frames` above 0: a step of the sequencer of that length does.

    A pad without a sample, or one whose end is not above its start, stays silent.
    """
    pad = k.sampler.pads[number]
    frames = pad.slot.frames
    if pad.slot.audio == 0:
        return
    first = pad.lead + pad.start
    last = frames if pad.end <= 0 else min(frames, pad.lead + pad.end)
    mode = pad.mode
    if mode == LOOP and last - first < SHORTEST_LOOP:
        last = min(frames, first + SHORTEST_LOOP)
    if last <= first:
        return
    if mode == LOOP and silence_pad(k, number) and step_frames == 0:
        return
    if mode == GATE:
        silence_pad(k, number)
    _choke(k, number)
    free = _free_voice(k)
    if free == _NOBODY:
        return
    voice = k.sampler.voices[free]
    k.sampler.born += 1
    voice.active = 1
    voice.pad = number
    voice.mode = mode
    voice.ending = 0
    voice.wrapped = 0
    voice.velocity = np.float32(velocity)
    voice.slot.audio = pad.slot.audio
    voice.slot.ready = pad.slot.ready
    voice.slot.frames = pad.slot.frames
    voice.slot.chunks = pad.slot.chunks
    voice.first = first
    voice.last = last
    voice.cross = min(min(k.fade_frames, first), (last - first) // 2)
    voice.index = first
    voice.fraction = 0
    voice.born = k.sampler.born
    voice.until = k.frame + step_frames if step_frames > 0 and mode == GATE else 0
    snap_rate(voice.rate, pad.speed)
    set_level(k, number, voice, 0)
    snap(voice.fade, 1.0)
    if first > 0:
        snap(voice.fade, 0.0)
        glide(voice.fade, 1.0, max(1, k.rate // _ATTACK_PARTS))


@compiled
def _span(voice: Any) -> int:
    """Return over how many frames the end of a loop is bent."""
    return voice.cross if voice.cross > 0 else min((voice.last - voice.first) // 2, _LEAN)


@compiled
def _bent(voice: Any, index: int) -> tuple[Single, Single]:
    """Return one frame of a loop as it is played over and over: beyond its end it begins again, and its last frames
    lead there."""
    length = voice.last - voice.first
    if index >= voice.last:
        index -= length
    elif index < voice.first and voice.wrapped:
        index += length
    left, right = frame_at(voice.slot, index)
    span = _span(voice)
    place = index - (voice.last - span)
    if place < 0:
        return left, right
    share = np.float32(place + 1) / np.float32(span)
    if voice.cross > 0:
        a, b = frame_at(voice.slot, index - length)
        return left + (a - left) * share, right + (b - right) * share
    # Nothing lies before: lean towards where the first two frames come from.
    end_left, end_right = frame_at(voice.slot, voice.last - 1)
    a, b = frame_at(voice.slot, voice.first)
    c, d = frame_at(voice.slot, voice.first + 1)
    return left + (a + a - c - end_left) * share, right + (b + b - d - end_right) * share


@compiled
def _read(k: Any, address: int, voice: Any, speed: float) -> tuple[Single, Single]:
    """Return left and right at the voice's place."""
    copies = speed == 1.0 and voice.fraction == 0
    width = 1 if copies else width_of(speed)
    low = voice.index if copies else voice.index - width // 2 + 1
    plain = voice.mode != LOOP
    if not plain:
        plain = low + width <= voice.last - _span(voice) and (low >= voice.first or not voice.wrapped)
    if copies:
        return frame_at(voice.slot, voice.index) if plain else _bent(voice, voice.index)
    weights = address + _WEIGHTS
    weigh(k.table, weights, speed, voice.fraction)
    gathered = address + _GATHERED
    if plain:
        return between_frames(voice.slot, voice.index, width, weights, gathered)
    for tap in range(width):
        left, right = _bent(voice, low + tap)
        put_float(gathered, 2 * tap, left)
        put_float(gathered, 2 * tap + 1, right)
    return interpolate(gathered, weights, width)


@compiled
def _go_on(voice: Any, speed: float) -> None:
    """Move a voice by one frame."""
    voice.fraction += int(speed * _FRACTION_ONE)
    voice.index += voice.fraction >> FRACTION_BITS
    voice.fraction &= _FRACTION_MASK
    if voice.mode == LOOP and voice.index >= voice.last:
        voice.index -= voice.last - voice.first
        voice.wrapped = 1


@compiled
def _near_end(k: Any, voice: Any, speed: float) -> bool:
    """Say whether a voice that ends has come to its last fade, and begin it."""
    left = (voice.last - voice.index) / speed
    tail = min(float(k.fade_frames), 0.5 * (voice.last - voice.first) / speed)
    if left > tail:
        return False
    voice.ending = 1
    glide(voice.fade, 0.0, max(1, int(left)))
    return True


@compiled
def _lay_voice(k: Any, address: int, voice: Any, count: int) -> None:
    """Add `count` frames of a voice to the pads' bus; its end frees it."""
    bus_left, bus_right = k.pad_bus[0], k.pad_bus[1]
    for n in range(count):
        speed = advance_rate(voice.rate)
        if voice.until != 0 and k.frame + n >= voice.until:
            voice.until = 0
            _release(k, voice)
        if voice.mode != LOOP and not voice.ending:
            _near_end(k, voice, speed)
        level = np.float32(advance(voice.fade))
        if voice.ending and voice.fade.left == 0:
            voice.active = 0
            k.cursor = n
            report(k, address, _ENDED, voice.pad // PADS, voice.pad % PADS, 0.0, 0.0, 0)
            k.cursor = 0
            return
        left, right = _read(k, address, voice, speed)
        left *= level * np.float32(advance(voice.left))
        right *= level * np.float32(advance(voice.right))
        if abs(left) < TOO_LOUD and abs(right) < TOO_LOUD:
            bus_left[n] += left
            bus_right[n] += right
        _go_on(voice, speed)


@compiled
def play_pads(k: Any, address: int, count: int) -> None:
    """Add `count` frames (at most SEGMENT) of all voices to the master bus."""
    left, right = k.pad_bus[0], k.pad_bus[1]
    sounds = False
    for number in range(VOICES):
        voice = k.sampler.voices[number]
        if voice.active:
            if not sounds:
                sounds = True
                for n in range(count):
                    left[n] = _SILENCE
                    right[n] = _SILENCE
            _lay_voice(k, address, voice, count)
    if not sounds:
        pass_by(k.sampler.level, count)
        return
    gain_both(left, right, k.sampler.level, count)
    for n in range(count):
        k.master_bus[0, n] += left[n]
        k.master_bus[1, n] += right[n]


@compiled
def speed_of(semitones: float) -> float:
    """Return the speed that moves the pitch by `semitones`, cut to two octaves."""
    return 2.0 ** (clamp(semitones, -24.0, 24.0) / 12.0)


@compiled
def publish_sampler(k: Any, view: Any) -> None:
    """Write to the snapshot what sounds and where the sequencer is."""
    sampler = k.sampler
    ending = sampler.waiting
    for bank in range(BANKS):
        view.pads[bank] = 0
    for n in range(VOICES):
        voice = sampler.voices[n]
        if voice.active:
            if not voice.ending:
                view.pads[voice.pad // PADS] |= 1 << voice.pad % PADS
            if voice.ending or voice.mode == ONE_SHOT:
                ending += 1
    view.pads_ending = ending
    view.step = sampler.column if sampler.run else -1
