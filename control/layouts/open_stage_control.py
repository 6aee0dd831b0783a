"""A layout as an Open Stage Control session (JSON, the format of version 1), and the small module that keeps it fed.

Owner: whoever makes a layout. Pure.
Units: points; values as the registry says: the widgets have the controls' own ranges.

A script of a session may send only when somebody touches it, so `/subscribe` comes from the module, which the server
loads beside the session; without it the button "Follow" asks for one minute at a time.
"""

import json
from typing import Any, Final

from control.control import Control, Value
from control.layouts.plan import NUMBERS, NUMBERS_ACROSS, TAB_HEIGHT, Layout, Look, Page, Widget

VERSION: Final = "1.25.0"
"""The version whose properties are used; later ones read it as well."""

_TYPES: Final = {
    Look.FADER: "fader", Look.KNOB: "knob", Look.SWITCH: "button", Look.PRESS: "button", Look.CHOICE: "switch",
    Look.PAD: "button", Look.NUMBER: "switch", Look.TEXT: "text", Look.METER: "fader",
}  # fmt: skip
_LABEL_H: Final = 18


def session(layout: Layout, target: str) -> bytes:
    """Return the session file. `target` is where the show is, `host:port`."""
    root = {
        "type": "root",
        "id": "root",
        "label": layout.title,
        "tabs": [_tab(layout, page, target, index) for index, page in enumerate(layout.pages)],
        "widgets": [],
    }
    return json.dumps(
        {"createdWith": "Open Stage Control", "version": VERSION, "type": "session", "content": root}, indent=1
    ).encode()


def module(target: str) -> bytes:
    """Return the custom module that asks for the show every twenty seconds."""
    host, _, port = target.rpartition(":")
    return f"""// Keeps Open Stage Control in step with the show: give this file as "custom-module" in its launcher.
var ask = function () {{ send("{host}", {int(port)}, "/subscribe", {{ type: "i", value: 0 }}) }}
module.exports = {{
    init: function () {{ ask(); setInterval(ask, 20000) }},
    stop: function () {{ send("{host}", {int(port)}, "/unsubscribe") }},
}}
""".encode()


def _tab(layout: Layout, page: Page, target: str, index: int) -> dict[str, Any]:
    widgets = [made for widget in page.widgets for made in _widget(f"p{index}", widget, target)]
    if index == 0:
        widgets.append(_follow(layout, target))
    return {
        "type": "tab",
        "id": f"tab_{index}",
        "label": page.title,
        "layout": "default",
        "widgets": widgets,
        "tabs": [],
    }


def _follow(layout: Layout, target: str) -> dict[str, Any]:
    return {
        "type": "button", "id": "follow", "label": "Follow", "mode": "tap", "on": 0, "address": "/subscribe",
        "typeTags": "i", "target": [target], "left": 4, "top": layout.height - TAB_HEIGHT, "width": 90, "height": 36,
    }  # fmt: skip


def _widget(place: str, widget: Widget, target: str) -> list[dict[str, Any]]:
    control = widget.control
    name = f"{place}{widget.path}"
    found: dict[str, Any] = {
        "type": _TYPES[widget.look],
        "id": name,
        "left": widget.x,
        "top": widget.y + _LABEL_H,
        "width": widget.width,
        "height": widget.height - _LABEL_H,
        "address": widget.path,
        "target": [target],
        "comments": control.description,
        "decimals": 6,
    } | _behaviour(widget)
    if control.default is not None and widget.look is not Look.TEXT:
        found["default"] = _number(control, control.default)
    if not control.is_writable:
        found |= {"bypass": True, "interaction": False}
    label = {
        "type": "text", "id": f"{name}#label", "left": widget.x, "top": widget.y, "width": widget.width,
        "height": _LABEL_H, "default": widget.label, "bypass": True, "interaction": False, "address": "/none",
    }  # fmt: skip
    return [label, found]


def _behaviour(widget: Widget) -> dict[str, Any]:
    control = widget.control
    match widget.look:
        case Look.FADER | Look.KNOB:
            horizontal = widget.width > widget.height
            shape = {"horizontal": horizontal} if widget.look is Look.FADER else {}
            return shape | {"range": {"min": control.minimum, "max": control.maximum}, "typeTags": "f", "snap": False}
        case Look.METER:
            high = control.maximum if control.maximum is not None else 1.0
            return {"design": "compact", "range": {"min": control.minimum or 0.0, "max": high}, "horizontal": True}
        case Look.SWITCH:
            return {"mode": "toggle", "on": 1, "off": 0, "typeTags": "i", "label": widget.label}
        case Look.PRESS:
            return {"mode": "tap", "on": 1, "typeTags": "i", "label": widget.label}
        case Look.PAD:
            return {"mode": "push", "on": 1, "off": 0, "typeTags": "f", "label": widget.label}
        case Look.CHOICE:
            return {"values": list(control.choices), "typeTags": "s", "layout": "horizontal"}
        case Look.NUMBER:
            return {"values": list(NUMBERS), "typeTags": "i", "layout": "grid", "gridTemplate": NUMBERS_ACROSS}
    return {}


def _number(control: Control, value: Value) -> Value:
    return float(value) if isinstance(value, int | float) and isinstance(control.minimum, float) else value
