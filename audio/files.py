"""Small laws about files that the writers of this package, and of the server, share.

Owner: nobody. Units: bytes.
"""

import errno
import os
from pathlib import Path
from typing import Final

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(fault: OSError) -> bool:
    """Say whether `fault` means that there is no room: a full disk, a quota, a file-size limit."""
    return fault.errno in _FULL


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` to `path` and on to the disk. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Put a file with `data` in place of what is at `path`; a `private` one is readable by its owner alone.

    Raises OSError; then what was there is there still, and nothing is left beside it.
    """
    fresh = path.with_name(path.name + ".new")
    mode = 0o600 if private else 0o666
    try:
        fresh.unlink(missing_ok=True)
        with open(fresh, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Put renames in `folder` on the disk, where the system allows it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
