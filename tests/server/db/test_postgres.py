"""The embedded PostgreSQL: private, ours alone, gone with us, and back when it dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import postgres as embedded
from server.db import Database
from server.errors import AlreadyRunning
from server.postgres import QUEUE_ROLE, ROLE, PostgresMissing, PostgresRefused, embedded_postgres
from server.postgres_place import settle

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

OWNER = """
import sys, anyio
from pathlib import Path
from server.postgres import embedded_postgres
async def main():
    data = Path(sys.argv[1])
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        print(server.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder with a short name, which the account of PostgreSQL can reach."""
    try:
        embedded.binaries()
    except PostgresMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    folder = Path(tempfile.mkdtemp(prefix="sfa-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[Any], **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(command, **options)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        if Path("/proc/self").exists():
            return False
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


async def _until_dead(pid: int) -> None:
    with anyio.fail_after(20):
        while _alive(pid):
            await anyio.sleep(0.01)


async def test_data_stays_and_nothing_else_does(data: Path) -> None:
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        pid, socket = server.pid, server.place.socket
        assert socket.stat().st_mode & 0o777 == 0o700
        assert server.place.cluster.stat().st_mode & 0o077 == 0
        async with Database(server.url()) as db:
            await db.execute("CREATE TABLE kept (a int); INSERT INTO kept VALUES (42)")
            assert await db.value("SHOW listen_addresses") == ""
            assert await db.value("SHOW server_encoding") == "UTF8"
            rules = await db.rows("SELECT type, user_name, auth_method FROM pg_hba_file_rules")
            assert rules == [
                {"type": "local", "user_name": [role], "auth_method": "peer"} for role in (ROLE, QUEUE_ROLE)
            ]
    assert pid is not None and not _alive(pid) and not socket.exists()
    async with embedded_postgres(data, data / "run", fsync=False) as server, Database(server.url()) as db:
        assert await db.value("SELECT a FROM kept") == 42


async def test_what_goes_wrong_inside_comes_out_as_it_is(data: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with embedded_postgres(data, data / "run", fsync=False) as server:
            raise ZeroDivisionError
    assert server.pid is None


async def test_a_second_supervisor_is_refused(data: Path) -> None:
    async with embedded_postgres(data, data / "run", fsync=False):
        with pytest.raises(AlreadyRunning):
            async with embedded_postgres(data, data / "run", fsync=False):
                pass


async def test_it_comes_back_when_it_dies_with_every_row(data: Path) -> None:
    said: list[str] = []
    async with embedded_postgres(data, data / "run", report=said.append) as server, Database(server.url()) as db:
        await db.execute("CREATE TABLE kept (a int)")
        for number in range(2):
            await db.execute("INSERT INTO kept VALUES ($1)", number)
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await _until_dead(pid)
            await db.wait_ready(20)
            assert server.pid != pid
            assert await db.value("SELECT count(*) FROM kept") == number + 1
    assert [("stopped" in line, "back" in line) for line in said] == [(True, False), (False, True)] * 2


async def test_an_owner_that_is_killed_takes_it_along_or_the_next_one_ends_it(data: Path) -> None:
    owner = _start([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(await anyio.to_thread.run_sync(owner.stdout.readline))
    owner.kill()
    await anyio.to_thread.run_sync(owner.wait)
    owner.stdout.close()
    if sys.platform == "linux":
        await _until_dead(pid)
    async with embedded_postgres(data, data / "run", fsync=False) as server, Database(server.url()) as db:
        assert await db.value("SELECT 1") == 1
        assert server.pid != pid
    assert not _alive(pid)


async def test_an_orphan_is_ended_and_a_stale_pid_file_is_not_believed(data: Path) -> None:
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        place = server.place
    account = {"user": place.account.uid, "group": place.account.gid} if place.account.switch else {}
    place.socket.mkdir(mode=0o700, exist_ok=True)
    if place.account.switch:
        os.chown(place.socket, place.account.uid, place.account.gid)
    command = [place.binaries / "postgres", "-D", place.cluster, "-k", place.socket, "-c", "listen_addresses="]
    orphan = _start(command, stderr=subprocess.DEVNULL, cwd="/", **account)
    with anyio.fail_after(20):
        while not embedded._is_ready(place.cluster, orphan.pid):
            await anyio.sleep(0.01)
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        assert server.pid != orphan.pid
    assert orphan.wait(timeout=10) is not None
    # A process that has nothing to do with it has the old number now.
    (place.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{place.cluster}\n0\n5432\n\n\n\nready\n")
    async with embedded_postgres(data, data / "run", fsync=False) as server, Database(server.url()) as db:
        assert await db.value("SELECT 1") == 1


async def test_a_start_that_was_interrupted_is_taken_up_again(data: Path) -> None:
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        cluster = server.place.cluster
    shutil.rmtree(cluster)
    making = cluster.with_name("making")
    making.mkdir()
    (making / "PG_VERSION").write_text("1")
    async with embedded_postgres(data, data / "run", fsync=False) as server, Database(server.url()) as db:
        assert await db.value("SELECT 1") == 1


async def test_data_of_another_version_and_a_broken_configuration_are_told(data: Path) -> None:
    async with embedded_postgres(data, data / "run", fsync=False) as server:
        cluster = server.place.cluster
    configuration = cluster / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text("shared_buffers = nonsense\n")
    with pytest.raises(PostgresRefused, match="shared_buffers"):
        async with embedded_postgres(data, data / "run", fsync=False):
            pass
    configuration.write_text(good)
    (cluster / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresRefused, match="PostgreSQL 12"):
        async with embedded_postgres(data, data / "run", fsync=False):
            pass


async def test_a_socket_folder_of_somebody_else_is_refused(data: Path) -> None:
    place = settle(data, data / "run")
    shutil.rmtree(place.socket)
    place.socket.symlink_to(data)
    try:
        with pytest.raises(PostgresRefused, match="belongs to somebody else"):
            async with embedded_postgres(data, data / "run", fsync=False):
                pass
    finally:
        place.socket.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be unreachable for the account of PostgreSQL")
async def test_root_with_private_folders_changes_no_mode_of_them(data: Path) -> None:
    private = data / "home"
    private.mkdir(mode=0o700)
    home: Path | None = None
    try:
        async with embedded_postgres(private / "app", private / "app" / "run", fsync=False) as server:
            home = server.place.cluster.parent
            async with Database(server.url()) as db:
                await db.execute("CREATE TABLE kept (a int)")
            assert private not in server.place.cluster.parents
        assert private.stat().st_mode & 0o777 == 0o700
        moved = data / "moved"
        private.rename(moved)
        app = moved / "app"
        async with embedded_postgres(app, app / "run", fsync=False) as server, Database(server.url()) as db:
            assert await db.value("SELECT count(*) FROM kept") == 0
    finally:
        if home is not None:
            shutil.rmtree(home)
