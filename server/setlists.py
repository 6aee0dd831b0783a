"""The shelf of setlists: files of the performer in DATA/setlists, and the examples that come with the program.

Owner: whoever asks; every function touches the disk and belongs in a thread. A name is one word of a file, never a
path, and nothing outside the two folders can be named.
Units: none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audio.files import write_whole
from server.errors import BadRequest, Conflict, NotFound, StorageFull
from server.session.script import read_text
from server.session.setlist import Setlist
from server.session.setlist_file import setlist_of

EXAMPLES: Final = Path(__file__).resolve().parent.parent / "setlists"
"""The examples that come with the program."""

SUFFIX: Final = ".toml"

LARGEST_BYTES: Final = 512 * 1024

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,79}(?:\.[A-Za-z0-9 _-]{1,20}){0,3}")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A setlist on the shelf. `example` came with the program and cannot be changed; a file of the performer's by the
    same name goes before it."""

    name: str
    path: Path
    example: bool


class Shelf:
    """Finds, writes and removes setlists. `folder` is made when it is first written to."""

    def __init__(self, folder: Path, examples: Path = EXAMPLES) -> None:
        self.folder = folder
        self._examples = examples

    def listing(self) -> list[Shelved]:
        """Return every setlist by name, the performer's own before examples they replace."""
        found = {one.name: one for one in self._all()}
        return sorted(found.values(), key=lambda one: one.name.casefold())

    def find(self, name: str) -> Shelved:
        """Return a setlist by its name, with or without `.toml`. Raises NotFound."""
        name = name.removesuffix(SUFFIX)
        for one in self.listing():
            if one.name == name:
                return one
        raise NotFound(f"There is no setlist called {name[:80]!r}")

    def text(self, name: str) -> str:
        """Return the text of a setlist. Raises NotFound, ScriptRejected for a file that is no text."""
        return read_text(self.find(name).path)

    def read(self, name: str) -> Setlist:
        """Return a checked setlist. Raises NotFound, ScriptRejected with every fault."""
        one = self.find(name)
        return setlist_of(read_text(one.path), one.path)

    def write(self, name: str, text: str) -> Shelved:
        """Keep a setlist that is sound, in one piece, in place of what was there by that name.

        Raises BadRequest for a name that cannot be or a text that is too long, ScriptRejected with every fault of the
        text, StorageFull; then nothing has changed.
        """
        name = name.removesuffix(SUFFIX)
        if not _NAME.fullmatch(name):
            raise BadRequest("A setlist's name begins with a letter or digit; spaces, dots, - and _ may follow")
        data = text.encode()
        if len(data) > LARGEST_BYTES:
            raise BadRequest(f"A setlist has at most {LARGEST_BYTES >> 10} KiB")
        path = self.folder / f"{name}{SUFFIX}"
        setlist_of(text, path)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise StorageFull(f"The setlist could not be written: {error.strerror}") from error
        return Shelved(name, path, False)

    def delete(self, name: str) -> None:
        """Remove a setlist of the performer's. Raises NotFound, Conflict for an example."""
        one = self.find(name)
        if one.example:
            raise Conflict("This setlist comes with the program and stays")
        one.path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Shelved]:
        for folder, example in ((self._examples, True), (self.folder, False)):
            for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
                if path.is_file() and _NAME.fullmatch(path.stem):
                    yield Shelved(path.stem, path, example)
