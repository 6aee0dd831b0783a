"""One block of sound: the function that the sound card, the null device, the offline renderer and the tests call.

    commands --> decks (4) --> mixer --> master bus --> effect, click, level --> limiter --> out 0, 1 --> master ring
                                 '-----> headphones, booth, outputs of their own, timecode ----> the other channels

Owner: the kernel. Deterministic: the same state, commands and audio give the same bits, whatever the block sizes;
nothing here allocates, locks, logs, raises, waits or calls the system.
Units: frames at the engine rate; samples linear, full scale 1.0.
"""

from typing import Any, Final

import numpy as np
from numba.core import types

from audio.kernel.atomics import call_block, load_acquire, record_at, store_release
from audio.kernel.click import sound_clicks
from audio.kernel.compiled import c_function, compiled, compiled_as
from audio.kernel.count_in import click_count, frames_to_start
from audio.kernel.decks import await_stems, play_deck, reconcile, retire
from audio.kernel.denormals import FLUSH, float_mode, set_float_mode
from audio.kernel.fx_beat import keep_beats
from audio.kernel.fx_unit import run_master_effect
from audio.kernel.inbox import apply_due, drain, frames_to_next
from audio.kernel.input import sound_input
from audio.kernel.layout import ADDRESS, NONE, SEGMENT, State
from audio.kernel.limiter import limit
from audio.kernel.loading import take_host_commands
from audio.kernel.loudness import MASTER, listen, measure_loudness
from audio.kernel.mixer import mix_decks
from audio.kernel.motion import TICK, steer
from audio.kernel.outputs import empty_outputs, has_phones, keep_booth, mix_outputs, write_outputs
from audio.kernel.publish import interleave, publish_buses, publish_master, publish_snapshot
from audio.kernel.sampler import play_pads
from audio.kernel.sequencer import frames_to_strike, keep_time, strike_due
from audio.kernel.stretched import publish_plans
from audio.kernel.strip import gain_both, meter
from audio.kernel.sync import choose_leader, follow_leader, tell_beat, tell_tempo
from audio.kernel.timecode import frames_to_code, sound_code
from audio.kernel.told_places import publish_places
from audio.units import DECKS

_BUSY: Final = ADDRESS["busy"]
_STEREO: Final = ADDRESS["stereo"]
_LIMITER_RECOVERS: Final = np.float32(1e-4)
"""Share of the way back to 0 dB that the limiter's display moves in a frame."""


@compiled
def _segment(k: Any, address: int, out: int, count: int) -> None:
    """Render `count` frames (at most SEGMENT, and not past a multiple of it) to address `out`."""
    left, right = k.master_bus[0], k.master_bus[1]
    empty_outputs(k, count)
    for number in range(DECKS):
        click_count(k, k.decks[number], count)
        play_deck(k, address, number, k.decks[number], count)
    if k.taken:
        publish_places(k, count)
    if k.frame & (SEGMENT - 1) == 0:
        keep_beats(k)
    mix_decks(k, count)
    play_pads(k, address, count)
    run_master_effect(k, count)
    sound_clicks(k, count)
    sound_input(k, count)
    if has_phones(k):
        keep_booth(k, count)
    gain_both(left, right, k.master_gain, count)
    limit(k, left, right, count)
    meter(k, left, right, count, k.master_peak, k.master_power)
    listen(k, MASTER, left, right, count)
    measure_loudness(k, count)
    mix_outputs(k, count)
    sound_code(k, count)
    if k.recorded:
        publish_buses(k, address + _STEREO, count)
    if k.channels == 2:
        interleave(out, left, right, count)
        publish_master(k, out, count)
        return
    stereo = address + _STEREO
    interleave(stereo, left, right, count)
    publish_master(k, stereo, count)
    write_outputs(k, out, count)


@compiled
def _guide(k: Any, address: int) -> None:
    """Steer every deck: whose beat leads, who follows it, and what moves by itself."""
    choose_leader(k, address)
    for number in range(DECKS):
        deck = k.decks[number]
        follow_leader(k, address, number, deck)
        steer(k, address, number, deck)
    tell_tempo(k)


@compiled
def _block(k: Any, address: int, out: int, frames: int) -> None:
    k.limiter_low = np.float32(min(1.0, k.limiter_low + (1.0 - k.limiter_low) * min(1.0, frames * _LIMITER_RECOVERS)))
    take_host_commands(k, address)
    drain(k, address)
    for number in range(DECKS):
        main = k.decks[number].heads[0]
        if main.tape != NONE and not main.sounding:
            await_stems(k, address, number, k.decks[number])
    done = 0
    while done < frames:
        apply_due(k, address)
        count = min(frames - done, SEGMENT - (k.frame & (SEGMENT - 1)))
        count = min(count, frames_to_next(k))
        if k.frame & (TICK - 1) == 0:
            _guide(k, address)
        for number in range(DECKS):
            deck = k.decks[number]
            tell_beat(deck)
            count = min(count, frames_to_start(k, deck))
            if not reconcile(k, address, number, deck):
                # The wish is granted in the frame in which a head falls silent.
                for which in range(1, len(deck.heads)):
                    if deck.heads[which].sounding:
                        count = min(count, max(1, deck.heads[which].fade.left))
        keep_time(k)
        strike_due(k)
        count = min(count, frames_to_strike(k), frames_to_code(k))
        _segment(k, address, out + 4 * done * k.channels, count)
        done += count
        k.frame += count
        if k.frame & (SEGMENT - 1) == 0:
            publish_plans(k)
    for number in range(DECKS):
        retire(k, address, number, k.decks[number])
    k.blocks += 1
    publish_snapshot(k)


@c_function(types.void(types.intp, types.intp, types.intp))
def _render(address: int, out: int, frames: int) -> None:
    k = record_at(address, State)
    mode = float_mode()
    set_float_mode(mode | FLUSH)
    store_release(address + _BUSY, load_acquire(address + _BUSY) + 1)
    _block(k, address, out, frames)
    store_release(address + _BUSY, load_acquire(address + _BUSY) + 1)
    set_float_mode(mode)


RENDER: Final = int(_render.address)
"""Address of `render` as a C function, void(address, address, int64): compiled once, whoever calls it."""


@compiled_as(types.void(types.intp, types.intp, types.intp))
def render(address: int, out: int, frames: int) -> None:
    """Render the next `frames` frames of the STATE at `address` to float32 (frames, channels) at `out`.

    Pre: the state was made by KernelHost; `out` has room. Post: the engine's frame counter has grown by `frames`.
    Thread-safe: no, one caller at a time. Realtime-safe: yes.
    """
    call_block(record_at(address, State).render, address, out, frames)
