"""The spool of a worker: what is noted is there, whatever happened in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import DiskFull
from pipeline.worker_spool import KEEP_S, Spool, SpoolBusy, sweep


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    with Spool(tmp_path, "job") as spool:
        assert spool.write("bass", 10, b"\1" * 80) == (10, 20)
        spool.write("bass", 20, b"\2" * 8)
        spool.write("drums", 0, b"\3" * 8)
    with (tmp_path / "jobs/job/bass.ranges").open("a") as journal:
        journal.write("30 4")  # a line that a crash cut short
    with Spool(tmp_path, "job") as spool:
        assert spool.ranges("bass") == ((10, 21),) and spool.ranges("drums") == ((0, 1),)
        assert spool.file("bass").read(19, 21) == b"\1" * 8 + b"\2" * 8
        spool.forget("bass")
        assert spool.ranges("bass") == () and not spool.file("bass").path.exists()
        spool.clear()
    assert not (tmp_path / "jobs/job").exists()


def test_one_job_has_one_hand_at_a_time(tmp_path: Path) -> None:
    with Spool(tmp_path, "job"):
        with pytest.raises(SpoolBusy), Spool(tmp_path, "job"):
            pass
        with Spool(tmp_path, "other"):
            pass
    with Spool(tmp_path, "job"):
        pass


def test_a_full_disk_is_said_and_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with Spool(tmp_path, "job") as spool:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(DiskFull, match="No space left"):
            spool.write("bass", 0, b"\0" * 8)
        assert spool.ranges("bass") == ()


def test_what_nobody_came_back_for_is_swept(tmp_path: Path) -> None:
    with Spool(tmp_path, "old") as spool:
        spool.write("bass", 0, b"\0" * 8)
    (tmp_path / "pcm").mkdir()
    (tmp_path / "pcm/track.f32").write_bytes(b"\0" * 8)
    now = (tmp_path / "pcm/track.f32").stat().st_mtime
    sweep(tmp_path, now + KEEP_S - 60)
    assert (tmp_path / "jobs/old").exists() and (tmp_path / "pcm/track.f32").exists()
    sweep(tmp_path, now + KEEP_S + 60)
    assert not (tmp_path / "jobs/old").exists() and not (tmp_path / "pcm/track.f32").exists()
