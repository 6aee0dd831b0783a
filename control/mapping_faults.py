"""Where things stand in a mapping file, and what is wrong there.

Owner: whoever reads a file. Pure. Units: lines from 1.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

Place = tuple[str, int]
"""A table of the file: its name, and which of its kind, from 0."""

_HEADER: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\-]+)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-]+)\s*=")


def scan(text: str) -> Iterator[tuple[int, Place, str]]:
    """Yield (line, table, key) for every key, and key "" for every header."""
    counts: Counter[str] = Counter()
    place: Place = ("", 0)
    for line, content in enumerate(text.splitlines(), 1):
        header = _HEADER.match(content)
        if header is not None:
            place = (header[1], counts[header[1]])
            counts[header[1]] += 1
            yield line, place, ""
        elif key := _KEY.match(content):
            yield line, place, key[1]


class Faults:
    """Collects faults, with the line of the key in the file."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.found: list[str] = []
        self._lines: dict[tuple[Place, str], int] = {}
        for line, place, key in scan(text):
            self._lines.setdefault((place, key), line)

    def line(self, place: Place, key: str) -> int:
        """Return the line of `key` in a table, or of the table's header, or of the key at the top of the file."""
        return self._lines.get((place, key)) or self._lines.get((place, "")) or self._lines.get((("", 0), key)) or 1

    def add(self, place: Place, key: str, message: str) -> None:
        """Note that `key` has a fault."""
        self.found.append(f"{self.file} line {self.line(place, key)}: {key} {message}")
