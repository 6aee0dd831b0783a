"""Settings: one typed, frozen value, read once from the command line, the environment and `DIR/alchemy.toml`.

Owner: nobody changes it after the start. Each option has one row in `OPTIONS`; the command line, the environment
variable `ALCHEMY_NAME` and the key in the file are derived from it, and win in that order.
Units: `block` in frames, ports as numbers.
"""

import difflib
import hashlib
import math
import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import platformdirs

from audio.settings import AudioSettings
from audio.units import ENGINE_RATE, MOST_CHANNELS, RECORDING_FORMATS
from pipeline.fetcher_run import FORMATS, QUALITIES
from pipeline.settings import DEVICES, ENGINE_NAMES, PRECISIONS, STEM_FORMATS, PipelineSettings
from server.errors import SettingsRejected

APP_NAME: Final = "sound-forge-alchemy"

SOCKET_PATH_LIMIT: Final = 90
"""Bytes a unix socket's folder may have: the kernel's limit is 107, and names come after it."""


def default_data() -> Path:
    """Return the platform's user-data folder for this program."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its key, what it takes and how it is explained. `choices` of a text, or the range of a number
    and what it is a multiple of. Its default is that of `Settings`."""

    key: str
    kind: type
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    multiple: int = 1
    metavar: str = ""
    on_command_line: bool = True

    @property
    def default(self) -> Any:
        """What holds when nobody says anything."""
        return _DEFAULTS[self.key]

    @property
    def flag(self) -> str:
        """Command-line spelling; a switch that is on by default is turned off with `--no-...`."""
        name = self.key.replace("_", "-")
        return f"--no-{name}" if self.kind is bool and self.default else f"--{name}"

    @property
    def variable(self) -> str:
        """Name in the environment."""
        return f"ALCHEMY_{self.key.upper()}"


OPTIONS: Final = (
    Option("host", str, "address the page and the API listen on", metavar="ADDRESS"),
    Option("port", int, "port of the page and the API", 0, 65535, metavar="PORT"),
    Option("osc_port", int, "UDP and TCP port for OSC", 0, 65535, metavar="PORT"),
    Option("oscquery_port", int, "TCP port for OSCQuery; any free one where it is taken", 0, 65535,
           metavar="PORT"),
    Option("audio", str, "output device: auto, null (no sound card), part of a device's name", metavar="NAME"),
    Option("input", str, "what is heard and can be recorded: auto, part of a device's name; empty for nothing",
           metavar="NAME"),
    Option("block", int, "frames per audio block", 16, 4096, metavar="FRAMES"),
    Option("channels", int, "output channels, in pairs; 0 takes what the device has", 0, MOST_CHANNELS,
           metavar="COUNT", multiple=2),
    Option("rate", int, "engine rate in Hz", 44100, 96000, metavar="HZ"),
    Option("browser", bool, "open the page in a browser"),
    Option("lan", bool, "let phones and tablets on this network in; each one is asked about on the page"),
    Option("token", str, "API token of the owner (tests, containers)", metavar="TOKEN"),
    Option("workers", bool, "start workers for separation and analysis"),
    Option("log", str, "record every intent of this run to FILE; `alchemy render FILE` plays it", metavar="FILE"),
    Option("record_format", str, "format of recordings", choices=RECORDING_FORMATS, on_command_line=False),
    Option("analyze_on_import", bool, "analyse tracks as they are imported", on_command_line=False),
    Option("separate_on_load", bool, "separate a track that is loaded without stems", on_command_line=False),
    Option("engine", str, "separation engine", choices=ENGINE_NAMES,
           on_command_line=False),
    Option("model", str, "separation model", on_command_line=False),
    Option("device", str, "where the demucs engine runs", choices=DEVICES, on_command_line=False),
    Option("precision", str, "arithmetic of the models", choices=PRECISIONS, on_command_line=False),
    Option("segment", float, "seconds a model hears at once; 0 is its own", 0, 60, on_command_line=False),
    Option("overlap", float, "share of a segment that overlaps the next", 0, 0.5, on_command_line=False),
    Option("shifts", int, "passes at different offsets, averaged", 0, 10, on_command_line=False),
    Option("threads", int, "processor threads of a separation; 0 is every core", 0, 256, on_command_line=False),
    Option("beat_model", str, "checkpoint file of beat-this, which then finds the beats; empty is our own way",
           on_command_line=False),
    Option("stem_format", str, "format of stems that leave without one named", choices=STEM_FORMATS,
           on_command_line=False),
    Option("max_upload_mb", int, "largest upload in MiB", 1, 1_000_000, on_command_line=False),
    Option("retention_days", int, "days that failed and cancelled jobs are kept; 0 keeps them until you clean up",
           0, 36500, on_command_line=False),
    Option("spotify_client_id", str, "client id of your Spotify application", on_command_line=False),
    Option("spotify_client_secret", str, "client secret of your Spotify application", on_command_line=False),
    Option("lalalai_key", str, "licence key of lalal.ai for users who have entered none", on_command_line=False),
    Option("lalalai_url", str, "where lalal.ai is reached, if not at its own address", on_command_line=False),
    Option("fetch_private", bool, "let links lead to this machine and its network", on_command_line=False),
    Option("watch", tuple, "folders whose new audio files are imported by themselves", metavar="FOLDER"),
    Option("download_format", str, "what audio of Spotify's and video links becomes; best: as the site has it",
           choices=FORMATS, on_command_line=False),
    Option("download_quality", str, "bit rate of a download that is converted", choices=QUALITIES,
           on_command_line=False),
    Option("broker", str, "message broker URL; empty is the database itself", on_command_line=False),
    Option("secret_key", str, "key that encrypts secrets at rest, base64 of 32 bytes", on_command_line=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run was asked for."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 4000
    osc_port: int = 8000
    oscquery_port: int = 5678
    audio: str = "auto"
    input: str = ""
    block: int = 128
    channels: int = 0
    rate: int = ENGINE_RATE
    browser: bool = True
    lan: bool = False
    token: str = ""
    workers: bool = True
    log: str = ""
    record_format: str = "flac"
    analyze_on_import: bool = True
    separate_on_load: bool = True
    engine: str = "auto"
    model: str = "htdemucs"
    device: str = "auto"
    precision: str = "auto"
    segment: float = 0.0
    overlap: float = 0.25
    shifts: int = 0
    threads: int = 0
    beat_model: str = ""
    stem_format: str = "flac"
    max_upload_mb: int = 2048
    retention_days: int = 0
    spotify_client_id: str = ""
    spotify_client_secret: str = field(default="", repr=False)
    lalalai_key: str = field(default="", repr=False)
    lalalai_url: str = ""
    fetch_private: bool = False
    watch: tuple[str, ...] = ()
    download_format: str = "best"
    download_quality: str = "best"
    broker: str = ""
    secret_key: str = field(default="", repr=False)
    database_url: str = field(default="", repr=False)

    @property
    def runtime(self) -> Path:
        """Folder for sockets and locks: `DATA/run`, or a private short one where that path is too long."""
        run = self.data / "run"
        if len(os.fsencode(run)) < SOCKET_PATH_LIMIT:
            return run
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"alchemy-{os.getuid()}-{name}"

    @property
    def recordings(self) -> Path:
        """Where recordings go."""
        return self.data / "recordings"

    @property
    def pipeline(self) -> PipelineSettings:
        """How separation runs where nothing else is asked for."""
        shared = ("engine", "model", "device", "precision", "segment", "overlap", "shifts", "threads", "beat_model")
        return PipelineSettings(**{name: getattr(self, name) for name in shared})

    @property
    def engine_settings(self) -> AudioSettings:
        """How the engine is to run."""
        return AudioSettings(
            device=self.audio, source=self.input, block=self.block, channels=self.channels, rate=self.rate
        )

    @property
    def engine_log(self) -> Path:
        """Where the engine's last words go."""
        return self.data / "logs" / "engine.log"


def load(
    arguments: Mapping[str, Any], environment: Mapping[str, str], content: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings of a run.

    `arguments` holds what the command line named, by key, `data` among them; a value of None was not named. `content`
    stands in for what the file holds, to try it before it is written.
    Raises SettingsRejected with every fault found, in `details["faults"]`.
    """
    faults: list[str] = []
    data = Path(arguments.get("data") or environment.get("ALCHEMY_DATA") or default_data()).expanduser().absolute()
    file = data / "alchemy.toml"
    from_file = _read_file(file, faults) if content is None else content
    values: dict[str, Any] = {}
    for option in OPTIONS:
        for place, raw in (
            (option.flag, arguments.get(option.key)),
            (option.variable, environment.get(option.variable)),
            (f"{file.name}: {option.key}", from_file.get(option.key)),
        ):
            if raw is not None:
                values[option.key] = _value(option, raw, place, faults)
                break
    if values.get("rate") not in (None, 44100, 48000, 88200, 96000):
        faults.append(f"rate: {values['rate']} Hz is not a rate the engine runs at; take 44100, 48000, 88200 or 96000")
    values["watch"] = tuple(_watched(values.get("watch", ()), data, faults))
    if faults:
        raise SettingsRejected("; ".join(faults), faults=faults)
    return Settings(data=data, database_url=environment.get("DATABASE_URL", ""), **values)


def _watched(folders: Iterable[str], data: Path, faults: list[str]) -> Iterator[str]:
    """Yield the folders as absolute paths. What this program writes itself would come in again without end."""
    for one in folders:
        folder = Path(one).expanduser().absolute()
        if folder == data or folder in data.parents or data in folder.parents:
            faults.append(f"watch: {folder} and the data folder {data} lie in each other")
        yield str(folder)


def _read_file(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{path}: {error}")
        return {}
    known = [option.key for option in OPTIONS]
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            faults.append(
                f"{path.name}: no setting is called {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return content


def _value(option: Option, raw: Any, place: str, faults: list[str]) -> Any:
    if option.kind is bool:
        if isinstance(raw, bool):
            return raw
        text = str(raw).strip().lower()
        if text in ("1", "true", "yes", "on"):
            return True
        if text in ("0", "false", "no", "off", ""):
            return False
        faults.append(f"{place}: {raw!r} is neither yes nor no")
        return option.default
    if option.kind in (int, float):
        try:
            if isinstance(raw, bool) or (option.kind is int and isinstance(raw, float)):
                raise ValueError
            number = option.kind(raw)
            if not math.isfinite(number):
                raise ValueError
        except (TypeError, ValueError):
            faults.append(f"{place}: {raw!r} is not a {'whole ' if option.kind is int else ''}number")
            return option.default
        if (option.minimum is not None and number < option.minimum) or (
            option.maximum is not None and number > option.maximum
        ):
            faults.append(f"{place}: {number} is not between {option.minimum} and {option.maximum}")
        elif option.kind is int and number % option.multiple:
            faults.append(f"{place}: {number} is not a multiple of {option.multiple}")
        return number
    if option.kind is tuple:
        several = raw.split(os.pathsep) if isinstance(raw, str) else raw
        if not isinstance(several, list | tuple) or not all(isinstance(one, str) for one in several):
            faults.append(f"{place}: takes a list of texts, got {raw!r}")
            return option.default
        return tuple(one for one in several if one)
    if not isinstance(raw, str):
        faults.append(f"{place}: takes a text, got {raw!r}")
        return option.default
    if option.choices and raw not in option.choices:
        near = difflib.get_close_matches(raw, option.choices, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        faults.append(f"{place}: {raw!r} is not one of {', '.join(option.choices)}{hint}")
    return raw


_DEFAULTS: Final = {one.name: one.default for one in fields(Settings)}
assert {option.key for option in OPTIONS} | {"data", "database_url"} == {f.name for f in fields(Settings)}
