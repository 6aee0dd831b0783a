"""What the command says at the terminal when it cannot do what was asked: a sentence and a status, never a trace."""

import socket
import subprocess
import sys
from pathlib import Path


def alchemy(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = alchemy("run", "--data", str(tmp_path / "data"), "--port", str(port), "--audio", "null", "--no-browser")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("alchemy run: ") and done.stderr.count("\n") == 1, done.stderr
    assert str(port) in done.stderr and "--port" in done.stderr


def test_faults_in_the_settings_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "alchemy.toml").write_text("prot = 1\nblock = 'big'\n", encoding="utf-8")
    done = alchemy("doctor", "--data", str(tmp_path))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "did you mean 'port'" in done.stderr and "'big' is not a whole number" in done.stderr
