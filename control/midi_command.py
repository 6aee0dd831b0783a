"""`alchemy midi list, show, check, import, export`: mappings on the command line, whether a server runs or not.

Owner: the command line. A running server reads changed files again by itself within two seconds.
Units: none.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from control.control import ControlError
from control.errors import MappingRejected
from control.mapping import DeviceMapping, parse
from control.mapping_store import SCRIPTS, FileMappings, choose, slug
from control.midi_identity import ident_of
from control.midi_names import device_of, numbered
from control.mixxx_import import import_mixxx
from control.rtmidi_port import input_names
from control.surface_page import rows_of

Print = Callable[[str], None]


class NoSuchMapping(ControlError):
    """There is no mapping of this name; `alchemy midi list` shows them."""


def run_midi_command(
    action: str, names: Sequence[str], folder: Path, output: Path | None, match: str, out: Print = print
) -> int:
    """Do one action on the mappings of `folder` and return an exit code. Raises ControlError, OSError."""
    store = FileMappings(folder)
    if action == "list":
        return _list(store, out)
    if not names:
        raise ControlError(f"alchemy midi {action} needs a {'file' if action in ('check', 'import') else 'name'}")
    for name in names:
        match action:
            case "show":
                _show(_named(store, name), out)
            case "export":
                _export(_named(store, name), output, out)
            case "check":
                mapping = _read(Path(name), match, out)
                out(f"{name}: good, {len(mapping.entries)} controls, {len(mapping.absent)} not yet there")
            case _:
                mapping = _read(Path(name), match, out)
                where = store.save(mapping.name, mapping)
                _take_scripts(mapping, Path(name).parent, store, out)
                out(f"{name} is now {where}; it matches {', '.join(mapping.match)}")
    return 0


def _list(store: FileMappings, out: Print) -> int:
    mappings, faults = store.load()
    inputs = input_names()
    devices = numbered({name: (device_of(name), ident_of(name)) for name in inputs})
    out("MIDI inputs:" if inputs else "No MIDI input is there now; plug one in, it is found while the program runs.")
    for name in inputs:
        found = choose(mappings, devices[name], ident_of(name) or devices[name])
        place = f"  [{ident_of(name)}]" if ident_of(name) else ""
        out(f"  {devices[name]}{place}: {found.name if found else 'not mapped; teach it with MIDI learn'}")
    out("Mappings:")
    for mapping in mappings:
        kind = "shipped" if mapping.builtin else "yours"
        waits = f", {len(mapping.absent)} not yet there" if mapping.absent else ""
        out(f"  {mapping.name} ({kind}): {len(mapping.entries)} controls{waits}; {', '.join(mapping.match)}")
    for fault in faults:
        out(f"  left out: {fault}")
    return 1 if faults else 0


def _named(store: FileMappings, name: str) -> DeviceMapping:
    mappings, _ = store.load()
    wanted = name.casefold()
    fitting = [one for one in mappings if wanted in (one.name.casefold(), slug(one.name))]
    fitting = fitting or [one for one in mappings if wanted in one.name.casefold()]
    if not fitting:
        raise NoSuchMapping(f"There is no mapping called {name!r}; `alchemy midi list` shows them.")
    return fitting[0]


def _show(mapping: DeviceMapping, out: Print) -> None:
    out(f"{mapping.name}: {', '.join(mapping.match)}")
    for source, how, path in rows_of(mapping):
        out(f"  {source:<24} {path:<36} {how}")


def _export(mapping: DeviceMapping, output: Path | None, out: Print) -> None:
    if output is None:
        out(mapping.text.rstrip("\n"))
        return
    output.write_text(mapping.text, encoding="utf-8")
    out(f"{mapping.name} is in {output}")


def _take_scripts(mapping: DeviceMapping, folder: Path, store: FileMappings, out: Print) -> None:
    """Take in the scripts that a mapping names, from the folder it came from. Raises ControlError, OSError."""
    for script in mapping.scripts:
        try:
            text = (folder / script.file).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            out(f"{script.file} is not beside it; put it into mappings/{SCRIPTS} of the data folder")
        else:
            out(f"{script.file} is now {store.save_script(script.file, text)}")


def _read(path: Path, match: str, out: Print) -> DeviceMapping:
    """Return the mapping in a file, ours or Mixxx's; what Mixxx's report says is told. Raises ControlError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ControlError(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".xml" or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        mapping, report = import_mixxx(data, path.name, match)
        for line in report.lines():
            out(line)
        return mapping
    try:
        return parse(data.decode("utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise MappingRejected([f"{path.name}: not a text file ({error.reason})"]) from error
