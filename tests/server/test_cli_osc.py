"""`alchemy osc layout` lists and writes layouts."""

from pathlib import Path

import pytest

from control.layouts.files import content
from server.cli import main


def test_layouts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["osc", "layout"]) == 0
    assert "dj-phone.tosc" in capsys.readouterr().out


def test_a_layout_is_written(tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    assert main(["osc", "layout", "classic.json", "-o", str(file), "--host", "10.0.0.2", "--osc-port", "9001"]) == 0
    assert file.read_bytes() == content("classic.json", "10.0.0.2:9001")


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["osc", "layout", "nope.tosc", "-o", str(tmp_path / "x")]) == 1
    assert "dj-phone.tosc" in capsys.readouterr().err
    assert main(["osc", "layout", "classic.tosc", "-o", str(tmp_path / "no" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err
