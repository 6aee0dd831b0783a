"""`alchemy render` and `alchemy setlist check`: scripts on the command line, with tracks of the library in them.

Owner: the command line. A script with files alone touches no database; one with track ids asks the database of the
running server, or starts it for itself.
Units: seconds.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

from anyio.from_thread import start_blocking_portal

from audio.importer import Importer
from server.database import open_database
from server.db import Database
from server.errors import AlreadyRunning, NotFound
from server.library.service import Library
from server.lock import data_lock
from server.remote import Address
from server.session.material import LibraryTrack, Resolver
from server.session.setlist import check_setlist
from server.settings import Settings


def bounce(settings: Settings, named: argparse.Namespace) -> int:
    """Render the script that the command line names; return the exit status."""
    from server.render import render

    with _library(settings) as resolver:
        rendered = render(
            named.script,
            named.output,
            seconds=named.seconds,
            rate=named.rate,
            block=named.block,
            bus=named.bus,
            resolver=resolver,
        )
    for warning in rendered.warnings:
        print(f"note: {warning}", file=sys.stderr)
    print(f"{rendered.path}: {rendered.seconds:.2f} s at {rendered.rate} Hz, peak {rendered.peak:.3f}")
    return 0


def check_setlists(files: Sequence[Path]) -> int:
    """Say what is wrong with setlists; return 1 if anything is."""
    faults = 0
    for file in files:
        problems = check_setlist(file)
        faults += len(problems)
        for problem in problems:
            print(f"{file}: {problem}", file=sys.stderr)
        if not problems:
            print(f"{file}: good")
    return int(faults > 0)


@contextmanager
def _library(settings: Settings) -> Iterator[Resolver]:
    """Offer a way to the library that opens it when the first track is asked for."""
    with ExitStack() as stack:
        opened: list[Resolver] = []

        def resolve(name: str) -> LibraryTrack:
            if not opened:
                opened.append(_open(stack, settings))
            return opened[0](name)

        yield resolve


def _open(stack: ExitStack, settings: Settings) -> Resolver:
    """Open the database, of the running server or our own, until `stack` is closed."""
    portal = stack.enter_context(start_blocking_portal())
    try:
        stack.enter_context(data_lock(settings.data, settings.runtime))
        opening: AbstractAsyncContextManager[Database] = open_database(
            settings, lambda sentence: print(sentence, file=sys.stderr)
        )
    except AlreadyRunning:
        opening = Database(Address.read(settings.runtime).database)
    library = Library(stack.enter_context(portal.wrap_async_context_manager(opening)), settings.data, Importer())
    return lambda name: portal.call(_find, library, name)


async def _find(library: Library, name: str) -> LibraryTrack:
    """Return a track by id or by "Artist - Title". Raises NotFound."""
    try:
        track_id = UUID(name)
    except ValueError:
        owner = await library.owner_id()
        page = await library.tracks(owner, q=name.replace(" - ", " "), limit=50)
        wanted = name.casefold()
        found = [t for t in page.tracks if wanted in (f"{t.artist} - {t.title}".casefold(), t.title.casefold())]
        if not found:
            raise NotFound(f"The library has no track called {name!r}") from None
        track_id = found[0].id
    track = await library.track(track_id, None)
    analysed, marks = await library.marks(track_id)
    return LibraryTrack(await library.deck_source(track_id), track.title, track.artist, analysed, marks)
