"""The page's server without engine, database and workers: the real show, the real live socket, pretended tracks.

Owner: a test or a developer (`python -m tests.web.mock_server --port 4100`). Decks move by the clock, the master is a
tone while one plays, separation takes a few seconds. Nothing is stored.
Units: seconds, engine frames at 48 kHz.
"""

import argparse
import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio
import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from audio.commands import CommandKind
from audio.units import DECKS, STEMS
from audio.waveform import WaveformBuilder
from control.registry import listing
from server import protocol
from server.live import LiveHub
from server.session.effects import EngineCommand
from server.session.facts import AudibleDeck, DeckLoaded, DeckLoadFailed, EngineRestored, PadLoaded, StemsReady
from server.session.show import Show
from tests.server.session.quiet_deckhand import QuietDeckhand
from tests.web.mock_playlists import MockPlaylists, refusal
from tests.web.mock_views import MockViews, analysis_of

RATE: Final = 48_000
DIST: Final = Path(__file__).resolve().parents[2] / "web" / "dist"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""As strict as the page must bear."""


@dataclass
class FakeTrack:
    """A track of the pretended library."""

    id: str
    title: str
    artist: str
    duration: float
    tempo: float = 0.0
    key: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    stems: tuple[str, ...] = ()
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the track as the API tells it."""
        stems = [
            {"id": f"{self.id}-{name}", "stem_type": name, "engine": "onnx", "model": "htdemucs", "chosen": True}
            for name in self.stems
        ]
        return {
            "id": self.id, "title": self.title, "artist": self.artist or None,
            "album": self.album or None, "genre": self.genre or None, "year": self.year, "duration": self.duration,
            "bpm": None, "key": None, "jobs": list(reversed(self.jobs)), "stems": stems, "status": "completed",
            "analysis": analysis_of(self.tempo, self.key, self.duration) if self.tempo else None,
        }  # fmt: skip

    def waveform(self) -> bytes:
        """Return an overview in the true format: a beat, a bass line and some hiss, in verses and choruses."""
        rate = 6_000  # enough for a picture
        time_s = np.arange(int(self.duration * rate), dtype=np.float32) / rate
        beat_s = 60 / (self.tempo or 120)
        kick = np.exp(-18 * (time_s % beat_s)) * np.sin(2 * np.pi * 60 * (time_s % beat_s))
        hat = np.exp(-60 * ((time_s + beat_s / 2) % beat_s)) * np.random.default_rng(7).normal(0, 0.5, len(time_s))
        loud = np.where((time_s // (beat_s * 32)) % 2 == 1, 0.85, 0.45)
        voice = 0.3 * np.sin(2 * np.pi * 440 * time_s) * (0.5 + 0.5 * np.sin(2 * np.pi * time_s / (beat_s * 4)))
        mono = np.clip(loud * (0.7 * kick + 0.35 * hat + voice), -1, 1).astype(np.float32)
        builder = WaveformBuilder(rate)
        builder.add(np.repeat(mono[:, None], 2, axis=1))
        return builder.finish()


class ClockDeckhand(QuietDeckhand):
    """Decks that move by the monotonic clock; loads answer on the next turn of the loop."""

    def __init__(self, mock: "MockServer") -> None:
        self._mock = mock
        self._decks = [AudibleDeck()] * DECKS
        self._rates = [1.0] * DECKS
        self._since = [time.monotonic()] * DECKS
        self._wanted = [0] * DECKS
        self.sent: list[EngineCommand] = []

    def audible(self) -> tuple[AudibleDeck, ...]:
        """As the port says."""
        return tuple(self._settle(deck) for deck in range(DECKS))

    def rate(self, deck: int) -> float:
        """Speed of a deck."""
        return self._rates[deck]

    def _settle(self, deck: int) -> AudibleDeck:
        now, heard = time.monotonic(), self._decks[deck]
        if heard.playing:
            moved = heard.position_s + (now - self._since[deck]) * self._rates[deck]
            heard = replace(heard, position_s=min(moved, heard.duration_s))
        self._since[deck] = now
        self._decks[deck] = heard
        return heard

    def send(self, commands: Sequence[EngineCommand]) -> None:
        """As the port says."""
        self.sent.extend(commands)
        for command in commands:
            if command.deck >= len(self._decks):
                continue  # the master's effects
            heard = self._settle(command.deck)
            if command.token not in (0, heard.token):
                continue
            if command.kind is CommandKind.DECK_PLAY:
                self._decks[command.deck] = replace(heard, playing=command.a >= 0.5 and heard.token != 0)
            elif command.kind is CommandKind.DECK_SEEK:
                self._decks[command.deck] = replace(heard, position_s=command.a / RATE)
            elif command.kind is CommandKind.DECK_RATE:
                self._rates[command.deck] = command.a

    def load(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        """As the port says."""
        self._wanted[deck] = token
        asyncio.get_running_loop().call_soon(self._loaded, deck, token, track_id, position_s)

    def _loaded(self, deck: int, token: int, track_id: str, position_s: float) -> None:
        if self._wanted[deck] != token:
            return
        track = self._mock.tracks.get(track_id)
        show = self._mock.show
        if track is None:
            show.report(DeckLoadFailed(deck, token, "not_found", "There is no such track."))
            return
        self._decks[deck] = AudibleDeck(token, position_s, False, track.duration)
        show.report(DeckLoaded(deck, token, track.title, track.artist, track.duration))
        for stem in track.stems:
            show.report(StemsReady(deck, token, STEMS.index(stem), 1.0))
        self._mock.on_deck[deck] = (token, track_id)

    def load_pad(self, bank: int, pad: int, token: int, source: str) -> None:
        """As the port says; every source is there at once."""
        track = self._mock.tracks.get(source.split("#")[0].split("@")[0])
        name = track.title if track else ""
        asyncio.get_running_loop().call_soon(
            self._mock.show.report, PadLoaded(bank, pad, token, source, name, 4.0 if track else 0.0)
        )

    def eject(self, deck: int) -> None:
        """As the port says."""
        self._wanted[deck] = 0
        self._decks[deck] = AudibleDeck()


class MockServer:
    """Everything the page talks to. Use `serve()` in a task, or `running()` from a test."""

    def __init__(self, *, speed: float = 1.0, dist: Path = DIST) -> None:
        """`speed` is how many times faster than usual pretended jobs run, `dist` where the built page lies."""
        self.speed = speed
        self.dist = dist
        self.tracks: dict[str, FakeTrack] = {}
        self.batches: list[dict[str, Any]] = []
        self.playlists = MockPlaylists(self.tracks)
        self.views = MockViews(self)
        self.on_deck: dict[int, tuple[int, str]] = {}
        self.deckhand = ClockDeckhand(self)
        self.show = Show(self.deckhand)
        self.engine_running = True
        self.peers: dict[str, protocol.Peer] = {}
        self.learned: list[str] = []
        self.uploads: list[str] = []
        self.lan_open = False
        self.lan_links = 0
        self.refuse_upload = ""
        self.refuse_change = ""
        self._numbers = count(1)
        self._tasks: anyio.abc.TaskGroup | None = None
        self._began = time.monotonic()
        self.hub = LiveHub(
            self.show, self._authorise, version="0.1.0", status=self.status, telemetry=self.telemetry,
            master=self.master, frame=self.frame,
        )  # fmt: skip

    # -- the engine --------------------------------------------------------------------------------------------------

    async def _authorise(self, _: WebSocket) -> int:
        return 1

    def frame(self) -> int:
        """The engine's clock."""
        return int((time.monotonic() - self._began) * RATE)

    def status(self) -> protocol.EngineStatus:
        """How the pretended engine is."""
        return protocol.EngineStatus(self.engine_running, "no sound card", RATE, 128, 0.07, 0, 5.3)

    def telemetry(self) -> protocol.Meters:
        """Levels that dance while a deck plays."""
        decks, master = [], 0.0
        controls, now = self.show.controls, time.monotonic()
        for deck, heard in enumerate(self.deckhand.audible()):
            path = f"/deck/{deck + 1}"
            volume = float(controls[f"{path}/volume"]) if heard.playing else 0.0
            stems = {}
            for index, stem in enumerate(STEMS):
                muted = bool(controls[f"{path}/stem/{stem}/mute"]) or not float(controls[f"{path}/stem/{stem}/ready"])
                dance = (0.25 + 0.5 * abs(np.sin(now * (2 + index) + deck))) * float(
                    controls[f"{path}/stem/{stem}/volume"]
                )
                stems[stem] = 0.0 if muted or not heard.playing else float(dance)
            level = volume * (0.3 + 0.5 * abs(np.sin(now * 4 + deck)))
            master = max(master, float(level))
            decks.append(
                protocol.DeckMeters(heard.position_s, self.deckhand.rate(deck), heard.playing, float(level), stems)
            )
        return protocol.Meters(self.frame(), decks, [master, master * 0.93], max(0.0, master - 0.7) * 8, self.status())

    def master(self, cursor: int, limit: int) -> tuple[NDArray[np.float32], int]:
        """A quiet chord while anything plays, silence else."""
        stop = min(self.frame(), cursor + limit)
        frames = np.arange(cursor, max(cursor, stop))
        playing = any(deck.playing for deck in self.deckhand.audible())
        chord = np.sum([np.sin(2 * np.pi * hz * frames / RATE) for hz in (220.0, 277.18, 329.63)], axis=0)
        mono = (0.08 * chord * playing).astype(np.float32)
        return np.repeat(mono[:, None], 2, axis=1), max(cursor, stop)

    # -- the library -------------------------------------------------------------------------------------------------

    def add(self, title: str, artist: str = "", duration: float = 180.0, **more: Any) -> FakeTrack:
        """Put a track into the library."""
        track = FakeTrack(f"track-{next(self._numbers)}", title, artist, duration, **more)
        self.tracks[track.id] = track
        return track

    def _of(self, request: Request) -> FakeTrack | None:
        return self.tracks.get(request.path_params["id"])

    async def _tracks(self, request: Request) -> Response:
        words = request.query_params.get("q", "").lower().split()
        found = [
            track for track in reversed(self.tracks.values())
            if all(word in f"{track.title} {track.artist}".lower() for word in words)
        ]  # fmt: skip
        rows = [track.as_json() for track in found]
        for row in rows:  # as the real one, which keeps details for the track itself
            row["analysis"] = row["analysis"] and {**row["analysis"], "features": {}}
        return JSONResponse({"tracks": rows, "total": len(found), "cursor": None})

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            name = str(getattr(form["file"], "filename", ""))
        self.uploads.append(name)
        if self.refuse_upload:
            return refusal(422, "not_audio", self.refuse_upload)
        track = self.add(name.rsplit(".", 1)[0], "", 90.0)
        self.hub.publish(protocol.LibraryChanged(track.id, "added"))
        await self._start(track, "analysis")
        return JSONResponse(track.as_json(), 201)

    async def _track(self, request: Request) -> Response:
        track = self._of(request)
        if track is None:
            return refusal(404, "not_found", "There is no such track.")
        if request.method == "DELETE":
            del self.tracks[track.id]
            self.hub.publish(protocol.LibraryChanged(track.id, "removed"))
            return Response(status_code=204)
        if request.method == "PATCH":
            if self.refuse_change:
                return refusal(400, "bad_request", self.refuse_change)
            for name, value in (await request.json()).items():
                setattr(track, name, value if name == "year" else value or "")
            self.hub.publish(protocol.LibraryChanged(track.id, "changed"))
        return JSONResponse(track.as_json())

    async def _waveform(self, request: Request) -> Response:
        track = self._of(request)
        if track is None:
            return refusal(404, "not_found", "There is no such track.")
        data = await anyio.to_thread.run_sync(track.waveform)
        return Response(data, media_type="application/octet-stream")

    async def _cues(self, request: Request) -> Response:
        track = self._of(request)
        if track is None:
            return refusal(404, "not_found", "There is no such track.")
        beat_s = 60 / track.tempo if track.tempo else track.duration
        beats = [number * beat_s for number in range(int(track.duration / beat_s))]
        memory = [{"kind": "memory", "position": 60.0}]
        return JSONResponse({"cues": memory, "grid": {"beats": beats, "origin": 0}, "edited": False})

    async def _separate(self, request: Request) -> Response:
        track = self._of(request)
        if track is None:
            return refusal(404, "not_found", "Gone.")
        return JSONResponse(await self._start(track, "processing"), 202)

    async def _analyze(self, request: Request) -> Response:
        track = self._of(request)
        return JSONResponse(await self._start(track, "analysis"), 202) if track else refusal(404, "not_found", "Gone.")

    async def _start(self, track: FakeTrack, kind: str) -> dict[str, Any]:
        job = {
            "id": f"job-{next(self._numbers)}", "kind": kind, "track_id": track.id, "status": "queued", "progress": 0,
            "stage": "", "error": None,
        }  # fmt: skip
        track.jobs.append(job)
        self.tell(job)
        assert self._tasks is not None
        self._tasks.start_soon(self._work, track, job)
        return job

    async def _work(self, track: FakeTrack, job: dict[str, Any]) -> None:
        steps = 20
        for step in range(steps + 1):
            await anyio.sleep(0.25 / self.speed)
            if job["status"] == "cancelled":
                return
            job |= {"status": "processing", "progress": 100 * step // steps, "stage": f"Segment {step} of {steps}"}
            self.tell(job)
            if job["kind"] == "processing":
                self._ready(track, STEMS[:4], step / steps)
        if job["kind"] == "processing":
            track.stems = STEMS[:4]
        else:
            track.tempo, track.key = 124.0, "A minor"
        job |= {"status": "completed", "progress": 100}
        self.tell(job)

    def _ready(self, track: FakeTrack, stems: Sequence[str], part: float) -> None:
        for deck, (token, track_id) in self.on_deck.items():
            if track_id == track.id:
                for stem in stems:
                    self.show.report(StemsReady(deck, token, STEMS.index(stem), part))
                self.hub.publish(protocol.StemsReady(track.id, [(0.0, part * track.duration)]))

    def tell(self, job: dict[str, Any]) -> None:
        """Tell the pages where a job is."""
        self.hub.publish(protocol.JobChanged(**job))

    def _job(self, job_id: str) -> dict[str, Any]:
        return next(job for track in self.tracks.values() for job in track.jobs if job["id"] == job_id)

    async def _batches(self, _: Request) -> Response:
        return JSONResponse({"batches": self.batches})

    async def _move_batch(self, request: Request) -> Response:
        batch = next(one for one in self.batches if one["id"] == request.path_params["id"])
        how = request.path_params["how"]
        batch["status"] = {"pause": "paused", "resume": "processing", "cancel": "cancelled", "retry": "processing"}[how]
        return JSONResponse(batch)

    async def _jobs(self, _: Request) -> Response:
        return JSONResponse({"jobs": [job for track in self.tracks.values() for job in track.jobs]})

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request.path_params["id"])
        job["status"] = "cancelled"
        self.tell(job)
        return JSONResponse(job)

    async def _retry(self, request: Request) -> Response:
        job = self._job(request.path_params["id"])
        job |= {"status": "queued", "progress": 0, "error": None}
        self.tell(job)
        assert self._tasks is not None
        self._tasks.start_soon(self._work, self.tracks[job["track_id"]], job)
        return JSONResponse(job, 202)

    # -- surfaces ----------------------------------------------------------------------------------------------------

    def knock(self, address: str, status: str = "waiting", messages: int = 1) -> None:
        """Let an OSC sender show up, or change what it may."""
        self.peers[address] = protocol.Peer(address, status, messages)
        self.hub.publish(protocol.PeersChanged(list(self.peers.values())))

    async def _judge(self, request: Request) -> Response:
        wanted = await request.json()
        self.knock(wanted["address"], wanted["status"])
        return JSONResponse({"address": wanted["address"], "status": wanted["status"]})

    async def _lan(self, request: Request) -> Response:
        if request.method == "POST":
            self.lan_open = bool((await request.json())["open"])
            self.lan_links += 1
        links = [f"https://192.168.1.5:4443/?token={self.lan_links:043d}"] if request.method == "POST" else []
        return JSONResponse({"open": self.lan_open, "addresses": ["192.168.1.5"], "osc_port": 8000, "links": links})

    async def _learn(self, request: Request) -> Response:
        if request.method == "DELETE":
            return Response(status_code=204)
        path = (await request.json())["path"]
        self.learned.append(path)
        self.hub.publish(protocol.LearnChanged(path, "waiting"))
        return JSONResponse({"path": path}, 202)

    async def _engines(self, _: Request) -> Response:
        return JSONResponse(
            {
                "engines": [
                    {"name": "onnx", "label": "htdemucs (ONNX)", "available": True, "reason": None, "models": []},
                    {"name": "demucs", "label": "Demucs", "available": False, "reason": "Not installed.", "models": []},
                    {"name": "spectral", "label": "Spectral (rough)", "available": True, "reason": None, "models": []},
                ]
            }
        )

    async def _controls(self, _: Request) -> Response:
        return JSONResponse(listing())

    # -- running -----------------------------------------------------------------------------------------------------

    def app(self) -> Starlette:
        """The ASGI application."""
        routes: list[BaseRoute] = [
            WebSocketRoute("/ws/live", self.hub.endpoint),
            Route("/api/controls", self._controls),
            Route("/api/tracks", self._tracks, methods=["GET"]),
            Route("/api/tracks", self._upload, methods=["POST"]),
            Route("/api/tracks/{id}", self._track, methods=["GET", "PATCH", "DELETE"]),
            Route("/api/tracks/{id}/waveform", self._waveform),
            Route("/api/tracks/{id}/cues", self._cues),
            Route("/api/tracks/{id}/separate", self._separate, methods=["POST"]),
            Route("/api/tracks/{id}/analyze", self._analyze, methods=["POST"]),
            *self.playlists.routes(),
            *self.views.routes(),
            Route("/api/jobs", self._jobs),
            Route("/api/jobs/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/api/jobs/{id}/retry", self._retry, methods=["POST"]),
            Route("/api/batches", self._batches),
            Route("/api/batches/{id}/{how}", self._move_batch, methods=["POST"]),
            Route("/api/lan", self._lan, methods=["GET", "POST"]),
            Route("/api/peers", self._judge, methods=["POST"]),
            Route("/api/midi/learn", self._learn, methods=["POST", "DELETE"]),
            Route("/api/engines", self._engines),
            Mount("/", StaticFiles(directory=self.dist, html=True)),
        ]

        async def guarded(request: Request, follow: RequestResponseEndpoint) -> Response:
            response = await follow(request)
            response.headers["Content-Security-Policy"] = POLICY
            return response

        return Starlette(
            routes=routes, lifespan=self._lifespan, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)]
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self.show.run)
            tasks.start_soon(self.hub.run)
            self.show.report(EngineRestored((AudibleDeck(),) * DECKS, RATE))
            yield
            tasks.cancel_scope.cancel()


class RunningMock:
    """A mock in a thread of its own, for tests that drive a browser. Use as a context."""

    def __init__(self, mock: MockServer, port: int = 0) -> None:
        self.mock = mock
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(mock.app(), log_level="warning", ws_ping_interval=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mock server", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._ready.set)
            await self._server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def do(self, what: Any, *args: Any) -> Any:
        """Call `what(*args)` on the server's loop and return what it returns."""
        assert self._loop is not None
        done: Any = asyncio.run_coroutine_threadsafe(_call(what, *args), self._loop)
        return done.result(10)

    def __enter__(self) -> "RunningMock":
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the mock server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


async def _call(what: Any, *args: Any) -> Any:
    return what(*args)


def furnish(mock: MockServer) -> None:
    """Fill the library with things to look at."""
    mock.add("<b>Hostile</b> <script>document.title='owned'</script>", 'Bobby "Tables" & Sons', 187.0)
    mock.add("Concrete Ocean", "The Slow Machines", 312.4, tempo=92.5, key="D minor")
    mock.add(
        "A Very Long Title That Goes On And On Until Nobody Remembers How It Began (Extended Dawn Version)",
        "Halogen Choir",
        5412.0,
        tempo=128.0,
        key="G major",
        stems=STEMS[:4],
    )
    mock.add("Paper Lanterns", "Mira Voss", 203.1, tempo=118.0, key="F♯ minor", stems=STEMS)
    failed = mock.add("Broken Tape", "", 64.0)
    failed.jobs.append(
        {
            "id": "job-failed", "kind": "processing", "track_id": failed.id, "status": "failed", "progress": 30,
            "stage": "", "error": "The model file is damaged. Run `alchemy models pull htdemucs`.",
        }
    )  # fmt: skip
    mock.add("Night Bus Home", "Kofi Arden", 241.8, tempo=124.0, key="A minor", album="Last Stop", stems=STEMS[:4])
    named = {track.title: track.id for track in mock.tracks.values()}
    mock.playlists.add("Friday set", named["Night Bus Home"], named["Paper Lanterns"], named["Concrete Ocean"])
    mock.playlists.add("Warm-up for a very long evening by the sea")


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description="serve the page against a pretended show")
    parser.add_argument("--port", type=int, default=4100)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    mock = MockServer()
    furnish(mock)
    uvicorn.run(mock.app(), host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
