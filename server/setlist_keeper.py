"""The live setlist: opens what the show asks for, and tells the show how time passes while a setlist is open.

    /setlist/load --OpenSetlist--> deckhand.on_setlist --> queue --> shelf, library --SetlistOpened--> show
    engine's clock --SetlistTick, 25 a second while a setlist is open------------------------------'

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: seconds between ticks; engine frames in them.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from control.control import Value
from server.errors import ServerError
from server.session.facts import Fact, SetlistFailed, SetlistOpened, SetlistTick
from server.session.setlist_state import NEVER
from server.session.setlist_timing import TICK_S
from server.session.state import State
from server.setlist_check import Tracks, planned
from server.setlists import Shelf

_log = logging.getLogger(__name__)


class Show(Protocol):
    """`server.session.show.Show`."""

    @property
    def state(self) -> State: ...
    def value(self, path: str) -> Value | None: ...
    def report(self, fact: Fact) -> None: ...


class SetlistKeeper:
    """Give `open` to the deckhand as `on_setlist`, and run `run` beside the show."""

    def __init__(self, show: Show, shelf: Shelf, library: Tracks, user_id: int, frame: Callable[[], int]) -> None:
        """`frame` tells the engine's clock at this moment."""
        self._show = show
        self._shelf = shelf
        self._library = library
        self._user_id = user_id
        self._frame = frame
        self._wanted = ""
        self._wake = anyio.Event()

    def open(self, name: str) -> None:
        """Have a setlist opened; the last one asked for wins."""
        self._wanted = name
        self._wake.set()

    def due(self) -> tuple[int, int]:
        """Return the frame at which the set goes on, NEVER where that is not known, and the deck it plays on, 0 for
        none."""
        memory = self._show.state.setlist
        if memory is None or not self._show.state.connected:
            return NEVER, 0
        return memory.due, memory.now.deck if memory.now is not None else 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. A setlist that was open when the program stopped is opened again."""
        task_status.started()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tick)
            name = str(self._show.value("/setlist/load") or "")
            if name and self._show.state.setlist is None:
                while not self._show.state.connected:
                    await anyio.sleep(TICK_S)
                await self._open(name, resumed=True)
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await self._open(self._wanted, resumed=False)

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(TICK_S)
            state = self._show.state
            if state.setlist is not None and state.connected:
                self._show.report(SetlistTick(self._frame()))

    async def _open(self, name: str, *, resumed: bool) -> None:
        try:
            setlist = await anyio.to_thread.run_sync(self._shelf.read, name)
            entries = await planned(self._library, self._user_id, setlist)
        except ServerError as error:
            self._show.report(SetlistFailed(name, error.code, f"The setlist {name} was not opened: {error}"))
        except Exception as error:  # a show that waits for ever would be worse than any fault of a file
            _log.exception("the setlist %s could not be opened", name)
            self._show.report(SetlistFailed(name, "internal", f"The setlist {name} was not opened: {error}"))
        else:
            self._show.report(SetlistOpened(name, setlist.title, entries, setlist.crossfader, resumed))
