"""The house rules that a machine can check: who imports whom, and what a server start loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("server", "control", "audio", "pipeline")

#: Modules only one file may import, because it is the adapter for that device or service.
ADAPTERS = {
    "sounddevice": {"audio/portaudio.py"},
    "rtmidi": {"control/rtmidi_port.py", "control/clock_port.py"},
    "asyncpg": {"server/db.py"},
    "pythonosc": {"control/osc_codec.py"},
    "zeroconf": {"control/zeroconf_port.py"},
    "aalink": {"control/link_port.py"},
    "quickjs": {"control/scripts/interpreter.py"},
    "openvino": {"pipeline/engines/onnx.py", "pipeline/engines/onnx_runtimes.py"},
    "onnxruntime": {"pipeline/engines/onnx.py", "pipeline/engines/onnx_runtimes.py"},
    "torch": {"pipeline/engines/demucs.py", "pipeline/analysis/beat_model.py"},
    "demucs": {"pipeline/engines/demucs.py"},
    "mutagen": {"server/library/tag_reader.py"},
    "psycopg": {"pipeline/broker_session.py"},
    "beat_this": {"pipeline/analysis/beat_model.py"},
    "pika": {"pipeline/broker_others.py"},
    "redis": {"pipeline/broker_others.py"},
}


#: The offline renderer hosts the kernel itself; a running server never imports it.
OFFLINE = {"server/render.py", "server/bounce.py", "server/session/material.py"}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_packages_point_one_way() -> None:
    wrong = []
    for path in sources():
        package = path.relative_to(ROOT).parts[0]
        if package == "server":
            continue
        for name in imported(path):
            top = name.split(".")[0]
            if top in PACKAGES and top != package and not name.startswith("audio.units") and name != "audio":
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


@pytest.mark.parametrize("module", sorted(ADAPTERS))
def test_one_adapter_for_each_outside_thing(module: str) -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in sources()
        if any(name.split(".")[0] == module for name in imported(path))
    }
    assert users <= ADAPTERS[module]


def test_the_server_loads_nothing_heavy() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "server").rglob("*.py"))
        if path.name != "__main__.py" and str(path.relative_to(ROOT)) not in OFFLINE
    ]
    heavy = ("torch", "librosa", "onnxruntime", "openvino", "numba", "scipy", "sounddevice")
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name.removesuffix('.__init__'))\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("[]"), result.stdout


def test_every_module_says_what_it_is() -> None:
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in sources()}
    assert not [path for path, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))]
