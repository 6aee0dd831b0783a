"""What leaves the kernel at the end of a block: the snapshot and the master as it went out.

Owner: the kernel writes, any number of readers read (`audio/rings.py`). A snapshot's sequence is odd while it is
written; the master's counter grows after the frames are there.
Units: frames at the engine rate; levels linear; limiter in dB.
"""

from math import log10, sqrt
from typing import Any, Final

from numba import from_dtype

from audio.commands import SNAPSHOT
from audio.kernel.atomics import copy_bytes, fence, load_acquire, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.grid import beat_at, has_grid
from audio.kernel.heads import place_of
from audio.kernel.layout import NONE
from audio.kernel.loudness import MASTER
from audio.kernel.motion import direction
from audio.kernel.requests import pending_mask, stem_mask
from audio.kernel.sampler import publish_sampler
from audio.kernel.sync import tempo_of
from audio.rings import MASTER_CAPACITY, MASTER_RING, SNAPSHOT_SLOT, SNAPSHOT_SLOTS, SNAPSHOTS
from audio.units import DECKS, STEM_SLOTS

_Snapshot: Any = from_dtype(SNAPSHOT)
_SLOTS: Final = int(SNAPSHOTS.fields["slots"][1])  # type: ignore[index]
_SLOT: Final = SNAPSHOT_SLOT.itemsize
_DATA: Final = int(SNAPSHOT_SLOT.fields["snapshot"][1])  # type: ignore[index]
_SAMPLES: Final = int(MASTER_RING.fields["samples"][1])  # type: ignore[index]


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
def publish_master(k: Any, out: int, count: int) -> None:
    """Append `count` frames at address `out` (float32, two channels) to the master ring."""
    written = load_acquire(k.master)
    samples = k.master + _SAMPLES
    place = written & (MASTER_CAPACITY - 1)
    first = min(count, MASTER_CAPACITY - place)
    copy_bytes(samples + 8 * place, out, 8 * first)
    if count > first:
        copy_bytes(samples, out + 8 * first, 8 * (count - first))
    store_release(k.master, written + count)
