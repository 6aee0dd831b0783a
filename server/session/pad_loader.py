"""Samples on their way to the engine's pads, one after another, the latest wish for each pad wins.

Owner: the event loop; `run` is one task. Thread-safe: no.
Units: banks and pads count from 0; seconds of the track.
"""

import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

import anyio

from audio.client import EngineClient
from audio.errors import AudioError, EngineGone, EngineMissing
from audio.source import PadSource, StemSource
from audio.units import MODEL_RATE
from server.errors import NotFound, ServerError
from server.pads import PadSource as Wish
from server.pads import read_source, stretch_of
from server.session.facts import Fact, PadLoaded, PadLoadFailed
from server.session.loader import Tracks

_log = logging.getLogger(__name__)

RETRY_S: Final = 0.2


class NotThere(ServerError):
    """The pad cannot play that."""

    code = "sample_missing"


class PadLoader:
    """Brings samples to the pads of whatever engine is attached."""

    def __init__(self, tracks: Tracks, report: Callable[[Fact], None]) -> None:
        self._tracks = tracks
        self._report = report
        self._client: EngineClient | None = None
        self._wanted: dict[tuple[int, int], tuple[int, str]] = {}
        self._wake = anyio.Event()

    def attach(self, client: EngineClient | None) -> None:
        """Use another engine, or none. What was on its way is forgotten: the show asks for it again."""
        self._client = client
        self._wanted.clear()

    def load(self, bank: int, pad: int, token: int, source: str) -> None:
        """Ask for a sample, or with no `source` for an empty pad."""
        self._wanted.pop((bank, pad), None)
        self._wanted[bank, pad] = token, source
        self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._wanted and self._client is not None:
                place = next(iter(self._wanted))
                wish = self._wanted[place]
                client = self._client
                try:
                    await self._serve(client, *place, *wish)
                except (EngineGone, EngineMissing) as error:
                    _log.info("pad %d of bank %d: %s", place[1] + 1, place[0] + 1, error)
                    await anyio.sleep(RETRY_S)
                    continue
                if self._wanted.get(place) is wish:
                    del self._wanted[place]

    async def _serve(self, client: EngineClient, bank: int, pad: int, token: int, source: str) -> None:
        try:
            if not source:
                await client.load_pad(bank, pad, None)
                return
            name, sample = await self._find(read_source(source))
            await client.load_pad(bank, pad, sample)
        except (EngineGone, EngineMissing):
            raise
        except Exception as error:  # a pad that waits for ever would be worse than any fault of the library
            if not isinstance(error, AudioError | ServerError | OSError | ValueError):
                _log.exception("pad %d of bank %d: loading %s failed", pad + 1, bank + 1, source)
            code = str(getattr(error, "code", "pad_failed"))
            text = f"Pad {pad + 1} of bank {bank + 1} could not be loaded: {error}"
            self._report(PadLoadFailed(bank, pad, token, code, text))
            return
        self._report(PadLoaded(bank, pad, token, source, name, sample.stop_s - sample.start_s))

    async def _find(self, wish: Wish) -> tuple[str, PadSource]:
        """Return what a wish is called, and the file and stretch it means. Raises ServerError, ValueError."""
        try:
            track_id = UUID(wish.name)
            track = await self._tracks.track(track_id, None)
        except (ValueError, NotFound) as error:
            raise NotThere(f"There is no track {wish.name[:80]!r} in the library") from error
        deck = await self._tracks.deck_source(track_id)
        start_s, stop_s = stretch_of(wish, deck.frames / deck.rate)
        if not wish.stem:
            return track.title, PadSource(deck.reference, start_s, stop_s, "flac", deck.gain)
        for stem in deck.stems:
            if stem.label == wish.stem:
                _check_there(stem, start_s, stop_s)
                return f"{track.title} ({wish.stem})", PadSource(stem.path, start_s, stop_s, stem.kind, stem.gain)
        raise NotThere(f"{track.title} has no {wish.stem} stem: separate it first")


def _check_there(stem: StemSource, start_s: float, stop_s: float) -> None:
    """Raise NotThere for a stretch of a stem that has not arrived."""
    if stem.ranges is None:
        return
    first, last = int(start_s * MODEL_RATE), int(stop_s * MODEL_RATE)
    if not any(start <= first and last <= stop for start, stop in stem.ranges):
        raise NotThere(f"The {stem.label} stem has not arrived there yet: wait until it is separated")
