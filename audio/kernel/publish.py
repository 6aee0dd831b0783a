"""What leaves the kernel: the snapshot at the end of a block, and the master and the buses as they went out.

Owner: the kernel writes, any number of readers read (`audio/rings.py`). A snapshot's sequence is odd while it is
written; a ring's counter grows after the frames are there, and the master's after all others'.
Units: frames at the engine rate; levels linear; limiter in dB.
"""

from math import log10, sqrt
from typing import Any, Final

from numba import from_dtype

from audio.commands import SNAPSHOT
from audio.kernel.atomics import copy_bytes, fence, load_acquire, put_float, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.grid import beat_at, has_grid
from audio.kernel.heads import place_of
from audio.kernel.layout import LOOK_AHEAD, NONE, OUTPUT_PAIRS
from audio.kernel.loudness import MASTER
from audio.kernel.motion import direction
from audio.kernel.requests import pending_mask, stem_mask
from audio.kernel.sampler import publish_sampler
from audio.kernel.sync import tempo_of
from audio.rings import BUS_CAPACITY, BUS_RING, SNAPSHOT_SLOT, SNAPSHOT_SLOTS, SNAPSHOTS
from audio.units import BUSES, DECKS, STEM_SLOTS

_Snapshot: Any = from_dtype(SNAPSHOT)
_SLOTS: Final = int(SNAPSHOTS.fields["slots"][1])  # type: ignore[index]
_SLOT: Final = SNAPSHOT_SLOT.itemsize
_DATA: Final = int(SNAPSHOT_SLOT.fields["snapshot"][1])  # type: ignore[index]
_BUS: Final = BUS_RING.itemsize
_SINCE: Final = int(BUS_RING.fields["since"][1])  # type: ignore[index]
_SAMPLES: Final = int(BUS_RING.fields["samples"][1])  # type: ignore[index]


@compiled
def _fill_deck(k: Any, number: int, deck: Any, view: Any) -> None:
    head = deck.heads[0]
    held = head.tape != NONE
    view.token = deck.token
    view.position = max(0.0, deck.seek_to if deck.want_seek else place_of(head))
    view.duration = deck.tapes[head.tape].mix.frames if held else 0
    view.rate = deck.rate.target if deck.want_play else deck.drive * direction(deck)
    if deck.count.active:
        view.rate = 0.0
    view.playing = 1 if (deck.want_play and not deck.hand_started) or deck.count.active else 0
    view.source = deck.source
    mask = stem_mask(deck)
    view.stems_audible = 1 if head.blend > 0.0 and mask != 0 else 0
    view.gap = 1 if held and deck.source == 1 and mask != 0 and head.blend_to < 0.5 else 0
    view.stretched = 1 if head.stretch > 0.0 else 0
    view.pending_mask = pending_mask(deck)
    view.stem_mask = mask
    for channel in range(2):
        view.peak[channel] = deck.peak[channel]
        view.rms[channel] = sqrt(deck.power[channel])
    view.beat = beat_at(deck.grid, view.position) if has_grid(deck) else 0.0
    view.tempo = tempo_of(k, deck)
    view.phase = deck.phase if deck.locked else 0.0
    view.loop_in = deck.loop_in
    view.loop_out = deck.loop_out
    view.loop_active = deck.loop_active
    view.leads = 1 if k.leader == number else 0
    view.synced = deck.locked
    view.gridded = 1 if has_grid(deck) else 0
    view.loudness = k.short_term[deck.number]
    for slot in range(STEM_SLOTS):
        view.stem_peak[slot] = deck.stem_peak[slot]


@compiled
def publish_snapshot(k: Any) -> None:
    """Write the next snapshot and make it the newest."""
    number = load_acquire(k.snapshots) + 1
    slot = k.snapshots + _SLOTS + (number % SNAPSHOT_SLOTS) * _SLOT
    store_release(slot, 2 * number - 1)
    fence()
    view = record_at(slot + _DATA, _Snapshot)
    view.frame = k.frame
    for number_of_deck in range(DECKS):
        _fill_deck(k, number_of_deck, k.decks[number_of_deck], view.decks[number_of_deck])
    for channel in range(2):
        view.master_peak[channel] = k.master_peak[channel]
        view.master_rms[channel] = sqrt(k.master_power[channel])
    view.loudness = k.short_term[MASTER]
    view.momentary = k.momentary[MASTER]
    view.limiter_db = 20.0 * log10(1.0 / max(1e-6, k.limiter_low))
    view.load = k.load
    view.load_peak = k.load_peak
    view.blocks = k.blocks
    view.late_blocks = k.late_blocks
    view.silent_frames = k.silent_frames
    view.commands_applied = k.commands_applied
    view.events_lost = k.events_lost
    view.tempo = k.tempo
    view.stretch_lost = k.stretch_lost
    publish_sampler(k, view)
    store_release(slot, 2 * number)
    store_release(k.snapshots, number)


@compiled
def interleave(out: int, left: Any, right: Any, count: int) -> None:
    """Write two rows of `count` frames to address `out`, float32 (frames, 2)."""
    for n in range(count):
        put_float(out, 2 * n, left[n])
        put_float(out, 2 * n + 1, right[n])


@compiled
def _append(ring: int, written: int, out: int, count: int) -> None:
    samples = ring + _SAMPLES
    place = written & (BUS_CAPACITY - 1)
    first = min(count, BUS_CAPACITY - place)
    copy_bytes(samples + 8 * place, out, 8 * first)
    if count > first:
        copy_bytes(samples, out + 8 * first, 8 * (count - first))
    store_release(ring, written + count)


@compiled
def publish_master(k: Any, out: int, count: int) -> None:
    """Append `count` frames at address `out` (float32, two channels) to the master ring."""
    _append(k.master, load_acquire(k.master), out, count)


@compiled
def publish_buses(k: Any, scratch: int, count: int) -> None:
    """Append `count` frames of each bus that is recorded to its ring; `scratch` has room for them, interleaved.

    Pre: the master's frames follow, so that whoever sees those finds the buses' there.
    """
    written = load_acquire(k.master)
    for bus in range(len(BUSES)):
        if k.recorded >> bus & 1:
            rows = k.outputs[OUTPUT_PAIRS + bus]
            interleave(scratch, rows[0], rows[1], count)
            _append(k.buses + bus * _BUS, written, scratch, count)


@compiled
def record_bus(k: Any, bus: int, on: bool) -> None:
    """Fill the ring of a bus from the next frame on, or no longer."""
    if on and not k.recorded >> bus & 1:
        store_release(k.buses + bus * _BUS + _SINCE, load_acquire(k.master))
        if k.channels == 2 and k.recorded == 0:
            # Nobody made headphones meanwhile: what they hold back is of long ago.
            for n in range(LOOK_AHEAD):
                k.cue_ahead[0, n] = 0.0
                k.cue_ahead[1, n] = 0.0
        k.recorded |= 1 << bus
    elif not on:
        k.recorded &= ~(1 << bus)
