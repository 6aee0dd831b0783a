"""TouchOSC layouts, read and written by tosclib, a library that is not ours."""

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from tosclib import controls
from tosclib.elements import OSC, ControlType, Partial, Trigger
from tosclib.tosc import ElementTOSC, write

from control.layouts import touchosc
from control.layouts.plan import Layout, Look, layout, names

LAYOUTS = [layout(name) for name in names()]
IDS = [made.name for made in LAYOUTS]
PROPERTIES = {
    "GROUP": controls.PageProperties,
    "PAGER": controls.PagerProperties,
    "FADER": controls.FaderProperties,
    "RADIAL": controls.RadialProperties,
    "BUTTON": controls.ButtonProperties,
    "LABEL": controls.LabelProperties,
}
#: Of the maker's manual, and not in the library, which is older.
NEWER = {"shape", "textAlignV"}
TYPES = {bool: "b", int: "i", float: "f", str: "s", tuple: "rc"}


def read(made: Layout, folder: Path) -> ElementTOSC:
    file = folder / f"{made.name}.tosc"
    file.write_bytes(touchosc.document(made))
    return ElementTOSC.fromFile(str(file))


def everything(element: ElementTOSC) -> Iterator[ElementTOSC]:
    yield element
    for child in element:
        yield from everything(ElementTOSC(child))


@pytest.mark.parametrize("made", LAYOUTS, ids=IDS)
def test_every_control_is_one_that_the_library_knows(made: Layout, tmp_path: Path) -> None:
    root = read(made, tmp_path)
    assert root.isControlType(ControlType.GROUP)
    assert root.getName() == made.title
    assert root.getFrame() == (0, 0, made.width, made.height)
    assert root.getPropertyValue("script") is not None
    for element in everything(root):
        kind = ControlType(element.node.attrib["type"]).value
        known = {one.name: one for one in dataclasses.fields(PROPERTIES[kind])}
        for item in element.properties:
            key, value = str(item.findtext("key")), item.find("value")
            assert value is not None
            assert key in known or key in NEWER, (kind, key)
            if key in known:
                of = type(getattr(PROPERTIES[kind](), key))
                parts = {"r": "xywh", "c": "rgba"}.get(str(item.get("type")), "")
                assert [child.tag for child in value] == list(parts), (kind, key)
                assert str(item.get("type")) in TYPES[of], (kind, key)
        assert all(0.0 <= part <= 1.0 for part in element.getColor())


@pytest.mark.parametrize("made", LAYOUTS, ids=IDS)
def test_messages_have_the_parts_that_the_library_writes(made: Layout, tmp_path: Path) -> None:
    """Each message equals, tag by tag and text by text, what the library makes of the same choices."""
    heard = {widget.path for page in made.pages for widget in page.widgets if widget.control.is_readable}
    sent = {widget.path for page in made.pages for widget in page.widgets if widget.control.is_writable}
    shows: set[str] = set()
    sends: set[str] = set()
    for element in everything(read(made, tmp_path)):
        for osc in element.messages:
            (path,) = osc.findall("path/partial")
            (argument,) = osc.findall("arguments/partial")
            (trigger,) = osc.findall("triggers/trigger")
            again = ElementTOSC(ET.Element("node"))
            again.createOSC(
                OSC(
                    send=str(osc.findtext("send")),
                    receive=str(osc.findtext("receive")),
                    connections="11111",
                    triggers=[Trigger(str(trigger.findtext("var")), str(trigger.findtext("condition")))],
                    path=[Partial(value=str(path.findtext("value")))],
                    arguments=[Partial(*(child.text for child in argument))],
                )
            )
            assert [(part.tag, part.text or "") for part in osc.iter()] == [
                (part.tag, part.text or "") for part in again.messages[0].iter()
            ]
            if osc.findtext("send") == "1":
                sends.add(str(path.findtext("value")))
            if osc.findtext("receive") == "1":
                shows.add(str(path.findtext("value")))
    texts = {w.path for page in made.pages for w in page.widgets if w.look is Look.TEXT}
    presses = {w.path for page in made.pages for w in page.widgets if w.look is Look.PRESS}
    assert sends == sent - texts
    assert shows == heard - presses


def test_what_the_library_writes_again_is_the_same_document(tmp_path: Path) -> None:
    made = layout("practice-phone")
    root = ET.Element("lexml", version="3")
    root.append(read(made, tmp_path).node)
    write(root, str(tmp_path / "again.tosc"))
    again = ElementTOSC.fromFile(str(tmp_path / "again.tosc"))
    assert [one.getName() for one in everything(again)] == [one.getName() for one in everything(read(made, tmp_path))]
    pager = ElementTOSC(again[0].node)
    tabs = [ElementTOSC(page).getPropertyValue("tabLabel").text for page in pager]
    assert tabs == [page.title for page in made.pages]
