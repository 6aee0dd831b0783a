"""Laws of the OSCQuery namespace: every control is a node, and each node says what the registry says."""

import msgspec
import pytest

from control import oscquery
from control.control import Kind, Value
from control.registry import ALIASES, REGISTRY, resolve


def value_of(path: str) -> Value | None:
    return resolve(path, "1").default


def walk(node: dict[str, object]) -> dict[str, dict[str, object]]:
    contents = node.get("CONTENTS", {})
    assert isinstance(contents, dict)
    found = {str(node["FULL_PATH"]): node}
    for name, below in contents.items():
        assert str(below["FULL_PATH"]).rpartition("/")[2] == name
        found |= walk(below)
    return found


def test_every_control_and_every_alias_is_a_node() -> None:
    nodes = walk(oscquery.node("/", value_of))
    with_type = {path for path, node in nodes.items() if "TYPE" in node}
    assert with_type == {*REGISTRY, *ALIASES}
    for path, node in nodes.items():
        assert node["DESCRIPTION"], path
        assert node["ACCESS"] in (0, 1, 2, 3)
        assert set(node) <= set(oscquery.ATTRIBUTES)
    assert msgspec.json.decode(msgspec.json.encode(nodes["/"]))


@pytest.mark.parametrize(
    "path", ["/deck/1/volume", "/deck/1/position", "/deck/1/play", "/deck/1/assign", "/deck/1/eject"]
)
def test_a_node_says_what_the_registry_says(path: str) -> None:
    control = REGISTRY[path]
    node = oscquery.node(path, value_of)
    assert node["DESCRIPTION"] == control.description
    assert node["ACCESS"] == control.is_readable + 2 * control.is_writable
    match control.kind:
        case Kind.CONTINUOUS:
            assert node["TYPE"] == "f"
            assert node["RANGE"][0].get("MIN") == control.minimum
            assert node["RANGE"][0].get("MAX") == control.maximum
        case Kind.CHOICE:
            assert (node["TYPE"], node["RANGE"]) == ("s", [{"VALS": list(control.choices)}])
        case Kind.TOGGLE:
            assert (node["TYPE"], node["VALUE"]) == ("i", [0])
        case Kind.TRIGGER:
            assert node["TYPE"] == "I"
            assert node["VALUE"] == [None]


def test_one_attribute_is_what_the_node_has() -> None:
    whole = oscquery.node("/deck/1/volume", value_of)
    for name in oscquery.ATTRIBUTES:
        found = oscquery.attribute("/deck/1/volume", name, value_of)
        assert found == ({name: whole[name]} if name in whole else None)
    assert oscquery.attribute("/deck/1/eject", "VALUE", value_of) is None, "nothing to be read"
    assert oscquery.attribute("/deck/1", "TYPE", value_of) is None
    with pytest.raises(oscquery.NoSuchAttribute):
        oscquery.attribute("/deck/1/volume", "COLOUR", value_of)
    for path in ("/nope", "/deck/9", "/deck/1/volume/x"):
        with pytest.raises(oscquery.NoSuchNode):
            oscquery.node(path, value_of)


def test_what_another_focus_changes_is_the_aliases() -> None:
    assert set(oscquery.changed_by_focus()) == {"/" + alias.split("/")[1] for alias in ALIASES}
