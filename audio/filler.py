"""`python -m audio.filler --socket FD`: the engine's child that reads files, so that the engine never waits for a disk.

Owner: `audio.filler_link` in the engine, which starts it again when it dies; what is in memory stays and plays on.
Two threads: one takes messages and makes the first third of a second of a new track at once; the other fills, second by
second, whatever is needed next. Units: as in `audio.fill_messages`.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np

from audio.commands import CHUNK_FRAMES
from audio.errors import AudioError
from audio.fill import FIRST_CHUNKS, MIX, Holding, PadFilling, SlotFault
from audio.fill_messages import (
    Awake,
    Drop,
    Filled,
    FillPad,
    Hold,
    HoldStems,
    MoreRanges,
    PadFilled,
    Playheads,
    ToEngine,
    ToFiller,
    Unreadable,
)
from audio.resample import resampler
from audio.wire import decoder, encode, framed

_IDLE_S = 0.25
"""How often an idle filler looks for memory to give back."""


class Filler:
    """All tracks that the engine holds, and the work on them.

    Thread-safe: `take` and `work` run in a thread each; `changed` guards the table, each holding guards itself.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sending = threading.Lock()
        self._holdings: dict[int, Holding] = {}
        self._changed = threading.Condition()
        self._chores: deque[Callable[[], None]] = deque()
        self._pads: deque[PadFilling] = deque()
        self._wake = False
        self._ended = False

    # Messages in.

    def take(self, message: ToFiller, descriptors: deque[int]) -> None:
        """Do what the engine says: a new track at once, the rest between two stretches of work."""
        match message:
            case Hold():
                self._hold(message, descriptors.popleft())
            case HoldStems():
                given = [descriptors.popleft() for _ in message.stems]
                self._chores.append(lambda: self._hold_stems(message, given))
            case MoreRanges():
                self._chores.append(lambda: self._more_ranges(message))
            case Drop():
                self._chores.append(lambda: self._drop(message))
            case FillPad():
                self._begin_pad(message, descriptors.popleft())
            case Playheads():
                for playhead in message.playheads:
                    holding = self._holdings.get(playhead.holding)
                    if holding is not None:
                        holding.playhead, holding.playing = playhead.frame, playhead.playing
                        holding.window = playhead.window
        self.wake()

    def wake(self) -> None:
        """Look for work now."""
        with self._changed:
            self._wake = True
            self._changed.notify()

    def end(self) -> None:
        """Let `work` return."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _hold(self, message: Hold, descriptor: int) -> None:
        try:
            holding = Holding(message, descriptor)
        except (AudioError, OSError) as fault:
            self._send(Unreadable(message.holding, MIX, str(fault), fatal=True))
            return
        chunks = holding.mix.store.chunks
        here = min(max(0, message.playhead // CHUNK_FRAMES), max(0, chunks - 1))
        stop = min(chunks, here + FIRST_CHUNKS)
        with self._changed:
            self._holdings[message.holding] = holding
            holding.guard.acquire()
        try:
            if not holding.mix.store.ready[here:stop].all():
                holding.fill_mix(here, stop)
            self._send(Filled(holding.id, 0, here, stop))
        except (AudioError, OSError) as fault:
            holding.fail(MIX, here, stop)
            self._unreadable(holding, MIX, str(fault), fatal=True)
        finally:
            holding.guard.release()

    def _hold_stems(self, message: HoldStems, descriptors: list[int]) -> None:
        holding = self._holdings.get(message.holding)
        if holding is None:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        holding.hold_stems(message, descriptors, lambda slot, text: self._unreadable(holding, slot, text))

    def _more_ranges(self, message: MoreRanges) -> None:
        holding = self._holdings.get(message.holding)
        if holding is not None and holding.generation == message.generation:
            holding.update(message.stem, lambda slot, text: self._unreadable(holding, slot, text))

    def _drop(self, message: Drop) -> None:
        with self._changed:
            dropped = self._holdings.pop(message.holding, None)
        if dropped is not None:
            dropped.close()

    # Work.

    def run(self) -> None:
        """Say that it is there, and work; a fault ends the process, and the engine starts another that goes on."""
        self._send(Awake())
        try:
            self.work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def work(self) -> None:
        """Fill what is needed next until the end."""
        while True:
            with self._changed:
                if self._ended:
                    return
                self._wake = False
            while self._chores:
                self._chores.popleft()()
            with self._changed:
                holdings = list(self._holdings.values())
            for holding in holdings:
                with holding.guard:
                    holding.tidy()
            filled_pad = self._fill_pad()
            if self._fill_best(holdings) or filled_pad:
                continue
            with self._changed:
                if not self._wake and not self._ended:
                    self._changed.wait(_IDLE_S)

    def _begin_pad(self, message: FillPad, descriptor: int) -> None:
        try:
            self._pads.append(PadFilling(message, descriptor))
        except (AudioError, OSError) as fault:
            self._send(PadFilled(message.number, str(fault)))

    def _fill_pad(self) -> bool:
        """Fill a second of the pad that waits longest, if any: decks have their turn in between."""
        if not self._pads:
            return False
        pad = self._pads[0]
        fault = ""
        try:
            if pad.fill():
                return True
        except (AudioError, OSError) as error:
            fault = str(error)
        self._pads.popleft()
        pad.close()
        self._send(PadFilled(pad.number, fault))
        return True

    def _fill_best(self, holdings: list[Holding]) -> bool:
        best: tuple[float, Holding, bool, tuple[int, int]] | None = None
        for holding in holdings:
            with holding.guard:
                for is_stems, need in ((False, holding.next_mix()), (True, holding.next_stems())):
                    if need is not None and (best is None or need[0] < best[0]):
                        best = need[0], holding, is_stems, need[1]
        if best is None:
            return False
        _, holding, is_stems, (start, stop) = best
        with holding.guard:
            self._fill(holding, is_stems, start, stop)
        return True

    def _fill(self, holding: Holding, is_stems: bool, start: int, stop: int) -> None:
        """Fill a stretch; where that fails, chunk by chunk, so that all that can be read is."""
        try:
            if is_stems:
                holding.fill_stems(start, stop)
            else:
                holding.fill_mix(start, stop)
        except (AudioError, OSError) as fault:
            if stop - start > 1:
                for chunk in range(start, stop):
                    self._fill(holding, is_stems, chunk, chunk + 1)
                return
            slot = fault.slot if isinstance(fault, SlotFault) else MIX
            news = not holding.failed.get(slot)
            holding.fail(slot, start, stop)
            if news:
                self._unreadable(holding, slot, str(fault))
            return
        self._send(Filled(holding.id, holding.generation if is_stems else 0, start, stop))

    # Messages out.

    def _unreadable(self, holding: Holding, slot: int, text: str, fatal: bool = False) -> None:
        self._send(Unreadable(holding.id, slot, text, fatal))

    def _send(self, message: ToEngine) -> None:
        with self._sending:
            try:
                self._line.sendall(framed(encode(message)))
            except OSError:
                self._ended = True


def listen(line: socket.socket, filler: Filler) -> None:
    """Pass messages to the filler until the engine closes the line."""
    messages = decoder(ToFiller)
    descriptors: deque[int] = deque()
    waiting = b""
    while True:
        data, received, _, _ = socket.recv_fds(line, 1 << 16, 64)
        if not data:
            return
        descriptors.extend(received)
        waiting += data
        while len(waiting) >= 4:
            length = int.from_bytes(waiting[:4], "little")
            if len(waiting) < 4 + length:
                break
            body, waiting = waiting[4 : 4 + length], waiting[4 + length :]
            filler.take(messages.decode(body), descriptors)


def main() -> None:
    """Fill until the engine goes."""
    parser = argparse.ArgumentParser(prog="python -m audio.filler")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the line to the engine")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(0.0002)
    with socket.socket(fileno=options.socket) as line:
        warm_up()
        filler = Filler(line)
        worker = threading.Thread(target=filler.run, name="fill", daemon=True)
        worker.start()
        with contextlib.suppress(OSError, msgspec.DecodeError):
            listen(line, filler)
        filler.end()
        worker.join(timeout=2)


def warm_up() -> None:
    """Compile or load what the first track would wait for."""
    for rates in ((44_100, 48_000), (48_000, 44_100)):
        resampler(*rates).resample(np.zeros((64, 2), np.float32))


if __name__ == "__main__":
    main()
