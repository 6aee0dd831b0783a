"""lalal.ai over its HTTP interface (v1): upload, ask for a split or another voice, look how far it is, fetch, cancel.

Owner: one `Lalalai` per job or request, used from one thread. Only file that knows the service's shapes. The licence
key is sent in a header to the service alone; files are fetched without it, and only from the service's own hosts.
Units: seconds, minutes of the account, progress 0 to 100.

A call that is answered with 408, 429, 500, 502, 503, 504, nonsense, or not at all is made again after a pause that
grows (or that the service names), while there is patience. A cancel is heard while a call is on its way.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx2

from pipeline.errors import DiskFull, PermanentFailure, TransientFailure
from pipeline.fetching import retry_after

BASE: Final = "https://www.lalal.ai/api/v1"

LEGAL_VOICES: Final = (
    "ALEX_KAYE", "STASIA_FAYE", "NICOLAAS_HAAS", "NIK_ZEL", "OLIA_CHEBO", "YVAR_DE_GROOT", "VETRANA",
)  # fmt: skip
"""Voices that every account has."""

PATIENCE_S: Final = 600.0
"""How long in all one client waits for a service that asks for patience or fails; then the job is tried later."""

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0
POLL_S: Final = (5.0, 60.0)
"""Pause between two looks at a task: the first, and the longest it grows to."""

_AGAIN: Final = (408, 429, 500, 502, 503, 504)
_TIMEOUT_S: Final = 60.0
_BLOCK: Final = 1 << 16
_LOOK_S: Final = 0.05
_T = TypeVar("_T")


class KeyRefused(PermanentFailure):
    """lalal.ai does not accept this licence key; look at your account there and enter the key again."""

    code = "lalalai_key_refused"


class NoMinutes(PermanentFailure):
    """The account at lalal.ai has not enough minutes left for this track."""

    code = "lalalai_no_minutes"


class Refused(PermanentFailure):
    """lalal.ai does not do this."""

    code = "lalalai_refused"


class Away(TransientFailure):
    """lalal.ai does not answer in a way that makes sense; the job is tried again later."""

    code = "lalalai_away"


class Cancelled(Exception):
    """The job is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Task:
    """How a task is: `progress`, `success` (with `files`, a URL for each label), or over without a result."""

    state: str
    progress: int = 0
    files: Mapping[str, str] | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a recording can be sung with."""

    id: str
    name: str


class _Again(Exception):
    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class Lalalai:
    """The client. `cancelled` is asked often; `sleep` waits for a time (and is a test's to replace)."""

    def __init__(
        self, key: str, base: str = BASE, *, cancelled: Callable[[], bool] = lambda: False,
        patience_s: float = PATIENCE_S, timeout_s: float = _TIMEOUT_S, sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        self._base = base.rstrip("/")
        self._key = {"X-License-Key": key}
        self._cancelled = cancelled
        self._patience_s = patience_s
        self._sleep = sleep
        self._http = httpx2.Client(timeout=timeout_s, trust_env=False, follow_redirects=False)

    def __enter__(self) -> Lalalai:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- the account -------------------------------------------------------------------------------------------------

    def minutes_left(self) -> float:
        """Return how many minutes the account has. Raises KeyRefused, Away, Cancelled, as every call here does."""
        return float(self._post("limits/minutes_left/", lambda found: found["minutes_left"]))

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices that are ready for this account."""

        def read(found: Mapping[str, Any]) -> tuple[Voice, ...]:
            ready = [pack for pack in found["packs"] if pack.get("ready_to_use", True)]
            return tuple(Voice(str(pack["pack_id"]), str(pack.get("name") or pack["pack_id"])) for pack in ready)

        return self._post("voice_packs/list/", read)

    def cancel_all(self) -> None:
        """Stop everything that runs for this account, also what others have begun with it."""
        self._post("cancel/all/", lambda found: None)

    # -- one track ---------------------------------------------------------------------------------------------------

    def upload(self, file: Path, name: str) -> str:
        """Send an audio file; return the service's id for it."""

        def blocks() -> Iterator[bytes]:
            with file.open("rb") as source:
                while block := source.read(_BLOCK):
                    if self._cancelled():
                        raise Cancelled
                    yield block

        headers = {
            "Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.stat().st_size),
        }
        return self._call(
            lambda: self._http.post(f"{self._base}/upload/", content=blocks(), headers={**self._key, **headers}),
            lambda found: str(found["id"]),
        )

    def begin(self, work: str, source: str, presets: Mapping[str, Any], once: str) -> str:
        """Ask for work on an upload (`split/stem_separator`, `split/multistem`, `split/demuser`, `split/voice_clean`,
        `change_voice`); return the task's id. The same `once` again is the same task, so nothing is paid twice."""
        body = {"source_id": source, "presets": dict(presets), "idempotency_key": once}
        return self._post(f"{work}/", lambda found: str(found["task_id"]), body)

    def look(self, task: str) -> Task:
        """Return how a task is."""
        return self._post("check/", lambda found: _task(found["result"][task]), {"task_ids": [task]})

    def wait(self, task: str, progress: Callable[[int], None]) -> Mapping[str, str]:
        """Wait for a task; return its files by label. Raises Refused or NoMinutes when it has failed."""
        pause_s, longest_s = POLL_S
        while True:
            found = self.look(task)
            if found.state == "success" and found.files:
                return found.files
            if found.state == "server_error":
                raise Away(f"lalal.ai had a fault of its own: {found.why or 'it does not say which'}.")
            if found.state != "progress":
                raise (NoMinutes if "limit" in found.why or "minutes" in found.why else Refused)(
                    f"lalal.ai ended the work ({found.state}): {found.why or 'it does not say why'}."
                )
            progress(found.progress)
            self._pause(pause_s)
            pause_s = min(longest_s, pause_s * 2)

    def fetch(self, url: str, target: Path) -> None:
        """Bring a result to a file, whole or not at all. Raises Away for a URL that leads elsewhere."""
        split, own = urlsplit(url), urlsplit(self._base)
        if split.netloc != own.netloc and not (split.scheme == "https" and f".{split.hostname}".endswith(".lalal.ai")):
            raise Away("lalal.ai named a file that is not its own.")
        part = target.with_suffix(".part")

        def bring() -> httpx2.Response:
            with self._http.stream("GET", url) as answer:
                if answer.status_code == 200:
                    _write(part, self._heard(answer))
                return answer

        self._call(bring, None)
        part.replace(target)

    def cancel(self, tasks: Sequence[str]) -> None:
        """Stop tasks; whatever the service says to that, the job is over here. Never raises."""
        with suppress(httpx2.HTTPError):
            self._http.post(f"{self._base}/cancel/", json={"task_ids": list(tasks)}, headers=self._key, timeout=5)

    def forget(self, source: str) -> None:
        """Have an upload and its results removed there; if that fails they go by themselves in a day. Never raises."""
        with suppress(httpx2.HTTPError):
            self._http.post(f"{self._base}/delete/", json={"source_id": source}, headers=self._key, timeout=5)

    # -- within ------------------------------------------------------------------------------------------------------

    def _post(self, path: str, read: Callable[[Mapping[str, Any]], _T], body: Mapping[str, Any] | None = None) -> _T:
        return self._call(
            lambda: self._http.post(f"{self._base}/{path}", json=dict(body or {}), headers=self._key), read
        )

    def _call(self, ask: Callable[[], httpx2.Response], read: Callable[[Mapping[str, Any]], _T] | None) -> _T:
        """Ask, and ask again, until there is an answer or no patience."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer = _aside(ask, self._cancelled)
                _judge(answer)
                return read(_content(answer)) if read is not None else None  # type: ignore[return-value]
            except _Again as again:
                why, after_s = again, again.after_s
            except httpx2.TransportError as error:
                why, after_s = _Again(str(error) or type(error).__name__), None
            except (KeyError, TypeError, ValueError, AttributeError):
                why, after_s = _Again("its answer is not understood"), None
            wait_s = max(pause_s, after_s or 0.0)
            self._patience_s -= wait_s
            if self._patience_s < 0:
                raise Away(f"lalal.ai cannot be reached: {why}.")
            self._pause(wait_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    def _heard(self, answer: httpx2.Response) -> Iterator[bytes]:
        for block in answer.iter_bytes():
            if self._cancelled():
                raise Cancelled
            yield block

    def _pause(self, seconds: float) -> None:
        """Wait, in short steps so that a cancel is heard."""
        while seconds > 0:
            if self._cancelled():
                raise Cancelled
            self._sleep(min(seconds, 0.25))
            seconds -= 0.25


def _aside(ask: Callable[[], httpx2.Response], cancelled: Callable[[], bool]) -> httpx2.Response:
    """Make a call in a thread of its own and leave it alone when the job is cancelled meanwhile."""
    answers: list[httpx2.Response] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="lalal.ai", daemon=True).start()
    while not done.wait(_LOOK_S):
        if cancelled():
            raise Cancelled
    if errors:
        raise errors[0]
    return answers[0]


def _judge(answer: httpx2.Response) -> None:
    """Let good answers pass. Raises KeyRefused, NoMinutes, Refused, _Again."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    why = _reason(answer)
    if status in _AGAIN:
        raise _Again(f"status {status}", retry_after(answer.headers.get("Retry-After")))
    if status in (401, 403):
        raise KeyRefused
    if status == 402 or "minutes" in why.lower():
        raise NoMinutes
    raise Refused(f"lalal.ai does not do this: {why or f'status {status}'}.")


def _content(answer: httpx2.Response) -> Mapping[str, Any]:
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError
    if found.get("status") == "error":
        raise Refused(f"lalal.ai does not do this: {found.get('error') or 'it does not say why'}.")
    return found


def _reason(answer: httpx2.Response) -> str:
    """Return what the service says to an error, short, whatever its shape."""
    try:
        found = json.loads(answer.content)
        told = found.get("detail") or found.get("error") or ""
        return str(told if isinstance(told, str) else json.dumps(told))[:300]
    except (ValueError, AttributeError, httpx2.ResponseNotRead):
        return ""


def _task(entry: Mapping[str, Any]) -> Task:
    state = str(entry["status"])
    if state == "success":
        tracks = entry["result"]["tracks"]
        return Task(state, 100, {str(track["label"]): str(track["url"]) for track in tracks})
    error = entry.get("error") or ""
    why = f"{error.get('detail', '')} {error.get('code', '')}".strip() if isinstance(error, dict) else str(error)
    return Task(state, int(entry.get("progress") or 0), None, why[:300])


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    try:
        with path.open("wb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DiskFull(f"The result of lalal.ai cannot be stored: {error.strerror}.") from error
