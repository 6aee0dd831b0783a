"""The whole program as a performer starts it, in a subprocess, for tests that use it from outside."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx2
import msgpack
import psutil
from pythonosc.udp_client import SimpleUDPClient
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token-of-the-owner"
PATIENCE_S = 60.0
"""How long a test waits for something that will come; only a hang makes it matter."""


def free_udp_port() -> int:
    """Return a UDP port nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: str, look: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Return the first true value of `look`, asking again until it comes; fail naming `what` when it does not."""
    deadline = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for: {what}; last: {found!r}"
        time.sleep(0.02)


class PatientClient(httpx2.Client):
    """A client that slows down when it is told to."""

    def request(self, *arguments: Any, **named: Any) -> httpx2.Response:
        """Send a request, again after a while when there were too many."""
        while True:
            answer = super().request(*arguments, **named)
            if answer.status_code != 429:
                return answer
            time.sleep(float(answer.headers["Retry-After"]))


class Program:
    """`alchemy run` on its own data folder, with no sound card unless asked for one."""

    def __init__(
        self,
        data: Path,
        *options: str,
        audio: str = "null",
        environment: dict[str, str] | None = None,
        module: str = "server",
    ) -> None:
        """`module`: what `python -m` runs, something that becomes the command `alchemy`."""
        self.data = data
        self.module = module
        self.audio = audio
        self.options = options
        self.osc_port = free_udp_port()
        self.environment = environment or {}
        self.url = ""
        self.login_url = ""
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when the ready line is there."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", self.module, "run", "--data", str(self.data), "--port", str(self.port),
            "--osc-port", str(self.osc_port), "--audio", self.audio, "--no-browser", "--token", TOKEN, *self.options,
        ]  # fmt: skip
        self.log = (self.data / "test-output.log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, **self.environment}, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            ready = re.match(r"ready (http://[^/]+:(\d+))(/\S*)", line)
            if ready:
                self.url, self.port, self.login_url = ready[1], int(ready[2]), ready[1] + ready[3]
                self.http = PatientClient(
                    base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False
                )
                self.osc = SimpleUDPClient("127.0.0.1", self.osc_port)
                return
        self.process.wait()
        raise AssertionError(f"no ready line: {''.join(lines)}\n{self.output()}")

    def output(self) -> str:
        """Return what the program wrote to its error stream so far."""
        return (self.data / "test-output.log").read_text(errors="replace")

    def stop(self) -> float:
        """Stop it as a terminal would and return the seconds that took; fail when something is left behind."""
        started = time.monotonic()
        family = self.family()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill_everything()
                raise AssertionError(f"did not stop: {self.output()[-3000:]}") from None
        took = time.monotonic() - started
        self._close()
        _, left = psutil.wait_procs(family, timeout=5)
        for one in left:
            one.kill()
        assert not left, f"left running: {left}"
        return took

    def kill_server(self) -> None:
        """Kill the server alone, as a crash would."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(AttributeError):
            self.http.close()
            self.osc._sock.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()

    def family(self) -> list[psutil.Process]:
        """Return every process of this program that lives: the server, the engine, and all their children."""
        found: dict[int, psutil.Process] = {}
        for pid in (self.process.pid, self.engine_pid()):
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(pid) if pid else None
                for one in [parent, *parent.children(recursive=True)] if parent else []:
                    if one.status() != psutil.STATUS_ZOMBIE:
                        found[one.pid] = one
        return list(found.values())

    def find(self, part: str) -> list[int]:
        """Return the pids of this program's processes whose command line contains `part`."""
        found = []
        for one in self.family():
            with contextlib.suppress(psutil.Error):
                if part in " ".join(one.cmdline()):
                    found.append(one.pid)
        return found

    def engine_pid(self) -> int:
        """Return the engine's process id, 0 without one."""
        try:
            return int(json.loads((self.runtime() / "engine.json").read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return 0

    def runtime(self) -> Path:
        """Return the folder of sockets and locks."""
        from server.settings import Settings

        return Settings(self.data).runtime

    def kill_everything(self) -> None:
        """End every process of this data folder."""
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # -- what a performer does

    def upload(self, path: Path, **fields: str) -> dict[str, Any]:
        """Import one file and return its track."""
        with path.open("rb") as file:
            answer = self.http.post("/api/tracks", files={"file": (path.name, file)}, data=fields)
        assert answer.status_code in (200, 201), answer.text
        track: dict[str, Any] = answer.json()
        return track

    def set(self, path: str, value: object) -> None:
        """Set one control over HTTP."""
        answer = self.http.post("/api/session", json=[{"path": path, "value": value}])
        assert answer.is_success, answer.text

    def controls(self) -> dict[str, Any]:
        """Return every control's value at this moment, as a page is told when it comes."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with connect(self.url.replace("http", "ws") + "/ws/live", additional_headers=headers) as page:
            page.send(msgpack.packb({"type": "hello", "protocol": 1, "client": "test"}))
            page.send(msgpack.packb({"type": "subscribe", "topics": ["meters"]}))
            controls: dict[str, Any] = {}
            while True:
                message = msgpack.unpackb(page.recv(timeout=PATIENCE_S))
                if message["type"] == "welcome":
                    controls = message["controls"]
                elif message["type"] == "meters" and controls:
                    for number, deck in enumerate(message["decks"], start=1):
                        controls[f"/deck/{number}/position"] = deck["position"]
                    return controls

    def control(self, path: str) -> Any:
        """Return one control's value."""
        return self.controls()[path]

    def load(self, deck: int, track_id: str) -> None:
        """Load a track and wait until it can sound."""
        self.set(f"/deck/{deck}/load", track_id)
        until(f"deck {deck} loaded", lambda: self.control(f"/deck/{deck}/status") == "ready")

    def track(self, track_id: str) -> dict[str, Any]:
        """Return a track with its jobs, stems and analysis."""
        answer = self.http.get(f"/api/tracks/{track_id}")
        assert answer.is_success, answer.text
        track: dict[str, Any] = answer.json()
        return track
