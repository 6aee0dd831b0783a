"""The reference page of all controls, written from the registry: `python -m server.session.reference [FILE]`.

Owner: `docs/controls.md` is generated; a test fails when it is stale. Units: none.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from audio.units import DECKS, PADS, STEMS, STEPS
from control.control import Access, Control, Kind
from control.registry import ALIASES, FOCUSED, REGISTRY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "controls.md"
"""Where the page lives."""

_INTRO = f"""# Controls

Every control has one name. The same name works as an OSC address, over the live socket, over HTTP
(`POST /api/session`), in a MIDI mapping and in a render script. This page is generated from `control/registry.py`
by `python -m server.session.reference`; do not edit it.

`N` is a deck, 1 to {DECKS}; `S` is a stem: {", ".join(STEMS)}; `P` is a pad,
1 to {PADS}, and `T` a step of the sequencer, 1 to {STEPS}.
A toggle takes 0 or 1; a trigger acts on 1 and ignores 0; a choice takes its name or its number, counted from 0 (where
the choices are numbers themselves, the number is the choice). Numbers are clamped to their range; a value that is no
number where one is needed, or not finite, is answered with an error and changes nothing.

*state* is remembered, and every change of it is sent to every surface. *telemetry* flows by itself, at most 30 times a
second.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    lines = [_INTRO]
    rows = (control for control in REGISTRY.values() if _is_representative(control.path))
    for title, group in groupby(rows, key=lambda control: _title(control.path)):
        lines += [f"## {title}", "", *_table(group), ""]
    lines += [
        "## Aliases",
        "",
        "These move the deck that `/session/focus` names, for layouts of the earlier system.",
        "",
    ]
    lines += ["| path | moves |", "|---|---|"]
    lines += [f"| `{alias}` | `{_alias_target(alias)}` |" for alias in ALIASES]
    return "\n".join(lines) + "\n"


def _is_representative(path: str) -> bool:
    parts = path.split("/")
    if parts[1] in ("pad", "sequencer"):
        return "1" in parts or not any(part.isdigit() for part in parts)
    return parts[1] != "deck" or (parts[2] == "1" and (parts[3] != "stem" or parts[4] == STEMS[0]))


def _title(path: str) -> str:
    if path.startswith("/deck/"):
        return "Stems" if "/stem/" in path else "Decks"
    return {"mixer": "Mixer", "session": "Session", "pad": "Pads"}.get(path.split("/")[1], path.split("/")[1].title())


def _general(text: str) -> str:
    text = text.replace("/deck/1", "/deck/N").replace(f"/stem/{STEMS[0]}", "/stem/S").replace("/pad/1", "/pad/P")
    return text.replace("/sequencer/pattern/1", "/sequencer/pattern/P").replace(
        "/sequencer/step/1", "/sequencer/step/T"
    )


def _described(text: str) -> str:
    return (
        text.replace("deck 1", "deck N")
        .replace("Deck 1", "Deck N")
        .replace(f"the {STEMS[0]}", "stem S")
        .replace("pad 1", "pad P")
        .replace("step 1", "step T")
    )


def _table(controls: Iterable[Control]) -> Iterator[str]:
    yield "| path | value | default | |"
    yield "|---|---|---|---|"
    for control in controls:
        default = "" if control.default in (None, "") or control.is_telemetry else f"`{control.default}`"
        if control.path == "/deck/1/assign":
            default = "`left` (decks 1, 3), `right` (2, 4)"
        yield f"| `{_general(control.path)}` | {_value(control)} | {default} | {_described(control.description)} |"


def _value(control: Control) -> str:
    if control.kind is Kind.CHOICE:
        value = " ".join(f"`{choice}`" for choice in control.choices)
    elif control.kind is Kind.CONTINUOUS:
        reach = "and up" if control.maximum is None else f"to {control.maximum:g}"
        value = f"{control.minimum:g} {reach} {control.unit}".strip()
    else:
        value = control.kind.value if not control.unit else f"{control.kind.value} ({control.unit})"
    suffix = {
        Access.READ: ", read",
        Access.TELEMETRY: ", telemetry",
        Access.TELEMETRY_WRITE: ", telemetry and write",
    }
    return value + suffix.get(control.access, "")


def _alias_target(alias: str) -> str:
    return FOCUSED["1"][alias].path.replace("/deck/1/", "/deck/FOCUS/")


def main(arguments: list[str]) -> int:
    """Write the page to the first argument, or to `docs/controls.md`."""
    target = Path(arguments[0]) if arguments else PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), encoding="utf-8")
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
