"""Small laws about files that the writers of this package share.

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
