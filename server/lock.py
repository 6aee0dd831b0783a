"""One server per data folder.

Owner: `run`, from its first line to its last. The kernel lets go of the lock when the process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import AlreadyRunning


@contextmanager
def data_lock(data: Path, runtime: Path) -> Iterator[None]:
    """Hold the lock of `data` while inside. Raises AlreadyRunning naming the other process."""
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (runtime / "server.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip()
            raise AlreadyRunning(
                f"Another Sound Forge Alchemy (process {pid or 'unknown'}) runs on {data}. "
                "Use its page, stop it, or give this one another --data folder.",
                pid=pid,
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
