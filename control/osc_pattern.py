"""OSC address patterns: one message moves every control whose path fits.

Owner: nobody; pure. A pattern is compiled once and its hits are remembered, since the registry does not change.
Units: none.

    ?  one character        [abc] [a-f]  one of these        {drums,bass}  one of these texts
    *  any, also none       [!abc]       one of the others   //            any number of parts (OSC 1.1)

None of them crosses a `/` but `//`. The work is bounded whatever is sent: a part is compared by following the set of
places it may have reached, so `*a*a*a*b` costs its length times the name's; names are few, as controls share them; and
the walk over the tree of controls is given up after MAX_STEPS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from control.control import ControlError

MAX_LENGTH: Final = 200
"""Characters of a pattern, at most."""

MAX_HITS: Final = 1024
"""Controls that one message may move."""

MAX_STEPS: Final = 20_000
"""Places in the tree that one pattern may visit: a few milliseconds."""

SPECIAL: Final = frozenset("?*[]{}")


class BadPattern(ControlError):
    """This is not an address pattern."""


class TooManyHits(ControlError):
    """The pattern fits too many controls at once."""


def is_pattern(address: str) -> bool:
    """Return whether an address is a pattern and not a name."""
    return "//" in address or not SPECIAL.isdisjoint(address)


_Token = Callable[[str, frozenset[int]], frozenset[int]]
"""Takes a name and the places reached in it, returns the places reached after this token."""


def part_matcher(part: str) -> Callable[[str], bool]:
    """Return what says whether a name fits one part of a pattern. Raises BadPattern."""
    tokens = list(_tokens(part))

    @lru_cache(maxsize=2048)
    def fits(name: str) -> bool:
        places = frozenset((0,))
        for token in tokens:
            places = token(name, places)
            if not places:
                return False
        return len(name) in places

    return fits


def _tokens(part: str) -> Iterable[_Token]:
    index = 0
    while index < len(part):
        char = part[index]
        if char == "*":
            while part[index : index + 1] == "*":
                index += 1
            yield _any
        elif char == "[":
            end = part.find("]", index + 1)
            if end < 0:
                raise BadPattern(f"a [ in {part[:60]!r} has no ]")
            yield _one_of(part[index + 1 : end])
            index = end + 1
        elif char == "{":
            end = part.find("}", index + 1)
            if end < 0:
                raise BadPattern(f"a {{ in {part[:60]!r} has no }}")
            yield _texts(part[index + 1 : end].split(","))
            index = end + 1
        elif char in "]}":
            raise BadPattern(f"a {char} in {part[:60]!r} closes nothing")
        else:
            index += 1
            yield _one if char == "?" else _texts([char])


def _any(name: str, places: frozenset[int]) -> frozenset[int]:
    return frozenset(range(min(places), len(name) + 1))


def _one(name: str, places: frozenset[int]) -> frozenset[int]:
    return frozenset(place + 1 for place in places if place < len(name))


def _one_of(listed: str) -> _Token:
    unwanted = listed.startswith("!")
    chars: set[str] = set()
    listed = listed.removeprefix("!")
    index = 0
    while index < len(listed):
        if listed[index + 1 : index + 2] == "-" and index + 2 < len(listed):
            first, last = sorted((ord(listed[index]), ord(listed[index + 2])))
            if last > 127:
                raise BadPattern("a range in [] is of ASCII characters")
            chars.update(map(chr, range(first, last + 1)))
            index += 3
        else:
            chars.add(listed[index])
            index += 1
    return lambda name, places: frozenset(
        place + 1 for place in places if place < len(name) and (name[place] in chars) != unwanted
    )


def _texts(texts: list[str]) -> _Token:
    return lambda name, places: frozenset(
        place + len(text) for place in places for text in texts if name.startswith(text, place)
    )


@dataclass(slots=True)
class _Node:
    """A place in the tree of names: its children by name, and whether a control is here."""

    path: str = ""
    is_name: bool = False
    children: dict[str, "_Node"] = field(default_factory=dict)


class Addresses:
    """The names a pattern is compared with, as a tree."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._root = _Node()
        for path in paths:
            node = self._root
            for name in path.split("/")[1:]:
                node = node.children.setdefault(name, _Node(f"{node.path}/{name}"))
            node.is_name = True
        self.matching = lru_cache(maxsize=512)(self._matching)

    def _matching(self, pattern: str) -> tuple[str, ...]:
        """Return the names that fit `pattern`, in their order. Raises BadPattern and TooManyHits."""
        if len(pattern) > MAX_LENGTH:
            raise BadPattern(f"a pattern has at most {MAX_LENGTH} characters")
        if not pattern.startswith("/"):
            raise BadPattern("a pattern starts with /")
        parts = [part_matcher(part) if part else None for part in pattern.split("/")[1:]]
        if parts[-1] is None:
            raise BadPattern("a pattern does not end with /")
        found: dict[str, None] = {}
        seen: set[tuple[int, int]] = set()
        waiting = [(self._root, 0)]
        while waiting:
            node, index = waiting.pop()
            if (id(node), index) in seen:
                continue
            seen.add((id(node), index))
            if len(seen) > MAX_STEPS:
                raise TooManyHits("the pattern is too wide; name more of the path")
            if index == len(parts):
                if node.is_name:
                    found[node.path] = None
                    if len(found) > MAX_HITS:
                        raise TooManyHits(f"the pattern fits more than {MAX_HITS} controls; name more of the path")
                continue
            fits = parts[index]
            below = list(reversed(node.children.values()))
            if fits is None:  # what follows // may begin here, or further down
                waiting += [(child, index) for child in below]
                waiting.append((node, index + 1))
            else:
                waiting += [(child, index + 1) for child in below if fits(child.path.rpartition("/")[2])]
        return tuple(found)
