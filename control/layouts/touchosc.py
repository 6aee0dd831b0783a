"""A layout as a TouchOSC document: zlib-compressed XML, as the app's editor writes it.

Owner: whoever makes a layout. Pure. The same layout gives the same bytes.
Units: points in the layout, 0 to 1 in TouchOSC's values, which its messages scale to the control's range.

The format is not published; what is here is what documents of version 3 hold (`lexml`, nodes with properties, values
and messages) and what the maker's manual says of the properties. The document asks for the show by itself, with
`/subscribe` at the app's receive port every twenty seconds, so faders follow without anything to set up.
"""

import uuid
import zlib
from collections.abc import Iterable
from typing import Final

from control.layouts.plan import NUMBERS, NUMBERS_ACROSS, TAB_HEIGHT, Layout, Look, Page, Widget

RECEIVE_PORT: Final = 9000
"""Port that TouchOSC receives on unless told otherwise."""

_NAMESPACE: Final = uuid.UUID("6d0b9d4e-6f0f-5a35-9a39-0e7c5f3a0001")
_DARK: Final = (0.09, 0.09, 0.11, 1.0)
_NONE: Final = (0.0, 0.0, 0.0, 0.0)
_WHITE: Final = (1.0, 1.0, 1.0, 1.0)
_COLOURS: Final = {
    "vocals": (0.34, 0.71, 0.91, 1.0), "drums": (0.0, 0.62, 0.45, 1.0), "bass": (0.84, 0.37, 0.0, 1.0),
    "other": (0.8, 0.47, 0.65, 1.0), "guitar": (0.9, 0.62, 0.0, 1.0), "piano": (0.94, 0.89, 0.26, 1.0),
}  # fmt: skip
_PLAIN: Final = (0.45, 0.5, 0.6, 1.0)
_LABEL_H: Final = 18

_Colour = tuple[float, float, float, float]
_Property = tuple[str, str, object]


def document(layout: Layout, receive_port: int = RECEIVE_PORT) -> bytes:
    """Return the bytes of a `.tosc` file."""
    return zlib.compress(xml(layout, receive_port).encode(), 9)


def xml(layout: Layout, receive_port: int = RECEIVE_PORT) -> str:
    """Return the document inside."""
    pages = "".join(_page(layout, page) for page in layout.pages)
    pager = _node(
        f"{layout.name}/pager",
        "PAGER",
        [
            *_box("pages", (0, 0, layout.width, layout.height), _DARK, interactive=True),
            ("b", "tabLabels", 1), ("b", "tabbar", 1), ("b", "tabbarDoubleTap", 0), ("i", "tabbarSize", TAB_HEIGHT),
            ("i", "textSizeOff", 14), ("i", "textSizeOn", 14),
        ],
        [("page", "0"), ("touch", "false")],
        children=pages,
    )  # fmt: skip
    script = (
        "local due = 0\n"
        "function update()\n"
        "  local now = getMillis()\n"
        "  if now >= due then\n"
        "    due = now + 20000\n"
        f"    sendOSC({{'/subscribe', {{{{tag = 'i', value = {receive_port}}}}}}})\n"
        "  end\n"
        "end\n"
    )
    root = _node(
        layout.name,
        "GROUP",
        [*_box(layout.title, (0, 0, layout.width, layout.height), _DARK), ("s", "script", script)],
        [("touch", "false")],
        children=pager,
    )
    return f"<?xml version='1.0' encoding='UTF-8'?><lexml version='3'>{root}</lexml>"


def _page(layout: Layout, page: Page) -> str:
    frame = (0, TAB_HEIGHT, layout.width, layout.height - TAB_HEIGHT)
    properties: list[_Property] = [
        *_box(page.title, frame, _NONE),
        ("c", "tabColorOff", (0.2, 0.2, 0.25, 1.0)), ("c", "tabColorOn", _PLAIN), ("s", "tabLabel", page.title),
        ("c", "textColorOff", _WHITE), ("c", "textColorOn", _WHITE),
    ]  # fmt: skip
    widgets = "".join(node for widget in page.widgets for node in _widget(f"{layout.name}/{page.title}", widget))
    return _node(f"{layout.name}/{page.title}", "GROUP", properties, [("touch", "false")], children=widgets)


def _widget(place: str, widget: Widget) -> Iterable[str]:
    key = f"{place}{widget.path}"
    inner = (widget.x, widget.y + _LABEL_H, widget.width, widget.height - _LABEL_H)
    yield _label(f"{key}#label", widget.label, (widget.x, widget.y, widget.width, _LABEL_H), widget.label)
    colour = next((colour for stem, colour in _COLOURS.items() if f"/{stem}/" in widget.path + "/"), _PLAIN)
    match widget.look:
        case Look.FADER | Look.METER:
            yield _fader(key, widget, inner, colour)
        case Look.KNOB:
            yield _knob(key, widget, inner, colour)
        case Look.SWITCH | Look.PRESS | Look.PAD:
            yield _button(key, widget, inner, colour)
        case Look.CHOICE:
            yield from _choice(key, widget, inner, colour)
        case Look.NUMBER:
            yield from _numbers(key, widget, inner, colour)
        case Look.TEXT:
            yield _label(f"{key}#text", widget.path, inner, "", _shown(widget))


def _fader(key: str, widget: Widget, frame: tuple[int, int, int, int], colour: _Colour) -> str:
    sends = widget.look is Look.FADER
    lies = frame[2] > frame[3]
    properties: list[_Property] = [
        *_box(widget.path, frame, colour, interactive=sends, orientation=1 if lies else 0),
        ("b", "bar", 1), ("i", "barDisplay", 0), ("b", "cursor", int(sends)), ("i", "cursorDisplay", 0),
        ("b", "grid", 0), ("i", "gridSteps", 10), ("i", "response", int(sends)), ("i", "responseFactor", 100),
    ]  # fmt: skip
    return _node(key, "FADER", properties, _x(widget), _osc(widget, "x", _scaled(widget), send=sends))


def _knob(key: str, widget: Widget, frame: tuple[int, int, int, int], colour: _Colour) -> str:
    properties: list[_Property] = [
        *_box(widget.path, frame, colour, interactive=True, shape=2),
        ("b", "centered", 1), ("b", "cursor", 1), ("i", "cursorDisplay", 0), ("b", "grid", 1), ("i", "gridSteps", 2),
        ("b", "inverted", 0), ("i", "response", 1), ("i", "responseFactor", 100),
    ]  # fmt: skip
    return _node(key, "RADIAL", properties, _x(widget), _osc(widget, "x", _scaled(widget)))


def _button(key: str, widget: Widget, frame: tuple[int, int, int, int], colour: _Colour) -> str:
    momentary = widget.look is not Look.SWITCH
    release = widget.look is not Look.PRESS  # a pad is let go, a press is not
    sends = widget.control.is_writable
    properties: list[_Property] = [
        *_box(widget.path, frame, colour, interactive=sends),
        ("i", "buttonType", 0 if momentary else 1), ("b", "press", 1), ("b", "release", int(release)),
        ("b", "valuePosition", 0),
    ]  # fmt: skip
    condition = "ANY" if release else "RISE"
    osc = _osc(widget, "x", _value("x", "FLOAT"), send=sends, receive=not momentary, condition=condition)
    return _node(key, "BUTTON", properties, [("touch", "false"), ("x", "0")], osc)


def _choice(key: str, widget: Widget, frame: tuple[int, int, int, int], colour: _Colour) -> Iterable[str]:
    """What it is now, and one button for each choice, which sends the choice's name."""
    x, y, width, height = frame
    half = height // 2
    choices = widget.control.choices
    yield _label(f"{key}#now", widget.path, (x, y, width, half), "", _shown(widget))
    each = width // len(choices)
    for index, choice in enumerate(choices):
        place = (x + index * each, y + half, each - 1, height - half)
        yield from _one_of(key, widget, choice, _constant(choice), place, colour)


def _numbers(key: str, widget: Widget, frame: tuple[int, int, int, int], colour: _Colour) -> Iterable[str]:
    """What it is now, and one button for each number, which sends it."""
    x, y, width, height = frame
    if widget.control.is_readable:
        yield _label(f"{key}#now", widget.path, (x, y, width, height // 4), "", _shown(widget))
        y, height = y + height // 4, height - height // 4
    each, row = width // NUMBERS_ACROSS, height // -(-len(NUMBERS) // NUMBERS_ACROSS)
    for number in NUMBERS:
        down, across = divmod(number - 1, NUMBERS_ACROSS)
        place = (x + across * each, y + down * row, each - 1, row - 1)
        sends = _partial("CONSTANT", "INTEGER", str(number))
        yield from _one_of(key, widget, str(number), sends, place, colour)


def _one_of(
    key: str, widget: Widget, text: str, sends: str, place: tuple[int, int, int, int], colour: _Colour
) -> Iterable[str]:
    """A button that sends one value, and its name."""
    properties: list[_Property] = [
        *_box(f"{widget.path} {text}", place, colour, interactive=True),
        ("i", "buttonType", 0), ("b", "press", 1), ("b", "release", 0), ("b", "valuePosition", 0),
    ]  # fmt: skip
    osc = _osc(widget, "x", sends, receive=False, condition="RISE")
    yield _node(f"{key}#{text}", "BUTTON", properties, [("touch", "false"), ("x", "0")], osc)
    yield _label(f"{key}#{text}#label", text, place, text)


def _label(key: str, name: str, frame: tuple[int, int, int, int], text: str, osc: str = "") -> str:
    properties: list[_Property] = [
        *_box(name, frame, _NONE, background=False, outline=False),
        ("i", "font", 0), ("i", "textAlignH", 2), ("i", "textAlignV", 2), ("b", "textClip", 1),
        ("c", "textColor", _WHITE), ("i", "textLength", 0), ("i", "textSize", 12),
    ]  # fmt: skip
    return _node(key, "LABEL", properties, [("text", text), ("touch", "false")], osc)


# -- the pieces of a document ------------------------------------------------------------------------------------------


def _box(
    name: str,
    frame: tuple[int, int, int, int],
    colour: _Colour,
    *,
    interactive: bool = False,
    background: bool = True,
    outline: bool = True,
    orientation: int = 0,
    shape: int = 1,
) -> list[_Property]:
    """Return the properties that every control has."""
    return [
        ("b", "background", int(background)), ("c", "color", colour), ("f", "cornerRadius", 3), ("r", "frame", frame),
        ("b", "grabFocus", int(interactive)), ("b", "interactive", int(interactive)), ("b", "locked", 0),
        ("s", "name", name), ("i", "orientation", orientation), ("b", "outline", int(outline)),
        ("i", "outlineStyle", 1), ("i", "pointerPriority", 0), ("i", "shape", shape), ("b", "visible", 1),
    ]  # fmt: skip


def _x(widget: Widget) -> list[tuple[str, str]]:
    """Return the values of a fader that stands at the control's default."""
    control = widget.control
    low, high = control.minimum or 0.0, control.maximum if control.maximum is not None else 1.0
    default = float(control.default) if isinstance(control.default, int | float) else low
    place = (default - low) / (high - low)
    return [("touch", "false"), ("x", f"{min(max(place, 0.0), 1.0):g}")]


def _scaled(widget: Widget) -> str:
    control = widget.control
    high = control.maximum if control.maximum is not None else 1.0
    return _partial("VALUE", "FLOAT", "x", control.minimum or 0.0, high)


def _value(key: str, conversion: str) -> str:
    return _partial("VALUE", conversion, key)


def _constant(text: str) -> str:
    return _partial("CONSTANT", "STRING", text)


def _partial(kind: str, conversion: str, value: str, low: float = 0.0, high: float = 1.0) -> str:
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion><value>{_cdata(value)}</value>"
        f"<scaleMin>{low:g}</scaleMin><scaleMax>{high:g}</scaleMax></partial>"
    )


def _osc(
    widget: Widget, key: str, argument: str, *, send: bool = True, receive: bool = True, condition: str = "ANY"
) -> str:
    receives = receive and widget.control.is_readable
    return (
        f"<osc><enabled>1</enabled><send>{int(send)}</send><receive>{int(receives)}</receive><feedback>0</feedback>"
        f"<connections>11111</connections><triggers><trigger><var>{_cdata(key)}</var><condition>{condition}</condition>"
        f"</trigger></triggers><path>{_constant(widget.path)}</path><arguments>{argument}</arguments></osc>"
    )


def _shown(widget: Widget) -> str:
    """Return the message of a label that shows what the control holds."""
    return _osc(widget, "text", _value("text", "STRING"), send=False)


def _node(
    key: str,
    kind: str,
    properties: list[_Property],
    values: list[tuple[str, str]],
    messages: str = "",
    children: str = "",
) -> str:
    parts = [
        f"<node ID='{uuid.uuid5(_NAMESPACE, key)}' type='{kind}'><properties>",
        *map(_property, properties),
        "</properties><values>",
    ]
    for name, default in values:
        parts.append(
            f"<value><key>{_cdata(name)}</key><locked>0</locked><lockedDefaultCurrent>{int(name == 'text')}"
            f"</lockedDefaultCurrent><default>{_cdata(default)}</default><defaultPull>0</defaultPull></value>"
        )
    parts.append("</values>")
    if messages:
        parts.append(f"<messages>{messages}</messages>")
    if children:
        parts.append(f"<children>{children}</children>")
    parts.append("</node>")
    return "".join(parts)


def _property(item: _Property) -> str:
    kind, key, value = item
    match kind, value:
        case "c", (r, g, b, a):
            inside = f"<r>{r:g}</r><g>{g:g}</g><b>{b:g}</b><a>{a:g}</a>"
        case "r", (x, y, w, h):
            inside = f"<x>{x}</x><y>{y}</y><w>{w}</w><h>{h}</h>"
        case "s", str(text):
            inside = _cdata(text)
        case _:
            inside = str(value)
    return f"<property type='{kind}'><key>{_cdata(key)}</key><value>{inside}</value></property>"


def _cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']] >')}]]>"
