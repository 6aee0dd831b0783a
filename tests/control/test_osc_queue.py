"""Laws of the queue: order is kept where it can be heard, nothing pressed is lost, nobody waits for a flood."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from control.osc_codec import decode, encode, encode_bundle
from control.osc_queue import MAX_SENDERS, FairQueue

A, B = ("10.0.0.1", 1), ("10.0.0.2", 1)
FADERS = ("/volume", "/pan")


def make(capacity: int = 1000) -> FairQueue:
    return FairQueue(lambda address: address.decode() in FADERS, capacity)


def drained(queue: FairQueue) -> list[tuple[str, object]]:
    return [(message.address, message.args[0]) for _, data in queue.pop() for message in decode(data)]


def test_only_the_newest_value_of_a_fader_is_kept() -> None:
    queue = make()
    for value in range(100):
        assert queue.put(A, encode("/volume", value / 128))
    assert drained(queue) == [("/volume", 99 / 128)]
    assert (queue.counts.taken, queue.counts.superseded) == (100, 99)


def test_a_press_is_never_replaced_and_nothing_is_moved_across_it() -> None:
    queue = make()
    sent = [("/volume", 0.25), ("/press", 1), ("/volume", 0.5), ("/volume", 0.75), ("/press", 1), ("/press", 1)]
    for address, value in sent:
        queue.put(A, encode(address, value))
    assert drained(queue) == [sent[0], sent[1], sent[3], sent[4], sent[5]]


def test_a_value_that_will_be_refused_replaces_nothing() -> None:
    queue = make()
    queue.put(A, encode("/volume", 0.5))
    queue.put(A, encode("/volume", float("nan")))
    queue.put(A, encode("/volume", "loud"))
    queue.put(A, encode("/volume", 0.1, 0.2))
    queue.put(A, b"/volume\0,b\0\0" + struct.pack(">i", 12) + b"xxxx,f\0\0" + struct.pack(">f", 1.0))
    assert len(queue) == 5
    assert next(data for _, data in queue.pop()) == encode("/volume", 0.5)


def test_a_bundle_is_a_barrier() -> None:
    queue = make()
    packets = [encode("/volume", 0.5), encode_bundle([encode("/volume", 0.6)], 99), encode("/volume", 0.7)]
    for packet in packets:
        queue.put(A, packet)
    assert [data for _, data in queue.pop()] == packets


def test_senders_do_not_replace_each_other() -> None:
    queue = make()
    queue.put(A, encode("/volume", 0.5))
    queue.put(B, encode("/volume", 0.25))
    assert sorted(sender for sender, _ in queue.pop()) == [A, B]


def test_one_message_does_not_wait_for_anothers_flood() -> None:
    queue = make(100_000)
    for value in range(50_000):
        queue.put(A, encode("/press", value))
    queue.put(B, encode("/press", 1))
    served = [sender for (sender, _), _ in zip(queue.pop(share=8), range(20), strict=False)]
    assert served.index(B) <= 8


def test_a_caller_who_stops_half_way_stays_fair() -> None:
    queue = make(1000)
    for value in range(500):
        queue.put(A, encode("/press", value))
        queue.put(B, encode("/press", value))
    served = [next(iter(queue.pop(share=8)))[0] for _ in range(100)]
    assert served.count(A) == served.count(B) == 50


def test_a_full_queue_says_so_and_keeps_what_came_first() -> None:
    queue = make(10)
    assert [queue.put(A, encode("/press", value)) for value in range(12)] == [True] * 10 + [False] * 2
    assert queue.put(B, encode("/press", 1))
    assert queue.counts.refused == 2
    assert [value for _, value in drained(queue) if value != 1][:3] == [0, 2, 3]


def test_senders_are_bounded() -> None:
    queue = make()
    taken = [queue.put(("10.0.0.1", port), encode("/press", 1)) for port in range(MAX_SENDERS + 5)]
    assert taken.count(False) == 5
    assert len(drained(queue)) == MAX_SENDERS
    assert queue.put(("10.9.9.9", 1), encode("/press", 1))


MOVE = st.tuples(st.sampled_from(["/volume", "/pan", "/press"]), st.integers(0, 127))


@given(st.lists(MOVE, max_size=60))
def test_a_replay_of_what_is_left_ends_where_everything_would_have(moves: list[tuple[str, int]]) -> None:
    """At every press, and at the end, the faders stand where they would have stood without coalescing."""
    queue = make()
    for address, value in moves:
        queue.put(A, encode(address, value / 128))
    assert _at_presses(drained(queue)) == _at_presses([(address, value / 128) for address, value in moves])


def _at_presses(moves: list[tuple[str, object]]) -> list[object]:
    stands: dict[str, object] = {}
    seen: list[object] = []
    for address, value in moves:
        if address == "/press":
            seen.append((value, dict(stands)))
        else:
            stands[address] = value
    return [*seen, stands]
