"""What `alchemy doctor` says of ports, devices and the model, and that no check ends the report."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio import portaudio
from pipeline import models
from pipeline.errors import ModelCorrupt
from server import doctor, port_holder
from server.remote import Address
from server.settings import Settings


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """A TCP and a UDP port that this process holds."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        yield tcp.getsockname()[1], udp.getsockname()[1]


def test_a_port_that_is_taken_is_named_with_its_holder(taken: tuple[int, int], tmp_path: Path) -> None:
    page, osc = taken
    found = list(doctor._ports(Settings(data=tmp_path, port=page, osc_port=osc)))
    assert [finding.mark for finding in found] == ["missing", "missing"]
    assert f"TCP {page} cannot be had" in found[0].detail and f"UDP {osc} cannot be had" in found[1].detail
    assert f"--port {page + 1}" in found[0].mend and f"--osc-port {osc + 1}" in found[1].mend
    if sys.platform == "linux":
        for finding in found:
            assert f"process {os.getpid()}: " in finding.detail and "\n" not in finding.detail


def test_a_port_that_is_free_or_any_is_well(taken: tuple[int, int], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = list(doctor._ports(Settings(data=tmp_path, port=port, osc_port=0)))
    assert [finding.mark for finding in found] == ["ok", "ok"]
    assert port_holder.is_free("tcp", "127.0.0.1", port) is None, "looking leaves it free"
    assert port_holder.holder("tcp", port) is None


def test_the_ports_of_our_own_server_are_well(taken: tuple[int, int], tmp_path: Path) -> None:
    page, osc = taken
    settings = Settings(data=tmp_path, port=page, osc_port=osc)
    settings.runtime.mkdir(parents=True)
    Address(f"http://127.0.0.1:{page}", "token", osc_port=osc).write(settings.runtime)
    found = list(doctor._ports(settings))
    assert all(finding.mark == "ok" and "this data folder" in finding.detail for finding in found)


def test_a_missing_library_is_not_a_missing_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(portaudio, "_library", lambda: None)
    [finding] = doctor._audio(Settings(data=tmp_path))
    assert finding.mark == "note" and "PortAudio library is missing" in finding.detail and "install" in finding.mend


def test_a_model_with_another_hash_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def damaged(name: str) -> Path:
        raise ModelCorrupt("The model file is damaged.")

    monkeypatch.setattr(models, "is_here", lambda name: True)
    monkeypatch.setattr(models, "verify", damaged)
    finding = next(iter(doctor._model(Settings(data=tmp_path))))
    assert (finding.mark, finding.mend) == ("missing", "alchemy models pull htdemucs")


def test_a_check_that_fails_is_a_line_of_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def _broken(settings: Settings) -> Iterator[doctor.Finding]:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(doctor, "CHECKS", (_broken, doctor._python))
    assert doctor.doctor(Settings(data=tmp_path)) == 1
    told = capsys.readouterr().out.splitlines()
    assert "MISSING" in told[0] and "no such thing" in told[0] and "Python" in told[1]
