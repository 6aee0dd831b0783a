"""Message brokers for tests: the database itself, or a Redis or RabbitMQ server of the test session's own.

`--broker redis` (or `rabbitmq`) runs the job tests on that one: `make test-brokers`. Servers are children of the test
process, on ports that the system gives, with folders of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

Kind = Literal["embedded", "redis", "rabbitmq"]

RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Where Debian and its like have the server itself, without the wrapper that wants the system's user and folders."""

_pause = threading.Event()


def missing(kind: Kind) -> str | None:
    """Say why a broker cannot be run here, None when it can."""
    if kind == "redis" and shutil.which("redis-server") is None:
        return "redis-server is not installed"
    if kind == "rabbitmq" and not RABBIT.exists():
        return "rabbitmq-server is not installed"
    return None


@contextmanager
def serving(kind: Kind) -> Iterator[BrokerServer]:
    """Run a broker of this kind; skip the test where it cannot be run."""
    if why := missing(kind):
        pytest.skip(why)
    server = BrokerServer(kind)
    try:
        server.start()
        yield server
    finally:
        server.close()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class BrokerServer:
    """A broker's server. `url` is what `ALCHEMY_BROKER` gets."""

    kind: Kind
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sfa-broker-")))
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        if self.kind == "redis":
            return f"redis://127.0.0.1:{self.port}/0?heartbeat_s=3"
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F?heartbeat=10"

    def start(self) -> None:
        """Run it, with what it kept, until it takes connections."""
        environment, command = dict(os.environ), ["redis-server"]
        if self.kind == "redis":
            command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
            command += ["--appendonly", "yes"]
        else:
            command = [str(RABBIT)]
            name, names_port = f"alchemy{self.port}", str(free_port())
            environment |= {"ERL_EPMD_PORT": names_port, "ERL_EPMD_ADDRESS": "127.0.0.1"}
            # Erlang's directory of names: started by RabbitMQ it would stay behind as a daemon.
            self._spawn(["epmd"], environment)
            environment |= {
                "HOME": str(self.folder), "RABBITMQ_NODENAME": f"{name}@localhost",
                "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
                "RABBITMQ_LOG_BASE": str(self.folder / "log"), "RABBITMQ_ENABLED_PLUGINS_FILE": "/dev/null",
                "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            }  # fmt: skip
        self._spawn(command, environment)
        for _ in range(1500):
            if self._answers():
                return
            assert self.processes[-1].poll() is None, (self.folder / "server.log").read_text()[-2000:]
            _pause.wait(0.04)
        raise AssertionError(f"{self.kind} does not come up: {(self.folder / 'server.log').read_text()[-2000:]}")

    def _spawn(self, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                if self.kind == "redis":
                    connection.sendall(b"PING\r\n")
                    return connection.recv(7).startswith(b"+PONG")
                connection.sendall(b"AMQP\0\0\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop(self) -> None:
        """End it, as a crash would."""
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # RabbitMQ's is a shell with the server in it
            process.wait()
        self.processes.clear()

    def empty(self) -> None:
        """Take away all messages."""
        if self.kind == "redis":
            import redis

            with redis.Redis(port=self.port) as client:
                client.flushall()
            return
        import pika

        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            for queue in ("download", "processing", "analysis", "work"):
                for suffix in ("", ".DQ", ".XQ"):
                    channel.queue_delete(queue + suffix)

    def close(self) -> None:
        """End it and take its folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
