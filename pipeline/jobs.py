"""What is asked of a worker: small frozen values, and the queue message that carries each.

Owner: the server makes them, an actor reads them; they live in the queue as JSON and outlive program versions, so
fields may be added with a default, never renamed. The message has the shape of a Dramatiq message, made here without
Dramatiq so that the server need not load it.
Units: positions in frames at 44.1 kHz.
"""

import time
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from pipeline.engines.choices import PAID

Queue = Literal["download", "processing", "analysis"]

QUEUES: Final[tuple[Queue, ...]] = ("download", "processing", "analysis")
"""Queues by name, one per kind of job."""


class SeparateJob(msgspec.Struct, frozen=True, tag="separate"):
    """Take a track apart. `options` goes to the engine as it is; `start_frame` is where to begin if no deck says."""

    job: str
    track: str
    engine: str
    model: str
    options: dict[str, Any] = {}
    start_frame: int = 0


class AnalyseJob(msgspec.Struct, frozen=True, tag="analyse"):
    """Find tempo, key and more of a track; no `features` means all. `stems` are those to listen to beside the mix."""

    job: str
    track: str
    features: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()


class DownloadJob(msgspec.Struct, frozen=True, tag="download"):
    """Fetch the audio behind a link and hand it to the server. `limit` in bytes; `private`: links may lead home.

    `form` and `quality` are what audio of Spotify's and video sites' links becomes (`pipeline/fetcher_run.py`).
    """

    job: str
    track: str
    url: str
    limit: int
    private: bool = False
    form: str = "best"
    quality: str = "best"


Work = SeparateJob | AnalyseJob | DownloadJob

_ROUTES: Final[dict[type[Work], tuple[Queue, str]]] = {
    SeparateJob: ("processing", "separate"),
    AnalyseJob: ("analysis", "analyse"),
    DownloadJob: ("download", "download"),
}


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as the queue takes it. `subject` is the job's id."""

    message_id: str
    queue: Queue
    actor: str
    subject: str
    payload: bytes


def message(work: Work, turn: int) -> QueueMessage:
    """Return the queue message for `work`. `turn` tells a job's messages apart: each retry is another one."""
    queue, actor = _ROUTES[type(work)]
    if isinstance(work, SeparateJob) and work.engine in PAID:
        queue = "download"  # it waits for somebody else's machines, and must not keep ours from their work
    message_id = f"{work.job}:{turn}"
    payload = {
        "queue_name": queue,
        "actor_name": actor,
        "args": (work,),
        "kwargs": {},
        "options": {"subject": work.job},
        "message_id": message_id,
        "message_timestamp": int(time.time() * 1000),
    }
    return QueueMessage(message_id, queue, actor, work.job, msgspec.json.encode(payload))


def read(argument: Any) -> Work:
    """Return the work of a message's only argument. Raises msgspec.ValidationError."""
    work: Work = msgspec.convert(argument, Work)
    return work
