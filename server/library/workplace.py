"""Where files lie while they are worked on: names that tidying leaves alone until the work is done.

Owner: the library, on the event loop. Files are touched in threads.
"""

from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread

from server.library.storage import UPLOADS, Storage


class Workplace:
    """Hands out names under the storage that nothing else has, and knows which are in use."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._busy: set[str] = set()

    def begin(self, name: str) -> None:
        """Keep what has this name from being tidied away."""
        self._busy.add(name)

    def end(self, name: str) -> None:
        """Let it go."""
        self._busy.discard(name)

    def is_busy(self, name: str) -> bool:
        """Say whether something is being done under this name."""
        return name in self._busy

    def new_upload(self) -> Path:
        """Return a fresh path to stream an upload to; `import_file(..., move=True)` takes it, else `drop_upload`."""
        name = uuid4().hex
        self.begin(name)
        return self._storage.path(UPLOADS / name)

    async def drop_upload(self, path: Path) -> None:
        """Forget an upload; removes what is left of it."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        self.end(path.name)

    async def new_scratch(self) -> Path:
        """Make a fresh folder to prepare something in; `drop_scratch` removes what is left of it."""
        name = uuid4().hex
        self.begin(name)
        try:
            return await anyio.to_thread.run_sync(self._storage.stage, name)
        except BaseException:
            self.end(name)
            raise

    async def drop_scratch(self, folder: Path) -> None:
        """Forget such a folder; removes what is in it."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._storage.discard, folder)
        self.end(folder.name)
