"""Routes of batches: the same work on many tracks, looked at and moved as one.

Owner: one request each.
"""

from __future__ import annotations

from typing import Final

from server.http import shapes
from server.http.shapes import BatchList
from server.http.table import Call, Row
from server.jobs.batches import Batch


async def create_batch(call: Call) -> Batch:
    asked = call.input(shapes.BatchNew)
    tracks, title = asked.track_ids, asked.title
    if asked.playlist_id is not None:
        playlist = await call.services.library.playlists.get(asked.playlist_id, call.user_id)
        tracks, title = (*tracks, *(entry.track.id for entry in playlist.tracks)), title or playlist.name
    return await call.services.batches.create(
        call.user_id, tracks, asked.kinds, title=title, engine=asked.engine, model=asked.model, options=asked.options,
        features=asked.features,
    )  # fmt: skip


async def list_batches(call: Call) -> BatchList:
    return BatchList(await call.services.batches.list(call.user_id))


async def get_batch(call: Call) -> Batch:
    return await call.services.batches.get(call.id(), call.user_id)


async def pause_batch(call: Call) -> Batch:
    return await call.services.batches.pause(call.id(), call.user_id)


async def resume_batch(call: Call) -> Batch:
    return await call.services.batches.resume(call.id(), call.user_id)


async def cancel_batch(call: Call) -> Batch:
    return await call.services.batches.cancel(call.id(), call.user_id)


async def retry_batch(call: Call) -> Batch:
    return await call.services.batches.retry(call.id(), call.user_id)


ROWS: Final = (
    Row("POST", "/api/batches", create_batch, "Separate or analyse many tracks", Batch, shapes.BatchNew, status=202,
        rate="heavy", tag="jobs"),
    Row("GET", "/api/batches", list_batches, "Batches, newest first", BatchList, tag="jobs"),
    Row("GET", "/api/batches/{id}", get_batch, "One batch; its jobs are at /api/jobs?batch_id=ID", Batch, tag="jobs"),
    Row("POST", "/api/batches/{id}/pause", pause_batch, "Let what waits wait", Batch, tag="jobs"),
    Row("POST", "/api/batches/{id}/resume", resume_batch, "Go on with a paused batch", Batch, tag="jobs"),
    Row("POST", "/api/batches/{id}/cancel", cancel_batch, "Cancel what is not over", Batch, tag="jobs"),
    Row("POST", "/api/batches/{id}/retry", retry_batch, "Try again what failed", Batch, tag="jobs"),
)  # fmt: skip
