"""The numbers of a running server for Prometheus and its like, in the text format 0.0.4.

Owner: whoever asks; numbers of the database are read in one statement, the others lie in memory.
Units: seconds, counts, shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from server.db import Queries
from server.jobs.job import KINDS

if TYPE_CHECKING:
    from server.jobs.worker_socket import WorkerInfo
    from server.protocol import EngineStatus

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_STATES: Final = ("queued", "downloading", "processing", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of numbers: `values` by their labels, none for a number that stands alone."""

    name: str
    help: str
    values: Mapping[tuple[tuple[str, str], ...], float]
    kind: Literal["gauge", "counter"] = "gauge"


@dataclass(frozen=True, slots=True)
class Alive:
    """What lies in memory: the engine (None before there was one), who is connected."""

    engine: EngineStatus | None = None
    workers: tuple[WorkerInfo, ...] = field(default=())
    pages: int = 0


async def metrics(db: Queries, alive: Alive, version: str) -> list[Metric]:
    """Return all there is to tell. Raises DatabaseGone."""
    rows = await db.rows(
        "SELECT 'jobs' AS what, kind AS a, status AS b, count(*) AS n FROM jobs GROUP BY kind, status "
        "UNION ALL SELECT 'queue', queue, state, count(*) FROM queue.messages GROUP BY queue, state "
        "UNION ALL SELECT 'batches', status, '', count(*) FROM batch_jobs GROUP BY status "
        "UNION ALL SELECT 'tracks', '', '', count(*) FROM tracks"
    )
    told = {(row["what"], row["a"], row["b"]): float(row["n"]) for row in rows}
    jobs = {
        _labels(kind=kind, status=state): told.get(("jobs", kind, state), 0.0) for kind in KINDS for state in _STATES
    }
    queues = {
        _labels(queue=kind, state=state): told.get(("queue", kind, state), 0.0)
        for kind in KINDS
        for state in ("queued", "running", "dead")
    }
    batches = {_labels(status=a): n for (what, a, _), n in told.items() if what == "batches"}
    at_work = Counter(queue for worker in alive.workers for queue in worker.queues)
    engine = alive.engine
    found = [
        Metric("alchemy_info", "The version that runs.", {_labels(version=version): 1.0}),
        Metric(
            "alchemy_engine_up", "1 while the audio engine runs.", {(): float(engine is not None and engine.running)}
        ),
        Metric("alchemy_workers", "Workers that are connected.", {_labels(queue=k): float(at_work[k]) for k in KINDS}),
        Metric("alchemy_pages", "Pages that are connected by a socket.", {(): float(alive.pages)}),
        Metric("alchemy_jobs", "Jobs by kind and state.", jobs),
        Metric("alchemy_queue_messages", "Messages in the queue.", queues),
        Metric("alchemy_batches", "Batches by state.", batches),
        Metric("alchemy_tracks", "Tracks in the library.", {(): told["tracks", "", ""]}),
    ]
    if engine is not None:
        found += [
            Metric("alchemy_engine_load", "Share of a block's time that the engine takes.", {(): engine.load}),
            Metric("alchemy_engine_latency_seconds", "From a block to the output.", {(): engine.latency_ms / 1000.0}),
            Metric(
                "alchemy_engine_late_blocks_total", "Blocks that came late since the engine began.",
                {(): float(engine.late_blocks)}, "counter",
            ),
        ]  # fmt: skip
    return found


def text(found: Iterable[Metric]) -> str:
    """Return metrics as Prometheus reads them."""
    lines = []
    for metric in found:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.values.items():
            shown = ",".join(f'{name}="{_escaped(word)}"' for name, word in labels)
            lines.append(f"{metric.name}{{{shown}}} {value:.10g}" if shown else f"{metric.name} {value:.10g}")
    return "\n".join(lines) + "\n"


def _labels(**named: str) -> tuple[tuple[str, str], ...]:
    return tuple(named.items())


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
