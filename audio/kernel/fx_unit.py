"""Effect unit: what comes in, what goes out beside the dry sound, and how it starts, dies away and changes its kind.

    bus --+------------------------------ x dry --+--> bus
          '--> x send --> one of EFFECTS --> x wet '

Wet law. Echo and reverb are laid beside the sound: dry is 1 up to the middle of the wet knob and falls to 0 at its end,
wet rises to 1 in the middle. The others take the sound's place: dry is 1 - knob, wet is knob. Switched off, an echo or
reverb takes nothing more in and dies away; the others are faded out. A unit that is off, or whose knob is at 0, is not
run and changes no bit.

Owner: the kernel. Everything that starts, ends or moves does so at a frame that does not depend on blocks: ramps, ticks
at multiples of TICK, and the frame at which the last sound has died away.
Units: frames at the engine rate; gains linear.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.fx_crusher import run_crusher, tick_crusher
from audio.kernel.fx_echo import keeps_delay, run_echo, tick_echo
from audio.kernel.fx_flanger import run_flanger, tick_flanger
from audio.kernel.fx_gate import run_gate
from audio.kernel.fx_phaser import run_phaser, tick_phaser
from audio.kernel.fx_repeat import run_repeat
from audio.kernel.fx_reverb import run_reverb, tick_reverb
from audio.kernel.fx_state import CRUSHER, ECHO, FLANGER, GATE, PHASER, REVERB, TICK
from audio.kernel.layout import SEGMENT
from audio.kernel.ramps import advance, glide, snap
from audio.units import DECKS, EFFECT_PARAMS, EFFECT_UNITS

QUIET: Final = np.float32(1e-6)
"""-120 dB: what is not above this has died away."""
_KNOB_S: Final = 0.02
_ARRIVES: Final = np.float32(1e-3)
_FOREVER: Final = 1 << 62


@compiled
def _send_ramp(k: Any, ramp: Any, goal: float, heard: bool) -> None:
    if heard:
        glide(ramp, goal, k.fade_frames)
    else:
        snap(ramp, goal)


@compiled
def aim(k: Any, unit: Any, heard: bool) -> None:
    """Send the unit's ramps to where its knobs and switch want them: at once, unless it is `heard`."""
    stays = unit.kind == unit.wanted
    adds = unit.kind in (ECHO, REVERB)
    amount = unit.amount
    dry, wet = 1.0 - amount, amount
    if adds:
        dry, wet = min(1.0, 2.0 * dry), min(1.0, 2.0 * wet)
    if stays and unit.on != 0 and amount > 0.0:
        _send_ramp(k, unit.send, 1.0, heard)
        _send_ramp(k, unit.dry, dry, heard)
        _send_ramp(k, unit.wet, wet, heard)
        return
    _send_ramp(k, unit.dry, 1.0, heard)
    _send_ramp(k, unit.send, 0.0, heard)
    rings = stays and adds and unit.running != 0 and amount > 0.0
    _send_ramp(k, unit.wet, wet if rings else 0.0, heard)


@compiled
def _settle(k: Any, unit: Any, frame: int) -> None:
    """Start the unit where something wants it, put it to rest where nothing does."""
    if unit.wet.left == 0 and unit.wet.value == 0.0 and unit.kind != unit.wanted:
        unit.kind = unit.wanted
        unit.running = 0
        aim(k, unit, True)
    if unit.send.left == 0 and unit.send.value == 0.0 and frame >= unit.rings_until and unit.wet.left == 0:
        snap(unit.wet, 0.0)
    if unit.wet.left == 0 and unit.wet.value == 0.0 and unit.dry.left == 0:
        unit.running = 0
    elif not unit.running:
        unit.running = 1
        unit.fresh = 1
        unit.filled = 0
        for index in range(len(unit.state)):
            unit.state[index] = 0.0
        for index in range(len(unit.whole)):
            unit.whole[index] = 0


@compiled
def _tick(k: Any, unit: Any, beat: Any, left: int) -> None:
    """Decide where knobs go in the `left` frames until the next tick."""
    share = np.float32(min(1.0, TICK / (_KNOB_S * k.rate)))
    unit.moves = 0
    for index in range(EFFECT_PARAMS):
        goal = unit.goal[index]
        now = goal if unit.fresh else unit.param_next[index]
        if unit.param[index] != now or now != goal:
            unit.moves = 1
        way = goal - now
        following = goal if abs(way) < _ARRIVES else now + share * way
        unit.param[index] = now
        unit.param_next[index] = following
        unit.param_step[index] = (following - now) / np.float32(left)
    kind = unit.kind
    if kind == ECHO:
        tick_echo(k, unit, beat)
    elif kind == REVERB:
        tick_reverb(k, unit)
    elif kind == FLANGER:
        tick_flanger(k, unit)
    elif kind == PHASER:
        tick_phaser(k, unit, left)
    elif kind == CRUSHER:
        tick_crusher(k, unit)


@compiled
def _play(k: Any, unit: Any, beat: Any, frame: int, count: int) -> None:
    """Take the unit's rows through its effect."""
    rows, kind = k.fx_rows, unit.kind
    if kind == ECHO:
        run_echo(unit, rows, count)
    elif kind == REVERB:
        run_reverb(unit, rows, count)
    elif kind == FLANGER:
        run_flanger(k, unit, rows, count)
    elif kind == PHASER:
        run_phaser(unit, rows, count)
    elif kind == CRUSHER:
        run_crusher(unit, rows, count)
    elif kind == GATE:
        run_gate(k, unit, beat, rows, frame, count)
    else:
        run_repeat(k, unit, beat, rows, frame, count)


@compiled
def _last_loud(rows: Any, count: int) -> int:
    """Return the last of `count` frames that has not died away, -1 if all have."""
    for back in range(count):
        n = count - 1 - back
        if abs(rows[0, n]) > QUIET or abs(rows[1, n]) > QUIET:
            return n
    return -1


@compiled
def _piece(k: Any, unit: Any, beat: Any, bus: Any, at: int, count: int) -> None:
    """Take frames `at` to `at + count` of the bus through the unit. Pre: no tick lies behind the first of them."""
    rows = k.fx_rows
    left, right = bus[0], bus[1]
    steady = unit.send.left == 0 and unit.dry.left == 0 and unit.wet.left == 0
    send, dry, wet = unit.send.value, unit.dry.value, unit.wet.value
    if steady:
        for n in range(count):
            rows[0, n] = left[at + n] * send
            rows[1, n] = right[at + n] * send
    else:
        for n in range(count):
            send = np.float32(advance(unit.send))
            rows[0, n] = left[at + n] * send
            rows[1, n] = right[at + n] * send
    loud = _last_loud(rows, count)
    _play(k, unit, beat, k.frame + at, count)
    unit.fresh = 0
    loud = max(loud, _last_loud(rows, count))
    if steady:
        for n in range(count):
            left[at + n] = left[at + n] * dry + rows[0, n] * wet
            right[at + n] = right[at + n] * dry + rows[1, n] * wet
    else:
        for n in range(count):
            dry, wet = np.float32(advance(unit.dry)), np.float32(advance(unit.wet))
            left[at + n] = left[at + n] * dry + rows[0, n] * wet
            right[at + n] = right[at + n] * dry + rows[1, n] * wet
    if loud >= 0:
        unit.rings_until = max(unit.rings_until, k.frame + at + loud + 1 + unit.memory_frames)


@compiled
def _rests(unit: Any, beat: Any) -> bool:
    """Say whether a tick would change nothing: then the unit is run past it, to the same bits."""
    if unit.fresh or not unit.running:
        return False
    for index in range(EFFECT_PARAMS):
        goal = unit.goal[index]
        if unit.param[index] != goal or unit.param_next[index] != goal or unit.param_step[index] != 0.0:
            return False
    return unit.kind == REVERB or (unit.kind == ECHO and keeps_delay(unit, beat))


@compiled
def run_unit(k: Any, unit: Any, beat: Any, bus: Any, count: int, until: int) -> None:
    """Take `count` frames of the bus through the unit, as long as it rings, or to engine frame `until`."""
    at = 0
    while at < count:
        frame = k.frame + at
        end = max(until, unit.rings_until)
        if frame >= end:
            break
        _settle(k, unit, frame)
        if not unit.running:
            break
        left = TICK - (frame & (TICK - 1))
        ticks = left == TICK
        if _rests(unit, beat):
            left = SEGMENT - (frame & (SEGMENT - 1))
        run = min(left, min(count - at, end - frame))
        if unit.rings_until > frame:
            run = min(run, unit.rings_until - frame)
        if unit.send.left > 0:
            run = min(run, unit.send.left)
        if unit.wet.left > 0:
            run = min(run, unit.wet.left)
        if unit.dry.left > 0:
            run = min(run, unit.dry.left)
        if unit.fresh or ticks:
            _tick(k, unit, beat, left)
        _piece(k, unit, beat, bus, at, run)
        at += run


@compiled
def _sleep(k: Any, unit: Any) -> None:
    unit.running = 0
    unit.kind = unit.wanted
    aim(k, unit, False)


@compiled
def run_deck_effects(k: Any, deck: Any, bus: Any, count: int) -> None:
    """Take `count` frames of a deck's first bus through its effects, and note how long they ring."""
    until = deck.heard_until
    for which in range(EFFECT_UNITS):
        unit = deck.effects[which]
        run_unit(k, unit, k.beats[deck.number], bus, count, until)
        until = max(until, unit.rings_until)
    deck.effects_until = max(deck.effects_until, until)


@compiled
def sleep_deck_effects(k: Any, deck: Any, count: int) -> None:
    """Empty the deck's effects where the last of them dies away within `count` frames."""
    if max(deck.heard_until, deck.effects_until) <= k.frame + count:
        for which in range(EFFECT_UNITS):
            _sleep(k, deck.effects[which])


@compiled
def run_master_effect(k: Any, count: int) -> None:
    """Take `count` frames of the master bus through its effect."""
    run_unit(k, k.master_effect, k.beats[DECKS], k.master_bus[:], count, _FOREVER)
