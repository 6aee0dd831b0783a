"""Keeps practice: how songs are left, and the passes that were made, go to the library; what it cannot take yet waits.

    changed --> waits PAUSE_S, the latest of each track --> library        a song that plays: again every AGAIN_S

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: seconds of the track.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

import anyio

from server.errors import ServerError
from server.practice import Pass, Practice
from server.session.effects import Notice

_log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
"""Between two looks at what has changed: a fader that moves is not written at every step."""
AGAIN_S: Final = 10.0
"""After this long the place of a song that is practised is kept again."""
PASSES: Final = 4096
"""Most passes that wait for a library that does not answer."""


class LogPasses(Protocol):
    """Write a pass down, or that the latest was clean."""

    async def __call__(self, track_id: UUID, made: Pass, *, clean: bool) -> None: ...


@dataclass(slots=True)
class _Left:
    """A song as it stands: `token` on `deck`; `kept` once the library has it."""

    deck: int
    token: int
    practice: Practice
    kept: bool = False


class PracticeKeeper:
    """Call `save` and `log` from the loop; run `run` in a task group."""

    def __init__(
        self,
        save: Callable[[UUID, Practice], Awaitable[None]],
        log: LogPasses,
        notify: Callable[[Notice], None],
        *,
        pause_s: float = PAUSE_S,
        again_s: float = AGAIN_S,
    ) -> None:
        """`save` and `log` raise ServerError; `notify` is told when the library cannot take it."""
        self._save = save
        self._log_pass = log
        self._notify = notify
        self._pause_s = pause_s
        self._again_s = again_s
        self._songs: dict[str, _Left] = {}
        self._passes: deque[tuple[str, Pass, bool]] = deque(maxlen=PASSES)
        self._told = False
        #: Where the track with this token is on this deck, None where it is no more; the deckhand replaces it.
        self.place_of: Callable[[int, int], float | None] = lambda deck, token: None

    def save(self, deck: int, token: int, track_id: str, practice: Practice) -> None:
        """Keep how a song stands, at the place where it is now."""
        place_s = self.place_of(deck, token)
        if place_s is not None:
            practice = replace(practice, position_s=place_s)
        self._songs[track_id] = _Left(deck, token, practice)

    def log(self, track_id: str, made: Pass, *, clean: bool) -> None:
        """Write a pass down."""
        self._passes.append((track_id, made, clean))

    async def run(self) -> None:
        """Save until cancelled; then what still waits, once."""
        waited_s = 0.0
        try:
            while True:
                await anyio.sleep(self._pause_s)
                waited_s += self._pause_s
                if waited_s >= self._again_s:
                    waited_s = 0.0
                    self._look_again()
                await self.flush()
        finally:
            with anyio.move_on_after(2.0, shield=True):
                self._look_again()
                await self.flush()

    def _look_again(self) -> None:
        """Take the places of the songs that are still on their decks; forget the others once they are kept."""
        for track_id, left in list(self._songs.items()):
            place_s = self.place_of(left.deck, left.token)
            if place_s is None:
                if left.kept:
                    del self._songs[track_id]
            elif place_s != left.practice.position_s:
                self._songs[track_id] = _Left(left.deck, left.token, replace(left.practice, position_s=place_s))

    async def flush(self, only: str = "") -> bool:
        """Save what waits, of one track where `only` names one; False when some of it has to wait on."""
        for track_id, left in list(self._songs.items()):
            if left.kept or (only and track_id != only):
                continue
            place_s = self.place_of(left.deck, left.token)
            if place_s is not None:
                left.practice = replace(left.practice, position_s=place_s)
            if not await self._try(self._save(_key(track_id), left.practice)):
                return False
            left.kept = True
        while self._passes:
            track_id, made, clean = self._passes[0]
            if not await self._try(self._log_pass(_key(track_id), made, clean=clean)):
                return False
            self._passes.popleft()
        self._told = False
        return True

    async def _try(self, saving: Awaitable[None]) -> bool:
        """Wait for the library; what it will never take counts as taken."""
        try:
            await saving
        except (ServerError, OSError) as error:
            if getattr(error, "code", "") in ("not_found", "bad_request"):
                _log.warning("practice was not kept: %s", error)
                return True
            if not self._told:
                self._told = True
                text = f"How the song stands could not be saved ({error}); it is tried again"
                self._notify(Notice("warning", "practice_not_saved", text))
            return False
        return True


def _key(track_id: str) -> UUID:
    """Return a track's key; the nil key, which no track has, for what is none."""
    try:
        return UUID(track_id)
    except ValueError:
        return UUID(int=0)
