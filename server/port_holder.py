"""Whether a port is free, and who has it, as far as this machine tells.

Owner: `alchemy doctor`. Only looks: what is bound to find out is let go at once.
"""

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal

Kind = Literal["tcp", "udp"]

_TABLE: Final = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_LISTENING: Final = {"tcp": "0A", "udp": "07"}


def is_free(kind: Kind, host: str, port: int) -> str | None:
    """Return None when the port can be had, else why not in the system's words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as probe:
        if kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            if kind == "tcp":
                probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return None


def holder(kind: Kind, port: int) -> tuple[int, str] | None:
    """Return (process id, command) of who has the port; None where the system does not tell, or not to us."""
    return _from_proc(kind, port) if sys.platform == "linux" else _from_lsof(kind, port)


def _from_proc(kind: Kind, port: int, proc: Path = Path("/proc")) -> tuple[int, str] | None:
    wanted = {f"socket:[{inode}]" for table in _TABLE[kind] for inode in _inodes(proc / "net" / table, kind, port)}
    if not wanted:
        return None
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
                return int(process.name), " ".join(words)[:120]
        except OSError:  # it has ended, or it is somebody else's
            continue
    return None


def _inodes(table: Path, kind: Kind, port: int) -> list[str]:
    """Sockets in a table of the kernel that listen on the port."""
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] == _LISTENING[kind]]


def _from_lsof(kind: Kind, port: int) -> tuple[int, str] | None:
    command = shutil.which("lsof")
    if command is None:
        return None
    listening = ["-sTCP:LISTEN"] if kind == "tcp" else []
    asked = [command, "-nP", f"-i{kind.upper()}:{port}", *listening, "-Fpc"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False).stdout
    found = {line[:1]: line[1:] for line in reversed(told.splitlines()) if line}
    return (int(found["p"]), found.get("c", "")) if found.get("p", "").isdigit() else None
