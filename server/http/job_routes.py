"""Routes of jobs: ask, look, cancel, try again; also under their names of the earlier system.

Owner: one request each.
"""

from __future__ import annotations

from typing import Any, Final

import anyio.to_thread

from pipeline.engines.base import engines
from server.errors import BadRequest
from server.http import shapes
from server.http.shapes import JobHistory, JobList, JobView, view
from server.http.table import Call, Row
from server.jobs import history

_LARGEST_LIMIT: Final = 500

OLD_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "full": (),
    **{name: (name,) for name in ("tempo", "key", "spectral", "energy", "structure", "loops")},
    "arrangement": ("structure", "cues"),
}
"""What the earlier system called kinds of analysis, as features."""


async def separate(call: Call) -> JobView:
    asked = call.input(shapes.Separate)
    job = await call.services.jobs.separate(call.id(), call.user_id, asked.engine, asked.model, asked.options)
    return view(job)


async def analyze(call: Call) -> JobView:
    asked = call.input(shapes.Analyze)
    return view(await call.services.jobs.analyse(call.id(), call.user_id, asked.features))


async def list_jobs(call: Call) -> JobList:
    query: shapes.JobQuery = call.query
    if not 1 <= query.limit <= _LARGEST_LIMIT or query.offset < 0:
        raise BadRequest(f"limit is 1 to {_LARGEST_LIMIT}, offset at least 0.")
    found = await call.services.jobs.list(
        call.user_id,
        track_id=query.track_id,
        kind=query.kind,
        status=query.status,
        batch_id=query.batch_id,
        limit=query.limit,
        offset=query.offset,
    )
    return JobList([view(job) for job in found])


async def get_job(call: Call) -> JobHistory:
    job = await call.services.jobs.get(call.id(), call.user_id)
    tried = await history.attempts(call.services.db, job.id)
    log = call.services.library.storage.data / "logs" / "workers.log"
    lines = await anyio.to_thread.run_sync(history.log_of, log, job.id)
    waited = ran = None
    if job.started_at is not None and job.inserted_at is not None:
        waited = (job.started_at - job.inserted_at).total_seconds()
    if job.started_at is not None and job.finished_at is not None:
        ran = (job.finished_at - job.started_at).total_seconds()
    shown = view(job)
    told = {name: getattr(shown, name) for name in JobView.__struct_fields__}
    return JobHistory(**told, waited_s=waited, ran_s=ran, history=tried, log=lines)


async def cancel_job(call: Call) -> JobView:
    return view(await call.services.jobs.cancel(call.id(), call.user_id))


async def retry_job(call: Call) -> JobView:
    return view(await call.services.jobs.retry(call.id(), call.user_id))


async def list_engines(call: Call) -> dict[str, Any]:
    found = await anyio.to_thread.run_sync(engines)
    return {
        "engines": [
            {
                "name": engine.name,
                "label": engine.label,
                "available": engine.reason is None,
                "reason": engine.reason,
                "models": [{"name": model, "stems": list(engine.stems[model])} for model in engine.models],
            }
            for engine in found
        ]
    }


# ---- as the earlier system had them; a track's id takes the place of a server path


async def old_separate(call: Call) -> dict[str, Any]:
    asked = call.input(shapes.OldSeparate)
    job = await call.services.jobs.separate(asked.track_id, call.user_id, asked.engine, asked.model)
    return {"success": True, "job_id": job.id, "status": job.status, "track_id": job.track_id, "model": job.model}


async def old_analyze(call: Call) -> dict[str, Any]:
    asked = call.input(shapes.OldAnalyze)
    if asked.type not in OLD_TYPES:
        raise BadRequest(f"No analysis is called {asked.type!r}.", type=list(OLD_TYPES))
    job = await call.services.jobs.analyse(asked.track_id, call.user_id, OLD_TYPES[asked.type])
    return {"success": True, "job_id": job.id, "status": job.status, "track_id": job.track_id, "type": asked.type}


async def old_processing_job(call: Call) -> dict[str, Any]:
    job = await call.services.jobs.get(call.id(), call.user_id)
    stems = await call.services.db.rows(
        "SELECT id, stem_type FROM stems WHERE processing_job_id = $1 AND status = 'complete' ORDER BY stem_type",
        job.id,
    )
    result = {row["stem_type"]: f"/api/stems/{row['id']}/audio" for row in stems}
    return {**_old(view(job)), "model": job.model, "result": {"stems": result} if result else None}


async def old_analysis_job(call: Call) -> dict[str, Any]:
    job = await call.services.jobs.get(call.id(), call.user_id)
    found = await call.services.db.rows(
        "SELECT tempo, key, energy, spectral_centroid, spectral_rolloff, zero_crossing_rate, features "
        "FROM analysis_results WHERE analysis_job_id = $1", job.id,
    )  # fmt: skip
    return {**_old(view(job)), "type": ",".join(job.features or ()) or "full", "result": found[0] if found else None}


def _old(job: JobView) -> dict[str, Any]:
    return {
        "success": True,
        "job_id": job.id,
        "track_id": job.track_id,
        "status": job.status,
        "progress": job.progress,
        "error": job.error,
    }


async def old_models(call: Call) -> dict[str, Any]:
    found = await anyio.to_thread.run_sync(engines)
    models = [
        {
            "name": model or engine.name,
            "engine": engine.name,
            "description": engine.label,
            "stems": list(engine.stems[model]),
            "available": engine.reason is None,
        }
        for engine in found
        for model in engine.models
    ]
    return {"success": True, "models": models}


ROWS: Final = (
    Row("POST", "/api/tracks/{id}/separate", separate, "Separate a track into stems", JobView, shapes.Separate,
        status=202, rate="heavy", tag="jobs"),
    Row("POST", "/api/tracks/{id}/analyze", analyze, "Find tempo, key and more", JobView, shapes.Analyze,
        status=202, rate="heavy", tag="jobs"),
    Row("GET", "/api/jobs", list_jobs, "Jobs, newest first", JobList, query=shapes.JobQuery, tag="jobs"),
    Row("GET", "/api/jobs/{id}", get_job, "One job, its attempts and its log", JobHistory, tag="jobs"),
    Row("POST", "/api/jobs/{id}/cancel", cancel_job, "Stop a job; its partial output goes", JobView, tag="jobs"),
    Row("POST", "/api/jobs/{id}/retry", retry_job, "Queue a failed or cancelled job again", JobView, tag="jobs"),
    Row("GET", "/api/engines", list_engines, "Separation engines, and which can run here", tag="jobs"),
    Row("POST", "/api/processing/separate", old_separate, "Separate, as the earlier system had it",
        body=shapes.OldSeparate, status=201, rate="heavy", tag="earlier"),
    Row("GET", "/api/processing/job/{id}", old_processing_job, "A separation, as the earlier system had it",
        tag="earlier"),
    Row("GET", "/api/processing/models", old_models, "Models, as the earlier system had them", tag="earlier"),
    Row("POST", "/api/analysis/analyze", old_analyze, "Analyse, as the earlier system had it", body=shapes.OldAnalyze,
        status=201, rate="heavy", tag="earlier"),
    Row("GET", "/api/analysis/job/{id}", old_analysis_job, "An analysis, as the earlier system had it", tag="earlier"),
)  # fmt: skip
