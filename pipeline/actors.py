"""The Dramatiq actors: what a worker does with a message.

Owner: Dramatiq's worker threads, one message each. An actor takes its message off the queue (by returning) only after
the server has said that it has everything.
Units: frames at 44.1 kHz; progress in percent.

How a run ends:
    result committed by the server           return                   message gone, job completed
    server wants no more (cancelled, over)   return                   message gone
    claim lost to another worker             return                   nothing of ours to take away
    worker stops                             message released         comes to the next worker at once
    TransientFailure, or a fault of ours     told, raised             Dramatiq delivers it again after a while, thrice
    PermanentFailure, no memory              told, return             message gone, job failed
    the server says: not yet                 given back               delivered again after a while
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dramatiq
from dramatiq.broker import Broker
from dramatiq.message import Message
from dramatiq.middleware import CurrentMessage

from audio.units import MODEL_RATE
from pipeline import fetcher_run, job_log, jobs
from pipeline.broker_session import Claim
from pipeline.deliveries import Deliveries, Room
from pipeline.engines import base
from pipeline.errors import AudioRejected, OutOfMemory, PermanentFailure, PipelineError, TransientFailure
from pipeline.fetcher import Environment
from pipeline.fetching import Fetch
from pipeline.links import parse
from pipeline.made_with import made_with
from pipeline.pcm import Audio, Ranges, difference, to_bytes, total
from pipeline.worker_client import WorkerClient
from pipeline.worker_fetch import Source
from pipeline.worker_link import Dropped, JobLink, Lost, NotYet, Stopping
from pipeline.worker_mix import FetchedMix
from pipeline.worker_spool import Spool, SpoolBusy

log = logging.getLogger(__name__)

_PROGRESS_S: Final = 0.1

_BUSY_S: Final = 2.0
"""After how long a message comes again whose job another process of this machine is still at."""

Analyse = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """What actors work with; one per worker process. `engine` finds an engine by name, `analyse` finds features,
    `fetcher` is where spotdl and yt-dlp are."""

    broker: Broker
    deliveries: Deliveries
    client: WorkerClient
    source: Source
    spool: Path
    options: Mapping[str, Any]
    fetcher: Environment
    engine: Callable[[str], base.SeparationEngine] = base.engine
    analyse: Analyse | None = None
    room: Room = field(default_factory=Room)


def declare(context: Context) -> None:
    """Make the actors known to the context's broker."""

    def separate(argument: dict[str, Any]) -> None:
        work = jobs.read(argument)
        assert isinstance(work, jobs.SeparateJob)
        _run(context, work.job, lambda link: _separate(context, work, link))

    def analyse(argument: dict[str, Any]) -> None:
        work = jobs.read(argument)
        assert isinstance(work, jobs.AnalyseJob)
        _run(context, work.job, lambda link: _analyse(context, work, link))

    def download(argument: dict[str, Any]) -> None:
        work = jobs.read(argument)
        assert isinstance(work, jobs.DownloadJob)
        _run(context, work.job, lambda link: _download(context, work, link))

    dramatiq.actor(queue_name="processing", broker=context.broker)(separate)
    dramatiq.actor(queue_name="analysis", broker=context.broker)(analyse)
    dramatiq.actor(queue_name="download", broker=context.broker)(download)


def _run(context: Context, job: str, body: Callable[[JobLink], dict[str, Any]]) -> None:
    """Run a job to one of the ends above."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    claim = context.deliveries.take(message)

    def check() -> None:
        if context.client.stopping.is_set():
            raise Stopping

    try:
        try:
            with context.room.together(check):
                _hold(context, job, message, claim, body, alone=False)
        except NotYet as wanted:
            if not wanted.alone:
                raise
            with context.room.alone(check):
                _hold(context, job, message, claim, body, alone=True)
    except NotYet as wanted:
        context.deliveries.give_back(claim, wanted.after_s)
    except Stopping:
        log.info("Job %s goes back to the queue.", job)
        context.deliveries.give_back(claim)
    except SpoolBusy:
        if not context.deliveries.handed:
            raise
        context.deliveries.give_back(claim, _BUSY_S)
    finally:
        context.deliveries.done(claim)


def _hold(
    context: Context,
    job: str,
    message: Message[Any],
    claim: Claim,
    body: Callable[[JobLink], dict[str, Any]],
    *,
    alone: bool,
) -> None:
    """Be at a job once. Raises NotYet, Stopping, SpoolBusy, Retry."""
    with Spool(context.spool, job) as spool:
        link = context.client.link(job, claim, spool, handed=context.deliveries.handed, alone=alone)
        with job_log.about(lambda line: link.note(line=line)):
            try:
                _attempt(link, body, last=context.deliveries.is_last_try(message))
            finally:
                context.client.unlink(link)


def _attempt(link: JobLink, body: Callable[[JobLink], dict[str, Any]], *, last: bool) -> None:
    job, spool = link.job, link.spool
    try:
        link.wait_begun()
        link.result(body(link))
        spool.clear()
    except Dropped as dropped:
        log.info("Job %s is not wanted any more: %s", job, dropped)
        spool.clear()
    except Lost:
        log.warning("Job %s was given to another worker.", job)
    except Stopping:
        link.leave()
        raise
    except NotYet:
        raise
    except (PermanentFailure, MemoryError) as failure:
        told = failure if isinstance(failure, PermanentFailure) else OutOfMemory()
        log.warning("Job %s failed: %s", job, told)
        _tell(link, str(told), transient=False, code=told.code)
        spool.clear()
    except Exception as failure:
        if not isinstance(failure, PipelineError):
            log.exception("Job %s failed in a way that nobody thought of.", job)
            failure = TransientFailure(f"Something in the worker went wrong ({type(failure).__name__}: {failure}).")
        _tell(link, str(failure), transient=not last, code="gave_up" if last else "failed")
        raise dramatiq.errors.Retry(str(failure)) from failure


def _tell(link: JobLink, why: str, *, transient: bool, code: str = "failed") -> None:
    """Hand in why it failed. A passing failure that cannot be told now is told by the queue when all tries fail."""
    try:
        link.failed(why, transient, code)
    except Stopping:
        if not transient:
            raise dramatiq.errors.Retry(why, delay=0) from None
    except (Dropped, Lost, TransientFailure):
        log.debug("Nobody wants to hear that job %s failed.", link.job)


def _separate(context: Context, work: jobs.SeparateJob, link: JobLink) -> dict[str, Any]:
    """Separate a track stretch by stretch; return how it went."""
    began = time.monotonic()
    link.progress(0, "loading")
    with closing(context.source.open(work.track, MODEL_RATE, link.check)) as mix:
        return _separate_mix(context, work, link, mix, began)


def _separate_mix(
    context: Context, work: jobs.SeparateJob, link: JobLink, mix: FetchedMix, began: float
) -> dict[str, Any]:
    frames = mix.shape[1]
    engine = context.engine(work.engine)
    model = base.check_model(engine, work.model)
    options = {**context.options, **work.options}
    stems = engine.stems(model, options)
    link.note({"engine": engine.name, "model": model, **made_with(engine.name, options)})
    log.info("Job %s: %s %s takes %.1f s of audio apart.", work.job, engine.name, model, frames / MODEL_RATE)
    done = link.open_stems(stems, MODEL_RATE, frames)
    made: Ranges = done
    if total(done) < frames:
        told = 0.0
        stretches = engine.separate(
            mix, model, start_frame=_start(work, link), focus=link.focus, cancelled=link.cancelled,
            options={**options, **_elsewhere(context, work, link), "done": done, "levels": mix.levels},
        )  # fmt: skip
        for stretch in stretches:
            link.check()
            if difference(((stretch.start, stretch.stop),), done):
                for stem, audio in stretch.stems.items():
                    link.push(stem, stretch.start, to_bytes(audio))
            made = (*made, (stretch.start, stretch.stop))
            if (now := time.monotonic()) - told > _PROGRESS_S:
                told = now
                link.progress(_percent(frames - total(difference(((0, frames),), made)), frames), "separating")
    link.check()
    link.progress(99, "storing")
    link.end_stems()
    return {
        "engine": engine.name, "model": model, "stems": list(stems), "frames": frames, "rate": MODEL_RATE,
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def _elsewhere(context: Context, work: jobs.SeparateJob, link: JobLink) -> dict[str, Any]:
    """Return what an engine needs that works elsewhere: its place, the account, and whom to tell how far it is."""
    return {
        "job": work.job,
        "folder": str(link.spool.folder),
        "secrets": lambda: context.source.secrets(work.job),
        "progress": lambda share, stage: link.progress(int(98 * share), stage),
    }


def _start(work: jobs.SeparateJob, link: JobLink) -> int:
    focus = link.focus()
    return focus[0] if focus else work.start_frame


def _percent(part: int, whole: int) -> int:
    return min(98, 98 * part // max(1, whole))


def _analyse(context: Context, work: jobs.AnalyseJob, link: JobLink) -> dict[str, Any]:
    """Analyse a track; return what was found, ready for JSON."""
    link.progress(0, "loading")
    pcm = context.source.load(work.track, MODEL_RATE, link.check)
    analyse = context.analyse or _installed_analyse()
    features = list(work.features or ("all",))
    link.note(made_with("analysis", {"features": features}))
    log.info("Job %s: %s of %.1f s of audio.", work.job, ", ".join(features), pcm.shape[1] / MODEL_RATE)
    told = [0.0]

    def progress(share: float, stage: str = "analysing") -> None:
        if (now := time.monotonic()) - told[0] > _PROGRESS_S:
            told[0] = now
            link.progress(int(99 * max(0.0, min(1.0, share))), stage)

    stems = {}
    for stem in work.stems:
        try:
            stems[stem] = context.source.load(work.track, MODEL_RATE, link.check, stem)
        except AudioRejected as gone:  # another version was chosen, or removed, since the job was made
            log.info("Job %s: the %s are not there: %s", work.job, stem, gone)
    more: dict[str, Any] = {"stems": stems} if stems else {}
    if context.options.get("beat_model"):
        from pipeline.analysis import beat_model  # heavy: only workers that analyse load it

        more["beat_model"] = beat_model.listener(context.options["beat_model"], context.options.get("device", "auto"))
    found = analyse(pcm, MODEL_RATE, work.features or ("all",), progress, link.cancelled, **more)
    link.check()
    cleaned = _plain(found)
    assert isinstance(cleaned, dict)
    return cleaned


def _download(context: Context, work: jobs.DownloadJob, link: JobLink) -> dict[str, Any]:
    """Fetch what a link leads to and hand it over; return what the server has made of it.

    The part that was fetched stays in the spool until the job is over, so the next attempt goes on with it.
    """
    told = [0.0]

    def progress(percent: int, stage: str) -> None:
        if (now := time.monotonic()) - told[0] > _PROGRESS_S:
            told[0] = now
            link.progress(percent, stage)

    link.progress(0, "reaching the link")
    wanted = parse(work.url)
    if wanted.kind == "audio":
        fetched = Fetch(
            work.url, link.spool.folder, limit=work.limit, private=work.private, check=link.check,
            cancelled=link.cancelled, progress=progress,
        ).run()  # fmt: skip
    else:
        fetched = fetcher_run.fetch(
            wanted, context.fetcher, link.spool.folder, limit=work.limit, form=work.form, quality=work.quality,
            check=link.check, progress=progress,
        )  # fmt: skip
    link.progress(96, "importing")
    return context.source.hand_over(work.job, fetched.path, fetched.name, link.check)


def _installed_analyse() -> Analyse:
    from pipeline.analysis import track  # heavy: only workers that analyse load it

    function: Analyse = track.analyse
    return function


def _plain(value: Any) -> Any:
    """Return `value` as JSON has it: no numpy, and None for what is not finite, which no database takes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    with suppress(AttributeError):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    raise PermanentFailure(f"The analysis found something that cannot be written down: {type(value).__name__}.")


__all__ = ["Analyse", "Audio", "Context", "declare"]
