"""What the library needs of whoever decodes audio: `audio.importer.Importer` is one.

Owner: nobody. Units: frames at the rate beside them.
"""

from pathlib import Path
from typing import Protocol

from audio.reference import Reference


class Decoder(Protocol):
    """Decodes a file into a folder, and cuts stretches out of what was decoded."""

    async def decode(self, path: Path, out_dir: Path) -> Reference: ...
    async def pcm(
        self, reference_path: Path, gain: float, rate_in: int, rate_out: int, start: int, stop: int
    ) -> bytes: ...
