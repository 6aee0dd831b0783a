"""What a worker process needs to know. It comes from whoever starts it, as one JSON line on standard input.

Owner: the server's supervision or `alchemy worker` writes it; the worker reads it once. Nothing here reads the
environment: a token on a command line or in the environment is open to every process of the account, a pipe is not.
Units: seconds, counts.
"""

import secrets
import socket
import ssl
from typing import Any, Final

import msgspec

from pipeline.jobs import Queue

THREADS: Final[dict[Queue, int]] = {"download": 3, "processing": 2, "analysis": 2}
"""How many messages of each queue run at once in its one process."""

NICE: Final[dict[Queue, int]] = {"download": 15, "processing": 10, "analysis": 15}
"""How far each group steps back behind the music."""


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one worker process reaches the queue and the server, and what it does.

    `server` is the http(s) address; `broker` the queue's, empty where it is reached by the server's
    (`queue_tunnel.py`); `authority` is the certificate (PEM) that signs an https server's, if no public one does;
    `spool` a folder of this machine's worker processes, kept between them; `options` are the engines'
    (`PipelineSettings.engine_options`); `fetcher` is the folder of spotdl and yt-dlp (`pipeline/fetcher.py`), empty
    where there is none.
    """

    server: str
    token: str
    broker: str
    queue: Queue
    name: str
    spool: str
    threads: int = 2
    nice: int = 10
    options: dict[str, Any] = {}
    log_level: str = "INFO"
    #: Load the separation model before the first job asks for it.
    warm: bool = False
    fetcher: str = ""
    authority: str = ""

    def tls(self) -> ssl.SSLContext | None:
        """Return how to check an https server; None for http."""
        if not self.server.startswith("https:"):
            return None
        return ssl.create_default_context(cadata=self.authority or None)


def settings_line(settings: WorkerSettings) -> bytes:
    """Return the line that a worker process reads."""
    return msgspec.json.encode(settings) + b"\n"


def name_for(queue: Queue) -> str:
    """Return a name for a new worker process, to be told apart on the page and in `job_attempts`."""
    return f"{socket.gethostname()}-{queue}-{secrets.token_hex(3)}"
