"""`alchemy run`, its event loop: builds every part, starts them in order, and takes them down within five seconds.

Owner: the process. Everything runs in one task group; a part that can be missing for a while (engine, database,
workers, a MIDI port) is looked after by its own keeper, a task that fails is begun again (`server/keeper.py`), and none
takes the others down.
Units: seconds.
"""

import gc
import logging
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from audio.importer import Importer
from audio.process import EngineProcess
from control.mapping_store import FileMappings
from control.midi_choices import PortChoices
from server import migrate as migrations
from server.accounts import Accounts
from server.app import build_app
from server.auth import Authentication
from server.database import open_database
from server.engine import EngineKeeper
from server.errors import SettingsRejected
from server.http.guard import Hosts
from server.input_delays import InputDelays
from server.jobs import cleanup, store
from server.jobs.batches import BatchService
from server.jobs.healer import Healer
from server.jobs.relay import Relay
from server.jobs.service import Fetching, JobService
from server.jobs.supervision import WorkerKeeper
from server.jobs.worker_socket import WorkerHub
from server.keeper import Keeper
from server.lan import Lan, PageServer, page_config
from server.library.service import Library
from server.library.watching import Watcher
from server.live import LiveHub
from server.logs import log_to
from server.notices import Notices
from server.peers import DatabasePeers
from server.preparation import Preparation
from server.recording import RecordingKeeper
from server.remote import Address
from server.round_trip import RoundTrip
from server.second_look import SecondLook
from server.secrets import open_vault
from server.services import Services
from server.session import persistence
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.intent import Intent
from server.session.log import IntentLog
from server.session.sampling import with_pads
from server.session.show import Show
from server.setlist_keeper import SetlistKeeper
from server.setlists import Shelf
from server.settings import Settings
from server.spotify import Spotify
from server.spotify_account import SpotifyAccounts
from server.surfaces.clocks import ClockSurface
from server.surfaces.daw import DawSurface
from server.surfaces.midi import MidiSurface
from server.surfaces.midi_desk import MidiDesk
from server.surfaces.osc import OscSurface
from server.surfaces.oscquery import OscQuery
from server.take_keeper import TakeKeeper
from server.version import version
from server.wiring import connect

_log = logging.getLogger(__name__)

SWITCH_INTERVAL_S: Final = 0.0002
"""With Python's own 5 ms a control waits up to 10 ms behind a busy thread."""

GC_THRESHOLD: Final = 50_000
"""Objects between two collections: at Python's own 700 the collector takes half the time of a burst of messages."""

PATIENCE_S: Final = 8.0
"""An engine that takes longer to come up is compiling its kernel, and whoever waits is told."""

STOP_S: Final = 1.5
"""How long requests in flight may take when the server stops."""


def serve(settings: Settings, listener: socket.socket, engine: EngineProcess | None) -> int:
    """Run until SIGTERM or Ctrl-C; return the exit status.

    Pre: `server/start.py` holds the folder's lock, `listener` listens, and `engine` is on its way up where none ran.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    log_to(settings.data)
    try:
        anyio.run(_run, settings, listener, engine)
    finally:
        Address.forget(settings.runtime)
    return 0


async def _run(settings: Settings, listener: socket.socket, engine: EngineProcess | None) -> None:
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_signals, stop)
        await _serve(settings, listener, engine, stop)
        tasks.cancel_scope.cancel()


async def await_engine(keeper: EngineKeeper, stop: anyio.Event) -> None:
    """Wait for the first engine, or until the performer gives up."""
    async with anyio.create_task_group() as tasks:

        async def until(done: Callable[[], Awaitable[None]]) -> None:
            await done()
            tasks.cancel_scope.cancel()

        async def explain() -> None:
            await anyio.sleep(PATIENCE_S)
            print("Compiling the audio kernel for this machine (a few minutes, once) ...", flush=True)

        for work in (partial(until, keeper.wait_first), partial(until, stop.wait), explain):
            tasks.start_soon(work)


async def _signals(stop: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
        async for _ in received:
            stop.set()


async def _serve(settings: Settings, listener: socket.socket, engine: EngineProcess | None, stop: anyio.Event) -> None:
    settings = replace(settings, port=listener.getsockname()[1])
    notices = Notices()
    keeper = EngineKeeper(settings.engine_settings, settings.runtime, settings.engine_log, engine)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        stack.push_async_callback(keeper.stop, None)
        db = await stack.enter_async_context(open_database(settings, notices.warn))
        await migrations.migrate(db)
        auth = Authentication(db, token=settings.token)
        await auth.start()
        importer = Importer()
        stack.push_async_callback(importer.close)
        library = Library(db, settings.data, importer)
        await library.open()

        deckhand = EngineDeckhand(library, on_lost=keeper.lost)
        state, restored = await anyio.to_thread.run_sync(persistence.restore, settings.data / "show.json")
        state = with_pads(state, await library.pads(await library.owner_id()))
        logs: list[IntentLog] = []  # none, or the one of --log as soon as the engine is there

        def take_down(intent: Intent, now: float) -> None:
            for log in logs:
                log.write(intent, now)

        show = Show(deckhand, state, on_intent=take_down)
        jobs = JobService(db, settings.data, settings.pipeline)
        jobs.fetching = Fetching(
            settings.max_upload_mb << 20, settings.fetch_private, settings.download_format, settings.download_quality
        )
        vault = await anyio.to_thread.run_sync(open_vault, settings.data, settings.secret_key)
        accounts = Accounts(db, vault, settings.lalalai_key, settings.lalalai_url)
        jobs.plans.has_account = accounts.has_key
        batches = BatchService(db, jobs)
        workers = WorkerHub(jobs, auth, version())
        live = LiveHub(
            show, auth.authorise, version=version(), status=lambda: deckhand.status, telemetry=deckhand.meters,
            master=deckhand.read_master, frame=deckhand.frame,
        )  # fmt: skip
        osc = OscSurface(
            show, peers=DatabasePeers(db), telemetry=deckhand.telemetry, clock=deckhand.clock, on_peers=live.publish,
            act=show.act,
        )  # fmt: skip
        midi = MidiSurface(
            show, FileMappings(settings.data / "mappings"), choices=PortChoices(settings.data / "midi-ports.toml"),
            telemetry=deckhand.telemetry, on_learn=live.publish, act=show.act,
        )  # fmt: skip
        hosts = Hosts(settings.host, lan=settings.lan)
        lan = Lan(settings.data, settings.port, osc, hosts)
        services = Services(
            settings,
            version(),
            db,
            auth,
            library,
            importer,
            jobs,
            batches,
            workers,
            show,
            keeper,
            deckhand,
            live,
            osc,
            OscQuery(show, osc, hosts),
            MidiDesk(midi),
            lan,
            Spotify(settings.spotify_client_id, settings.spotify_client_secret),
            accounts,
            SpotifyAccounts(db, vault, settings.spotify_client_id),
            Shelf(settings.data / "setlists"),
        )
        second_look = SecondLook(db, jobs, settings.analyze_on_import)
        connect(services, await store.arriving(db), second_look)
        app = build_app(services, hosts)
        notices.publish_to(show)
        if restored is not None:
            show.notice(restored)

        recording = RecordingKeeper(
            show, lambda: deckhand.client, settings.runtime, settings.recordings, settings.record_format,
            settings.data / "logs" / "recorder.log",
        )  # fmt: skip
        deckhand.recorded_s = recording.seconds
        stack.push_async_callback(recording.stop)
        setlists = SetlistKeeper(show, services.setlists, library, auth.owner_id, deckhand.frame)
        deckhand.on_setlist = setlists.open
        deckhand.setlist_due = setlists.due
        tasks = await stack.enter_async_context(_stopping_engine(keeper, deckhand))
        kept = Keeper(show.notice)
        await tasks.start(kept.begin, "the decks", partial(deckhand.run, show.report, show.notice))
        await tasks.start(kept.begin, "the show", show.run)
        for name, work in (
            ("the keeping of the engine", partial(keeper.run, deckhand, show)),
            ("the pages' updates", live.run),
            ("the tidying of files", library.run),
            ("the keeping of old jobs", partial(cleanup.retain, db, settings.retention_days, library.tidy)),
            ("the care for jobs", Healer(db, jobs).run),
            *((("the message broker", Relay(db, jobs, settings.broker).run),) if settings.broker else ()),
            ("the progress of batches", batches.run),
            *((("the second look at tracks", second_look.run),) if settings.workers else ()),
            ("the saving of the show", partial(persistence.keep, show, settings.data / "show.json")),
            ("the preparation of stems", Preparation(services).run),
            ("the clocks", ClockSurface(show, telemetry=deckhand.telemetry, clock=deckhand.clock).run),
            ("the watched folders", _watcher(services).run),
            ("the DAW", DawSurface(show).run),
            ("the setlist", setlists.run),
            ("the network for phones", partial(lan.run, app)),
        ):
            tasks.start_soon(kept.keep, name, work)

        async def hear_osc(*, task_status: TaskStatus[int]) -> None:
            await osc.run(settings.osc_port, lan=lan.is_open, task_status=task_status)

        await tasks.start(kept.begin, "OSC", hear_osc)
        await tasks.start(kept.begin, "OSCQuery", partial(services.oscquery.run, settings.oscquery_port))
        await tasks.start(kept.begin, "MIDI", midi.run)
        await tasks.start(kept.begin, "recording", recording.run)
        takes = TakeKeeper(show, lambda: deckhand.client, library, settings.data)
        await tasks.start(kept.begin, "takes", takes.run)
        source = settings.engine_settings.source

        def device() -> str:
            return f"{deckhand.status.device} < {source}" if deckhand.status.device else ""

        delays = InputDelays(show, device, settings.data / "input-delays.json")
        await tasks.start(kept.begin, "the delays of inputs", delays.run)
        await tasks.start(kept.begin, "the way to the input", RoundTrip(show, lambda: deckhand.client).run)
        server = PageServer(page_config(app))
        tasks.start_soon(partial(server.serve, sockets=[listener]))
        await await_engine(keeper, stop)
        if stop.is_set():
            return
        # Not before: the decoder takes half a second to load, which the engine needs more.
        await importer.start()
        if settings.log:
            logs.append(_begin_log(settings.log, show, deckhand))
            tasks.start_soon(kept.keep, "the log of intents", logs[0].run)
        while not server.started:
            await anyio.sleep(0.005)
        url = f"http://{_bracketed(settings.host)}:{settings.port}"
        if settings.workers:
            tasks.start_soon(kept.keep, "the keeping of workers", _workers(services, url, db.url).run)
        if settings.lan:
            await lan.open()
        Address(
            url,
            await auth.issue_api_token("command line"),
            db.url,
            await auth.issue_worker_token("command line", local=True),
            osc.port,
        ).write(settings.runtime)
        link = f"{url}/?token={await auth.login_token()}"
        print(f"ready {link}", flush=True)
        if settings.lan:
            for phone in lan.urls(await auth.login_token()):
                print(f"phones {phone}", flush=True)
        if settings.browser:
            await anyio.to_thread.run_sync(webbrowser.open, link)
        gc.collect()
        gc.freeze()
        await stop.wait()
        _log.info("stopping")
        server.should_exit = True
        await takes.stop()
        with anyio.move_on_after(STOP_S):
            while server.servers and any(one.is_serving() for one in server.servers):
                await anyio.sleep(0.01)


@asynccontextmanager
async def _stopping_engine(keeper: EngineKeeper, deckhand: EngineDeckhand) -> AsyncIterator[TaskGroup]:
    """Offer a task group; at its end the tasks go first, so that nobody starts the engine again while it is ended."""
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        finally:
            client = deckhand.client
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await keeper.stop(client)


def _watcher(services: Services) -> Watcher:
    def tell(sentence: str) -> None:
        services.show.notice(Notice("warning", "watch", sentence))

    folders = [Path(folder) for folder in services.settings.watch]
    return Watcher(services.library, folders, services.data / "watched.json", tell)


def _workers(services: Services, url: str, broker: str) -> WorkerKeeper:
    data = services.data
    return WorkerKeeper(
        services.workers,
        url,
        services.settings.broker or broker,
        data / "spool",
        options=services.settings.pipeline.engine_options(),
        log_file=data / "logs" / "workers.log",
        warm=services.settings.separate_on_load and services.settings.engine in ("auto", "onnx"),
    )


def _begin_log(path: str, show: Show, deckhand: EngineDeckhand) -> IntentLog:
    """Return the log of `--log`, begun. Raises SettingsRejected when the file cannot be written."""
    try:
        return IntentLog(Path(path), show.state, show.positions(), time.monotonic(), deckhand.time_of)
    except OSError as error:
        raise SettingsRejected(f"--log {path}: {error.strerror}") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
