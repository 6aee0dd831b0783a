"""Fetching over http: whole or not at all, gone on with where it broke off, stopped at once, and never at home."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import fetching
from pipeline.errors import PipelineError
from pipeline.fetching import Fetch, FileTooLarge, LinkFails, LinkGone, NotAudioLink, retry_after
from pipeline.reach import PrivateAddress, Unreachable, addresses, is_public
from tests.pipeline.remote_site import Answer, Asked, RemoteSite, audio, head, plain

BODY = random.Random(1).randbytes(300_000)


class Stopped(PipelineError):
    """The job is not wanted any more."""


class Job:
    """What the job's link is to a fetch."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.told: list[tuple[int, str]] = []

    def check(self) -> None:
        if self.stop.is_set():
            raise Stopped

    def fetch(self, url: str, folder: Path, **options: Any) -> fetching.Fetched:
        given = {"limit": 1 << 20, "private": True, **options}
        return Fetch(
            url, folder, check=self.check, cancelled=self.stop.is_set,
            progress=lambda percent, stage: self.told.append((percent, stage)), **given,
        ).run()  # fmt: skip


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_S", 1.0)


def test_a_file_comes_whole_with_its_name_and_true_progress(tmp_path: Path) -> None:
    job = Job()
    with RemoteSite([audio(BODY)]) as site:
        got = job.fetch(site.url("/a%20b.wav?x=1"), tmp_path)
    assert (got.path.read_bytes(), got.name) == (BODY, "a b.wav")
    assert site.asked[0].target == "/a%20b.wav?x=1" and site.asked[0].headers["host"] == f"127.0.0.1:{site.port}"
    percents = [percent for percent, _ in job.told]
    assert percents == sorted(percents) and percents[-1] == 95


def test_what_broke_off_is_gone_on_with(tmp_path: Path) -> None:
    with RemoteSite([audio(BODY, breaks_after=100_000), audio(BODY, breaks_after=50_000), audio(BODY)]) as site:
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY
    assert [asked.start for asked in site.asked] == [0, 100_000, 150_000]


def test_the_next_attempt_of_the_job_goes_on_too(tmp_path: Path) -> None:
    with RemoteSite([audio(BODY, breaks_after=100_000), plain("503 Busy", Retry_After=30)]) as site:
        with pytest.raises(LinkFails, match="503"):
            Job().fetch(site.url(), tmp_path)
        site.answers = [audio(BODY)]
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY
    assert site.asked[-1].start == 100_000


def test_a_file_that_changed_meanwhile_begins_again(tmp_path: Path) -> None:
    other = BODY[::-1]
    with RemoteSite([audio(BODY, breaks_after=100_000), audio(other, etag='"two"')]) as site:
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == other


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_version_it_begins_again(tmp_path: Path, etag: str) -> None:
    with RemoteSite([audio(BODY, etag=etag, breaks_after=100_000), audio(BODY, etag=etag)]) as site:
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY
    assert [asked.start for asked in site.asked] == [0, 0]


def test_a_server_that_answers_another_range_is_not_believed(tmp_path: Path) -> None:
    wrong = plain("206 Partial Content", BODY[:10], Content_Range=f"bytes 5-14/{len(BODY)}", ETag='"one"')
    with RemoteSite([audio(BODY, breaks_after=100_000), wrong, audio(BODY)]) as site:
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY


def test_a_whole_part_needs_nothing_more(tmp_path: Path) -> None:
    with RemoteSite([audio(BODY)]) as site:
        Job().fetch(site.url(), tmp_path)
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY
    assert len(site.asked) == 2


def test_chunks_and_ends_without_a_length(tmp_path: Path) -> None:
    def chunked(_asked: Asked, line: socket.socket) -> None:
        line.sendall(head("200 OK", Transfer_Encoding="chunked"))
        for at in range(0, len(BODY), 70_000):
            piece = BODY[at : at + 70_000]
            line.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        line.sendall(b"0\r\n\r\n")

    def endless(_asked: Asked, line: socket.socket) -> None:
        line.sendall(head("200 OK") + BODY)

    for number, answer in enumerate((chunked, endless)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with RemoteSite([answer]) as site:
            assert Job().fetch(site.url(), folder).path.read_bytes() == BODY


def test_redirects_are_followed_and_name_the_file(tmp_path: Path) -> None:
    named = audio(BODY)
    with RemoteSite(
        [plain("302 Found", Location="/deeper/x y.wav"), plain("307 Temporary", Location="z.wav"), named]
    ) as site:
        got = Job().fetch(site.url(), tmp_path)
    assert [asked.target for asked in site.asked] == ["/song.wav", "/deeper/x%20y.wav", "/deeper/z.wav"]
    assert got.name == "z.wav"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://example.com/x", "http://me:secret@127.0.0.1/x", "http://[", "/song.wav"],
)
def test_redirects_to_nowhere_or_without_end(tmp_path: Path, location: str) -> None:
    with RemoteSite([plain("302 Found", Location=location)]) as site, pytest.raises(LinkGone):
        Job().fetch(site.url(), tmp_path)
    assert len(site.asked) <= fetching.REDIRECTS + 1


def test_the_name_that_the_server_gives_is_no_path(tmp_path: Path) -> None:
    given = plain("200 OK", BODY, Content_Disposition='attachment; filename="../../etc/my song.wav"')
    with RemoteSite([given]) as site:
        assert Job().fetch(site.url(), tmp_path).name == "my song.wav"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["download.json", "download.part"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (plain("200 OK", b"<html>", Content_Type="text/html; charset=utf-8"), NotAudioLink),
        (plain("404 Not Found"), LinkGone), (plain("410 Gone"), LinkGone), (plain("403 Forbidden"), LinkGone),
        (plain("401 Unauthorized"), LinkGone), (plain("418 Teapot"), LinkGone),
        (plain("429 Too Many Requests", Retry_After=9), LinkFails), (plain("500 Oh"), LinkFails),
        (plain("503 Busy", Retry_After="Wed, 21 Oct 2065 07:28:00 GMT"), LinkFails),
        (plain("200 OK", b"x", Content_Encoding="gzip"), LinkFails),
        (lambda _asked, line: line.sendall(b"SSH-2.0-hello\r\n\r\n"), LinkFails),
        (lambda _asked, line: None, LinkFails),
        (plain("200 OK", b"x" * ((1 << 20) + 1)), FileTooLarge),
        (lambda _asked, line: line.sendall(head("200 OK") + b"x" * ((1 << 20) + 1)), FileTooLarge),
    ],
)  # fmt: skip
def test_faults_of_the_server_have_a_sentence(tmp_path: Path, answer: Answer, kind: type[PipelineError]) -> None:
    with RemoteSite([answer]) as site, pytest.raises(kind) as raised:
        Job().fetch(site.url(), tmp_path)
    assert str(raised.value).endswith((".", "`", "itself"))


def test_a_busy_server_is_asked_again_when_it_says(tmp_path: Path) -> None:
    with RemoteSite(
        [plain("429 Too Many Requests", Retry_After="0"), plain("503 Busy", Retry_After="0"), audio(BODY)]
    ) as site:
        assert Job().fetch(site.url(), tmp_path).path.read_bytes() == BODY


def test_nobody_there(tmp_path: Path) -> None:
    with RemoteSite([audio(BODY)]) as site:
        url = site.url()
    with pytest.raises(LinkFails, match="does not answer"):
        Job().fetch(url, tmp_path)


def test_cancel_ends_a_read_that_waits_for_ever(tmp_path: Path) -> None:
    job, held = Job(), threading.Event()

    def silent(_asked: Asked, line: socket.socket) -> None:
        line.sendall(head("200 OK", Content_Length=len(BODY)) + BODY[:1000])
        job.stop.set()
        held.wait(20)

    began = time.monotonic()
    with RemoteSite([silent]) as site, pytest.raises(Stopped):
        job.fetch(site.url(), tmp_path)
    held.set()
    assert time.monotonic() - began < 15, "it was not the silence that ended it"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:53aa:64c:0:0:80ff:fffe", "::127.0.0.1", "2001:db8::1", "nonsense", "",
    ],
)  # fmt: skip
def test_addresses_that_links_never_reach(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


def _resolver(*places: str) -> Any:
    def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in place else socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port))
            for place in places
        ]

    return resolve


def test_one_private_address_among_public_ones_is_enough() -> None:
    for places in (("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("2606:4700::1111", "::1")):
        with pytest.raises(PrivateAddress):
            addresses("a.example", 80, private=False, cancelled=lambda: False, resolve=_resolver(*places))
    found = addresses("a.example", 80, private=False, cancelled=lambda: False, resolve=_resolver("1.1.1.1"))
    assert [place for _, place in found] == [("1.1.1.1", 80)]


def test_a_name_is_resolved_once_and_the_connection_goes_there(tmp_path: Path) -> None:
    with RemoteSite([audio(BODY)]) as site:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[tuple[Any, ...]]:
            asked.append(host)
            found: list[tuple[Any, ...]] = _resolver("127.0.0.1")(host, port)
            return found

        url = f"http://music.example:{site.port}/x.wav"
        assert Job().fetch(url, tmp_path, resolve=resolve).path.read_bytes() == BODY
    assert asked == ["music.example"] and site.asked[0].headers["host"] == f"music.example:{site.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_no_spelling_of_this_machine_is_asked_anything(tmp_path: Path, host: str) -> None:
    with RemoteSite([audio(BODY)]) as site, pytest.raises((PrivateAddress, LinkFails)):
        Job().fetch(f"http://{host}:{site.port}/x.wav", tmp_path, private=False)
    assert not site.asked


def test_a_redirect_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.reach.is_public", lambda address: address == "127.0.0.1")
    with RemoteSite([plain("302 Found", Location="http://inside.example/x")]) as site, pytest.raises(PrivateAddress):
        Job().fetch(
            f"http://outside.example:{site.port}/x", tmp_path, private=False,
            resolve=lambda host, port: _resolver("127.0.0.1" if host == "outside.example" else "10.0.0.7")(host, port),
        )  # fmt: skip
    assert len(site.asked) == 1


def test_names_that_nobody_knows() -> None:
    def unknown(host: str, port: int) -> list[tuple[Any, ...]]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        addresses("a.example", 80, private=False, cancelled=lambda: False, resolve=unknown)


def test_retry_after_in_both_forms() -> None:
    assert retry_after("120") == 120.0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert [retry_after(text) for text in (None, "", "soon", "-1")] == [None, None, None, None]
