"""A worker process: one Dramatiq group, one queue, one connection to the server, one loaded model.

    python -m pipeline.worker < settings      one line of JSON (`WorkerSettings`) on standard input, which stays open

Owner: the main thread; it waits for a signal, or for the end of standard input, which is the death of its parent.
`run_groups` is the command `alchemy worker`: it keeps one such process per queue alive on a machine of its own.

To stop: the job at hand is given up and goes back to the queue, uncounted; what a call into compiled code holds up is
given back all the same when the grace is over, and the process ends.
Units: seconds.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
from dramatiq.worker import Worker

from pipeline import actors, wire
from pipeline.broker import broker_for
from pipeline.deliveries import deliveries_of
from pipeline.engines import base
from pipeline.fetcher import Environment
from pipeline.job_log import JobLog
from pipeline.jobs import Queue
from pipeline.queue_tunnel import Tunnel
from pipeline.worker_client import WorkerClient
from pipeline.worker_fetch import Source
from pipeline.worker_settings import NICE, THREADS, WorkerSettings, name_for, settings_line
from pipeline.worker_spool import sweep

log = logging.getLogger("pipeline.worker")

GRACE_S: Final = 3.0
"""How long a stopping worker waits for the job at hand to notice."""

_POLL_MS: Final = 200
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0
"""A process that lived this long was well: the next pause is short again."""


Offers = tuple[wire.EngineOffer, ...]
OffersFor = Callable[[WorkerSettings], Offers]
ActorsFor = Callable[[actors.Context], None]


def command() -> list[str]:
    """Return the command line of a worker process."""
    return [sys.executable, "-m", "pipeline.worker"]


class Group:
    """Everything a worker process consists of, from start to stop."""

    def __init__(self, settings: WorkerSettings, actors_for: ActorsFor, offers_for: OffersFor) -> None:
        tls = settings.tls()
        self.tunnel = None if settings.broker else Tunnel(settings.server, settings.token, tls)
        broker = broker_for(self.tunnel.url if self.tunnel is not None else settings.broker)
        self.settings = settings
        self.broker = broker
        self.deliveries = deliveries_of(broker)
        self.stopping = threading.Event()
        self.spool = Path(settings.spool)
        self.source = Source(settings.server, settings.token, self.spool, tls=tls)
        self.client = WorkerClient(settings.server, _hello(settings, offers_for(settings)), self.stopping, tls)
        fetcher = Environment(Path(settings.fetcher or self.spool.parent / "fetcher"))
        context = actors.Context(
            broker, self.deliveries, self.client, self.source, self.spool, settings.options, fetcher
        )
        actors_for(context)
        self._worker = Worker(broker, queues={settings.queue}, worker_threads=settings.threads, worker_timeout=_POLL_MS)
        # Nothing is taken that cannot be begun at once: what lies here is what another worker could be doing.
        self._worker.queue_prefetch = settings.threads

    def start(self) -> None:
        """Connect and take work."""
        sweep(self.spool)
        self.client.__enter__()
        self._worker.start()

    def stop(self) -> None:
        """Give everything back and hang up, within the grace."""
        self.stopping.set()
        with self.client.changed:
            self.client.changed.notify_all()
        ended = threading.Thread(target=self._worker.stop, kwargs={"timeout": int(GRACE_S * 1000)}, daemon=True)
        ended.start()
        ended.join(GRACE_S)
        self.client.leave_all()
        self.deliveries.give_all_back()
        self.broker.close()
        self.client.__exit__(None, None, None)
        self.source.close()
        if self.tunnel is not None:
            self.tunnel.close()


def offers(settings: WorkerSettings) -> Offers:
    """Return the engines that can run here, the one that `auto` means first."""
    if settings.queue != "processing":
        return ()
    best = base.choose("auto", settings.options).name
    infos = sorted(base.engines(settings.options), key=lambda info: info.name != best)
    return tuple(wire.EngineOffer(info.name, info.models) for info in infos if info.reason is None)


def _hello(settings: WorkerSettings, found: Offers) -> wire.Hello:
    return wire.Hello(wire.WIRE_VERSION, settings.token, settings.name, (settings.queue,), found, os.getpid())


def _warm(options: dict[str, Any]) -> None:
    """Get the model ready, if it is the one that the first separation will want: a performer waits for that one."""
    if base.choose("auto", options).name == "onnx":
        from pipeline.engines import onnx

        onnx.warm(options)


def _follow_parent() -> None:
    """On Linux be told of the parent's death by the kernel too; standard input tells everywhere else."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0)


def _watch_parent(stop: threading.Event) -> None:
    """Standard input ends when the parent does, however that was."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()


def main(actors_for: ActorsFor = actors.declare, offers_for: OffersFor = offers) -> int:
    """Run one worker process, with the settings on standard input."""
    line = sys.stdin.buffer.readline()
    try:
        settings = msgspec.json.decode(line, type=WorkerSettings)
    except msgspec.DecodeError as error:
        print(f"The worker's settings cannot be read: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format=f"%(asctime)s {settings.queue} %(levelname)s %(message)s")
    logging.getLogger().addHandler(JobLog())
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    os.nice(settings.nice)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    _follow_parent()
    threading.Thread(target=_watch_parent, args=(stop,), name="parent", daemon=True).start()
    group = Group(settings, actors_for, offers_for)
    group.start()
    if settings.warm and settings.queue == "processing":
        _warm(settings.options)
    while not stop.wait(1.0):
        pass
    group.stop()
    # A thread deep in compiled code must not keep the process: what it held has been given back.
    logging.shutdown()
    os._exit(0)


@dataclass(slots=True)
class _Kept:
    queue: Queue
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    due_at: float = 0.0


def run_groups(
    server: str, token: str, broker: str, spool: Path, queues: Sequence[Queue] = tuple(THREADS),
    options: dict[str, Any] | None = None, stop: threading.Event | None = None, *, authority: str = "",
    fetcher: str = "", child: Sequence[str] | None = None,
) -> int:  # fmt: skip
    """Keep one worker process per queue alive until SIGTERM, Ctrl-C or `stop`; return the exit status."""
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
    groups = [_Kept(queue) for queue in queues if queue in THREADS]

    def start(kept: _Kept) -> None:
        settings = WorkerSettings(
            server,
            token,
            broker,
            kept.queue,
            name_for(kept.queue),
            str(spool),
            THREADS[kept.queue],
            NICE[kept.queue],
            options or {},
            fetcher=fetcher,
            authority=authority,
        )
        kept.process = subprocess.Popen(child or command(), stdin=subprocess.PIPE, start_new_session=True)
        assert kept.process.stdin is not None
        kept.process.stdin.write(settings_line(settings))
        kept.process.stdin.flush()
        kept.started_at = time.monotonic()

    while not stop.is_set():
        now = time.monotonic()
        for kept in groups:
            if kept.process is not None and (status := kept.process.poll()) is not None:
                log.warning("The %s worker ended by itself (status %s) and is started again.", kept.queue, status)
                kept.pause_s = _FIRST_PAUSE_S if now - kept.started_at > _STEADY_S else kept.pause_s * 2
                kept.due_at = now + min(kept.pause_s, _LONGEST_PAUSE_S)
                _let_go(kept)
            if kept.process is None and now >= kept.due_at:
                start(kept)
        stop.wait(0.1)
    for kept in groups:
        if kept.process is not None:
            kept.process.terminate()
    for kept in groups:
        if kept.process is not None:
            try:
                kept.process.wait(GRACE_S + 1)
            except subprocess.TimeoutExpired:
                kept.process.kill()
                kept.process.wait()
            _let_go(kept)
    return 0


def _let_go(kept: _Kept) -> None:
    """Forget a process that has ended."""
    if kept.process is not None and kept.process.stdin is not None:
        with contextlib.suppress(OSError):
            kept.process.stdin.close()
    kept.process = None


if __name__ == "__main__":
    sys.exit(main())
