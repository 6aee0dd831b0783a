"""Routes of setlists: which there are, their text, and what they lack to be played.

Owner: one request each. Setlists are of the whole show, so they are the owner's. Units: lines count from 1.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec
from starlette.responses import Response

from audio.children import command, environment
from server.errors import BadRequest, NotAllowed, NotFound
from server.http import shapes
from server.http.files import SentOnce, send_file
from server.http.table import Call, Row
from server.library.records import StoredFile
from server.session.script import Problem, ScriptRejected
from server.session.setlist import Entry, Setlist
from server.session.setlist_file import setlist_of
from server.setlist_check import Lack, lacks
from server.setlists import Shelf, Shelved

TRANSITION_S: Final = 120.0
"""Nobody waits longer to hear how a transition sounds."""


class CannotPreview(BadRequest):
    """This transition cannot be played."""

    code = "cannot_preview"


class SetlistFault(msgspec.Struct, frozen=True):
    """What is wrong in a file, and where; `line` counts from 1, 0 for none."""

    line: int
    key: str
    message: str


class SetlistEntry(msgspec.Struct, frozen=True):
    """An entry as the list shows it."""

    line: int
    track: str
    deck: int
    transition: str
    notes: str
    scene: str


class SetlistRow(msgspec.Struct, frozen=True):
    """A setlist; `example` came with the program and cannot be changed."""

    name: str
    title: str
    example: bool
    entries: list[SetlistEntry]
    faults: list[SetlistFault]


class SetlistText(msgspec.Struct, frozen=True):
    """A setlist with the text of its file."""

    name: str
    title: str
    example: bool
    text: str
    entries: list[SetlistEntry]
    faults: list[SetlistFault]


class SetlistNew(shapes.Strict, frozen=True):
    """The whole text of a setlist."""

    text: str


class SetlistDraft(shapes.Strict, frozen=True):
    """A text to be looked over; `queue` has the jobs begun that bring what is missing."""

    text: str
    queue: bool = False


class SetlistPoint(msgspec.Struct, frozen=True):
    """What is known of the track of an entry, for the arc of a set; `track_id` is null where it is not in the library.

    `tempo` is the track's own, `planned` what the file asks for (its values from start to end, empty for none), `shift`
    in semitones, `length` in seconds of the whole track.
    """

    entry: int
    track_id: UUID | None
    title: str
    artist: str
    length: float
    tempo: float | None
    planned: list[float]
    key: str | None
    camelot: str | None
    shift: float
    energy: float | None


class SetlistQueue(shapes.Strict, frozen=True):
    """`queue` has the jobs begun that bring what is missing."""

    queue: bool = False


async def list_setlists(call: Call) -> list[SetlistRow]:
    shelf = _shelf(call)

    def read() -> list[SetlistRow]:
        return [_row(shelf, one) for one in shelf.listing()]

    return await anyio.to_thread.run_sync(read)


async def get_setlist(call: Call) -> SetlistText:
    shelf, name = _shelf(call), _name(call)
    return await anyio.to_thread.run_sync(lambda: _text(shelf, shelf.find(name)))


async def put_setlist(call: Call) -> SetlistText:
    """Keep a setlist, if it is sound."""
    shelf, name, text = _shelf(call), _name(call), call.input(SetlistNew).text
    return await anyio.to_thread.run_sync(lambda: _text(shelf, shelf.write(name, text)))


async def delete_setlist(call: Call) -> None:
    await anyio.to_thread.run_sync(_shelf(call).delete, _name(call))


async def check_setlist(call: Call) -> list[Lack]:
    """Tell what a setlist on the shelf lacks."""
    setlist = await anyio.to_thread.run_sync(_shelf(call).read, _name(call))
    return await _lacks(call, setlist, call.input(SetlistQueue).queue)


async def setlist_arc(call: Call) -> list[SetlistPoint]:
    """Tell what the tracks of a setlist are, in its order."""
    setlist = await anyio.to_thread.run_sync(_shelf(call).read, _name(call))
    return [await _point(call, number, entry) for number, entry in enumerate(setlist.entries, start=1)]


async def _point(call: Call, number: int, entry: Entry) -> SetlistPoint:
    library = call.services.library
    planned = [tempo for _, tempo in entry.tempo]
    track_id = await library.find(call.user_id, entry.track)
    with suppress(NotFound):
        if track_id is not None:
            track = await library.track(track_id, call.user_id)
            found = track.analysis
            code = None if found is None else (found.features or {}).get("camelot")
            return SetlistPoint(
                number, track_id, track.title, track.artist or "", track.duration or 0.0,
                None if found is None else found.tempo, planned, None if found is None else found.key,
                code if isinstance(code, str) else None, entry.key, None if found is None else found.energy,
            )  # fmt: skip
    return SetlistPoint(number, None, entry.track, "", 0.0, None, planned, None, None, entry.key, None)


async def setlist_transition(call: Call) -> Response:
    """Play the seconds around going over into an entry, in a process beside the show, and send them."""
    shelf, name, number = _shelf(call), _name(call), str(call.request.path_params["entry"])
    entry = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 0
    found = await anyio.to_thread.run_sync(shelf.find, name)
    setlist = await anyio.to_thread.run_sync(shelf.read, name)
    if not 2 <= entry <= len(setlist.entries):
        raise NotFound(f"Nothing goes over into entry {number[:20]} of this setlist")
    library = call.services.library
    folder = await library.workplace.new_scratch()
    drop = partial(library.workplace.drop_scratch, folder)
    try:
        out = folder / "transition.flac"
        order = command("server", "render", str(found.path), "-o", str(out), "--transition", str(entry),
                        "--block", "512", "--data", str(library.storage.data))  # fmt: skip
        with anyio.fail_after(TRANSITION_S):
            done = await anyio.run_process(order, env=environment(), check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("alchemy render: ")
            raise CannotPreview(said[2]) if said[1] else CannotPreview()
    except TimeoutError as late:
        await drop()
        raise CannotPreview("It took too long to play this transition; the machine is busy") from late
    except BaseException:
        await drop()
        raise
    file = StoredFile(out, "audio/flac", f'"{folder.name}"', f"{found.name} {entry}.flac", immutable=False)
    return SentOnce(send_file(call.request, file), drop)


async def check_text(call: Call) -> list[Lack]:
    """Tell what a text lacks, without keeping it."""
    _owner_only(call)
    asked = call.input(SetlistDraft)
    return await _lacks(call, setlist_of(asked.text, Path("setlist.toml")), asked.queue)


async def _lacks(call: Call, setlist: Setlist, queue: bool) -> list[Lack]:
    services = call.services
    return await lacks(services.library, services.jobs if queue else None, call.user_id, setlist)


def _row(shelf: Shelf, one: Shelved) -> SetlistRow:
    title, entries, faults = _seen(shelf, one)
    return SetlistRow(one.name, title, one.example, entries, faults)


def _text(shelf: Shelf, one: Shelved) -> SetlistText:
    title, entries, faults = _seen(shelf, one)
    text = one.path.read_text(encoding="utf-8", errors="replace")
    return SetlistText(one.name, title, one.example, text, entries, faults)


def _seen(shelf: Shelf, one: Shelved) -> tuple[str, list[SetlistEntry], list[SetlistFault]]:
    try:
        setlist = shelf.read(one.name)
    except ScriptRejected as rejected:
        return one.name, [], [_fault(problem) for problem in rejected.problems]
    entries = [
        SetlistEntry(entry.line, entry.track, entry.deck, entry.transition, entry.notes, entry.scene)
        for entry in setlist.entries
    ]
    return setlist.title, entries, []


def _fault(problem: Problem) -> SetlistFault:
    return SetlistFault(problem.line, problem.key, problem.message)


def _shelf(call: Call) -> Shelf:
    _owner_only(call)
    return call.services.setlists


def _name(call: Call) -> str:
    return str(call.request.path_params["name"])


def _owner_only(call: Call) -> None:
    if call.who is None or not call.who.is_owner:
        raise NotAllowed("Setlists are the owner's.")


ROWS: Final = (
    Row("GET", "/api/setlists", list_setlists, "All setlists, by name", list[SetlistRow], tag="show"),
    Row("POST", "/api/setlists", check_text, "What a setlist lacks, without keeping it", list[Lack], SetlistDraft,
        tag="show"),
    Row("GET", "/api/setlists/{name:str}", get_setlist, "A setlist with its text", SetlistText, tag="show"),
    Row("PUT", "/api/setlists/{name:str}", put_setlist, "Keep a setlist, if it is sound", SetlistText, SetlistNew,
        tag="show"),
    Row("DELETE", "/api/setlists/{name:str}", delete_setlist, "Remove a setlist", status=204, tag="show"),
    Row("GET", "/api/setlists/{name:str}/arc", setlist_arc, "Tempo, key and energy of a setlist's tracks, in its order",
        list[SetlistPoint], tag="show"),
    Row("GET", "/api/setlists/{name:str}/transition/{entry}", setlist_transition,
        "Hear how a setlist goes over into an entry", media="audio/flac", rate="heavy", tag="show"),
    Row("POST", "/api/setlists/{name:str}/check", check_setlist, "What a setlist lacks to be played", list[Lack],
        SetlistQueue, tag="show"),
)  # fmt: skip
