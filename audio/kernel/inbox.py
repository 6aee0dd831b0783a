"""Commands into the kernel: drained from the shared ring once a block, kept until their frame, checked, applied.

    shared ring --> due now? --> apply
                       '-------> list in order of frame (SCHEDULED places) --> apply at its frame

Owner: the kernel. The ring is shared memory: whatever lies in it, nothing here loops without bound, reads outside it or
crashes. Commands for one frame apply in the order they were sent.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import COMMAND, HORIZON_FRAMES, RATE_LIMITS, TRIM_LIMITS, CommandKind, EventKind
from audio.kernel.atomics import copy_bytes, load_acquire, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.layout import ADDRESS, DRAIN_LIMIT, NONE, SCHEDULED, UNCHANGED, Command
from audio.kernel.ramps import glide, glide_rate, snap, snap_rate
from audio.kernel.requests import follow_requests, is_heard, others_heard
from audio.kernel.strip import cross_gain
from audio.rings import COMMAND_RING
from audio.units import DECKS, STEM_SLOTS

_SIZE: Final = COMMAND.itemsize
_HEAD: Final = int(COMMAND_RING.fields["consumed"][1])  # type: ignore[index]
_RECORDS: Final = int(COMMAND_RING.fields["records"][1])  # type: ignore[index]
_LIST: Final = ADDRESS["scheduled"]
_INCOMING: Final = ADDRESS["incoming"]
_REFUSED: Final = int(EventKind.COMMAND_REFUSED)

_PLAY: Final = int(CommandKind.DECK_PLAY)
_SEEK: Final = int(CommandKind.DECK_SEEK)
_RATE: Final = int(CommandKind.DECK_RATE)
_VOLUME: Final = int(CommandKind.DECK_VOLUME)
_TRIM: Final = int(CommandKind.DECK_TRIM)
_ASSIGN: Final = int(CommandKind.DECK_ASSIGN)
_SOURCE: Final = int(CommandKind.DECK_SOURCE)
_STEM_VOLUME: Final = int(CommandKind.STEM_VOLUME)
_STEM_MUTE: Final = int(CommandKind.STEM_MUTE)
_STEM_SOLO: Final = int(CommandKind.STEM_SOLO)
_STEM_PAN: Final = int(CommandKind.STEM_PAN)
_CROSSFADER: Final = int(CommandKind.CROSSFADER)
_CURVE: Final = int(CommandKind.CROSSFADER_CURVE)
_MASTER: Final = int(CommandKind.MASTER_VOLUME)
_SLOWEST: Final = RATE_LIMITS[0]
_FASTEST: Final = RATE_LIMITS[1]
_TRIM_LOW: Final = TRIM_LIMITS[0]
_TRIM_HIGH: Final = TRIM_LIMITS[1]


@compiled
def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


@compiled
def _move(k: Any, deck: Any, ramp: Any, gain: float) -> None:
    """Send a gain of the deck to `gain`: at once while nothing of the deck is heard."""
    if is_heard(deck) or others_heard(deck):
        glide(ramp, gain, k.fade_frames)
    else:
        snap(ramp, gain)


@compiled
def _set_cross(k: Any) -> None:
    for number in range(DECKS):
        deck = k.decks[number]
        _move(k, deck, deck.cross, cross_gain(k.curve, k.crossfader, deck.side))


@compiled
def _apply_mixer(k: Any, kind: int, a: float) -> bool:
    if kind == _CROSSFADER:
        k.crossfader = _clamp(a, -1.0, 1.0)
        _set_cross(k)
    elif kind == _CURVE:
        k.curve = int(_clamp(np.rint(a), 0.0, 2.0))
        _set_cross(k)
    elif kind == _MASTER:
        glide(k.master_gain, _clamp(a, 0.0, 1.0), k.fade_frames)
    else:
        return False
    return True


@compiled
def _apply_stem(k: Any, deck: Any, slot: int, kind: int, a: float) -> bool:
    if kind == _STEM_VOLUME:
        deck.stem_volume[slot] = _clamp(a, 0.0, 1.0)
    elif kind == _STEM_MUTE:
        deck.mute[slot] = 1 if a >= 0.5 else 0
    elif kind == _STEM_SOLO:
        deck.solo[slot] = 1 if a >= 0.5 else 0
    elif kind == _STEM_PAN:
        deck.stem_pan[slot] = _clamp(a, -1.0, 1.0)
    else:
        return False
    follow_requests(k, deck)
    return True


@compiled
def _apply_deck(k: Any, deck: Any, kind: int, a: float) -> bool:
    if kind == _PLAY:
        holds = deck.want_tape >= 0 or (deck.want_tape == UNCHANGED and deck.heads[0].tape != NONE)
        if a >= 0.5 and not holds:
            return False
        deck.want_play = 1 if a >= 0.5 else 0
    elif kind == _SEEK:
        deck.seek_to = int(np.rint(_clamp(a, 0.0, 1e15)))
        deck.want_seek = 1
    elif kind == _RATE:
        speed = _clamp(abs(a), _SLOWEST, _FASTEST)
        if a < 0.0:
            speed = -speed
        if is_heard(deck) or others_heard(deck):
            glide_rate(deck.rate, speed, k.fade_frames)
        else:
            snap_rate(deck.rate, speed)
    elif kind in (_VOLUME, _TRIM):
        if kind == _VOLUME:
            deck.volume = _clamp(a, 0.0, 1.0)
        else:
            deck.trim = _clamp(a, _TRIM_LOW, _TRIM_HIGH)
        _move(k, deck, deck.gain, deck.volume * deck.trim)
    elif kind == _ASSIGN:
        deck.side = int(_clamp(np.rint(a), 0.0, 2.0))
        _set_cross(k)
    elif kind == _SOURCE:
        deck.source = 1 if a >= 0.5 else 0
        follow_requests(k, deck)
    else:
        return False
    return True


@compiled
def _apply(k: Any, address: int, command: Any) -> None:
    """Carry out one command, or refuse it."""
    kind, number, slot, a, token = command.kind, command.deck, command.slot, command.a, command.token
    done = False
    if np.isfinite(a):
        if kind >= _CROSSFADER:
            done = _apply_mixer(k, kind, a)
        elif number < DECKS:
            deck = k.decks[number]
            if token == 0 or token == deck.token:
                if kind >= _STEM_VOLUME:
                    if slot < STEM_SLOTS:
                        done = _apply_stem(k, deck, slot, kind, a)
                else:
                    done = _apply_deck(k, deck, kind, a)
    if done:
        k.commands_applied += 1
    else:
        report(k, address, _REFUSED, number, slot, kind, a, token)


@compiled
def _schedule(k: Any, address: int, record: int, frame: int) -> bool:
    """Keep the command at address `record` until `frame`; False when the list is full."""
    place = k.spare
    if place == NONE:
        return False
    k.spare = k.after[place]
    copy_bytes(address + _LIST + place * _SIZE, record, _SIZE)
    earlier = k.last
    while earlier != NONE and k.scheduled[earlier].frame > frame:
        earlier = k.before[earlier]
    later = k.first if earlier == NONE else k.after[earlier]
    k.before[place] = earlier
    k.after[place] = later
    if earlier == NONE:
        k.first = place
    else:
        k.after[earlier] = place
    if later == NONE:
        k.last = place
    else:
        k.before[later] = place
    k.waiting += 1
    return True


@compiled
def apply_due(k: Any, address: int) -> None:
    """Apply every scheduled command whose frame has come."""
    for _ in range(SCHEDULED):
        place = k.first
        if place == NONE or k.scheduled[place].frame > k.frame:
            break
        k.first = k.after[place]
        if k.first == NONE:
            k.last = NONE
        else:
            k.before[k.first] = NONE
        _apply(k, address, k.scheduled[place])
        k.after[place] = k.spare
        k.spare = place
        k.waiting -= 1


@compiled
def frames_to_next(k: Any) -> int:
    """Return how many frames lie before the next scheduled command; a large number when there is none."""
    if k.first == NONE:
        return 1 << 60
    return k.scheduled[k.first].frame - k.frame


@compiled
def drain(k: Any, address: int) -> None:
    """Take what the producer has published, at most DRAIN_LIMIT records: apply what is due, keep the rest.

    Commands that were scheduled for a frame that has come apply first: they were sent before.
    """
    apply_due(k, address)
    ring = k.commands
    tail = load_acquire(ring)
    head = load_acquire(ring + _HEAD)
    waiting = tail - head
    if waiting < 0 or waiting > k.command_mask + 1:
        # No producer of ours leaves it so: start again behind what is there.
        store_release(ring + _HEAD, tail)
        return
    count = min(waiting, DRAIN_LIMIT)
    # A copy of our own: what is checked is what is applied, whatever the other side does to its record meanwhile.
    record = address + _INCOMING
    command = record_at(record, Command)
    for n in range(count):
        copy_bytes(record, ring + _RECORDS + ((head + n) & k.command_mask) * _SIZE, _SIZE)
        frame = command.frame
        if frame <= k.frame:
            _apply(k, address, command)
        elif frame - k.frame > HORIZON_FRAMES or not _schedule(k, address, record, frame):
            report(k, address, _REFUSED, command.deck, command.slot, command.kind, command.a, command.token)
    if count:
        store_release(ring + _HEAD, head + count)
