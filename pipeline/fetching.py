"""The audio behind a plain http(s) link, fetched to a file: gone on with where it broke off, never beyond its limit.

Owner: the thread of the download job; the file lies in the job's spool, with a note of what it is the beginning of.
Units: bytes; seconds; progress in percent.

What is there of a file is gone on with only when the server names a version of it (a strong ETag, or a date) that is
the same as before; else it begins again. Redirects are followed five deep, and each is looked at like a link.
"""

import email.message
import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from pipeline.errors import DiskFull, PermanentFailure, TransientFailure
from pipeline.links import LinkRejected, address
from pipeline.reach import Resolve, Unreachable, Watch, connect, look_up

REDIRECTS: Final = 5

PATIENCE_S: Final = 60.0
"""How long a server may give nothing, or ask for patience, before the job goes back to the queue."""

BLOCK_BYTES: Final = 1 << 16

AGENT: Final = "SoundForgeAlchemy (+audio fetch)"

Progress = Callable[[int, str], None]


class NotAudioLink(PermanentFailure):
    """The link leads to a web page, not to an audio file; paste the address of the file itself."""

    code = "not_audio_link"


class LinkGone(PermanentFailure):
    """There is nothing at this link."""

    code = "link_gone"


class FileTooLarge(PermanentFailure):
    """The file behind the link is larger than this server takes."""

    code = "file_too_large"


class LinkFails(TransientFailure):
    """The server behind the link does not give the file now."""

    code = "link_fails"


class _Note(msgspec.Struct):
    """What the part on the disk is the beginning of."""

    validator: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is whole, and what its server calls it."""

    path: Path
    name: str


class _Wait(Exception):
    """The server asks for patience."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.why = why


class Fetch:
    """One download. `check` raises to give up, `cancelled` says so without raising (from another thread too)."""

    def __init__(
        self, url: str, folder: Path, *, limit: int, private: bool = False, check: Callable[[], None],
        cancelled: Callable[[], bool], progress: Progress = lambda percent, stage: None, resolve: Resolve = look_up,
    ) -> None:  # fmt: skip
        self._url = url
        self._part = folder / "download.part"
        self._note_path = folder / "download.json"
        self._limit = limit
        self._private = private
        self._check = check
        self._cancelled = cancelled
        self._progress = progress
        self._resolve = resolve
        self._name = ""

    def run(self) -> Fetched:
        """Fetch it all. Raises PrivateAddress, LinkGone, NotAudioLink, FileTooLarge, DiskFull, LinkFails, as `check`"""
        silent_since = time.monotonic()
        pause_s = 0.25
        while True:
            before = self._size()
            try:
                with Watch(self._cancelled) as watch:
                    whole = self._attempt(watch)
                if whole:
                    return Fetched(self._part, self._name)
                wait = _Wait(pause_s, "the connection broke off")
            except _Wait as asked:
                wait = asked
            except (OSError, http.client.HTTPException, Unreachable) as error:
                wait = _Wait(pause_s, str(error).rstrip(".") or type(error).__name__)
            self._check()
            if self._size() > before:
                silent_since, pause_s = time.monotonic(), 0.25
            else:
                pause_s = min(8.0, pause_s * 2)
            if time.monotonic() + wait.seconds - silent_since > PATIENCE_S:
                raise LinkFails(f"The file does not come: {wait.why}.")
            self._sleep(wait.seconds)

    # -- one attempt -------------------------------------------------------------------------------------------------

    def _attempt(self, watch: Watch) -> bool:
        """Ask once and take what comes; True when the file is whole."""
        note = self._note()
        have = self._size() if note.validator else 0
        headers = {"User-Agent": AGENT, "Accept": "audio/*, */*;q=0.5", "Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": note.validator}
        url, connection, answer = self._ask(headers, watch)
        try:
            status = answer.status
            if status == 416 and have and have == note.total:
                return True
            if status == 416:
                self._begin_again()
                return False
            if status not in (200, 206):
                raise self._refusal(answer)
            self._name = _file_name(answer, url)
            if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
                raise NotAudioLink
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise LinkFails("The server packs the file in a way that was not asked for.")
            if status == 206:
                start, total = _content_range(answer)
                if start != have:
                    self._begin_again()
                    return False
            else:
                start, total = 0, answer.length
                note = _Note(_validator(answer), total)
                self._write_note(note)
            if total is not None and total > self._limit:
                raise FileTooLarge(f"The file behind the link has {total >> 20} MiB; {self._limit >> 20} are taken.")
            return self._take(answer, start, total)
        finally:
            answer.close()
            connection.close()

    def _ask(
        self, headers: dict[str, str], watch: Watch
    ) -> tuple[str, http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send the request, and again wherever a redirect leads."""
        url = self._url
        for _ in range(REDIRECTS + 1):
            split = urlsplit(url)
            host = split.hostname or ""
            port = split.port or {"http": 80, "https": 443}[split.scheme]
            connection = connect(
                split.scheme, host, port, private=self._private, cancelled=self._cancelled,
                resolve=self._resolve,
            )  # fmt: skip
            try:
                watch.over(connection.sock)
                target = (split.path or "/") + (f"?{split.query}" if split.query else "")
                connection.request("GET", target, headers={"Host": split.netloc, **headers})
                answer = connection.getresponse()
                location = answer.headers.get("Location")
                if answer.status not in (301, 302, 303, 307, 308) or not location:
                    return url, connection, answer
            except BaseException:
                connection.close()
                raise
            answer.close()
            connection.close()
            url = _onward(url, location)
        raise LinkGone("The link leads from one address to the next without end.")

    def _take(self, answer: http.client.HTTPResponse, start: int, total: int | None) -> bool:
        """Write what comes; True when it is all there."""
        at = start
        try:
            file = self._part.open("r+b" if start else "wb")
        except OSError as error:
            raise DiskFull(f"The download cannot be kept: {error.strerror}.") from error
        with file:
            file.seek(start)
            file.truncate()
            while block := answer.read1(BLOCK_BYTES):
                self._check()
                at += len(block)
                if at > self._limit:
                    raise FileTooLarge(f"The file behind the link has more than {self._limit >> 20} MiB.")
                try:
                    file.write(block)
                    file.flush()
                except OSError as error:
                    raise DiskFull(f"The download cannot be kept: {error.strerror}.") from error
                self._progress(95 * at // total if total else 0, f"fetching, {at / 1e6:.1f} MB")
        return at == total if total is not None else True

    def _refusal(self, answer: http.client.HTTPResponse) -> Exception:
        """Return what a status that is no success means."""
        status = answer.status
        if status in (404, 410):
            return LinkGone()
        if status in (401, 402, 403, 407, 451):
            return LinkGone(f"The server behind the link does not give the file to us (status {status}).")
        if status in (408, 425, 429) or status >= 500:
            seconds = retry_after(answer.headers.get("Retry-After"))
            return _Wait(1.0 if seconds is None else seconds, f"the server is busy (status {status})")
        return LinkGone(f"The server behind the link does not understand it (status {status}).")

    # -- the part and its note ---------------------------------------------------------------------------------------

    def _size(self) -> int:
        try:
            return self._part.stat().st_size
        except FileNotFoundError:
            return 0

    def _note(self) -> _Note:
        try:
            return msgspec.json.decode(self._note_path.read_bytes(), type=_Note)
        except (OSError, msgspec.DecodeError):
            return _Note()

    def _write_note(self, note: _Note) -> None:
        """Forget the part before its note changes: a note never speaks of another file's bytes."""
        try:
            self._part.unlink(missing_ok=True)
            self._note_path.write_bytes(msgspec.json.encode(note))
        except OSError as error:
            raise DiskFull(f"The download cannot be kept: {error.strerror}.") from error

    def _begin_again(self) -> None:
        self._part.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check()
            time.sleep(min(0.1, left))


def _onward(url: str, location: str) -> str:
    """Return where a redirect leads, in its one spelling. Raises LinkGone for what is no address of the web."""
    try:
        return address(urljoin(url, location).replace(" ", "%20"))[0]
    except (LinkRejected, ValueError) as error:
        raise LinkGone(f"The link leads on to an address that is not followed: {error}") from error


def retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, as a number or a date; None when it says nothing of use."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _validator(answer: http.client.HTTPResponse) -> str:
    """Return what tells this version of the file from another, empty when the server cannot go on with it."""
    etag = answer.headers.get("ETag", "")
    if answer.headers.get("Accept-Ranges", "").lower() == "none":
        return ""
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _content_range(answer: http.client.HTTPResponse) -> tuple[int, int | None]:
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if found is None:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _file_name(answer: http.client.HTTPResponse, url: str) -> str:
    """Return what to call the file: words for people, never a path."""
    message = email.message.Message()
    message["Content-Disposition"] = answer.headers.get("Content-Disposition", "")
    name = message.get_filename() or unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    return re.split(r"[/\\]", name)[-1][:200]
