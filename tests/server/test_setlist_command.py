"""`alchemy setlist check`: faults with their lines, what the library lacks, and what is done about it."""

from pathlib import Path
from typing import Any

import pytest

from server import bounce
from server.cli import main
from server.remote import ServerNotRunning


class FakeRemote:
    """A server whose library has what was uploaded to it."""

    def __init__(self) -> None:
        self.uploaded: list[str] = []
        self.asked: list[bool] = []

    def __enter__(self) -> "FakeRemote":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def request(self, method: str, path: str, json: dict[str, Any] | None = None) -> Any:
        assert path == "/api/setlists"
        if method == "GET":
            return []
        assert json is not None
        self.asked.append(json["queue"])
        what = "stems" if self.uploaded else "track"
        queued = json["queue"] and what == "stems"
        return [{"line": 2, "entry": 1, "what": what, "message": f"no {what}", "track_id": None, "queued": queued}]

    def upload(self, path: Path) -> dict[str, Any]:
        self.uploaded.append(path.name)
        return {"id": "1"}


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    fake = FakeRemote()
    monkeypatch.setattr(bounce.Remote, "find", lambda *_: fake)
    return fake


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "song.wav").write_bytes(b"sound")
    path = tmp_path / "friday.toml"
    path.write_text('\n[[entry]]\ntrack = "song.wav"\n')
    return path


def test_what_is_missing_is_told_and_nothing_is_touched(
    remote: FakeRemote, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setlist", "check", str(file), "--data", str(file.parent / "data")]) == 1
    assert f"{file}: line 2: track: no track\n" in capsys.readouterr().err
    assert remote.uploaded == [] and remote.asked == [False]


def test_with_queue_files_are_imported_and_jobs_begun(
    remote: FakeRemote, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setlist", "check", "--queue", str(file), "--data", str(file.parent / "data")]) == 0
    assert f"{file}: line 2: stems: no stems (queued)\n" in capsys.readouterr().err
    assert remote.uploaded == ["song.wav"] and remote.asked == [False, True]


def test_faults_are_told_without_a_server(
    monkeypatch: pytest.MonkeyPatch, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: object) -> FakeRemote:
        raise ServerNotRunning

    monkeypatch.setattr(bounce.Remote, "find", nobody)
    assert main(["setlist", "check", str(file), "--data", str(file.parent / "data")]) == 0
    assert "good" in capsys.readouterr().out
    file.write_text('[[entry]]\ntrack = "song.wav"\nstart = "bar x"\n')
    assert main(["setlist", "check", str(file), "--data", str(file.parent / "data")]) == 1
    assert "line 3: start: takes seconds, or a place" in capsys.readouterr().err
