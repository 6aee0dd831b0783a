"""What waits between the socket and the show: one bounded queue per sender, served in turn.

Owner: the OSC socket. Pure: no I/O, no clock.
Units: datagrams.

A later datagram replaces an earlier one of the same sender when both say the same thing about the same control (same
address and type, one finite number) and `coalesces` allows the address: a continuous control, whose last value is all
that counts. The later one keeps its own place in the order. Nothing is ever moved across a press, a choice, a text or a
bundle, and those are never dropped for another: they are barriers.
"""

import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

Sender = tuple[str, int] | tuple[str, int, int]
"""Address and port a datagram came from; with a number of its own, a connection that packets came through."""

CAPACITY: Final = 65_536
"""Datagrams of one sender that may wait. A full queue refuses the newest, counted, so what was pressed first counts."""

MAX_SENDERS: Final = 256
"""Senders with something waiting; one more is refused until a queue is empty."""

_TAG_F: Final = b",f\0\0"
_TAG_I: Final = b",i\0\0"


@dataclass(slots=True)
class QueueCounts:
    """What happened to datagrams since the start."""

    taken: int = 0
    superseded: int = 0
    refused: int = 0


class _Waiting:
    """One sender's datagrams, in order."""

    __slots__ = ("epoch", "serial", "waiting")

    def __init__(self) -> None:
        self.waiting: OrderedDict[object, bytes] = OrderedDict()
        self.epoch = 0
        self.serial = 0


class FairQueue:
    """Queues by sender, emptied in turn so that nobody's flood delays another."""

    def __init__(self, coalesces: Callable[[bytes], bool], capacity: int = CAPACITY) -> None:
        self._coalesces = coalesces
        self._capacity = capacity
        self._senders: OrderedDict[Sender, _Waiting] = OrderedDict()
        self._length = 0
        self._known: dict[bytes, bool] = {}
        self.counts = QueueCounts()

    def __len__(self) -> int:
        return self._length

    def put(self, sender: Sender, data: bytes) -> bool:
        """Take a datagram; return False if the sender's queue is full and it was refused."""
        queue = self._senders.get(sender)
        if queue is None:
            if len(self._senders) >= MAX_SENDERS:
                self.counts.refused += 1
                return False
            queue = self._senders[sender] = _Waiting()
        waiting = queue.waiting
        head = self._head(data)
        if head is not None:
            key: object = (queue.epoch, head)
            if key in waiting:
                waiting[key] = data
                waiting.move_to_end(key)
                self.counts.taken += 1
                self.counts.superseded += 1
                return True
        if len(waiting) >= self._capacity:
            self.counts.refused += 1
            return False
        if head is None:
            queue.epoch += 1
            queue.serial += 1
            key = queue.serial
        waiting[key] = data
        self._length += 1
        self.counts.taken += 1
        return True

    def pop(self, share: int = 8) -> Iterator[tuple[Sender, bytes]]:
        """Yield what waits, at most `share` of a sender before the next one's turn, until nothing waits.

        The caller may stop at any time and may put more while it goes.
        """
        while self._senders:
            sender, queue = next(iter(self._senders.items()))
            # to the back of the line before its share is served, so that a caller who stops half-way stays fair
            self._senders.move_to_end(sender)
            waiting = queue.waiting
            for _ in range(share):
                _, data = waiting.popitem(last=False)
                self._length -= 1
                if not waiting:
                    del self._senders[sender]
                yield sender, data
                if not waiting:
                    break

    def _head(self, data: bytes) -> bytes | None:
        """Return what makes two datagrams say the same thing, or None if this one must never be replaced."""
        tag = data[-8:-4]
        if tag == _TAG_F:
            if not math.isfinite(struct.unpack(">f", data[-4:])[0]):
                return None
        elif tag != _TAG_I:
            return None
        head = data[:-4]
        known = self._known.get(head)
        if known is None:
            address = data[: data.find(0)]
            # the tag must be the message's own and not the end of a longer argument list or of a blob
            known = len(address) // 4 * 4 + 4 == len(data) - 8 and self._coalesces(address)
            if len(self._known) >= 4096:
                self._known.clear()
            self._known[head] = known
        return head if known else None
