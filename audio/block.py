"""The shared block: one segment of shared memory by which the engine and the programs around it meet.

    +---------------------+ 0
    | HEADER              |  magic, version, layout, sizes, engine pid, rate, block size
    +---------------------+ 4096
    | KERNEL_BLOCK        |  command ring, event ring, snapshots, clock pair, master ring (`audio.rings`)
    +---------------------+

Owner: the engine creates it and unlinks its name at its end; others attach. Units: bytes; frames; Hz.
A program of another version sees it by `version` and `layout`, says so, and leaves the music alone.
"""

import zlib
from typing import Any, Final

import numpy as np

from audio import shm
from audio.errors import BlockVersionMismatch
from audio.rings import KERNEL_BLOCK, Record

MAGIC: Final = b"SFABLOCK"
VERSION: Final = 1
KERNEL_OFFSET: Final = 4096

HEADER: Final = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("layout", "<u4"),
        ("size", "<u8"),
        ("kernel_offset", "<u8"),
        ("kernel_size", "<u8"),
        ("engine_pid", "<u8"),
        ("rate", "<u4"),
        ("block", "<u4"),
        ("started_ns", "<u8"),
    ],
    align=True,
)
"""What stands at the block's first byte. `started_ns` is the monotonic clock at the engine's start."""


def _told(dtype: np.dtype[Any]) -> str:
    """Describe a struct to its last field, the same on every machine."""
    if dtype.fields is None:
        base, shape = dtype.subdtype or (dtype, ())
        return f"{base.str if base.fields is None else _told(base)}{shape}"
    inner = ",".join(f"{name}@{place[1]}:{_told(place[0])}" for name, place in dtype.fields.items())
    return f"{{{inner};{dtype.itemsize}}}"


LAYOUT: Final = zlib.crc32(_told(KERNEL_BLOCK).encode())
"""Fingerprint of every offset in the block: two programs that differ in one do not meet by accident."""


class Block:
    """The mapped block. `kernel` is the KERNEL_BLOCK record; `header` the HEADER record.

    Thread-safe: yes. Realtime-safe: yes, beyond creation.
    """

    def __init__(self, segment: shm.Segment) -> None:
        self.segment = segment
        self.header: Record = segment.bytes[: HEADER.itemsize].view(HEADER)
        part = segment.bytes[KERNEL_OFFSET : KERNEL_OFFSET + KERNEL_BLOCK.itemsize]
        self.kernel: Record = part.view(KERNEL_BLOCK).reshape(())

    @property
    def kernel_address(self) -> int:
        """Address of KERNEL_BLOCK in this process."""
        return self.segment.address + KERNEL_OFFSET

    @classmethod
    def create(cls, *, pid: int, rate: int, block: int, started_ns: int) -> "Block":
        """Make a block; magic is written last, so that nobody attaches to half of it."""
        size = -(-(KERNEL_OFFSET + KERNEL_BLOCK.itemsize) // shm.PAGE) * shm.PAGE
        made = cls(shm.create_named(size))
        header = made.header
        header["version"], header["layout"], header["size"] = VERSION, LAYOUT, size
        header["kernel_offset"], header["kernel_size"] = KERNEL_OFFSET, KERNEL_BLOCK.itemsize
        header["engine_pid"], header["rate"], header["block"] = pid, rate, block
        header["started_ns"] = started_ns
        header["magic"] = MAGIC
        return made

    @classmethod
    def attach(cls, name: str) -> "Block":
        """Map the block `name`. Raises BlockVersionMismatch, FileNotFoundError."""
        segment = shm.attach_named(name)
        try:
            if segment.size < KERNEL_OFFSET:
                raise BlockVersionMismatch
            header = segment.bytes[: HEADER.itemsize].view(HEADER)[0]
            same = (header["magic"], int(header["version"]), int(header["layout"])) == (MAGIC, VERSION, LAYOUT)
            if not same or int(header["kernel_offset"]) + KERNEL_BLOCK.itemsize > segment.size:
                raise BlockVersionMismatch(
                    f"The engine that runs (process {int(header['engine_pid'])}, block version "
                    f"{int(header['version'])}) is not of this version ({VERSION}): it plays on; "
                    "restart it to use this one."
                )
            return cls(segment)
        except BlockVersionMismatch:
            segment.close()
            raise

    def close(self) -> None:
        """Let the mapping go; the name stays."""
        del self.header, self.kernel
        self.segment.close()
