"""The engine's end of the line to its filler child: start it, talk to it, start it again when it dies.

Owner: the engine's loop thread calls `send`; two threads of this class write and read the line.
Units: none. A filler that hangs makes its queue grow by one playhead message at most: newer replace older.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from audio import children
from audio.fill_messages import Playheads, ToEngine, ToFiller
from audio.wire import decoder, encode, framed

_Entry = tuple[ToFiller, Sequence[int]]


class FillerLink:
    """One filler process. What it says is kept until `attach` names who hears it.

    Thread-safe: `send` yes.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line = ours
        self._on_message: Callable[[ToEngine], None] | None = None
        self._on_end: Callable[[], None] | None = None
        self._attached = threading.Event()
        self._queue: deque[_Entry] = deque()
        self._queued = threading.Condition()
        self._closed = False
        with theirs:
            self.process = subprocess.Popen(
                children.command("audio.filler", f"--socket={theirs.fileno()}"),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=children.environment(),
                # It loads for a second before it can see the line close.
                preexec_fn=children.die_with_parent(signal.SIGKILL),
            )
        self._threads = [
            threading.Thread(target=self._write, name="filler-write", daemon=True),
            threading.Thread(target=self._read, name="filler-read", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def attach(self, on_message: Callable[[ToEngine], None], on_end: Callable[[], None]) -> None:
        """Name who is called, from a thread of the link's own, with each message and when the process has ended."""
        self._on_message, self._on_end = on_message, on_end
        self._attached.set()

    def send(self, message: ToFiller, descriptors: Sequence[int] = ()) -> None:
        """Queue a message with the descriptors it needs; never waits."""
        with self._queued:
            if isinstance(message, Playheads) and self._queue and isinstance(self._queue[-1][0], Playheads):
                self._queue.pop()
            # Copies, since the memory may be let go before the message leaves.
            self._queue.append((message, [os.dup(descriptor) for descriptor in descriptors]))
            self._queued.notify()

    def close(self) -> None:
        """End the child and the threads."""
        with self._queued:
            self._closed = True
            self._queued.notify()
        self._attached.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=1)
        self._line.close()
        for _, descriptors in self._queue:
            _close_all(descriptors)

    def _write(self) -> None:
        while True:
            with self._queued:
                while not self._queue and not self._closed:
                    self._queued.wait()
                if self._closed:
                    return
                message, descriptors = self._queue.popleft()
            data = framed(encode(message))
            try:
                if descriptors:
                    sent = socket.send_fds(self._line, [data], list(descriptors))
                    data = data[sent:]
                self._line.sendall(data)
            except OSError:
                return
            finally:
                _close_all(descriptors)

    def _read(self) -> None:
        messages = decoder(ToEngine)
        waiting = b""
        self._attached.wait()
        if self._on_message is None or self._on_end is None:
            return
        while True:
            try:
                data = self._line.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            waiting += data
            while len(waiting) >= 4:
                length = int.from_bytes(waiting[:4], "little")
                if len(waiting) < 4 + length:
                    break
                body, waiting = waiting[4 : 4 + length], waiting[4 + length :]
                try:
                    self._on_message(messages.decode(body))
                except msgspec.DecodeError:
                    continue
        if not self._closed:
            self._on_end()


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
