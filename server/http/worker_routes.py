"""The one route workers use: a track's audio as PCM.

Owner: one request. A worker's token opens tracks that have an open job in one of its queues, and nothing else.
Units: frames at the rate asked for; 8 bytes a frame (two float32, little-endian). The header `Alchemy-Levels: MEAN,STD`
tells the levels of the whole track (`audio/waveform_header.py`), so that a separation can begin with any stretch of it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from starlette.responses import Response

from audio.units import MODEL_RATE
from server.auth import NotLoggedIn, bearer
from server.errors import BadRequest, NotAllowed
from server.http.files import send_computed
from server.http.shapes import Strict
from server.http.table import Call, Row

FRAME_BYTES: Final = 8
RATES: Final = (22_050, 44_100, 48_000)
BLOCK_FRAMES: Final = 1 << 17


class PcmQuery(Strict, frozen=True):
    """The rate in Hz."""

    rate: int = MODEL_RATE


async def pcm(call: Call) -> Response:
    track_id: UUID = call.id()
    query: PcmQuery = call.query
    token = bearer(call.request)
    if token is None:
        raise NotLoggedIn("Send the worker's token.")
    worker = await call.services.workers.identify(token)
    if worker is None:
        raise NotAllowed("This worker's token is not known or was revoked.")
    if query.rate not in RATES:
        raise BadRequest(f"rate is one of {', '.join(map(str, RATES))}.")
    wanted = await call.services.db.value(
        "SELECT EXISTS (SELECT FROM jobs WHERE track_id = $1 AND status IN ('queued', 'downloading', 'processing') "
        "AND (cardinality($2::text[]) = 0 OR kind = ANY($2)))", track_id, sorted(worker.queues),
    )  # fmt: skip
    if not wanted:
        raise NotAllowed("This worker has no work on that track.")
    source = await call.services.library.pcm(track_id)
    levels = await call.services.library.levels(track_id)
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
        {"Alchemy-Levels": f"{levels.mean!r},{levels.std!r}"} if levels is not None else {},
    )


ROWS: Final = (
    Row("GET", "/api/worker/tracks/{id}/pcm", pcm, "A track's PCM for a worker", query=PcmQuery,
        media="application/octet-stream", public=True, rate="unlimited", tag="workers"),
)  # fmt: skip
