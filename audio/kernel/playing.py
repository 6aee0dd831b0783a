"""Playing: what a head reads from its tape and adds to its deck's buses.

    mix slot ----> x (1 - blend) x presence --.
                                              + --> x (1 - stretch) --.
    stem slots --> x blend ------------------'                        + --> x fade x tail --> mix, stem, take buses
    take's slot -----------------------------'                        |
    ring of the stretcher, the same slots, as much -> x stretch ------'

Where nothing moves a run of frames is rendered at once: the weights of a batch of frames first, then one stem after the
other with them. Where something moves, frame by frame. Both give the same bits.

Owner: the kernel. Units: frames at the engine rate; gains linear, float32.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.atomics import float_at, put_float
from audio.kernel.beside import has_take
from audio.kernel.compiled import Single, compiled
from audio.kernel.cues import stop_playing
from audio.kernel.events import report
from audio.kernel.heads import decide, is_copy, is_over, pace_of, place_of, slew
from audio.kernel.layout import ADDRESS, BATCH, MIX_BUS, NONE, SEGMENT, SUM_BUS, TAKE_BUS
from audio.kernel.memory import between_frames, frame_at, may_read
from audio.kernel.ramps import advance, snap
from audio.kernel.sinc import (
    FRACTION_BITS,
    TOGETHER,
    WIDTH,
    add_four,
    interpolate,
    lay_32,
    lay_four,
    weigh,
    width_of,
)
from audio.kernel.stretched import lay_stretched
from audio.kernel.summed import can_sum, lay_sum, measure_stems
from audio.units import STEM_SLOTS

_WEIGHTS: Final = ADDRESS["weights"]
_GATHERED: Final = ADDRESS["gathered"]
_MISSING: Final = int(EventKind.AUDIO_MISSING)
_ENTERED: Final = int(EventKind.STEMS_ENTERED)
_LEFT: Final = int(EventKind.STEMS_LEFT)
_ENDED: Final = int(EventKind.DECK_ENDED)
_FRACTION_MASK: Final = (1 << FRACTION_BITS) - 1


@compiled
def _lay_copy(k: Any, slot: Any, row: int, index: int, step: int, count: int, gain: Single) -> None:
    """Add `count` frames of `slot`, one for one, to bus `row`."""
    last = index + step * (count - 1)
    left, right = k.bus[row, 0], k.bus[row, 1]
    if may_read(slot, min(index, last), max(index, last)):
        if step == 1:
            audio = slot.audio + 8 * index
            for n in range(count):
                left[n] += float_at(audio, 2 * n) * gain
                right[n] += float_at(audio, 2 * n + 1) * gain
            return
        for n in range(count):
            at = index + step * n
            left[n] += float_at(slot.audio, 2 * at) * gain
            right[n] += float_at(slot.audio, 2 * at + 1) * gain
        return
    for n in range(count):
        a, b = frame_at(slot, index + step * n)
        left[n] += a * gain
        right[n] += b * gain


@compiled
def _lay_between(
    k: Any, address: int, slot: Any, row: int, start: int, count: int, width: int, gain: Single, shift: int
) -> None:
    """Add `count` frames of `slot`, `shift` frames before the places and with the weights that lie in scratch, to bus
    `row`, from `start` on."""
    left, right = k.bus[row, 0], k.bus[row, 1]
    places = k.places
    back = width // 2 - 1 + shift
    low, high = min(places[0], places[count - 1]) - back, max(places[0], places[count - 1]) - back + width
    weights = address + _WEIGHTS
    if may_read(slot, low, high):
        audio = slot.audio - 8 * back
        for n in range(count):
            a, b = interpolate(audio + 8 * places[n], weights + n * 8 * width, width)
            left[start + n] += a * gain
            right[start + n] += b * gain
    else:
        for n in range(count):
            a, b = between_frames(slot, places[n] - shift, width, weights + n * 8 * width, address + _GATHERED)
            left[start + n] += a * gain
            right[start + n] += b * gain


@compiled
def _lay_together(k: Any, weights: int, first: int, parts: int, count: int, gain: Single) -> None:
    """Add `count` frames of `parts` (up to TOGETHER) of the sounds that lie in scratch, from number `first` on, to
    their rows. Those that lack are made of the first of them, and heard by nobody."""
    of, to = k.sources[first : first + TOGETHER], k.targets[first : first + TOGETHER]
    for part in range(parts, TOGETHER):
        of[part] = of[0]
        to[part] = k.nowhere.ctypes.data
    rows = k.laid.ctypes.data
    lay_four(rows, of.ctypes.data, k.places.ctypes.data, weights, count)
    groups = count // (2 * TOGETHER)
    if groups:
        add_four(to.ctypes.data, rows, groups, SEGMENT, gain)
    for n in range(2 * TOGETHER * groups, count):
        for part in range(parts):
            for side in range(2):
                at = n + side * SEGMENT
                put_float(to[part], at, float_at(to[part], at) + k.laid[n, 2 * part + side] * gain)


@compiled
def _lay_stems(
    k: Any, address: int, deck: Any, tape: Any, mask: int, start: int, count: int, width: int, gain: Single
) -> None:
    """Add `count` frames of the stems in `mask` to their buses: all of them at once where every tap may be read."""
    places = k.places
    weights = address + _WEIGHTS
    parts = 0
    for slot in range(STEM_SLOTS):
        if mask >> slot & 1:
            stem, shift = tape.stems[slot], deck.layers[slot].shift
            back = width // 2 - 1 + shift
            low, high = min(places[0], places[count - 1]) - back, max(places[0], places[count - 1]) - back + width
            if width == WIDTH and may_read(stem, low, high):
                k.sources[parts] = stem.audio - 8 * back
                k.targets[parts] = k.bus[slot, 0].ctypes.data + 4 * start
                parts += 1
            else:
                _lay_between(k, address, stem, slot, start, count, width, gain, shift)
    done = 0
    while parts - done >= TOGETHER - 1:
        _lay_together(k, weights, done, min(TOGETHER, parts - done), count, gain)
        done += TOGETHER
    if done < parts:
        lay_32(
            k.sources.ctypes.data + 8 * done, k.targets.ctypes.data + 8 * done, parts - done, places.ctypes.data,
            weights, count, SEGMENT, gain,
        )  # fmt: skip


@compiled
def _weigh_batch(k: Any, address: int, head: Any, speed: float, count: int) -> None:
    """Write places and weights of the next `count` frames to scratch, and move the head past them."""
    pace = pace_of(speed)
    index, fraction = head.index, head.fraction
    weights = address + _WEIGHTS
    places = k.places
    fast = abs(speed)
    row = 8 * width_of(fast)
    for n in range(count):
        places[n] = index
        weigh(k.table, weights + n * row, fast, fraction)
        fraction += pace
        index += fraction >> FRACTION_BITS
        fraction &= _FRACTION_MASK
    head.index = index
    head.fraction = fraction


@compiled
def _pass_over(deck: Any, head: Any, count: int) -> None:
    """Move the head past `count` frames that come from the ring."""
    pace = pace_of(deck.rate.value)
    index, fraction = head.index, head.fraction
    for _ in range(count):
        fraction += pace
        index += fraction >> FRACTION_BITS
        fraction &= _FRACTION_MASK
    head.index = index
    head.fraction = fraction


@compiled
def _render_run(k: Any, address: int, deck: Any, head: Any, count: int) -> None:
    """Render `count` frames on which no gain of the head moves.

    Pre: `steady_run` has allowed them.
    """
    tape = deck.tapes[head.tape]
    gain = np.float32(head.fade.value * head.tail)
    beside = gain
    stems = head.blend == 1.0
    speed = deck.rate.value
    if not stems:
        gain = np.float32(gain * head.presence)
    mask = tape.mask if stems else 1 << MIX_BUS
    if gain == 0.0:
        mask = 0
    if beside != 0.0 and has_take(deck, head):
        mask |= 1 << TAKE_BUS
    deck.touched |= mask
    if head.stretch == 1.0:
        lay_stretched(k, deck, mask, count, gain, gain, beside)
        _pass_over(deck, head, count)
        return
    if is_copy(deck, head):
        step = 1 if speed > 0.0 else -1
        for slot in range(STEM_SLOTS):
            if mask >> slot & 1:
                _lay_copy(k, tape.stems[slot], slot, head.index - deck.layers[slot].shift, step, count, gain)
        if mask >> MIX_BUS & 1:
            _lay_copy(k, tape.mix, MIX_BUS, head.index, step, count, gain)
        if mask >> TAKE_BUS & 1:
            _lay_copy(k, tape.take, TAKE_BUS, head.index, step, count, beside)
        head.index += step * count
        return
    width = width_of(abs(speed))
    for start in range(0, count, BATCH):
        batch = min(BATCH, count - start)
        _weigh_batch(k, address, head, speed, batch)
        _lay_stems(k, address, deck, tape, mask, start, batch, width, gain)
        if mask >> MIX_BUS & 1:
            _lay_between(k, address, tape.mix, MIX_BUS, start, batch, width, gain, 0)
        if mask >> TAKE_BUS & 1:
            _lay_between(k, address, tape.take, TAKE_BUS, start, batch, width, beside, 0)


@compiled
def _render_sum(k: Any, address: int, deck: Any, head: Any, count: int) -> None:
    """Render `count` frames of stems that are summed. Pre: `can_sum`, and `steady_run` has allowed more than one."""
    tape = deck.tapes[head.tape]
    begin = head.index
    for start in range(0, count, BATCH):
        batch = min(BATCH, count - start)
        _weigh_batch(k, address, head, deck.rate.value, batch)
        lay_sum(k, deck, tape, start, batch, address + _WEIGHTS)
    measure_stems(deck, tape, begin, head.index)
    deck.touched |= 1 << SUM_BUS


@compiled
def _shares(layer: Any, gain: Single) -> tuple[Single, Single]:
    """Return what of `gain` goes to where the layer reads now, and to where it read before."""
    share = np.float32(layer.fade.value)
    return np.float32(gain * share), np.float32(gain * np.float32(np.float32(1.0) - share))


@compiled
def _render_frame(k: Any, address: int, deck: Any, head: Any) -> None:
    """Render one frame while gains or speed move."""
    tape = deck.tapes[head.tape]
    speed = deck.rate.value
    one = np.float32(1.0)
    level = np.float32(np.float32(advance(head.fade)) * head.tail)
    mix_gain = np.float32(np.float32(level * np.float32(one - head.blend)) * head.presence)
    stem_gain = np.float32(level * head.blend)
    mask = 0
    if stem_gain != 0.0:
        mask = tape.mask
    if mix_gain != 0.0:
        mask |= 1 << MIX_BUS
    if level != 0.0 and has_take(deck, head):
        mask |= 1 << TAKE_BUS
    deck.touched |= mask
    if head.stretch > 0.0:
        share = head.stretch
        lay_stretched(
            k, deck, mask, 1, np.float32(stem_gain * share), np.float32(mix_gain * share), np.float32(level * share)
        )  # fmt: skip
        if share == 1.0:
            _pass_over(deck, head, 1)
            return
        stem_gain = np.float32(stem_gain * np.float32(one - share))
        mix_gain = np.float32(mix_gain * np.float32(one - share))
        level = np.float32(level * np.float32(one - share))
    if is_copy(deck, head):
        step = 1 if speed > 0.0 else -1
        for slot in range(STEM_SLOTS):
            if mask >> slot & 1:
                layer = deck.layers[slot]
                new, old = _shares(layer, stem_gain)
                _lay_copy(k, tape.stems[slot], slot, head.index - layer.shift, step, 1, new)
                if old != 0.0:
                    _lay_copy(k, tape.stems[slot], slot, head.index - layer.old_shift, step, 1, old)
        if mask >> MIX_BUS & 1:
            _lay_copy(k, tape.mix, MIX_BUS, head.index, step, 1, mix_gain)
        if mask >> TAKE_BUS & 1:
            _lay_copy(k, tape.take, TAKE_BUS, head.index, step, 1, level)
        head.index += step
        return
    width = width_of(abs(speed))
    _weigh_batch(k, address, head, speed, 1)
    for slot in range(STEM_SLOTS):
        if mask >> slot & 1:
            layer = deck.layers[slot]
            new, old = _shares(layer, stem_gain)
            _lay_between(k, address, tape.stems[slot], slot, 0, 1, width, new, layer.shift)
            if old != 0.0:
                _lay_between(k, address, tape.stems[slot], slot, 0, 1, width, old, layer.old_shift)
    if mask >> MIX_BUS & 1:
        _lay_between(k, address, tape.mix, MIX_BUS, 0, 1, width, mix_gain, 0)
    if mask >> TAKE_BUS & 1:
        _lay_between(k, address, tape.take, TAKE_BUS, 0, 1, width, level, 0)


@compiled
def end_missing(k: Any, address: int, number: int, head: Any, token: int) -> None:
    """Report the silence that a head has played for want of audio, if any."""
    if head.missing_frames > 0:
        report(k, address, _MISSING, number, 0, head.missing_from, head.missing_frames, token)
    head.missing = 0
    head.missing_frames = 0


@compiled
def _note_missing(k: Any, address: int, number: int, deck: Any, head: Any, count: int) -> None:
    """Count frames that should have sounded and did not."""
    token = deck.tapes[head.tape].token
    if head.blend == 1.0 or head.presence == 1.0:
        if head.missing:
            end_missing(k, address, number, head, token)
        return
    if not head.missing:
        head.missing = 1
        head.missing_frames = 0
        head.missing_from = place_of(head)
    head.missing_frames += count
    k.silent_frames += count
    if head.missing_frames >= k.rate:
        end_missing(k, address, number, head, token)


@compiled
def tell_stems(k: Any, address: int, number: int, deck: Any, head: Any) -> None:
    """Report that the playhead goes to the stems, or back to the mix for want of them."""
    if head.blend_to > 0.5:
        report(k, address, _ENTERED, number, 0, place_of(head), 0.0, deck.token)
    elif deck.source == 1:
        report(k, address, _LEFT, number, 0, place_of(head), 0.0, deck.token)


@compiled
def prepare_head(k: Any, address: int, number: int, deck: Any, which: int) -> bool:
    """Decide for the coming frame; return True when the playhead changes between mix and stems."""
    head = deck.heads[which]
    if is_over(deck, head):
        finish_head(k, address, number, deck, which)
        return False
    was = head.blend_to
    decide(k, deck, head)
    if which > 0 or was == head.blend_to:
        return False
    tell_stems(k, address, number, deck, head)
    return True


@compiled
def play_head(k: Any, address: int, number: int, deck: Any, which: int, count: int, steady: bool) -> None:
    """Add `count` frames of one head of deck `number` to the deck's buses; one frame unless `steady`.

    Pre: `prepare_head` has decided; `steady` only where `steady_run` allows `count`.
    """
    head = deck.heads[which]
    if steady:
        if which == 0:
            _note_missing(k, address, number, deck, head, count)
        if which == 0 and can_sum(deck, head):
            _render_sum(k, address, deck, head, count)
        else:
            _render_run(k, address, deck, head, count)
        return
    slew(k, deck, head)
    if which == 0:
        _note_missing(k, address, number, deck, head, 1)
    if which == 0 and can_sum(deck, head):
        _render_sum(k, address, deck, head, 1)
    else:
        _render_frame(k, address, deck, head)
    if which > 0 and head.fade.left == 0:
        head.sounding = 0
        head.tape = NONE


@compiled
def finish_head(k: Any, address: int, number: int, deck: Any, which: int) -> None:
    """Stop a head that has come to the end of its track."""
    head = deck.heads[which]
    head.sounding = 0
    snap(head.fade, 0.0)
    if which > 0:
        head.tape = NONE
        return
    frames = deck.tapes[head.tape].mix.frames
    end_missing(k, address, number, head, deck.token)
    head.index = max(0, min(head.index, frames))
    head.fraction = 0
    deck.play = 0
    stop_playing(deck)
    report(k, address, _ENDED, number, 0, head.index, 0.0, deck.token)
