"""Layouts as files: every name that can be had, and its bytes.

Owner: whoever asks. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from control.layouts import open_stage_control, touchosc
from control.layouts.plan import Layout, NoSuchLayout, layout, names


@dataclass(frozen=True, slots=True)
class LayoutFile:
    """One file. `name` is what it is asked for by and saved as."""

    name: str
    description: str
    media_type: str


_SUFFIXES: Final[dict[str, tuple[str, str, Callable[[Layout, str], bytes]]]] = {
    ".tosc": ("TouchOSC", "application/octet-stream", lambda made, _: touchosc.document(made)),
    ".json": ("Open Stage Control", "application/json", open_stage_control.session),
}
MODULE: Final = "open-stage-control.js"
"""The module that keeps Open Stage Control fed."""


def listing() -> list[LayoutFile]:
    """Return every file there is."""
    found = [
        LayoutFile(f"{name}{suffix}", f"{program}: {title}", media)
        for suffix, (program, media, _) in _SUFFIXES.items()
        for name, title in names().items()
    ]
    return [*found, LayoutFile(MODULE, "Open Stage Control: keeps its faders following the show", "text/javascript")]


def content(name: str, target: str) -> bytes:
    """Return the bytes of a file for a show at `target` (`host:port`). Raises NoSuchLayout."""
    if name == MODULE:
        return open_stage_control.module(target)
    stem, dot, suffix = name.rpartition(".")
    if dot + suffix not in _SUFFIXES or stem not in names():
        raise NoSuchLayout(f"no layout is called {name[:60]!r}; there are {', '.join(file.name for file in listing())}")
    return _SUFFIXES[dot + suffix][2](layout(stem), target)
