"""`alchemy render` and `alchemy setlist check`: scripts on the command line, with tracks of the library in them.

Owner: the command line. A script with files alone touches no database; one with track ids asks the database of the
running server, or starts it for itself.
Units: seconds.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal

from audio.importer import Importer
from server.database import open_database
from server.db import Database
from server.errors import AlreadyRunning, NotFound
from server.library.service import Library
from server.lock import data_lock
from server.remote import Address, Remote, ServerNotRunning
from server.session.material import LibraryTrack, Resolver
from server.session.script import read_text
from server.session.setlist_file import check_setlist, setlist_of
from server.settings import Settings


def bounce(settings: Settings, named: argparse.Namespace) -> int:
    """Render the script that the command line names; return the exit status."""
    from server.passage import render_transition
    from server.render import render

    with _library(settings) as resolver:
        if named.transition is not None:
            rendered = render_transition(
                named.script, named.output, named.transition, rate=named.rate, block=named.block, resolver=resolver
            )
        else:
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


def check_setlists(settings: Settings, named: argparse.Namespace) -> int:
    """Say what is wrong with setlists and what they lack, and with `--queue` have it brought; return 1 if a fault is
    left, or something that nobody brings."""
    left = 0
    with ExitStack() as stack:
        try:
            remote = stack.enter_context(Remote.find(settings, named.server, named.token))
            remote.request("GET", "/api/setlists")
        except ServerNotRunning:
            remote = None
            print("No server runs: tracks are not looked for.", file=sys.stderr)
        for file in named.files:
            problems = check_setlist(file)
            for problem in problems:
                print(f"{file}: {problem}", file=sys.stderr)
            missing = _missing(remote, file, queue=named.queue) if remote is not None and not problems else []
            for lack in missing:
                coming = " (queued)" if lack["queued"] else ""
                print(f"{file}: line {lack['line']}: {lack['what']}: {lack['message']}{coming}", file=sys.stderr)
            left += len(problems) + sum(not lack["queued"] for lack in missing)
            if not problems and not missing:
                print(f"{file}: good")
    return int(left > 0)


def _missing(remote: Remote, file: Path, *, queue: bool) -> list[dict[str, Any]]:
    """Return what a running server finds missing; with `queue` files beside the setlist are imported first."""
    text = read_text(file)
    missing = _asked(remote, text, queue=False)
    if not queue or not missing:
        return missing
    entries = setlist_of(text, file).entries
    for track in dict.fromkeys(entries[one["entry"] - 1].track for one in missing if one["what"] == "track"):
        path = file.parent / track
        if path.is_file():
            print(f"{file}: importing {track} ...")
            remote.upload(path)
    return _asked(remote, text, queue=True)


def _asked(remote: Remote, text: str, *, queue: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = remote.request("POST", "/api/setlists", json={"text": text, "queue": queue})
    return found


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
    track_id = await library.find(await library.owner_id(), name)
    if track_id is None:
        raise NotFound(f"The library has no track called {name!r}")
    track = await library.track(track_id, None)
    analysed, marks = await library.marks(track_id)
    sections = (await library.rehearsal(track_id)).sections
    return LibraryTrack(await library.deck_source(track_id), track.title, track.artist, analysed, marks, sections)
