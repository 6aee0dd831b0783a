"""Commands into the kernel: drained from the shared ring once a block, kept until their frame, then applied.

    shared ring --> due now? --> apply
                       '-------> list in order of frame (SCHEDULED places) --> apply at its frame

Owner: the kernel. The ring is shared memory: whatever lies in it, nothing here loops without bound, reads outside it or
crashes. Commands for one frame apply in the order they were sent.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

from audio.commands import COMMAND, HORIZON_FRAMES, EventKind
from audio.kernel.apply import apply
from audio.kernel.atomics import copy_bytes, load_acquire, record_at, store_release
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.layout import ADDRESS, DRAIN_LIMIT, NONE, SCHEDULED, Command
from audio.rings import COMMAND_RING

_SIZE: Final = COMMAND.itemsize
_HEAD: Final = int(COMMAND_RING.fields["consumed"][1])  # type: ignore[index]
_RECORDS: Final = int(COMMAND_RING.fields["records"][1])  # type: ignore[index]
_LIST: Final = ADDRESS["scheduled"]
_INCOMING: Final = ADDRESS["incoming"]
_REFUSED: Final = int(EventKind.COMMAND_REFUSED)


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
        apply(k, address, k.scheduled[place])
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
            apply(k, address, command)
        elif frame - k.frame > HORIZON_FRAMES or not _schedule(k, address, record, frame):
            report(k, address, _REFUSED, command.deck, command.slot, command.kind, command.a, command.token)
    if count:
        store_release(ring + _HEAD, head + count)
