"""The page of each shipped surface in docs/surfaces/, made from its mapping file: `python -m control.surface_page`.

Owner: the command; `tests/control/test_shipped_mappings.py` fails while a page is stale.
Units: none.

A mapping file begins with comments. They become the page's text: the first line is its title, an indented line is a
step, and everything else a paragraph.
"""

import sys
import tomllib
from pathlib import Path
from typing import Final

from control.mapping import DeviceMapping, parse
from control.mapping_entry import Gesture, MapEntry, Mode
from control.mapping_faults import scan
from control.mapping_store import BUILTIN

FOLDER: Final = Path(__file__).parent.parent / "docs" / "surfaces"

_GESTURES: Final = {
    Gesture.PRESS: "",
    Gesture.RELEASE: "let go",
    Gesture.TAP: "tap",
    Gesture.LONG: "hold for half a second",
    Gesture.DOUBLE: "press twice",
}
_MODES: Final = {
    Mode.ABSOLUTE: "move",
    Mode.TOGGLE: "press",
    Mode.MOMENTARY: "while pressed",
    Mode.RELATIVE: "turn",
    Mode.JOG: "turn",
    Mode.SET: "press",
}


def rows_of(mapping: DeviceMapping) -> list[tuple[str, str, str]]:
    """Return (source, how, path) of every line, those that are not yet there last."""
    rows = [(_source(entry), _how(entry), entry.path) for entry in mapping.entries]
    return rows + [(one.source, "not yet there", one.path) for one in mapping.absent]


def page_of(text: str, file: str) -> str:
    """Return the page of a mapping file as Markdown."""
    mapping = parse(text, file, builtin=True)
    notes = _notes(text)
    lines = [f"<!-- made from control/mappings/{file} by `python -m control.surface_page` -->", ""]
    lines += _head(text)
    lines += ["", f"Port names it is for: {', '.join(f'`{one}`' for one in mapping.match)}", ""]
    if mapping.layers:
        lines += ["| layer | key | how |", "|---|---|---|"]
        lines += [f"| {one.name} | `{one.source}` | {_layer(one.kind.value)} |" for one in mapping.layers]
        lines.append("")
    lines += ["| on the controller | message | what it does | how |", "|---|---|---|---|"]
    for source, path, layer, on, note, how in notes:
        prefix = f"{layer} + " if layer else ""
        gesture = f"{_GESTURES[Gesture(on)]}; " if _GESTURES[Gesture(on)] else ""
        lines.append(f"| {prefix}{note or source} | `{source}` | `{path}` | {gesture}{how} |")
    return "\n".join(lines).rstrip() + "\n"


def _notes(text: str) -> list[tuple[str, str, str, str, str, str]]:
    """Return (source, path, layer, on, note, how) of every [[map]] as it is written, whether its control is there."""
    found = []
    for row in tomllib.loads(text).get("map", []):
        value = row.get("value")
        mode = row.get("mode", "")
        how = f"sets {value}" if value is not None else _MODES[Mode(mode)] if mode else ""
        if row.get("invert"):
            how = f"{how}, the other way round" if how else "the other way round"
        found.append(
            (row["source"], row["path"], row.get("layer", ""), row.get("on", "press"), row.get("note", ""), how)
        )
    return found


def _head(text: str) -> list[str]:
    """Return the comments at the top of a file as Markdown."""
    first = next((line for line, _, key in scan(text) if not key), 1)
    comments = [line[1:] for line in text.splitlines()[: first - 1] if line.startswith("#")]
    lines: list[str] = []
    step = 0
    for number, comment in enumerate(comments):
        content = comment[1:] if comment.startswith(" ") else comment
        if number == 0:
            lines.append(f"# {content}")
        elif content.startswith("   "):
            step += 1
            lines.append(f"{step}. {content.strip()}")
        else:
            lines.append(content.rstrip())
    return lines


def _source(entry: MapEntry) -> str:
    return f"{entry.layer} + {entry.source}" if entry.layer else str(entry.source)


def _how(entry: MapEntry) -> str:
    gesture = _GESTURES[entry.gesture]
    how = f"sets {entry.value}" if entry.mode is Mode.SET else _MODES[entry.mode]
    return f"{gesture}; {how}" if gesture else how


def _layer(kind: str) -> str:
    return {"hold": "while held", "toggle": "press for on and off", "page": "press to turn to it"}[kind]


def main() -> int:
    """Write every page and return an exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in sorted(BUILTIN.glob("*.toml")):
        page = FOLDER / f"{file.stem}.md"
        page.write_text(page_of(file.read_text(encoding="utf-8"), file.name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
