"""What `alchemy run` does before the server is loaded: nothing is begun that could be left behind."""

import socket
from pathlib import Path

import pytest

from server import start
from server.errors import AlreadyRunning, SettingsRejected
from server.lock import data_lock
from server.settings import Settings


class FakeEngine:
    """An engine on its way up."""

    def __init__(self, *options: str, log: Path) -> None:
        self.options, self.ended = options, False
        log.touch()

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    engines: list[FakeEngine] = []

    def spawn(*options: str, log: Path) -> FakeEngine:
        engines.append(FakeEngine(*options, log=log))
        return engines[-1]

    monkeypatch.setattr(start, "spawn", spawn)
    monkeypatch.setattr(start.signal, "signal", lambda *_: None)
    return engines


def test_a_port_that_is_taken_starts_no_engine(tmp_path: Path, begun: list[FakeEngine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsRejected, match=f"port {port} cannot be had"):
            start.run(Settings(tmp_path, port=port))
    assert not begun


def test_a_folder_that_is_in_use_starts_no_engine(tmp_path: Path, begun: list[FakeEngine]) -> None:
    settings = Settings(tmp_path, port=0)
    with data_lock(settings.data, settings.runtime), pytest.raises(AlreadyRunning):
        start.run(settings)
    assert not begun


def test_the_engine_is_begun_first_and_goes_with_a_server_that_fails(
    tmp_path: Path, begun: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(settings: Settings, listener: socket.socket, engine: FakeEngine) -> int:
        assert begun == [engine] and not engine.ended
        assert "--audio=null" in engine.options and listener.getsockname()[1] > 0
        listener.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("server.run.serve", serve)
    with pytest.raises(KeyboardInterrupt):
        start.run(Settings(tmp_path, port=0, audio="null"))
    assert begun[0].ended
