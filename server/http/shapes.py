"""What requests hold and what answers look like, beside the records of the library.

Owner: one request. Unknown fields are refused.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from server.errors import BadRequest
from server.jobs.batches import Batch, BatchKind
from server.jobs.history import Attempt
from server.jobs.job import Job, Kind
from server.library.filters import Filter
from server.library.records import Analysis, PlaylistRow, Stem
from server.marks import Grid, HotCue, Marks
from server.protocol import Peer, Value


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body or a query."""


class TrackQuery(Filter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`GET /api/tracks`: every word of `q` is in title, artist or album; `sort` is a field, `-` in front for down; the
    rest is what a track must be."""

    q: str = ""
    sort: str = "-inserted_at"
    status: str = ""
    limit: int = 50
    cursor: str = ""


class JobQuery(Strict, frozen=True):
    """`GET /api/jobs`."""

    track_id: UUID | None = None
    batch_id: UUID | None = None
    kind: Kind | None = None
    status: str | None = None
    limit: int = 100
    offset: int = 0


class Separate(Strict, frozen=True):
    """Which engine and model: `auto` takes the best there is, nothing what the settings say.

    `options`: device, precision, backend, threads, segment, overlap, shifts.
    """

    engine: str = ""
    model: str = ""
    options: dict[str, Any] = {}


class BatchNew(Strict, frozen=True):
    """The same work on many tracks: those named, or a playlist's. `kinds`: processing (stems), analysis, or both."""

    track_ids: tuple[UUID, ...] = ()
    playlist_id: UUID | None = None
    kinds: tuple[BatchKind, ...] = ("processing",)
    title: str = ""
    engine: str = ""
    model: str = ""
    options: dict[str, Any] = {}
    features: tuple[str, ...] = ()


class BatchList(msgspec.Struct, frozen=True):
    """Batches, newest first."""

    batches: list[Batch]


class Analyze(Strict, frozen=True):
    """Which features; none means all."""

    features: tuple[str, ...] = ()


class PlaylistNew(Strict, frozen=True):
    """A playlist to make."""

    name: str
    description: str | None = None


class EntryNew(Strict, frozen=True):
    """A track to put in a playlist, at the end without a position."""

    track_id: UUID
    position: int | None = None


class Order(Strict, frozen=True):
    """All tracks of a playlist, in order."""

    track_ids: tuple[UUID, ...]


class SetControl(Strict, frozen=True):
    """One value for one control, at engine frame `at` or now."""

    path: str
    value: Value
    at: int | None = None


class Network(msgspec.Struct, frozen=True):
    """Whether phones can come in, and how: each link logs one browser in, the likeliest address first."""

    open: bool
    addresses: list[str]
    osc_port: int
    links: list[str] = []


class NetworkWish(Strict, frozen=True):
    """Open or close the network."""

    open: bool


class Judge(Strict, frozen=True):
    """What becomes of an OSC sender: `allowed`, `blocked` or `forgotten`."""

    address: str
    status: str


class Learn(Strict, frozen=True):
    """The control that waits for a knob."""

    path: str


class OldSeparate(Strict, frozen=True):
    """`POST /api/processing/separate`; a track id takes the place of the server path of old."""

    track_id: UUID
    model: str = ""
    engine: str = ""


class OldAnalyze(Strict, frozen=True):
    """`POST /api/analysis/analyze`; `type` as of old: full, tempo, key, spectral, energy, structure, ..."""

    track_id: UUID
    type: str = "full"


class StemList(msgspec.Struct, frozen=True):
    """The stems of a track."""

    stems: list[Stem]


class AnalysisList(msgspec.Struct, frozen=True):
    """Every analysis of a track, newest first, without features."""

    analyses: list[Analysis]


class PlaylistList(msgspec.Struct, frozen=True):
    """All playlists."""

    playlists: list[PlaylistRow]


class PeerList(msgspec.Struct, frozen=True):
    """OSC senders on other machines."""

    peers: list[Peer]


class Session(msgspec.Struct, frozen=True):
    """The show at the moment of the request."""

    rev: int
    controls: dict[str, Value]


class Revision(msgspec.Struct, frozen=True):
    """The show's revision after everything asked for was done."""

    rev: int


class Me(msgspec.Struct, frozen=True):
    """Who is logged in."""

    id: int
    email: str
    role: str


class JobView(msgspec.Struct, frozen=True):
    """A job. `kind` is download, processing or analysis; `progress` 0 to 100; `error` says why it failed."""

    id: UUID
    kind: str
    track_id: UUID
    batch_id: UUID | None
    engine: str | None
    model: str | None
    features: tuple[str, ...]
    status: str
    stage: str
    progress: int
    priority: int
    attempts: int
    lock_version: int
    options: dict[str, Any]
    error: str | None
    error_code: str | None
    started_at: datetime.datetime | None
    finished_at: datetime.datetime | None
    inserted_at: datetime.datetime | None
    updated_at: datetime.datetime | None


class JobHistory(JobView, frozen=True):
    """A job and what it did: how long it waited and ran, each attempt, and what workers here have logged about it."""

    waited_s: float | None
    ran_s: float | None
    history: list[Attempt]
    log: list[str]


class JobList(msgspec.Struct, frozen=True):
    """Jobs, newest first."""

    jobs: list[JobView]


class Health(msgspec.Struct, frozen=True):
    """ok, degraded (the show goes on) or failed; the checks say which part."""

    status: str
    version: str
    uptime_seconds: float
    checks: dict[str, Any]


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong: `message` tells what to do, `code` is for programs."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every answer that is not a success."""

    error: ErrorBody


def view(job: Job) -> JobView:
    """Return what the API tells of a job."""
    values = {name: getattr(job, name) for name in JobView.__struct_fields__ if name != "features"}
    return JobView(features=tuple(job.features or ()), **values)


class Cue(Strict, frozen=True):
    """A cue point, in seconds. `slot` 1 to 8 belongs to hot cues, `end` to those that are loops."""

    kind: Literal["main", "hot", "memory"]
    position: float
    slot: int | None = None
    end: float | None = None
    name: Annotated[str, msgspec.Meta(max_length=120)] = ""
    color: Annotated[str, msgspec.Meta(pattern="^(#[0-9A-Fa-f]{6})?$")] = ""


class BeatGrid(Strict, frozen=True):
    """Beats in seconds, each after the one before; `origin` is the number, from 0, of the first downbeat."""

    beats: list[float]
    origin: int = 0


class CuesPut(Strict, frozen=True):
    """The cue points of a track. `grid`: left out stays, null goes back to the analysis."""

    cues: list[Cue]
    grid: BeatGrid | msgspec.UnsetType | None = msgspec.UNSET


class CueList(msgspec.Struct, frozen=True):
    """The cue points of a track, and the grid its decks play on; `edited` where it is the performer's own."""

    cues: list[Cue]
    grid: BeatGrid | None
    edited: bool


def cues_of(analysed: Grid | None, marks: Marks) -> CueList:
    """Return marks as an answer."""
    cues = [] if marks.cue_s is None else [Cue("main", marks.cue_s)]
    cues += [Cue("hot", cue.start_s, cue.slot, cue.end_s, cue.name, cue.color) for cue in marks.hotcues]
    cues += [Cue("memory", place_s) for place_s in marks.memory]
    grid = marks.grid if marks.grid is not None else analysed
    shown = None if grid is None else BeatGrid(list(grid.beats), grid.origin)
    return CueList(cues, shown, marks.grid is not None)


def marks_of(wanted: CuesPut, before: Marks) -> Marks:
    """Return a request as marks. Raises BadRequest for two main cues or a hot cue without a number."""
    main = [cue.position for cue in wanted.cues if cue.kind == "main"]
    if len(main) > 1:
        raise BadRequest("A track has one main cue")
    if any((cue.kind == "hot") != (cue.slot is not None) for cue in wanted.cues):
        raise BadRequest("Hot cues, and they alone, have a slot from 1 to 8")
    if any(cue.end is not None and cue.kind != "hot" for cue in wanted.cues):
        raise BadRequest("Only a hot cue has an end")
    grid = before.grid if wanted.grid is msgspec.UNSET else None
    if isinstance(wanted.grid, BeatGrid):
        grid = Grid(tuple(wanted.grid.beats), wanted.grid.origin)
    hot = [HotCue(c.slot or 0, c.position, c.end, c.name, c.color) for c in wanted.cues if c.kind == "hot"]
    memory = sorted({cue.position for cue in wanted.cues if cue.kind == "memory"})
    return Marks(grid, main[0] if main else None, tuple(sorted(hot, key=lambda cue: cue.slot)), tuple(memory))
