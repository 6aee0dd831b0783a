"""The command `alchemy`: reads the command line and hands over; heavy modules load for the command that needs them.

Owner: the terminal. Every command returns an exit status: 0 done, 1 refused with a sentence on stderr, 2 bad usage.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio.units import BUSES
from pipeline.settings import DEVICES
from server.errors import ServerError
from server.settings import OPTIONS, Settings, load
from server.version import version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _parser()
    named = parser.parse_args(arguments)
    try:
        return int(_COMMANDS[named.command](named) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as raised:
        error = _sole(raised)
        if isinstance(error, ServerError) or type(error).__module__.split(".")[0] in ("audio", "control", "pipeline"):
            print(f"alchemy {named.command}: {error}", file=sys.stderr)
            return 1
        raise


def _sole(error: Exception) -> Exception:
    """Return the one error that a group of tasks ended with, or the group where there are several."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alchemy",
        description="Stems under the fingers while the music plays: decks, MIDI, OSC and a web page.",
    )
    parser.add_argument("--version", action="version", version=f"alchemy {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="start everything and open the page")
    _add_data(run)
    for option in OPTIONS:
        if option.on_command_line:
            action: dict[str, Any] = (
                {"action": "store_const", "const": not option.default}
                if option.kind is bool
                else {"action": "append", "metavar": option.metavar}
                if option.kind is tuple
                else {"type": option.kind, "metavar": option.metavar}
            )
            shown = "" if option.kind is bool or option.default in ("", ()) else f" (default {option.default})"
            run.add_argument(option.flag, dest=option.key, default=None, help=option.help + shown, **action)

    imports = commands.add_parser(
        "import", help="add files, folders, links or lists (M3U, CUE, rekordbox) to the library"
    )
    imports.add_argument("paths", nargs="+", metavar="FILE|FOLDER|LINK|LIST")
    imports.add_argument("--wait", action="store_true", help="return when their jobs are done")
    _add_server(imports)

    render = commands.add_parser("render", help="play a script without hardware, into a file")
    render.add_argument("script", type=Path, metavar="SCRIPT", help="setlist (.toml) or log of intents (JSON lines)")
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.wav", help=".wav or .flac")
    render.add_argument("--seconds", type=float, default=None, help="length; default is until everything has played")
    render.add_argument("--rate", type=int, default=48_000, help="Hz (default 48000)")
    render.add_argument("--block", type=int, default=128, help="frames per block (default 128)")
    render.add_argument("--bus", default="master", choices=("master", *BUSES), help="what to write (default master)")
    render.add_argument(
        "--transition",
        type=int,
        default=None,
        metavar="ENTRY",
        help="only the seconds in which a setlist goes over into ENTRY",
    )
    _add_data(render)

    worker = commands.add_parser("worker", help="run workers for separation and analysis")
    worker.add_argument(
        "--queues",
        default="download,processing,analysis",
        help="comma-separated (default download,processing,analysis)",
    )
    worker.add_argument("--server", default="", metavar="URL", help="server (default: this data folder's)")
    worker.add_argument(
        "--token",
        default="",
        metavar="TOKEN",
        help="its own, or ALCHEMY_TOKEN; `alchemy workers add` makes one",
    )
    worker.add_argument(
        "--broker", default="", metavar="URL",
        help="where the queue is: amqp://, redis:// or postgresql:// (default: reached by the server's address)",
    )  # fmt: skip
    worker.add_argument(
        "--authority", type=Path, default=None, metavar="FILE", help="certificate that signs an https server's"
    )
    worker.add_argument("--device", choices=DEVICES, default="", help="where the demucs engine runs (default auto)")
    _add_data(worker)

    workers = commands.add_parser("workers", help="make a token for a worker on another machine")
    workers.add_argument("action", choices=("add",))
    workers.add_argument("name", metavar="NAME")
    workers.add_argument("--queues", default="processing,analysis", help="(default processing,analysis)")
    _add_server(workers)

    models = commands.add_parser("models", help="list, fetch and check separation models")
    models.add_argument("action", choices=("list", "pull", "verify"))
    models.add_argument("name", nargs="?", default="htdemucs")
    models.add_argument("--quiet-if-present", action="store_true", help=argparse.SUPPRESS)

    cleanup = commands.add_parser("cleanup", help="remove what failed long ago, and files that nothing needs")
    cleanup.add_argument("--dry-run", action="store_true", help="only say how much that is")
    cleanup.add_argument("--days", type=int, default=30, help="how old failed and cancelled jobs may get (default 30)")
    _add_server(cleanup)

    fetcher = commands.add_parser("fetcher", help="install spotdl and yt-dlp, for links of Spotify and video sites")
    fetcher.add_argument("action", choices=("install", "status"))
    fetcher.add_argument("--quiet-if-present", action="store_true", help=argparse.SUPPRESS)
    _add_data(fetcher)

    migrate = commands.add_parser("migrate", help="bring the database up to date")
    _add_data(migrate)

    doctor = commands.add_parser("doctor", help="say what this machine has and what is missing")
    _add_data(doctor)

    midi = commands.add_parser("midi", help="show MIDI messages as they come; list, import and export mappings")
    midi.add_argument(
        "action", nargs="?", default="monitor", choices=("monitor", "list", "show", "check", "import", "export")
    )
    midi.add_argument("names", nargs="*", metavar="NAME|FILE", help="mappings to show or export, files to take in")
    midi.add_argument("-o", "--output", type=Path, default=None, metavar="FILE", help="where to export to")
    midi.add_argument("--match", default="", metavar="PATTERN", help="port names that an imported file is for")
    _add_data(midi)
    midi.add_argument("--port", default="", metavar="NAME", help="only ports whose name contains NAME")
    osc = commands.add_parser("osc", help="show OSC messages as they come, or make a layout for a surface")
    osc.add_argument("action", nargs="?", default="monitor", choices=("monitor", "layout"))
    osc.add_argument("name", nargs="?", default="", metavar="NAME", help="layout to make; none lists them")
    osc.add_argument("-o", "--output", type=Path, default=None, metavar="FILE", help="where to (default: its name)")
    osc.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where a layout finds the show")
    osc.add_argument("--osc-port", type=int, default=8000, metavar="PORT")

    setlist = commands.add_parser("setlist", help="work with setlists")
    setlist.add_argument("action", choices=("check",))
    setlist.add_argument("files", nargs="+", type=Path, metavar="SETLIST.toml")
    setlist.add_argument("--queue", action="store_true", help="have what is missing imported, separated and analysed")
    _add_server(setlist)

    demo = commands.add_parser("demo", help="make two short songs, import them and load them on decks 1 and 2")
    demo.add_argument("--output", type=Path, default=None, metavar="DIR", help="only write songs and stems here")
    _add_server(demo)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default=None, metavar="DIR", help="data folder (default: the platform's)")


def _add_server(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--server", default=None, metavar="URL", help="running server (default: this data folder's)")
    parser.add_argument("--token", default=None, metavar="TOKEN", help="API token (default: this data folder's)")


def _settings(named: argparse.Namespace) -> Settings:
    return load(vars(named), os.environ)


def _run(named: argparse.Namespace) -> int:
    from server.start import run

    return run(_settings(named))


def _import(named: argparse.Namespace) -> int:
    from server.importing import import_all
    from server.remote import Remote

    with Remote.find(_settings_of_remote(named), named.server, named.token) as remote:
        return import_all(remote, named.paths, wait=named.wait)


def _render(named: argparse.Namespace) -> int:
    from server.bounce import bounce

    return bounce(_settings_of_remote(named), named)


def _worker(named: argparse.Namespace) -> int:
    from server.remote import WorkerPlace, run_workers

    token = named.token or os.environ.get("ALCHEMY_TOKEN", "")
    place = WorkerPlace(named.server, token, named.broker, named.authority, named.device)
    return run_workers(_settings_of_remote(named), named.queues.split(","), place)


def _workers(named: argparse.Namespace) -> int:
    from server.remote import Remote, add_worker

    with Remote.find(_settings_of_remote(named), named.server, named.token) as remote:
        print(add_worker(remote, named.name, named.queues.split(",")))
    return 0


def _models(named: argparse.Namespace) -> int:
    from pipeline import models

    if named.action == "list":
        for known in models.MODELS.values():
            here = models.model_path(known.name) if models.is_here(known.name) else "not here"
            print(f"{known.name}  {known.size / 1e6:.0f} MB  {known.description}\n    {known.licence}\n    {here}")
    elif named.action == "verify":
        print(f"{models.verify(named.name)}: good")
    elif not (named.quiet_if_present and models.is_here(named.name)):
        print(models.model(named.name).licence)
        print(models.pull(named.name, progress=lambda what, share: print(f"  {what}", flush=True)))
    return 0


def _cleanup(named: argparse.Namespace) -> int:
    from server.remote import Remote

    with Remote.find(_settings_of_remote(named), named.server, named.token) as remote:
        asked = {"dry_run": named.dry_run, "days": named.days}
        cleaned = remote.request("POST", "/api/cleanup", json=asked)
    counted = ", ".join(f"{count} {what}" for what, count in cleaned.items() if what != "dry_run" and count)
    print(f"{'Would remove' if named.dry_run else 'Removed'}: {counted or 'nothing'}")
    return 0


def _fetcher(named: argparse.Namespace) -> int:
    from pipeline import fetcher

    environment = fetcher.Environment(_settings_of_remote(named).data / "fetcher")
    note = environment.note()
    if named.action == "install":
        note = fetcher.install(environment, lambda words: print(words, flush=True))
    elif note is not None and named.quiet_if_present:
        return 0
    if note is None:
        print(f"Not installed: spotdl and yt-dlp, for links of Spotify and video sites (about {fetcher.SIZE_MB} MB).")
        print(f"Install them with: {fetcher.INSTALL_LINE}")
        return 0 if named.quiet_if_present else 1
    print(f"spotdl {note.spotdl}, yt-dlp {note.yt_dlp}  {environment.folder}")
    here = fetcher.helpers()
    print(f"ffmpeg      {here['ffmpeg'] or 'not here: downloads stay as the site has them (download_format = best)'}")
    print(f"JavaScript  {here['javascript'] or 'not here: YouTube may want deno or node'}")
    return 0


def _migrate(named: argparse.Namespace) -> int:
    from server.database import migrate

    return migrate(_settings_of_remote(named))


def _doctor(named: argparse.Namespace) -> int:
    from server.doctor import doctor

    return doctor(_settings_of_remote(named))


def _midi(named: argparse.Namespace) -> int:
    folder = _settings_of_remote(named).data / "mappings"
    if named.action != "monitor":
        from control.midi_command import run_midi_command

        return run_midi_command(named.action, named.names, folder, named.output, named.match)
    from control.monitor import run_midi_monitor

    return run_midi_monitor(named.port, folder)


def _osc(named: argparse.Namespace) -> int:
    if named.action == "layout":
        return _layout(named)
    from control.monitor import run_osc_monitor

    return run_osc_monitor(named.osc_port)


def _layout(named: argparse.Namespace) -> int:
    from control.layouts.files import content, listing

    if not named.name:
        for file in listing():
            print(f"{file.name:24} {file.description}")
        return 0
    output = named.output or Path(named.name)
    data = content(named.name, f"{named.host}:{named.osc_port}")
    try:
        output.write_bytes(data)
    except OSError as error:
        print(f"alchemy osc: {output} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(output)
    return 0


def _setlist(named: argparse.Namespace) -> int:
    from server.bounce import check_setlists

    return check_setlists(_settings_of_remote(named), named)


def _demo(named: argparse.Namespace) -> int:
    from server.demo import demo

    return demo(_settings_of_remote(named), named)


def _settings_of_remote(named: argparse.Namespace) -> Settings:
    """Return settings for a command that only shares the data folder with `run`."""
    return load({"data": named.data}, os.environ)


_COMMANDS = {
    "run": _run,
    "import": _import,
    "render": _render,
    "worker": _worker,
    "workers": _workers,
    "models": _models,
    "cleanup": _cleanup,
    "fetcher": _fetcher,
    "migrate": _migrate,
    "doctor": _doctor,
    "midi": _midi,
    "osc": _osc,
    "setlist": _setlist,
    "demo": _demo,
}
