"""The routes workers use: a track's audio as PCM, and the audio that a download brought.

Owner: one request. A worker's token opens tracks that have an open job in one of its queues, and nothing else; only a
download that a worker is at takes audio.
Units: frames at the rate asked for; 8 bytes a frame (two float32, little-endian). The header `Alchemy-Levels: MEAN,STD`
tells the levels of the whole track (`audio/waveform_header.py`), so that a separation can begin with any stretch of it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from starlette.responses import Response

from audio.units import MODEL_RATE
from pipeline.engines.choices import PAID
from server.auth import NotLoggedIn, bearer
from server.errors import BadRequest, NotAllowed
from server.http.files import send_computed
from server.http.ports import WorkerIdentity
from server.http.shapes import Strict
from server.http.table import Call, Row
from server.http.upload import receive_raw
from server.library.arrivals import Arrival, DownloadOver
from server.library.records import PcmSource

FRAME_BYTES: Final = 8
RATES: Final = (22_050, 44_100, 48_000)
BLOCK_FRAMES: Final = 1 << 17


class PcmQuery(Strict, frozen=True):
    """The rate in Hz."""

    rate: int = MODEL_RATE


class ArrivalQuery(Strict, frozen=True):
    """What the file is called where it comes from."""

    name: str = ""


class Arrived(msgspec.Struct, frozen=True):
    """The track that has the audio now; `existing` when the library had this audio already."""

    track_id: UUID
    existing: bool


async def _worker(call: Call) -> WorkerIdentity:
    """Return which worker asks. Raises NotLoggedIn, NotAllowed."""
    token = bearer(call.request)
    if token is None:
        raise NotLoggedIn("Send the worker's token.")
    worker = await call.services.workers.identify(token)
    if worker is None:
        raise NotAllowed("This worker's token is not known or was revoked.")
    return worker


async def put_audio(call: Call) -> Arrived:
    """Import what a download brought; doing it again gives the same answer."""
    services, query = call.services, call.query
    worker = await _worker(call)
    job = await services.jobs.get(call.id())
    if job.kind != "download" or (worker.queues and "download" not in worker.queues):
        raise NotAllowed("This worker has no such download.")
    if job.status != "downloading":
        raise DownloadOver
    path = services.library.workplace.new_upload()
    try:
        await receive_raw(call.request, path, services.settings.max_upload_mb << 20)
        done = await services.library.receive(
            path, job.user_id, query.name or "download", move=True, into=Arrival(job.track_id, job.id)
        )
    finally:
        await services.library.workplace.drop_upload(path)
    return Arrived(done.track.id, done.existing)


async def secrets(call: Call) -> dict[str, str]:
    """Give a worker that runs a job at another service what its user has there."""
    services = call.services
    worker = await _worker(call)
    job = await services.jobs.get(call.id())
    if job.engine not in PAID or job.status != "processing" or (worker.queues and "download" not in worker.queues):
        raise NotAllowed("This worker has no such job.")
    return {"key": await services.accounts.key_of(job.user_id), "url": services.accounts.url}


async def pcm(call: Call) -> Response:
    track_id: UUID = call.id()
    await _allowed(call, track_id)
    source = await call.services.library.pcm(track_id)
    levels = await call.services.library.levels(track_id)
    more = {"Alchemy-Levels": f"{levels.mean!r},{levels.std!r}"} if levels is not None else {}
    return await _sent(call, source, more)


async def stem_pcm(call: Call) -> Response:
    track_id: UUID = call.id()
    await _allowed(call, track_id)
    return await _sent(call, await call.services.library.stem_pcm(track_id, call.request.path_params["stem"]), {})


async def _allowed(call: Call, track_id: UUID) -> None:
    """Let a worker have audio of a track that it has open work on. Raises NotLoggedIn, NotAllowed, BadRequest."""
    query: PcmQuery = call.query
    worker = await _worker(call)
    if query.rate not in RATES:
        raise BadRequest(f"rate is one of {', '.join(map(str, RATES))}.")
    wanted = await call.services.db.value(
        "SELECT EXISTS (SELECT FROM jobs WHERE track_id = $1 AND status IN ('queued', 'downloading', 'processing') "
        "AND (cardinality($2::text[]) = 0 OR kind = ANY($2) OR (engine = ANY($3) AND 'download' = ANY($2))))",
        track_id, sorted(worker.queues), list(PAID),
    )  # fmt: skip
    if not wanted:
        raise NotAllowed("This worker has no work on that track.")


async def _sent(call: Call, source: PcmSource, more: dict[str, str]) -> Response:
    """Answer with a source's PCM at the rate asked for."""
    query: PcmQuery = call.query
    importer = call.services.importer

    async def read(start: int, stop: int) -> bytes:
        first = start // FRAME_BYTES
        last = -(-stop // FRAME_BYTES)
        data = await importer.pcm(source.path, source.gain, source.rate, query.rate, first, last)
        return data[start - first * FRAME_BYTES : stop - first * FRAME_BYTES]

    frames = -(-source.frames * query.rate // source.rate)
    return await send_computed(
        call.request,
        frames * FRAME_BYTES,
        f'"{source.sha256[:32]}-{query.rate}"',
        "application/octet-stream",
        read,
        BLOCK_FRAMES * FRAME_BYTES,
        more,
    )


ROWS: Final = (
    Row("GET", "/api/worker/tracks/{id}/pcm", pcm, "A track's PCM for a worker", query=PcmQuery,
        media="application/octet-stream", public=True, rate="unlimited", tag="workers"),
    Row("GET", "/api/worker/tracks/{id}/stems/{stem}/pcm", stem_pcm, "A chosen stem's PCM for a worker", query=PcmQuery,
        media="application/octet-stream", public=True, rate="unlimited", tag="workers"),
    Row("GET", "/api/worker/jobs/{id}/secrets", secrets, "What a job needs at another service", dict[str, str],
        public=True, rate="unlimited", tag="workers"),
    Row("PUT", "/api/worker/jobs/{id}/audio", put_audio, "Hand over the file that a download brought", Arrived,
        query=ArrivalQuery, public=True, rate="unlimited", upload=True, raw=True, tag="workers"),
)  # fmt: skip
