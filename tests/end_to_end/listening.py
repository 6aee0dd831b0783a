"""Hear what a page hears: the master over the live socket, read with the reference MessagePack package."""

import time
from contextlib import ExitStack
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt
from websockets.sync.client import ClientConnection, connect

from tests.end_to_end.program import TOKEN, Program

ENGINE_RATE = 48_000
SETTLE_FRAMES = 2_400
"""Gains glide for 5 ms, and a command waits for the next block."""


class Page:
    """A page without a browser. Use as a context."""

    def __init__(self, program: Program, *topics: str) -> None:
        self._open = ExitStack()
        url = program.url.replace("http", "ws") + "/ws/live"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self._socket: ClientConnection = self._open.enter_context(
            connect(url, additional_headers=headers, ping_interval=None, close_timeout=2)
        )
        self.say({"type": "hello", "protocol": 1, "client": "test"})
        self.welcome = self.hear("welcome")
        if topics:
            self.say({"type": "subscribe", "topics": list(topics)})

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._socket.send(msgpack.packb(message))

    def next(self, patience_s: float = 30.0) -> dict[str, Any]:
        """Return the next message, whatever it is."""
        message: dict[str, Any] = msgpack.unpackb(self._socket.recv(timeout=patience_s))
        return message

    def hear(self, type_: str, patience_s: float = 30.0, **wanted: Any) -> dict[str, Any]:
        """Return the next message of this kind whose fields are as wanted."""
        deadline = time.monotonic() + patience_s
        while True:
            message = self.next(deadline - time.monotonic())
            if message["type"] == type_ and all(message.get(name) == value for name, value in wanted.items()):
                return message

    def soon(self, type_: str, patience_s: float = 2.0) -> dict[str, Any] | None:
        """Return the next message of this kind, None when none comes in that time."""
        try:
            return self.hear(type_, patience_s)
        except TimeoutError:
            return None

    def until(self, path: str, value: Any) -> None:
        """Wait for a change of one control to a value."""
        while True:
            if self.hear("state")["changes"].get(path) == value:
                return

    def listen(self, seconds: float) -> npt.NDArray[np.float32]:
        """Return that much of the master, float32 (frames, 2), without a gap; only what sounds from now on."""
        self.say({"type": "ping", "sent": 0.0, "id": -1})
        now = self.hear("pong", id=-1)["frame"]
        wanted = int(seconds * ENGINE_RATE)
        blocks: list[npt.NDArray[np.float32]] = []
        expected = None
        while sum(len(block) for block in blocks) < wanted:
            message = self.hear("audio")
            if message["frame"] < now + SETTLE_FRAMES:
                continue  # from before, or of the block that was being made
            assert expected in (None, message["frame"]), "the page missed a block"
            block = np.frombuffer(message["pcm"], "<f4").reshape(-1, 2)
            expected = message["frame"] + len(block)
            blocks.append(block)
        return np.concatenate(blocks)[:wanted]


def level(audio: npt.NDArray[np.float32], hz: float, rate: int = ENGINE_RATE) -> float:
    """Return the amplitude of one tone in the left channel, by its Fourier coefficient under a Hann window."""
    wave = audio[:, 0].astype(np.float64)
    window = np.hanning(len(wave))
    turn = np.exp(-2j * np.pi * hz * np.arange(len(wave)) / rate)
    return float(2 * abs(np.sum(wave * window * turn)) / np.sum(window))
