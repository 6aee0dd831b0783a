"""Where the keys of a TOML text stand; tomllib reads the values and does not say.

Owner: the caller. Pure. Follows tables, arrays of tables, dotted keys, and values over several lines; a key inside an
inline table or an array counts as standing where its outermost key does.
Units: lines count from 1, tables of an array from 0.
"""

import re
from typing import Final

_WORD: Final = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_DOTTED: Final = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_TABLE: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_QUOTES: Final = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#|[\[\]{}]")

Path = tuple[str | int, ...]


class TomlLines:
    """Lines of tables and keys by their path, like `("entry", 0, "lane", 2, "control")`."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        table: Path = ()
        quote, depth = "", 0
        for number, line in enumerate(text.splitlines(), start=1):
            if not quote and depth == 0:
                if header := _TABLE.fullmatch(line):
                    table = self._enter(_words(header[2]), header[1] == "[[", number)
                    continue
                if key := _KEY.match(line):
                    path = table
                    for word in _words(key[1]):
                        path = (*path, word)
                        self._lines.setdefault(path, number)
                    line = line[key.end() :]
            quote, depth = _follow(line, quote, depth)

    def _enter(self, words: list[str], is_array: bool, number: int) -> Path:
        """Go into a table: of an array that was named before it is its last table that is meant."""
        path: Path = ()
        for nth, word in enumerate(words):
            path = (*path, word)
            last = nth == len(words) - 1
            if last and is_array:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                self._lines.setdefault(path, number)
                path = (*path, self._counts[path] - 1)
            self._lines.setdefault(path, number)
        return path

    def line(self, *path: str | int) -> int:
        """Return the line of a key or a table, or of the nearest one around it; 1 for none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 1


def _words(dotted: str) -> list[str]:
    return [word.strip("\"'") for word in re.findall(_WORD, dotted)]


def _follow(line: str, quote: str, depth: int) -> tuple[str, int]:
    """Return which quotes of several lines are open behind a line, and how many brackets."""
    place = 0
    while True:
        if quote:
            end = line.find(quote, place)
            if end < 0:
                return quote, depth
            quote, place = "", end + 3
        found = _QUOTES.search(line, place)
        if found is None or found[0] == "#":
            return "", depth
        place = found.end()
        if found[0] in ('"""', "'''"):
            quote = found[0]
        elif found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth = max(0, depth - 1)
