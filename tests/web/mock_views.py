"""What the newer views of the page ask the pretended server for: analysis, stems, setlists, matches, practice, settings.

Owner: the mock server. Setlists are kept as they are written, whatever they say. Units: seconds.
"""

import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.web.mock_playlists import refusal

if TYPE_CHECKING:
    from tests.web.mock_server import MockServer

SET = """title = "Friday"

[[entry]]
track = "Night Bus Home"
notes = "Softly."

[[entry]]
track = "Paper Lanterns"
transition = "fade"

[[entry]]
track = "Nobody - Nothing"
"""


def analysis_of(tempo: float, key: str, duration: float) -> dict[str, Any]:
    """Return an analysis as a track carries it: a steady beat, two sections, a few chords."""
    beat = 60.0 / tempo
    beats = [n * beat for n in range(int(duration / beat))]
    features = {
        "duration": duration, "tempo": tempo, "key": key, "camelot": "8A", "energy": 0.6, "beats_per_bar": 4,
        "sections": [
            {"start": 0.0, "end": duration / 2, "label": "verse", "bars": 16, "energy": 0.4},
            {"start": duration / 2, "end": duration, "label": "drop", "bars": 16, "energy": 0.9},
        ],
        "chords": [
            {"start": 0.0, "end": 8.0, "name": "Am", "confidence": 0.9}, {"start": 8.0, "end": 16.0, "name": "F"},
        ],
        "loops": [{"start": 8.0, "end": 16.0, "bars": 4, "label": "verse", "score": 0.9}],
        "cues": [{"time": 0.0, "kind": "mix_in", "label": "Mix in"}],
        "drum_hits": [{"time": at, "kind": "kick", "strength": 0.8} for at in beats[:200]],
        "beats": beats, "downbeats": beats[::4], "energy_curve": {"step": 0.5, "values": [0.5] * int(duration * 2)},
        "chroma": [n / 12 for n in range(12)], "mfcc": [float(n * 3 - 20) for n in range(13)], "mfcc_std": [5.0] * 13,
        "spectral_contrast": [20.0, 12.0, 15.0, 18.0, 20.0, 22.0, 30.0], "spectral_centroid": 3000.0,
        "spectral_rolloff": 7000.0, "spectral_bandwidth": 3500.0, "spectral_flatness": 0.01, "zero_crossing_rate": 0.05,
        "loudness_lufs": -14.0, "loudness_range": 6.0, "true_peak_db": -1.0, "tempo_confidence": 0.8,
        "key_confidence": 0.9, "beat_grid": {"kind": "steady"},
    }  # fmt: skip
    return {"tempo": tempo, "key": key, "energy": 0.6, "features": features}


class MockViews:
    """Routes beside those of the library. `setlists` is name to text."""

    def __init__(self, mock: "MockServer") -> None:
        self._mock = mock
        self.setlists = {"friday": SET}
        self.settings: dict[str, Any] = {"port": 4000, "engine": "auto", "browser": True}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/setlists", self._list),
            Route("/api/setlists/{name}", self._one, methods=["GET", "PUT", "DELETE"]),
            Route("/api/setlists/{name}/arc", self._arc),
            Route("/api/setlists/{name}/check", self._check, methods=["POST"]),
            Route("/api/similar/now", self._similar),
            Route("/api/tracks/{id}/practice", self._practice),
            Route("/api/tracks/{id}/takes", self._takes),
            Route("/api/stems/{id}/waveform", self._shape),
            Route("/api/settings", self._settings, methods=["GET", "PATCH"]),
            Route("/api/recordings", self._nothing),
            Route("/health", self._health),
            Route("/metrics", self._metrics),
            Route("/api/jobs/{id}", self._job),
        ]

    def _seen(self, name: str) -> dict[str, Any]:
        text = self.setlists[name]
        entries = []
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip() == "[[entry]]":
                entries.append({"line": number, "track": "", "deck": 1, "transition": "cut", "notes": "", "scene": ""})
            elif entries and (found := re.fullmatch(r'(track|notes|transition) = "(.*)"', line.strip())):
                entries[-1][found[1]] = found[2]
        title = re.search(r'^title = "(.*)"$', text, re.M)
        return {"name": name, "title": title[1] if title else name, "example": False, "entries": entries, "faults": []}

    async def _list(self, _: Request) -> Response:
        return JSONResponse([self._seen(name) for name in self.setlists])

    async def _one(self, request: Request) -> Response:
        name = request.path_params["name"]
        if request.method == "DELETE":
            del self.setlists[name]
            return Response(status_code=204)
        if request.method == "PUT":
            text = (await request.json())["text"]
            if "volme" in text:
                fault = {"line": 3, "key": "volme", "message": "is not known here; did you mean volume?"}
                body = {"error": {"code": "bad", "message": "It has faults.", "details": {"problems": [fault]}}}
                return JSONResponse(body, 422)
            self.setlists[name] = text
        if name not in self.setlists:
            return refusal(404, "not_found", "There is no such setlist.")
        return JSONResponse({**self._seen(name), "text": self.setlists[name]})

    async def _arc(self, request: Request) -> Response:
        found = []
        for number, entry in enumerate(self._seen(request.path_params["name"])["entries"], start=1):
            track = next((one for one in self._mock.tracks.values() if one.title == entry["track"]), None)
            found.append(
                {"entry": number, "track_id": track and track.id, "title": entry["track"], "artist": "", "length": 200.0,
                 "tempo": track.tempo if track else None, "planned": [], "key": track.key if track else None,
                 "camelot": "8A" if track else None, "shift": 0.0, "energy": 0.5 if track else None}
            )  # fmt: skip
        return JSONResponse(found)

    async def _check(self, request: Request) -> Response:
        entries = self._seen(request.path_params["name"])["entries"]
        known = {track.title for track in self._mock.tracks.values()}
        return JSONResponse(
            [
                {"line": entry["line"], "entry": number, "what": "track", "queued": False, "track_id": None,
                 "message": f"{entry['track']!r} is not in the library"}
                for number, entry in enumerate(entries, start=1) if entry["track"] not in known
            ]
        )  # fmt: skip

    async def _similar(self, _: Request) -> Response:
        track = next(one for one in self._mock.tracks.values() if one.title == "Concrete Ocean")
        match = {"track_id": track.id, "score": 0.87, "tempo": 92.5, "camelot": "7A", "energy": 0.5}
        return JSONResponse({"to": [], "matches": [match]})

    async def _practice(self, _: Request) -> Response:
        row = {"section": "drop", "start": 10.0, "end": 20.0, "passes": 6, "clean": 2, "fastest": 0.9,
               "fastest_clean": 0.8, "last": 0.9, "seconds": 60.0, "practised_at": "2026-01-02T03:04:05Z"}  # fmt: skip
        log = {**row, "rate": 0.9, "began_at": "2026-01-02T03:04:05Z", "ended_at": "2026-01-02T03:05:05Z"}
        return JSONResponse({"state": None, "log": [log], "progress": [row]})

    async def _takes(self, request: Request) -> JSONResponse:
        take = {
            "id": f"{request.path_params['id']}-take", "name": "", "chosen": True, "start": 12.0, "end": 20.0, "rate": 1.0,
            "keylock": False, "file_size": 812_000, "made_at": "2026-01-02T20:15:00Z",
        }  # fmt: skip
        return JSONResponse({"takes": [take]})

    async def _shape(self, request: Request) -> Response:
        track = next(one for one in self._mock.tracks.values() if request.path_params["id"].startswith(f"{one.id}-"))
        return Response(track.waveform(), media_type="application/octet-stream")

    async def _settings(self, request: Request) -> Response:
        if request.method == "PATCH":
            for key, value in (await request.json()).items():
                if key == "port" and not 0 <= value <= 65535:
                    return refusal(400, "settings_rejected", f"port: {value} is not between 0 and 65535")
                self.settings[key] = value
        kinds = {int: "int", str: "str", bool: "bool"}
        return JSONResponse(
            [
                {"key": key, "kind": kinds[type(value)], "help": f"what {key} is", "default": value, "value": value,
                 "next": value, "source": "default", "choices": ["auto", "onnx"] if key == "engine" else [],
                 "minimum": 0 if key == "port" else None, "maximum": 65535 if key == "port" else None,
                 "is_set": False, "editable": True, "pending": False}
                for key, value in self.settings.items()
            ]
        )  # fmt: skip

    async def _nothing(self, _: Request) -> Response:
        return JSONResponse([])

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "checks": {"storage": {"status": "ok", "detail": "5 GiB free"}}})

    async def _metrics(self, _: Request) -> Response:
        return PlainTextResponse("# HELP x\nalchemy_engine_up 1\n")

    async def _job(self, request: Request) -> Response:
        attempt = {"number": 1, "worker": "w-1", "outcome": "failed", "error": "No memory.", "seconds": 2.0,
                   "started_at": "2026-01-02T03:04:05Z", "finished_at": "2026-01-02T03:04:07Z"}  # fmt: skip
        job_id = request.path_params["id"]
        return JSONResponse({"id": job_id, "waited_s": 1.0, "ran_s": 2.0, "engine": "onnx", "model": "htdemucs",
                             "history": [attempt], "log": ["Segment 3 of 9"]})  # fmt: skip
