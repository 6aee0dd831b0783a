"""Laws of the generated layouts: made of the registry, on the screen, and whole in the format of each program."""

import json
import xml.etree.ElementTree as ET
import zlib
from itertools import combinations

import pytest

from audio.units import PADS
from control.control import Kind, check
from control.layouts import open_stage_control, touchosc
from control.layouts.files import MODULE, content, listing
from control.layouts.plan import NUMBERS, TAB_HEIGHT, Layout, Look, NoSuchLayout, Widget, layout, names
from control.registry import ALIASES, REGISTRY, resolve

LAYOUTS = [layout(name) for name in names()]
IDS = [made.name for made in LAYOUTS]

#: Properties that TouchOSC's manual gives each type of control, beyond those that all have.
TOUCHOSC = {
    "GROUP": {"script", "tabColorOff", "tabColorOn", "tabLabel", "textColorOff", "textColorOn"},
    "PAGER": {"tabLabels", "tabbar", "tabbarDoubleTap", "tabbarSize", "textSizeOff", "textSizeOn"},
    "FADER": {"bar", "barDisplay", "cursor", "cursorDisplay", "grid", "gridSteps", "response", "responseFactor"},
    "RADIAL": {"centered", "cursor", "cursorDisplay", "grid", "gridSteps", "inverted", "response", "responseFactor"},
    "BUTTON": {"buttonType", "press", "release", "valuePosition"},
    "LABEL": {"font", "textAlignH", "textAlignV", "textClip", "textColor", "textLength", "textSize"},
}
COMMON = {
    "background", "color", "cornerRadius", "frame", "grabFocus", "interactive", "locked", "name", "orientation",
    "outline", "outlineStyle", "pointerPriority", "shape", "visible",
}  # fmt: skip

#: Properties that Open Stage Control's reference gives each widget, of those that are used.
GENERIC = {
    "type", "id", "left", "top", "width", "height", "address", "target", "comments", "decimals", "default", "bypass",
    "interaction", "typeTags",
}  # fmt: skip
OPEN_STAGE_CONTROL = {
    "fader": {"horizontal", "range", "snap", "design"},
    "knob": {"range", "snap"},
    "button": {"mode", "on", "off", "label"},
    "switch": {"values", "layout", "gridTemplate"},
    "text": set(),
}


def widgets(made: Layout) -> list[Widget]:
    return [widget for page in made.pages for widget in page.widgets]


@pytest.mark.parametrize("made", LAYOUTS, ids=IDS)
def test_every_widget_is_a_control_and_on_the_screen(made: Layout) -> None:
    assert made.pages
    for page in made.pages:
        for widget in page.widgets:
            assert resolve(widget.path, "1") is widget.control
            assert widget.x >= 0
            assert widget.x + widget.width <= made.width
            assert widget.y >= 0
            assert widget.y + widget.height <= made.height - TAB_HEIGHT
        for one, other in combinations(page.widgets, 2):
            apart = (
                one.x + one.width <= other.x or other.x + other.width <= one.x
                or one.y + one.height <= other.y or other.y + other.height <= one.y
            )  # fmt: skip
            assert apart, (page.title, one.path, other.path)
    assert len({page.title for page in made.pages}) == len(made.pages)


def test_decks_and_mixer_are_whole() -> None:
    for name in ("dj-phone", "dj-tablet"):
        shown = {widget.path for widget in widgets(layout(name))}
        assert shown >= {path for path in REGISTRY if path.startswith(("/deck/", "/mixer/"))}


@pytest.mark.parametrize("name", ["dj-phone", "dj-tablet", "practice-phone", "practice-tablet", "classic"])
def test_pads_lie_as_on_hardware_and_are_let_go(name: str) -> None:
    pads = {widget.path: widget for widget in widgets(layout(name)) if widget.look is Look.PAD}
    assert len(pads) == PADS
    rows = [[pads[f"/pad/{4 * row + column}"] for column in (1, 2, 3, 4)] for row in range(4)]
    for row in rows:
        assert len({pad.y for pad in row}) == 1
        assert [pad.x for pad in row] == sorted(pad.x for pad in row)
    assert [row[0].y for row in rows] == sorted((row[0].y for row in rows), reverse=True)
    assert all(pad.width >= 100 and pad.height >= 85 for pad in pads.values()), "a finger finds them"
    root = ET.fromstring(zlib.decompress(touchosc.document(layout(name))))
    for node in root.iter("node"):
        osc = node.find("messages/osc")
        if osc is not None and osc.findtext("path/partial/value") in pads:
            keys = {item.findtext("key"): item.findtext("value") for item in node.findall("properties/property")}
            assert (keys["buttonType"], keys["press"], keys["release"]) == ("0", "1", "1")
            assert osc.findtext("triggers/trigger/condition") == "ANY"


@pytest.mark.parametrize("size", ["phone", "tablet"])
def test_setlist_practice_and_takes_are_whole(size: str) -> None:
    setlist = {path for path in REGISTRY if path.startswith("/setlist/")}
    for name in ("dj", "practice"):
        pages = {page.title: {widget.path for widget in page.widgets} for page in layout(f"{name}-{size}").pages}
        shown = set().union(*(paths for title, paths in pages.items() if title.startswith("Setlist")))
        assert shown == setlist
        assert {"/setlist/next", "/setlist/previous", "/setlist/goto"} <= pages["Setlist"]
    shown = {widget.path for widget in widgets(layout(f"practice-{size}"))}
    assert shown >= {alias for alias in ALIASES if alias.startswith("/practice/")}
    numbers = {widget.path for widget in widgets(layout(f"practice-{size}")) if widget.look is Look.NUMBER}
    assert {"/setlist/goto", "/practice/section"} <= numbers


def test_the_earlier_systems_addresses_are_whole() -> None:
    practice = {alias for alias in ALIASES if alias.startswith("/practice/")}
    assert {widget.path for widget in widgets(layout("classic"))} >= set(ALIASES) - practice
    assert {widget.path for widget in widgets(layout("practice-phone"))} >= practice


@pytest.mark.parametrize("made", LAYOUTS, ids=IDS)
def test_touchosc_documents_are_whole(made: Layout) -> None:
    data = touchosc.document(made)
    assert data == touchosc.document(made)
    root = ET.fromstring(zlib.decompress(data))
    assert (root.tag, root.get("version")) == ("lexml", "3")
    nodes = list(root.iter("node"))
    assert len({node.get("ID") for node in nodes}) == len(nodes)
    for node in nodes:
        kind = str(node.get("type"))
        keys = {item.findtext("key"): item for item in node.findall("properties/property")}
        assert set(keys) >= COMMON
        assert set(keys) - COMMON <= TOUCHOSC[kind], kind
        assert [child.tag for child in keys["frame"].find("value") or ()] == list("xywh")
        for osc in node.findall("messages/osc"):
            path = osc.findtext("path/partial/value")
            assert path in REGISTRY or path in ALIASES
            variables = {value.findtext("key") for value in node.findall("values/value")}
            assert osc.findtext("triggers/trigger/var") in variables
    addresses = {osc.findtext("path/partial/value") for osc in root.iter("osc")}
    assert addresses == {widget.path for widget in widgets(made)}


def test_touchosc_scales_to_the_controls_range() -> None:
    root = ET.fromstring(zlib.decompress(touchosc.document(layout("dj-tablet"))))
    for osc in root.iter("osc"):
        control = resolve(str(osc.findtext("path/partial/value")), "1")
        low, high = osc.findtext("arguments/partial/scaleMin"), osc.findtext("arguments/partial/scaleMax")
        if osc.findtext("arguments/partial/conversion") == "INTEGER":
            assert check(control, int(str(osc.findtext("arguments/partial/value"))))
        elif osc.findtext("send") == "1" and control.kind is Kind.CONTINUOUS:
            assert (float(str(low)), float(str(high))) == (control.minimum, control.maximum)
        if control.kind is Kind.CHOICE and osc.findtext("send") == "1":
            assert osc.findtext("arguments/partial/value") in control.choices
            assert osc.findtext("arguments/partial/type") == "CONSTANT"


def test_touchosc_asks_for_the_show_by_itself() -> None:
    root = ET.fromstring(touchosc.xml(layout("classic"), 9123))
    script = next(p.findtext("value") for p in root.iter("property") if p.findtext("key") == "script")
    assert "/subscribe" in str(script)
    assert "9123" in str(script)


@pytest.mark.parametrize("made", LAYOUTS, ids=IDS)
def test_open_stage_control_sessions_are_whole(made: Layout) -> None:
    found = json.loads(open_stage_control.session(made, "127.0.0.1:8000"))
    assert (found["type"], found["createdWith"]) == ("session", "Open Stage Control")
    root = found["content"]
    assert root["type"] == "root"
    ids: list[str] = []
    addresses: set[str] = set()
    for tab in root["tabs"]:
        assert tab["type"] == "tab"
        for widget in tab["widgets"]:
            ids.append(widget["id"])
            assert set(widget) <= GENERIC | OPEN_STAGE_CONTROL[widget["type"]], widget["type"]
            if widget["address"] in ("/none", "/subscribe"):
                continue
            addresses.add(widget["address"])
            control = resolve(widget["address"], "1")
            assert widget.get("bypass", False) is not control.is_writable
            if control.is_writable:
                assert widget["target"] == ["127.0.0.1:8000"]
            if widget["type"] in ("fader", "knob") and control.is_writable:
                assert widget["range"] == {"min": control.minimum, "max": control.maximum}
            if widget["type"] == "switch":
                assert widget["values"] == (list(control.choices) or list(NUMBERS))
                assert [check(control, value) for value in widget["values"]] == widget["values"]
    assert len(set(ids)) == len(ids)
    assert addresses == {widget.path for widget in widgets(made)}


def test_a_file_for_every_name_and_no_other() -> None:
    files = listing()
    assert len({file.name for file in files}) == len(files) == 2 * len(names()) + 1
    for file in files:
        assert content(file.name, "10.0.0.2:8000")
    assert b'"10.0.0.2", 8000' in content(MODULE, "10.0.0.2:8000")
    for name in ("nope.tosc", "dj-phone", "dj-phone.exe", "", "../dj-phone.tosc"):
        with pytest.raises(NoSuchLayout):
            content(name, "127.0.0.1:8000")


def test_looks_fit_kinds() -> None:
    for made in LAYOUTS:
        for widget in widgets(made):
            if widget.look in (Look.FADER, Look.KNOB):
                assert widget.control.minimum is not None
                assert widget.control.maximum is not None
