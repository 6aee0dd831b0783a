"""The UDP door on a real socket: bursts arrive whole, floods delay nobody, the port can be moved while it is in use."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from blockbuster import blockbuster_ctx

from control.errors import PortTaken
from control.osc_codec import decode, encode
from control.osc_queue import Sender
from control.osc_socket import EVERYWHERE, LOOPBACK, OscSocket

pytestmark = pytest.mark.anyio
SENDER = str(Path(__file__).with_name("sender.py"))
BURST = 4096
KERNEL_COST = 1280
"""Bytes a small datagram may cost of the receive buffer, bookkeeping included."""


class Heard:
    """What came out of the door, and an event for every so many."""

    def __init__(self) -> None:
        self.messages: list[tuple[Sender, str, object]] = []
        self._waiting: list[tuple[Callable[[], bool], anyio.Event]] = []

    def __call__(self, data: bytes, sender: Sender) -> None:
        (message,) = decode(data)
        self.messages.append((sender, message.address, message.args[0]))
        for condition, event in self._waiting:
            if condition():
                event.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        event = anyio.Event()
        self._waiting.append((condition, event))
        with anyio.move_on_after(seconds):
            while not condition() and not event.is_set():
                await event.wait()
        assert condition()


@contextmanager
def opened(heard: Heard, coalesces: bool = False, hosts: tuple[str, ...] = LOOPBACK) -> Iterator[OscSocket]:
    door = OscSocket(heard, lambda sender: True, lambda address: coalesces)
    door.open(0, hosts)
    try:
        yield door
    finally:
        door.close()


async def send(port: int, count: int, address: str, host: str = "127.0.0.1") -> None:
    done = await anyio.run_process([sys.executable, "-I", SENDER, str(port), str(count), address, host])
    assert done.returncode == 0


async def test_a_burst_from_another_program_arrives_whole_and_in_order() -> None:
    heard = Heard()
    with opened(heard) as door:
        count = BURST
        if door.counts().receive_buffer < BURST * KERNEL_COST:
            # the system grants too little for the worst case, a loop that is asleep all through the burst
            count = door.counts().receive_buffer // KERNEL_COST
        await send(door.port, count, "/press")
        await heard.until(lambda: len(heard.messages) == count)
        counts = door.counts()
        assert [value for _, _, value in heard.messages] == list(range(count))
        assert (counts.received, counts.handled) == (count, count)
        assert (counts.lost, counts.refused, counts.superseded, counts.waiting) == (0, 0, 0, 0)


async def test_a_burst_that_is_sent_while_the_loop_is_busy_waits_in_the_kernel() -> None:
    heard = Heard()
    with opened(heard) as door:
        count = min(BURST, door.counts().receive_buffer // KERNEL_COST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for value in range(count):  # this very thread is the loop's, so nothing is read meanwhile
                out.sendto(encode("/press", value), ("127.0.0.1", door.port))
        await heard.until(lambda: len(heard.messages) == count)
        assert [value for _, _, value in heard.messages] == list(range(count))


async def test_who_waits_for_messages_is_told_before_the_loop_goes_on() -> None:
    heard = Heard()
    turns: list[int] = []
    told: list[tuple[int, int]] = []
    door = OscSocket(
        heard, lambda sender: True, lambda address: False, lambda: told.append((len(heard.messages), turns[-1]))
    )
    door.open(0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for value in range(3):
                turns.append(value)
                out.sendto(encode("/press", value), ("127.0.0.1", door.port))
                await heard.until(lambda: len(heard.messages) == turns[-1] + 1)
        assert told == [(1, 0), (2, 1), (3, 2)]
    finally:
        door.close()


async def test_newer_values_of_a_fader_replace_older_ones_that_wait() -> None:
    heard = Heard()
    with opened(heard, coalesces=True) as door:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for value in range(200):
                out.sendto(encode("/volume", value), ("127.0.0.1", door.port))
        await heard.until(lambda: bool(heard.messages) and heard.messages[-1][2] == 199)
        counts = door.counts()
        assert counts.received == 200
        assert counts.handled + counts.superseded == 200
        assert counts.superseded > 0


async def test_a_flood_from_one_sender_delays_no_other() -> None:
    """Of two senders that wait together, the one with a single message is served in the first turns."""
    heard = Heard()
    with (
        opened(heard) as door,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        count = min(400, door.counts().receive_buffer // KERNEL_COST - 1)
        for value in range(count):
            flood.sendto(encode("/press", value), ("127.0.0.1", door.port))
        other.sendto(encode("/mute", 1), ("127.0.0.1", door.port))
        await heard.until(lambda: len(heard.messages) == count + 1)
        place = [address for _, address, _ in heard.messages].index("/mute")
        assert place <= 1 + 8, "one that came while nothing waited, and a turn of the flood"


async def test_senders_that_are_not_admitted_are_counted_and_never_wait() -> None:
    heard = Heard()
    door = OscSocket(heard, lambda sender: False, lambda address: False)
    door.open(0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for value in range(10):
                out.sendto(encode("/press", value), ("127.0.0.1", door.port))
        with anyio.fail_after(10):
            while door.counts().rejected < 10:
                await anyio.lowlevel.checkpoint()
        assert heard.messages == []
        assert door.counts().waiting == 0
    finally:
        door.close()


async def test_it_answers_from_its_own_port() -> None:
    heard = Heard()
    with opened(heard) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        assert door.send(encode("/pong"), phone.getsockname())
        data, sender = await anyio.to_thread.run_sync(phone.recvfrom, 2048)
        assert (data, sender) == (encode("/pong"), ("127.0.0.1", door.port))


async def test_a_port_in_use_is_said_so() -> None:
    with opened(Heard()) as door, pytest.raises(PortTaken, match="--osc-port"):
        OscSocket(Heard(), lambda sender: True, lambda address: False).open(door.port)


async def test_moving_to_the_lan_and_back_loses_nothing() -> None:
    heard = Heard()
    with opened(heard) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        count = 0
        for hosts in (EVERYWHERE, LOOPBACK, EVERYWHERE, LOOPBACK):
            for _ in range(20):
                out.sendto(encode("/press", count), ("127.0.0.1", door.port))
                count += 1
            port = door.port
            door.rebind(hosts)
            assert door.port == port
            assert door.hosts[0] == hosts[0]
            out.sendto(encode("/press", count), ("127.0.0.1", door.port))
            count += 1
        await heard.until(lambda: len(heard.messages) == count)
        assert [value for _, _, value in heard.messages] == list(range(count))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief, pytest.raises(OSError, match="in use"):
            thief.bind(("127.0.0.1", door.port))


async def test_a_move_that_fails_leaves_it_as_it_was() -> None:
    heard = Heard()
    with opened(heard) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        with pytest.raises(PortTaken):
            door.rebind(("203.0.113.7",))  # nobody's address
        out.sendto(encode("/press", 7), ("127.0.0.1", door.port))
        await heard.until(lambda: len(heard.messages) == 1)


async def test_ipv6_loopback_is_heard_where_there_is_ipv6() -> None:
    heard = Heard()
    with opened(heard) as door:
        if len(door.hosts) < 2:
            pytest.skip("no IPv6 here")
        await send(door.port, 3, "/press", "::1")
        await heard.until(lambda: len(heard.messages) == 3)
        assert heard.messages[0][0][0] == "::1"


async def test_nothing_blocks_the_loop() -> None:
    heard = Heard()
    with blockbuster_ctx("control"), opened(heard) as door:
        await send(door.port, 500, "/press")
        await heard.until(lambda: len(heard.messages) == 500)


@pytest.mark.skipif(not Path("/proc/net/udp").exists(), reason="the kernel does not tell what it dropped")
async def test_what_the_kernel_dropped_is_counted() -> None:
    heard = Heard()
    with opened(heard) as door:
        size = 60_000
        count = door.counts().receive_buffer // size + 50
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for _ in range(count):
                out.sendto(
                    b"/x\0\0,b\0\0" + (size - 12).to_bytes(4, "big") + bytes(size - 12), ("127.0.0.1", door.port)
                )
        await heard.until(lambda: len(heard.messages) + door.counts().lost == count)
        assert door.counts().lost > 0
