"""Tells the parts of a server about each other where one is made before the other: who hears of what.

Owner: `server/run.py`, once, after the parts are built and before the first task starts.
"""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from server import preferences
from server.jobs import store
from server.jobs.batches import Batch
from server.jobs.job import Job
from server.library import stem_files
from server.protocol import BatchChanged, JobChanged, LibraryChanged, PlaylistChanged
from server.protocol import Notice as NoticeMessage
from server.readiness import Readiness
from server.second_look import SecondLook
from server.services import Services
from server.session.effects import Notice


def connect(services: Services, came: Iterable[store.ArrivingStem], second_look: SecondLook) -> None:
    """Join the parts of `services`. `came`: stems that had begun to arrive when the server before ended."""
    live, show, jobs = services.live, services.show, services.jobs
    readiness = Readiness()
    for ready in readiness.restore(came):
        live.publish(ready)

    def on_job(job: Job) -> None:
        live.publish(
            JobChanged(str(job.id), job.kind, str(job.track_id), job.status, job.progress, job.stage or "", job.error),
            job.user_id,
        )
        services.batches.heard(job)
        second_look.heard(job)
        if job.status in ("completed", "failed", "cancelled"):
            readiness.forget(job.id)
            services.library.changed(job.track_id, job.user_id)
            services.library.tidy()

    def on_stretch(track_id: UUID, job_id: UUID, stem_type: str, path: Path, start: int, stop: int) -> None:
        services.deckhand.loader.on_stretch(track_id, job_id, stem_type, path, start, stop)
        live.publish(readiness.add(track_id, job_id, jobs.receiver.arriving(job_id), stem_type, start, stop))

    def on_change(change: LibraryChanged, user_id: int) -> None:
        live.publish(change, user_id)
        if change.change == "marks":
            return  # they came from the decks
        services.deckhand.loader.refresh(UUID(change.track_id))
        services.deckhand.loader.remark(UUID(change.track_id))

    async def on_import(track_id: UUID, user_id: int) -> None:
        for sentence in await stem_files.take(services.library, services.db, track_id, user_id):
            show.notice(Notice("warning", "stem_file", sentence))
        wished = (await preferences.load(services.db, user_id)).analyze_on_import
        if services.settings.workers and (services.settings.analyze_on_import if wished is None else wished):
            await jobs.analyse(track_id, user_id)

    def on_batch(batch: Batch) -> None:
        counts = batch.total, batch.completed, batch.failed, batch.cancelled, batch.running
        live.publish(BatchChanged(str(batch.id), batch.title, batch.status, batch.progress, *counts), batch.user_id)

    def on_playlist(playlist_id: UUID, user_id: int) -> None:
        live.publish(PlaylistChanged(str(playlist_id)), user_id)

    jobs.on_job = on_job
    services.library.playlists.on_change = on_playlist
    services.batches.on_batch = on_batch
    jobs.receiver.on_stretch = on_stretch
    services.library.set_hooks(on_change=on_change, on_import=on_import)
    show.watch(lambda notice: live.publish(NoticeMessage(notice.level, notice.code, notice.message, notice.path)))
