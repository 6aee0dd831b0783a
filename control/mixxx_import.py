"""From a Mixxx mapping to one of ours: every plain control and light, and a report of what needs script.

Owner: nobody; pure.
Units: as in `control/mapping_entry.py`.

    option                       becomes
    normal, button               the control's own way: buttons toggle or press, faders place
    switch                       a switch that keeps its place: the control follows it
    invert                       invert
    soft-takeover                takeover = "pickup"; without it Mixxx lets faders jump, so "jump"
    fourteen-bit-msb, -lsb       one cc14
    rot64, rot64inv, rot64fast   relative, offset; inverted; with acceleration
    spread64                     relative, offset, with acceleration
    diff, selectknob             relative, two's complement
    hercjog, hercjogfast         wheels: jog, two's complement, three times as far
"""

from dataclasses import dataclass, field
from pathlib import PurePath

from control.contract import is_named
from control.control import Control, Kind, UnknownControl
from control.errors import MappingRejected
from control.mapping import DeviceMapping, parse
from control.mapping_entry import Mode, default_mode, resolve_path
from control.mapping_script import is_function
from control.mapping_text import literal, quoted
from control.midi_source import FADERS, Source, SourceKind
from control.mixxx_names import Target, is_output_only, target_of
from control.mixxx_xml import MixxxControl, MixxxMapping, MixxxOutput, read_mixxx

_KINDS = {
    0x8: SourceKind.NOTE,
    0x9: SourceKind.NOTE,
    0xA: SourceKind.KEYPRESSURE,
    0xB: SourceKind.CC,
    0xC: SourceKind.PROGRAM,
    0xD: SourceKind.PRESSURE,
    0xE: SourceKind.PITCHBEND,
}
_UNNUMBERED = (SourceKind.PRESSURE, SourceKind.PITCHBEND)


@dataclass(slots=True)
class ImportReport:
    """What became of a file: lines that work now, lines that wait for their control, and what was left."""

    name: str = ""
    controls: int = 0
    lights: int = 0
    waiting: int = 0
    calls: int = 0
    scripts: list[str] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report in sentences for the performer."""
        found = [f"{self.name}: {self.controls} controls and {self.lights} lights taken."]
        if self.waiting:
            found.append(f"{self.waiting} of them wait for controls that this version does not have yet.")
        if self.calls:
            files = ", ".join(self.scripts)
            found.append(f"{self.calls} messages call functions of {files}; import those files too.")
        for title, rows in (
            ("need script, and are left out", self.script),
            ("have no counterpart here, and are left out", self.unknown),
            ("cannot be read", self.faults),
        ):
            if rows:
                found.append(f"{len(rows)} {title}:")
                found += [f"    {row}" for row in rows]
        return found + self.notes


def import_mixxx(data: bytes, file: str, match: str = "") -> tuple[DeviceMapping, ImportReport]:
    """Return a Mixxx mapping as one of ours, and what became of it. `match` is a pattern of port names.

    Raises NotAMixxxMapping.
    """
    mapping = read_mixxx(data)
    report = ImportReport(mapping.name or _stem(file), faults=list(mapping.faults))
    writer = _Writer(mapping, report)
    text = writer.text(file, match)
    made = parse(text, f"{_stem(file)}.toml")
    report.waiting = len(made.absent)
    return made, report


class _Writer:
    def __init__(self, mapping: MixxxMapping, report: ImportReport) -> None:
        self._mapping = mapping
        self._report = report
        self._seen: set[tuple[object, ...]] = set()

    def text(self, file: str, match: str) -> str:
        """Return the mapping file."""
        device = self._mapping.device or self._report.name
        patterns = [match] if match else _patterns(device, self._report.name)
        author = f", by {self._mapping.author}" if self._mapping.author else ""
        blocks = [
            f"# Made from {_comment(PurePath(file).name + author)}, a mapping for Mixxx; its licence still holds.",
            f"[device]\nname = {quoted(self._report.name)}\nmatch = [{', '.join(quoted(one) for one in patterns)}]",
        ]
        fine = {
            (control.status, control.number): control
            for control in self._mapping.controls
            if "fourteen-bit-lsb" in control.options
        }
        for control in self._mapping.controls:
            blocks += self._fitting(self._control(control, fine), f"{control.group} {control.key}")
        blocks += self._scripts()
        for output in self._mapping.outputs:
            blocks += self._fitting(self._output(output), f"{output.group} {output.key} (light)")
        return "\n\n".join(blocks) + "\n"

    def _scripts(self) -> list[str]:
        """Return the scripts and the calls of their functions; what cannot be called is told."""
        scripts = []
        for name, prefix in self._mapping.scripts:
            block = f"[[script]]\nfile = {quoted(name)}\nprefix = {quoted(prefix)}"
            fits = self._fits(block, name)
            scripts += [block] if fits else []
            self._report.scripts += [name] if fits else []
        calls = []
        for control in self._mapping.controls:
            if "script-binding" not in control.options:
                continue
            if not scripts or not is_function(control.key):
                self._report.script.append(f"{control.group} {control.key}")
                continue
            number = "" if control.number is None else f" {control.number:02x}"
            call = f'[[call]]\nmessage = "{control.status:02x}{number}"\nfunction = {quoted(control.key)}'
            calls.append(f"{call}\ngroup = {quoted(control.group)}")
        self._report.calls = len(calls)
        return [*scripts, *calls]

    def _fits(self, block: str, name: str) -> bool:
        try:
            parse(f'[device]\nmatch = "x"\n{block}', "line")
        except MappingRejected as error:
            self._report.faults.append(f"{name}: {error.faults[0].partition(': ')[2]}")
            return False
        return True

    def _fitting(self, block: str, name: str) -> list[str]:
        """Return a block if our mappings take it; what they do not take is told and left out."""
        if not block or not self._fits(block, name):
            return []
        if block.startswith("[[map]]"):
            self._report.controls += 1
        else:
            self._report.lights += 1
        return [block]

    def _control(self, control: MixxxControl, fine: dict[tuple[int, int | None], MixxxControl]) -> str:
        name = f"{control.group} {control.key}"
        if "script-binding" in control.options:
            return ""  # called, see `_scripts`
        target = target_of(control.group, control.key)
        kind = _KINDS.get(control.status >> 4)
        if target is None or kind is None or is_output_only(control.key):
            self._report.unknown.append(name)
            return ""
        if "fourteen-bit-lsb" in control.options and _upper_of(control, self._mapping):
            return ""  # goes with its upper half
        source = self._source(control, kind, fine)
        key = (source, target.path, control.status >> 4 == 0x8)
        if (source, target.path, False) in self._seen or key in self._seen:
            return ""  # note-off beside note-on, or the same line twice
        self._seen.add(key)
        lines = ["[[map]]", f'source = "{source}"', f'path = "{target.path}"', *_way(control, source, target)]
        if control.status >> 4 == 0x8 and not any(
            other.status == control.status + 0x10 and other.number == control.number for other in self._mapping.controls
        ):
            lines.append('on = "release"')
        if control.description:
            lines.append(f"note = {quoted(control.description[:120])}")
        return "\n".join([*lines, "feedback = false"])

    def _source(
        self, control: MixxxControl, kind: SourceKind, fine: dict[tuple[int, int | None], MixxxControl]
    ) -> Source:
        channel, number = (control.status & 0x0F) + 1, control.number or 0
        if kind in _UNNUMBERED:
            return Source(kind, channel)
        if "fourteen-bit-msb" in control.options and kind is SourceKind.CC:
            if number < 32 and (control.status, number + 32) in fine:
                return Source(SourceKind.CC14, channel, number)
            self._report.notes.append(f"{control.group} {control.key}: only the coarse half of its 14 bits is used.")
        return Source(kind, channel, number)

    def _output(self, output: MixxxOutput) -> str:
        name = f"{output.group} {output.key} (light)"
        target = target_of(output.group, output.key)
        kind = _KINDS.get(output.status >> 4)
        if target is None or kind is None or kind is SourceKind.PROGRAM:
            self._report.unknown.append(name)
            return ""
        control = _control_of(target.path)
        if control is not None and not control.is_readable:
            self._report.unknown.append(name)
            return ""
        channel = (output.status & 0x0F) + 1
        to = Source(kind, channel) if kind in _UNNUMBERED else Source(kind, channel, output.number)
        lines = [
            "[[light]]",
            f'light = "{to}"',
            f'path = "{target.path}"',
            f"lit = {output.on}",
            f"dark = {output.off}",
        ]
        least = 0.5 if output.minimum is None else output.minimum
        if least <= output.maximum:
            lines.append(f"when = [{float(least)!r}, {float(output.maximum)!r}]")
        return "\n".join(lines)


def _way(control: MixxxControl, source: Source, target: Target) -> list[str]:
    """Return the keys that say how a control is moved."""
    options = control.options
    ours = _control_of(target.path)
    lines: list[str] = []
    wheel = "jog" if target.is_wheel else "relative"
    inverted = "invert" in options or "rot64inv" in options
    step = f"{1 / (128 if target.is_wheel else 127):.6f}"
    if options & {"rot64", "rot64inv", "rot64fast", "spread64"}:
        lines += [f'mode = "{wheel}"', 'encoding = "offset"', f"step = {step}"]
        if options & {"rot64fast", "spread64"}:
            lines.append("acceleration = 4.0")
    elif options & {"diff", "selectknob", "hercjog", "hercjogfast"}:
        step = step if "hercjogfast" not in options or target.is_wheel else f"{3 / 127:.6f}"
        lines += [f'mode = "{wheel}"', 'encoding = "twos"', f"step = {step}"]
    elif target.is_wheel:
        lines += ['mode = "jog"', 'encoding = "offset"', f"step = {step}"]
    elif target.value is not None:
        momentary = target.path.endswith("/bend")
        if momentary:
            lines += ['mode = "momentary"', f"range = [{min(0.0, target.value)}, {max(0.0, float(target.value))}]"]
            inverted = float(target.value) < 0
        else:
            lines.append(f"value = {literal(target.value)}")
    elif "switch" in options and ours is not None and ours.kind is Kind.TOGGLE:
        is_note = source.kind is SourceKind.NOTE
        lines += ['mode = "momentary"'] if is_note else ['mode = "absolute"', 'takeover = "jump"']
    elif source.kind in FADERS and (ours is None or default_mode(source.kind, ours) is Mode.ABSOLUTE):
        lines.append(f'takeover = "{"pickup" if "soft-takeover" in options else "jump"}"')
    if control.key == "reverseroll":
        lines.append('mode = "momentary"')
    if inverted:
        lines.append("invert = true")
    return lines


def _control_of(path: str) -> Control | None:
    try:
        return resolve_path(path, "1")
    except UnknownControl:
        assert is_named(path), path
        return None


def _upper_of(control: MixxxControl, mapping: MixxxMapping) -> bool:
    wanted = (control.status, (control.number or 0) - 32)
    return any(
        (other.status, other.number) == wanted and "fourteen-bit-msb" in other.options for other in mapping.controls
    )


def _patterns(device: str, name: str) -> list[str]:
    """Return patterns that port names of a device may fit: its id, and its id without the maker's name."""
    found = []
    for text in (device, device.partition(" ")[2], name):
        clean = "".join("?" if letter in "[]*" else letter for letter in text).strip()
        if len(clean) >= 4 and f"*{clean}*" not in found:
            found.append(f"*{clean}*")
    return found or ["no such port"]


def _stem(file: str) -> str:
    return PurePath(file).name.removesuffix(".xml").removesuffix(".midi") or "mixxx"


def _comment(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
