"""Settings: where a value comes from, and that every fault is named at once."""

import os
from pathlib import Path

import pytest

from server.errors import SettingsRejected
from server.settings import OPTIONS, SOCKET_PATH_LIMIT, Settings, load


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    assert load({"data": tmp_path}, {}).port == 4000
    (tmp_path / "alchemy.toml").write_text("port = 4100\nblock = 256\n")
    assert load({"data": tmp_path}, {}).port == 4100
    assert load({"data": tmp_path}, {"ALCHEMY_PORT": "4200"}).port == 4200
    chosen = load({"data": tmp_path, "port": 4300}, {"ALCHEMY_PORT": "4200"})
    assert (chosen.port, chosen.block) == (4300, 256)


def test_every_fault_is_told_at_once_and_says_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "alchemy.toml").write_text('prot = 1\nengine = "onix"\nblock = 1.5\nlan = "perhaps"\n')
    with pytest.raises(SettingsRejected) as caught:
        load({"data": tmp_path}, {"ALCHEMY_OSC_PORT": "70000"})
    faults = "\n".join(caught.value.details["faults"])
    for part in (
        "'prot'",
        "did you mean 'port'",
        "did you mean 'onnx'",
        "block",
        "lan",
        "70000 is not between 0 and 65535",
    ):
        assert part in faults
    assert len(caught.value.details["faults"]) == 5


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "alchemy.toml").write_text("port = = 1\n")
    with pytest.raises(SettingsRejected, match=r"alchemy\.toml"):
        load({"data": tmp_path}, {})


@pytest.mark.parametrize("text,value", [("1", True), ("yes", True), ("off", False), ("0", False), ("False", False)])
def test_switches_in_the_environment(tmp_path: Path, text: str, value: bool) -> None:
    assert load({"data": tmp_path}, {"ALCHEMY_WORKERS": text}).workers is value


def test_every_option_can_be_set_from_every_place(tmp_path: Path) -> None:
    for option in OPTIONS:
        if option.kind is tuple:
            continue
        chosen = option.choices[-1] if option.choices else "text"
        given = {bool: "0", int: str(option.minimum or option.multiple), float: "0.5", str: chosen}
        text = "48000" if option.key == "rate" else given[option.kind]
        value = getattr(load({"data": tmp_path}, {option.variable: text}), option.key)
        assert str(value) == {"0": "False"}.get(text, text) if option.kind is bool else str(value) == text


def test_sockets_fit_whatever_the_data_folder_is_called(tmp_path: Path) -> None:
    deep = Settings(data=tmp_path / ("x" * 200))
    assert len(str(deep.runtime)) < SOCKET_PATH_LIMIT
    assert deep.runtime != Settings(data=tmp_path / ("y" * 200)).runtime


@pytest.mark.parametrize(("given", "fault"), [("3", "3 is not a multiple of 2"), ("10", "10 is not between 0 and 8")])
def test_channels_come_in_pairs(tmp_path: Path, given: str, fault: str):
    assert load({"data": tmp_path, "channels": "4"}, {}).channels == 4
    with pytest.raises(SettingsRejected) as rejected:
        load({"data": tmp_path}, {"ALCHEMY_CHANNELS": given})
    assert rejected.value.details["faults"] == [f"ALCHEMY_CHANNELS: {fault}"]


def test_watched_folders_come_from_everywhere_as_absolute_paths(tmp_path: Path) -> None:
    data, music, more = tmp_path / "data", tmp_path / "music", tmp_path / "more"
    data.mkdir()
    (data / "alchemy.toml").write_text(f'watch = ["{music}"]')
    assert load({"data": str(data)}, {}).watch == (str(music),)
    several = {"ALCHEMY_WATCH": f"{music}{os.pathsep}{more}"}
    assert load({"data": str(data)}, several).watch == (str(music), str(more))
    assert load({"data": str(data), "watch": [str(more)]}, several).watch == (str(more),)


@pytest.mark.parametrize("place", ["data", "data/library", "."])
def test_the_data_folder_is_not_watched(tmp_path: Path, place: str) -> None:
    with pytest.raises(SettingsRejected, match="lie in each other"):
        load({"data": str(tmp_path / "data"), "watch": [str(tmp_path / place)]}, {})
