"""Settings over HTTP: explained, written into the file without harm to what stands there, and the owner's alone."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import httpx2
import pytest

from server.errors import BadRequest, SettingsRejected
from server.settings import OPTIONS, Settings, load
from server.settings_file import change, views
from tests.server.http.conftest import Parts

pytestmark = pytest.mark.anyio

WRITTEN = """# by hand
port = 4100  # mine
watch = [
    "/music/a",
    "/music/b",
]
"""


def test_every_setting_is_explained_and_secrets_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "alchemy.toml").write_text(WRITTEN + 'token = "hush"\n')
    running = load({"data": tmp_path, "block": 256}, {"ALCHEMY_ENGINE": "spectral"})
    found = {one.key: one for one in views(running, {"ALCHEMY_ENGINE": "spectral"})}
    assert list(found) == [option.key for option in OPTIONS] and all(one.help for one in found.values())
    assert found["token"].value == "" and found["token"].is_set and not found["token"].editable
    assert (found["port"].source, found["engine"].source, found["rate"].source) == ("file", "environment", "default")
    assert not found["engine"].editable, "what the file says would not count"
    assert found["block"].pending and (found["block"].value, found["block"].next) == (256, 128)


def test_values_are_written_and_what_stands_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "alchemy.toml"
    file.write_text(WRITTEN)
    change(tmp_path, {"engine": "onnx", "watch": ["/x"], "browser": False, "overlap": 0.5, "port": None}, {})
    assert tomllib.loads(file.read_text()) == {"engine": "onnx", "watch": ["/x"], "browser": False, "overlap": 0.5}
    assert file.read_text().startswith("# by hand\n")
    assert load({"data": tmp_path}, {}).engine == "onnx"
    nasty = 'a "b" \\ \n\x7f é'
    change(tmp_path, {"model": nasty}, {})
    assert load({"data": tmp_path}, {}).model == nasty


@pytest.mark.parametrize(
    "wanted",
    [{"port": 70000}, {"engine": "onix"}, {"block": 1.5}, {"browser": "maybe"}, {"rate": 5}, {"port": "x"}],
)
def test_a_fault_is_told_and_changes_nothing(tmp_path: Path, wanted: dict[str, object]) -> None:
    file = tmp_path / "alchemy.toml"
    file.write_text(WRITTEN)
    with pytest.raises(SettingsRejected):
        change(tmp_path, {"osc_port": 9000, **wanted}, {})  # type: ignore[dict-item]
    assert file.read_text() == WRITTEN


def test_what_would_lock_the_owner_out_is_done_by_hand(tmp_path: Path) -> None:
    for key in ("token", "secret_key", "broker", "prot"):
        with pytest.raises(BadRequest):
            change(tmp_path, {key: "x"}, {})
    assert not (tmp_path / "alchemy.toml").exists()


async def test_only_the_owner_over_http(
    api: httpx2.AsyncClient, other: httpx2.AsyncClient, stranger: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    for client, status in ((other, 403), (stranger, 401)):
        assert (await client.get("/api/settings")).status_code == status
        assert (await client.patch("/api/settings", json={"port": 1})).status_code == status
    plain = parts.settings
    parts.settings = dataclasses.replace(Settings(data=tmp_path), port=plain.port)  # type: ignore[assignment]
    answer = await api.patch("/api/settings", json={"engine": "spectral"})
    assert answer.status_code == 200
    found = {one["key"]: one for one in answer.json()}
    assert found["engine"]["next"] == "spectral" and found["engine"]["pending"]
    refused = await api.patch("/api/settings", json={"engine": "none"})
    assert refused.status_code == 400 and "not one of" in refused.json()["error"]["message"]
