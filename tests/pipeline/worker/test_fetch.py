"""Fetching a track's audio from a server with faults."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import AudioRejected, DiskFull, PermanentFailure, TransientFailure
from pipeline.pcm import FRAME_BYTES, to_bytes
from pipeline.worker_fetch import PATIENCE_S, Source
from pipeline.worker_mix import FETCH_FRAMES

AUDIO = (np.random.default_rng(5).integers(-(2**21), 2**21, (2, 300_000)) / 2.0**21).astype(np.float32)


class Shop:
    """A server that can be told to misbehave."""

    def __init__(self) -> None:
        self.raw = to_bytes(AUDIO)
        self.etag = '"1"'
        self.cut: list[int] = []
        self.status = 0
        self.levels = "0.25,0.5"
        self.change_after_first = False
        self.asked: list[str] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                return

            def do_GET(self) -> None:
                shop.asked.append(self.headers["Range"])
                if shop.status:
                    self.send_response(shop.status)
                    self.end_headers()
                    return
                if self.headers["If-Range"] not in (None, shop.etag):
                    self.send_response(200)
                    self.end_headers()
                    return
                match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
                assert match is not None and self.headers["Authorization"] == "Bearer token"
                start, stop = int(match[1]), min(int(match[2]) + 1, len(shop.raw))
                body = shop.raw[start:stop]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(shop.raw)}")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", shop.etag)
                self.send_header("Alchemy-Levels", shop.levels)
                self.end_headers()
                if len(body) > 1 and shop.cut:
                    body = body[: shop.cut.pop(0)]
                self.wfile.write(body)
                if shop.change_after_first:
                    shop.etag = '"2"'

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def source(shop: Shop, tmp_path: Path, pauses: list[float]) -> Iterator[Source]:
    made = Source(shop.url, "token", tmp_path, pauses.append)
    yield made
    made.close()


def never() -> None:
    return


def test_audio_is_fetched_once_and_kept(shop: Shop, source: Source) -> None:
    assert np.array_equal(source.load("track", 44100, never), AUDIO)
    before = len(shop.asked)
    assert np.array_equal(source.load("track", 44100, never), AUDIO)
    assert len(shop.asked) == before + 1, "only to ask whether it is the same"
    shop.etag, shop.raw = '"new"', shop.raw[:800]
    assert source.load("track", 44100, never).shape == (2, 100)


def test_a_transfer_that_breaks_off_goes_on_where_it_was(shop: Shop, source: Source) -> None:
    shop.cut = [500_000, 3, 100_001]
    assert np.array_equal(source.load("track", 44100, never), AUDIO)
    starts = [int(asked.split("=")[1].split("-")[0]) for asked in shop.asked[1:]]
    assert starts == [0, 500_000, 500_003, 600_004]


def starts(shop: Shop) -> list[int]:
    return [int(asked.split("=")[1].split("-")[0]) // FRAME_BYTES for asked in shop.asked[1:]]


def test_only_what_is_asked_for_is_fetched(shop: Shop, source: Source, tmp_path: Path) -> None:
    with closing(source.open("track", 44100, never)) as mix:
        assert mix.shape == AUDIO.shape and mix.levels == (0.25, 0.5)
        assert np.array_equal(mix[:, 150_000:150_100], AUDIO[:, 150_000:150_100])
        assert mix.missing == 300_000 - FETCH_FRAMES
        assert np.array_equal(mix[:, 100_000:200_000], AUDIO[:, 100_000:200_000])
        assert starts(shop) == [2 * FETCH_FRAMES, FETCH_FRAMES, 3 * FETCH_FRAMES]
        before = len(shop.asked)
        assert np.array_equal(mix[:, 131_071:196_609], AUDIO[:, 131_071:196_609])
        assert mix[:, 70_000:70_000].shape == (2, 0)
        assert len(shop.asked) == before, "what is here is not fetched again"
    assert list((tmp_path / "pcm").iterdir()) == [], "a part is not kept"


def test_a_mix_that_came_whole_in_pieces_is_kept(shop: Shop, source: Source, tmp_path: Path) -> None:
    with closing(source.open("track", 44100, never)) as mix:
        for start in (200_000, 0, 100_000):
            assert np.array_equal(mix[:, start : start + 100_000], AUDIO[:, start : start + 100_000])
        assert mix.missing == 0 and np.array_equal(mix[:, :], AUDIO)
    assert [path.suffix for path in (tmp_path / "pcm").iterdir()] == [".f32"]
    with closing(source.open("track", 44100, never)) as again:
        assert again.missing == 0


def test_a_stretch_survives_a_server_that_is_away_for_a_while(
    shop: Shop, source: Source, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(source.open("track", 44100, never)) as mix:
        shop.cut = [80_001, 7]
        shop.status = 503

        def back(seconds: float) -> None:
            pauses.append(seconds)
            shop.status = 503 if len(pauses) < 20 else 0

        monkeypatch.setattr(source, "_pause", back)
        assert np.array_equal(mix[:, 0:40_000], AUDIO[:, 0:40_000])
        assert len(pauses) == 20
        shop.status = 503
        monkeypatch.setattr(source, "_pause", pauses.append)
        with pytest.raises(TransientFailure, match="stopped coming"):
            mix[:, 200_000:200_001]
    assert sum(pauses) > PATIENCE_S, "it was patient"


def test_audio_that_changed_meanwhile_is_not_mixed(shop: Shop, source: Source, pauses: list[float]) -> None:
    with closing(source.open("track", 44100, never)) as mix:
        mix.need(0, 10)
        shop.etag = '"2"'
        with pytest.raises(TransientFailure, match="changed"):
            mix[:, 200_000:200_001]
    assert pauses == []


def test_a_full_disk_is_said_at_once_and_nothing_half_is_left(
    source: Source, pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: memoryview, at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.pcm.os.pwrite", full)
    with closing(source.open("track", 44100, never)) as mix, pytest.raises(DiskFull, match="No space left"):
        mix[:, 0:10]
    assert pauses == [] and list((tmp_path / "pcm").iterdir()) == []


@pytest.mark.parametrize("told", ["", "nan,1", "0,-1", "0", "a,b"])
def test_levels_that_make_no_sense_are_none(shop: Shop, source: Source, told: str) -> None:
    shop.levels = told
    with closing(source.open("track", 44100, never)) as mix:
        assert mix.levels is None


def test_only_stretches_of_both_channels_can_be_taken(source: Source) -> None:
    with closing(source.open("track", 44100, never)) as mix:
        for key in ((slice(0, 1), slice(0, 5)), (slice(None), slice(0, 5, 2))):
            with pytest.raises(TypeError):
                mix[key]


def test_failures_say_whether_to_try_again(shop: Shop, source: Source, tmp_path: Path) -> None:
    for status, kind in ((404, AudioRejected), (403, PermanentFailure), (503, TransientFailure)):
        shop.status = status
        with pytest.raises(kind):
            source.load("track", 44100, never)
    shop.status = 0
    shop.change_after_first = True
    with pytest.raises(TransientFailure):
        source.load("track", 44100, never)
    assert list((tmp_path / "pcm").iterdir()) == [], "nothing half is left"


def test_a_cancelled_job_stops_fetching(source: Source, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        source.load("track", 44100, stop)
    assert list((tmp_path / "pcm").iterdir()) == []


def test_a_track_without_audio_is_refused(shop: Shop, source: Source) -> None:
    shop.raw = shop.raw[:7]
    with pytest.raises(AudioRejected):
        source.load("track", 44100, never)
