"""A mapping line as people read and write it.

Owner: nobody; pure. Units: as in `control/mapping_entry.py`.
"""

from control.control import Value
from control.mapping_entry import Gesture, MapEntry, Mode, Shown, entry_for


def to_toml(entry: MapEntry) -> str:
    """Return the `[[map]]` block that reads as `entry`."""
    plain = entry_for(entry.source, entry.path)
    lines = ["[[map]]", f'source = "{entry.source}"', f'path = "{entry.path}"', f'mode = "{entry.mode.value}"']
    if entry.gesture is not Gesture.PRESS:
        lines.append(f'on = "{entry.gesture.value}"')
    if entry.layer:
        lines.append(f"layer = {quoted(entry.layer)}")
    match entry.mode:
        case Mode.RELATIVE | Mode.JOG:
            lines += [f'encoding = "{entry.encoding.value}"', f"step = {entry.step!r}"]
            if entry.acceleration != 1.0:
                lines.append(f"acceleration = {entry.acceleration!r}")
        case Mode.ABSOLUTE:
            lines.append(f'takeover = "{entry.takeover.value}"')
        case Mode.SET:
            lines.append(f"value = {literal(entry.value)}")
    if (entry.low, entry.high) == (plain.high, plain.low):
        lines.append("invert = true")
    elif (entry.low, entry.high) != (plain.low, plain.high):
        low, high = sorted((entry.low, entry.high))
        lines.append(f"range = [{low!r}, {high!r}]")
        if entry.high < entry.low:
            lines.append("invert = true")
    if entry.curve is not plain.curve:
        lines.append(f'curve = "{entry.curve.value}"')
    if not entry.feedback:
        lines.append("feedback = false")
    if entry.to is not None:
        lines.append(f'light = "{entry.to}"')
    for key, shown in (("lit", entry.lit), ("dark", entry.dark)):
        if shown is not None:
            lines.append(f"{key} = {_shown(shown)}")
    if entry.steps is not None:
        lines.append(f"steps = [{entry.steps[0]}, {entry.steps[1]}]")
    if entry.note:
        lines.append(f"note = {quoted(entry.note)}")
    return "\n".join(lines) + "\n"


def _shown(shown: Shown) -> str:
    if isinstance(shown, bytes):
        return f'"#{bytes(byte << 1 for byte in shown).hex()}"'
    return str(shown)


def literal(value: Value) -> str:
    """Return a control's value as TOML."""
    return quoted(value) if isinstance(value, str) else repr(value)


def quoted(text: str) -> str:
    """Return `text` as a TOML string; what TOML cannot hold is left out."""
    clean = "".join(letter for letter in text if letter.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
