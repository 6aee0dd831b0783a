"""How many OSC messages a second the server's surface takes without loss, and in what burst: `python -m bench.osc`.

Owner: whoever asks. Loopback only, a few seconds. A program of its own sends, the real surface with a real show and no
engine receives; every message counts as taken when it was decoded and handed to the show, or gave way to a newer value
of the same fader. Nothing is asserted: the numbers are of this machine, now.
Units: messages, messages per second.

`presses` are toggles, which are never merged: each is decoded and stepped. `faders` are 16 continuous controls in turn.
For comparison (2 virtual cores): python-osc's blocking server 44,000 a second and a burst of 256, scsynth 152,000 and
65,536.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Final

import anyio

from audio.units import STEMS
from control.osc_codec import encode
from control.osc_socket import SocketCounts
from server.session.facts import AudibleDeck, EngineRestored
from server.session.show import Show
from server.surfaces.osc import OscSurface
from tests.server.session.quiet_deckhand import QuietDeckhand

SECONDS: Final = 1.0
RATES: Final = (5_000, 10_000, 20_000, 30_000, 40_000, 60_000, 80_000, 120_000, 160_000)
BURSTS: Final = (256, 1024, 4096, 8192, 16_384, 65_536)
PATIENCE_S: Final = 20.0

PRESSES: Final = tuple(f"/deck/{deck}/stem/{stem}/mute" for deck in (1, 2) for stem in STEMS)
FADERS: Final = tuple(f"/deck/{deck}/stem/{stem}/volume" for deck in (1, 2, 3) for stem in STEMS)[:16]

SENDER: Final = """
import socket, struct, sys, time
port, count, rate, addresses = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4].split(",")
def pack(name, value):
    return name.encode() + b"\\0" * (4 - len(name) % 4) + b",f\\0\\0" + struct.pack(">f", value)
begin = time.perf_counter()
packets = [pack(addresses[i % len(addresses)], (i // len(addresses)) % 2) for i in range(count)]
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect(("127.0.0.1", port))
start = time.perf_counter()
for i, packet in enumerate(packets):
    if rate and i % 16 == 0:
        ahead = start + i / rate - time.perf_counter()
        if ahead > 0.0002:
            time.sleep(ahead)
    out.send(packet)
print(time.perf_counter() - start, start - begin)
"""


async def _trial(surface: OscSurface, count: int, rate: float, addresses: Sequence[str]) -> tuple[float, int, float]:
    """Send and wait until all is worked off; return (rate sent, messages lost, rate worked off)."""
    before = surface.counts()
    command = [sys.executable, "-I", "-c", SENDER, str(surface.port), str(count), str(rate), ",".join(addresses)]
    started = time.monotonic()
    done = await anyio.run_process(command)
    until = time.monotonic() + PATIENCE_S
    last, quiet_since = -1, time.monotonic()
    while _taken(surface.counts(), before) < count and time.monotonic() < until:
        taken = _taken(surface.counts(), before)
        if taken != last:
            last, quiet_since = taken, time.monotonic()
        elif time.monotonic() - quiet_since > 1.0:
            break
        await anyio.sleep(0.005)
    sending_s, packing_s = map(float, done.stdout.split())
    worked_s = max(time.monotonic() - started - packing_s, sending_s)
    return count / sending_s, count - _taken(surface.counts(), before), count / worked_s


def _taken(now: SocketCounts, before: SocketCounts) -> int:
    return now.handled + now.superseded - before.handled - before.superseded


async def _round_trips(show: Show, port: int, count: int = 400) -> list[float]:
    """Move a control from one surface and time until each of three others is told; return milliseconds, sorted."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        others = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)]
        hand = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for one in (*others, hand):
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
        for one in others:
            one.sendto(encode("/subscribe", 0), ("127.0.0.1", port))
        await anyio.sleep(1.0)
        for one in others:  # everything there is comes first
            with suppress(BlockingIOError):
                while True:
                    one.recv(65_535)
        times: list[float] = []
        for number in range(count):
            wanted = encode(PRESSES[0], number % 2 ^ 1)
            started = time.perf_counter()
            hand.sendto(wanted, ("127.0.0.1", port))

            async def told(one: socket.socket, wanted: bytes = wanted, started: float = started) -> None:
                with anyio.move_on_after(1.0):
                    while await loop.sock_recv(one, 65_535) != wanted:
                        pass
                times.append((time.perf_counter() - started) * 1000)

            async with anyio.create_task_group() as tasks:
                for one in others:
                    tasks.start_soon(told, one)
    return sorted(times)


async def _bench() -> None:
    show = Show(QuietDeckhand())
    surface = OscSurface(show)
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        show.report(EngineRestored((AudibleDeck(),) * 4, 48_000))
        await tasks.start(surface.run, 0)
        print(f"   receive buffer granted: {surface.counts().receive_buffer / 2**20:.1f} MiB")
        for name, addresses in (("presses", PRESSES), ("faders", FADERS)):
            best, reason = 0.0, "the highest rate that was tried"
            for rate in RATES:
                sent, lost, worked = await _trial(surface, int(rate * SECONDS), rate, addresses)
                if lost:
                    reason = f"lost {lost} of {int(rate * SECONDS)} at {rate:,}/s"
                    break
                if worked < 0.7 * sent:
                    reason = f"at {rate:,}/s nothing is lost, but worked off at {worked:,.0f}/s"
                    break
                best = max(best, sent)
                if sent < 0.8 * rate:
                    reason = "the sender could do no more"
                    break
            print(f"   {name:8} sustained without loss: {best:>9,.0f} messages/s ({reason})")
            burst, speed = 0, 0.0
            for count in BURSTS:
                _, lost, worked = await _trial(surface, count, 0, addresses)
                if lost:
                    break
                burst, speed = count, worked
            print(f"   {name:8} burst without loss:     {burst:>9,} messages, worked off at {speed:,.0f} messages/s")
        times = await _round_trips(show, surface.port)
        middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
        print(f"   state change to every other surface: median {middle:.2f} ms, p99 {late:.2f} ms (limit 20)")
        await show.settle()
        tasks.cancel_scope.cancel()


def main() -> None:
    """Print the numbers."""
    sys.setswitchinterval(0.0002)  # as the server has it
    anyio.run(_bench)


if __name__ == "__main__":
    main()
