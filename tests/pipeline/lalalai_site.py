"""lalal.ai as this program meets it: its v1 interface on loopback, with the shapes of its answers.

What it "separates" is arithmetic on what was uploaded, so that a test knows what must come back.
"""

from __future__ import annotations

import io
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np
import soundfile

KEY = "a-licence-key"
SHARES = {"vocals": 0.5, "drum": 0.25, "bass": 0.125, "voice": 0.75, "music": 0.5, "wind": 0.25, "piano": 0.0625}


@dataclass
class LalalaiSite:
    """`faults` are answered first, one a request: (path, status, headers, body); 0 hangs up, -1 never answers."""

    steps: int = 1
    minutes: float = 90.0
    faults: deque[tuple[str, int, dict[str, str], bytes]] = field(default_factory=deque)
    fails: dict[str, Any] | None = None
    asked: list[tuple[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    tasks: dict[str, tuple[str, str, dict[str, Any]]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> LalalaiSite:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                site._answer(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_GET(self) -> None:
                site._answer(self, b"")

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/v1"

    def called(self, path: str) -> list[Any]:
        """Return the bodies of all calls of a path."""
        return [body for at, body in self.asked if at == path]

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = request.path.removeprefix("/api/v1/")
        for fault in list(self.faults):
            if fault[0] in path:
                self.faults.remove(fault)
                _, status, headers, content = fault
                if status == -1:
                    self.released.wait()
                if status <= 0:
                    request.close_connection = True
                    request.connection.shutdown(socket.SHUT_RDWR)
                    return
                self._send(request, status, content, headers)
                return
        if path.startswith("files/"):
            self._send(request, 200, self._made(path), {"Content-Type": "audio/wav"})
            return
        if request.headers.get("X-License-Key") != KEY:
            self._send(request, 401, b'{"detail": "Invalid license key"}', {})
            return
        if path == "upload/":
            source = f"source-{len(self.uploads)}"
            self.uploads[source] = body
            self.asked.append((path, request.headers.get("Content-Disposition")))
            seconds = soundfile.info(io.BytesIO(body)).duration
            self.seconds.append(seconds)
            self._json(request, {"id": source, "name": "mix.flac", "size": len(body), "duration": int(seconds)})
            return
        asked = json.loads(body or b"{}")
        self.asked.append((path, asked))
        self._json(request, self._post(path, asked))

    def _post(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        if path == "limits/minutes_left/":
            return {"minutes_left": self.minutes}
        if path == "voice_packs/list/":
            packs = [("ALEX_KAYE", "Alex Kaye", True), ("my-voice", "Mine", True), ("half", "Half made", False)]
            return {"packs": [{"pack_id": a, "name": b, "ready_to_use": c} for a, b, c in packs]}
        if path.startswith("split/") or path == "change_voice/":
            known = [task for task, made in self.tasks.items() if made[2].get("once") == asked["idempotency_key"]]
            task = known[0] if known else f"task-{len(self.tasks)}"
            presets = {**asked["presets"], "once": asked["idempotency_key"]}
            self.tasks[task] = (path.strip("/"), asked["source_id"], presets)
            return {"task_id": task}
        if path == "check/":
            return {"result": {task: self._state(task) for task in asked["task_ids"]}}
        if path in ("cancel/", "cancel/all/"):
            self.cancelled |= set(asked.get("task_ids", self.tasks))
        return {}

    def _state(self, task: str) -> dict[str, Any]:
        self.looks[task] = self.looks.get(task, 0) + 1
        if task in self.cancelled:
            return {"status": "cancelled"}
        if self.looks[task] <= self.steps:
            return {"status": "progress", "progress": 100 * self.looks[task] // (self.steps + 1)}
        if self.fails is not None:
            return self.fails
        work, _, presets = self.tasks[task]
        labels = presets.get("stem_list") or [presets.get("stem", "converted_mix")]
        back = "no_multistem" if work == "split/multistem" else f"no_{labels[0]}"
        tracks = [{"type": "stem", "label": label, "url": f"{self.base}/files/{task}/{label}"} for label in labels]
        if work != "change_voice":
            tracks.append({"type": "back", "label": back, "url": f"{self.base}/files/{task}/{back}"})
        return {"status": "success", "result": {"duration": 10, "tracks": tracks}}

    def _made(self, path: str) -> bytes:
        """Return the stem as WAV: a share of what was uploaded; another voice is the old one upside down."""
        _, task, label = path.split("/")
        audio, rate = soundfile.read(io.BytesIO(self.uploads[self.tasks[task][1]]), dtype="float32")
        share = -1.0 if label == "converted_mix" else SHARES.get(label.removeprefix("no_"), 0.125)
        if label.startswith("no_"):
            share = 1.0 - share
        out = io.BytesIO()
        soundfile.write(out, audio * np.float32(share), rate, "FLOAT", format="WAV")
        return out.getvalue()

    def _json(self, request: BaseHTTPRequestHandler, value: object) -> None:
        self._send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
