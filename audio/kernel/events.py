"""Events out of the kernel: into the shared ring, for the server, and into the private one, for the host.

Owner: the kernel writes. A full ring loses the event and counts it: the kernel waits for nobody.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EVENT
from audio.kernel.atomics import load_acquire, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.layout import ADDRESS, HOST_EVENTS, Event
from audio.rings import EVENT_RING

_SIZE: Final = EVENT.itemsize
_HEAD: Final = int(EVENT_RING.fields["consumed"][1])  # type: ignore[index]
_RECORDS: Final = int(EVENT_RING.fields["records"][1])  # type: ignore[index]
_PRIVATE_TAIL: Final = ADDRESS["host_events_produced"]
_PRIVATE_HEAD: Final = ADDRESS["host_events_consumed"]
_PRIVATE_RECORDS: Final = ADDRESS["host_events"]


@compiled
def _push(
    tail_at: int, head_at: int, records: int, mask: int, kind: int, deck: int, slot: int, frame: int, a: float, b:
    float, token: Any,
) -> bool:  # fmt: skip
    tail = load_acquire(tail_at)
    waiting = tail - load_acquire(head_at)
    if waiting < 0 or waiting > mask:
        return False
    event = record_at(records + (tail & mask) * _SIZE, Event)
    event.kind = kind
    event.deck = deck
    event.slot = slot
    event.reserved = 0
    event.frame = frame
    event.a = a
    event.b = b
    event.token = token
    store_release(tail_at, tail + 1)
    return True


@compiled
def report(k: Any, address: int, kind: int, deck: int, slot: int, a: float, b: float, token: int) -> None:
    """Put one event into both rings; `address` is where the state `k` lies."""
    _report(k, address, kind, deck, slot, float(a), float(b), np.uint64(token))


@compiled
def _report(k: Any, address: int, kind: int, deck: int, slot: int, a: float, b: float, token: Any) -> None:
    frame = k.frame + k.cursor
    if not _push(
        k.events, k.events + _HEAD, k.events + _RECORDS, k.event_mask,
        kind, deck, slot, frame, a, b, token,
    ):  # fmt: skip
        k.events_lost += 1
    if not _push(
        address + _PRIVATE_TAIL, address + _PRIVATE_HEAD, address + _PRIVATE_RECORDS, HOST_EVENTS - 1,
        kind, deck, slot, frame, a, b, token,
    ):  # fmt: skip
        k.host_events_lost += 1
