"""A server somewhere else, as links meet it: whatever the test says it answers, written to the socket as bytes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class Asked:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def start(self) -> int:
        """The first byte asked for."""
        found = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


Answer = Callable[[Asked, socket.socket], None]


def head(status: str, **headers: object) -> bytes:
    """Return the head of an answer; underscores in names stand for dashes."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines]) + "\r\n\r\n").encode()


def plain(status: str, body: bytes = b"", **headers: object) -> Answer:
    """Answer always the same."""

    def answer(_asked: Asked, line: socket.socket) -> None:
        line.sendall(head(status, Content_Length=len(body), **headers) + body)

    return answer


def audio(body: bytes, etag: str = '"one"', breaks_after: int | None = None, kind: str = "audio/wav") -> Answer:
    """Serve a file with ranges as web servers do, and hang up `breaks_after` bytes of the body."""

    def answer(asked: Asked, line: socket.socket) -> None:
        start = asked.start if asked.headers.get("if-range", etag) == etag else 0
        rest = body[start:]
        if start >= len(body) and start:
            line.sendall(head("416 Range Not Satisfiable", Content_Length=0, Content_Range=f"bytes */{len(body)}"))
            return
        more = {"ETag": etag} if etag else {}
        if start:
            more["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        status = "206 Partial Content" if start else "200 OK"
        line.sendall(head(status, Content_Type=kind, Content_Length=len(rest), **more) + rest[:breaks_after])

    return answer


@dataclass
class RemoteSite:
    """Listens on loopback; `answers` are used up one by one, the last one stays. Used with `with`."""

    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> RemoteSite:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def url(self, path: str = "/song.wav") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = line.recv(65536)
                if not piece:
                    return
                data += piece
            opening, _, body = data.partition(b"\r\n\r\n")
            first, *rest = opening.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
            while len(body) < int(headers.get("content-length", 0)):
                piece = line.recv(65536)
                if not piece:
                    return
                body += piece
            asked = Asked(first.split(" ")[1], headers, body)
            self.asked.append(asked)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            try:
                answer(asked, line)
            except OSError:
                return
