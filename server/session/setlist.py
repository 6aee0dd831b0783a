"""Setlists: an ordered plan of tracks, written by hand in TOML; `setlists/README.md` describes the format.

Owner: the caller. A setlist becomes the same timed intents a log holds: all that it does can be done by hand.
Units: seconds of the set for `at`, seconds of the track for `start` and `end`.

    A  start ----------------- end         one deck after another; over `seconds` before its end
                 B  start ----------- ...  the older track fades out while the newer fades in
"""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from audio.units import STEMS
from server.session.script import LONGEST_S, Problem, ScriptRejected, TimedIntent, did_you_mean, read_text

FADE_STEP_S: Final = 0.01
"""Between two moves of a fader in a fade; the engine ramps between them."""

TRANSITIONS: Final = ("cut", "fade")


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of the set. None where the file says nothing. `line` counts from 1."""

    line: int
    track: str
    deck: int
    start_s: float = 0.0
    at_s: float | None = None
    end_s: float | None = None
    rate: float = 1.0
    volume: float = 1.0
    stems: Mapping[str, float] = field(default_factory=dict)
    transition: str = "cut"
    seconds: float = 8.0

    @property
    def fade_s(self) -> float:
        """Length of the fade in, 0 for a cut."""
        return self.seconds if self.transition == "fade" else 0.0


@dataclass(frozen=True, slots=True)
class Setlist:
    """A checked setlist."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    """A key an entry may have: how to check its value, and what to say of one that does not fit."""

    check: Callable[[Any], bool]
    wants: str


def _number(low: float, high: float) -> _Key:
    def fits(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and low <= value <= high

    return _Key(fits, f"takes a number from {low:g} to {high:g}")


_LEVEL: Final = _number(0.0, 1.0)

_KEYS: Final[dict[str, _Key]] = {
    "track": _Key(
        lambda v: isinstance(v, str) and 0 < len(v.strip()) <= 500, 'takes a file, a track id or "Artist - Title"'
    ),
    "deck": _Key(lambda v: type(v) is int and 1 <= v <= 4, "takes a deck, 1 to 4"),
    "start": _number(0.0, LONGEST_S),
    "at": _number(0.0, LONGEST_S),
    "end": _number(0.0, LONGEST_S),
    "rate": _number(0.25, 4.0),
    "volume": _LEVEL,
    "stems": _Key(lambda v: isinstance(v, dict), "takes levels by stem, like { vocals = 0.0, drums = 1.0 }"),
    "transition": _Key(lambda v: v in TRANSITIONS, 'is "cut" or "fade"'),
    "seconds": _number(0.05, 120.0),
}


def check_setlist(path: Path) -> list[Problem]:
    """Return everything that is wrong with a setlist, in the order of its lines; an empty list for a good one."""
    try:
        read_setlist(path)
    except ScriptRejected as rejected:
        return list(rejected.problems)
    return []


def read_setlist(path: Path) -> Setlist:
    """Return a checked setlist. Raises ScriptRejected with every fault."""
    text = read_text(path)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        raise ScriptRejected(path, [Problem(line, f"is not TOML: {str(error).split(' (at ')[0]}")]) from error
    lines = _Lines(text)
    problems: list[Problem] = []
    for key in table:
        if key not in ("title", "entry"):
            known = (*_KEYS, "title", "entry")
            problems.append(Problem(lines.top(key), "is not known here" + did_you_mean(key, known), key))
    title = table.get("title", "")
    if not isinstance(title, str):
        problems.append(Problem(lines.top("title"), "takes a text", "title"))
    listed = table.get("entry", [])
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
        problems.append(Problem(lines.top("entry"), "a setlist needs at least one [[entry]] with a track", "entry"))
        listed = []
    entries: list[Entry] = []
    for index, given in enumerate(listed):
        found_here = _faults(index, given, lines)
        problems += found_here
        if not found_here:
            entries.append(_entry(index, given, lines, entries))
    if not problems:
        problems = _faults_between(entries, lines)
    if problems:
        raise ScriptRejected(path, sorted(problems, key=lambda problem: problem.line))
    return Setlist(str(title) or path.stem, tuple(entries))


def _faults(index: int, given: Mapping[str, Any], lines: "_Lines") -> list[Problem]:
    problems = []
    for key, value in given.items():
        rule = _KEYS.get(key)
        if rule is None:
            problems.append(Problem(lines.entry(index, key), "is not known here" + did_you_mean(key, _KEYS), key))
        elif not rule.check(value):
            problems.append(Problem(lines.entry(index, key), f"{rule.wants}, not {_shown(value)}", key))
    if "track" not in given:
        problems.append(Problem(lines.entry(index), "is missing: which track?", "track"))
    stems = given.get("stems")
    for stem, level in stems.items() if isinstance(stems, dict) else ():
        if stem not in STEMS:
            text = f"no stem is called {stem[:40]!r}" + did_you_mean(stem, STEMS)
            problems.append(Problem(lines.entry(index, "stems"), text, "stems"))
        elif not _LEVEL.check(level):
            text = f"{_LEVEL.wants}, not {_shown(level)}"
            problems.append(Problem(lines.entry(index, "stems"), text, f"stems.{stem}"))
    start, end = given.get("start", 0.0), given.get("end")
    if not problems and end is not None and end <= start:
        problems.append(Problem(lines.entry(index, "end"), f"lies after start ({start:g} s), not at {end:g} s", "end"))
    return problems


def _entry(index: int, given: Mapping[str, Any], lines: "_Lines", earlier: list[Entry]) -> Entry:
    deck = given.get("deck", (3 - earlier[-1].deck if earlier[-1].deck <= 2 else 1) if earlier else 1)
    return Entry(
        line=lines.entry(index),
        track=given["track"].strip(),
        deck=deck,
        start_s=float(given.get("start", 0.0)),
        at_s=None if "at" not in given else float(given["at"]),
        end_s=None if "end" not in given else float(given["end"]),
        rate=float(given.get("rate", 1.0)),
        volume=float(given.get("volume", 1.0)),
        stems={stem: float(level) for stem, level in given.get("stems", {}).items()},
        transition=given.get("transition", "cut"),
        seconds=float(given.get("seconds", 8.0)),
    )


def _faults_between(entries: list[Entry], lines: "_Lines") -> list[Problem]:
    problems = []
    latest = 0.0
    for index, entry in enumerate(entries):
        if index and entry.transition == "fade" and entry.deck == entries[index - 1].deck:
            text = f"a fade needs two decks, and the track before is on deck {entry.deck} too"
            problems.append(Problem(lines.entry(index, "transition"), text, "deck"))
        if entry.at_s is not None:
            if entry.at_s < latest:
                text = f"the track before begins at {latest:g} s: entries stand in the order they play"
                problems.append(Problem(lines.entry(index, "at"), text, "at"))
            latest = entry.at_s
    return problems


def timed(setlist: Setlist, duration_of: Callable[[str, int], float], script: Path) -> list[TimedIntent]:
    """Return the intents that play a setlist, in order. `duration_of` gives the seconds of a track, named on a line.

    Raises ScriptRejected where the lengths do not fit, and whatever `duration_of` raises.
    """
    intents: list[TimedIntent] = []
    before: Entry | None = None
    leaves = 0.0
    began = 0.0
    for entry in setlist.entries:
        duration = duration_of(entry.track, entry.line)
        end = duration if entry.end_s is None else min(entry.end_s, duration)
        if entry.start_s >= end:
            text = f"the track is {duration:g} s long and cannot begin at {entry.start_s:g} s"
            raise ScriptRejected(script, [Problem(entry.line, text, "start")])
        fade = entry.fade_s if before is not None else 0.0
        at = entry.at_s if entry.at_s is not None else max(began, leaves - fade)
        if before is not None:
            fade = min(fade, max(0.0, leaves - at))
            intents += _leave(before, at, fade, entry.line)
        intents += _enter(entry, at, fade)
        began, leaves, before = at, at + (end - entry.start_s) / entry.rate, entry
    if before is not None:
        intents.append(TimedIntent(leaves, f"/deck/{before.deck}/play", 0, before.line))
    return sorted(intents, key=lambda intent: intent.at_s)


def _enter(entry: Entry, at: float, fade: float) -> list[TimedIntent]:
    path = f"/deck/{entry.deck}"

    def put(name: str, value: float | str, when: float = at) -> TimedIntent:
        return TimedIntent(when, f"{path}/{name}", value, entry.line)

    lead = [put("load", entry.track), put("assign", "thru"), put("rate", entry.rate)]
    lead += [put(f"stem/{stem}/volume", entry.stems.get(stem, 1.0)) for stem in STEMS]
    lead += [put("volume", 0.0 if fade else entry.volume), put("position", entry.start_s), put("play", 1)]
    steps = round(fade / FADE_STEP_S)
    rise = [
        put("volume", entry.volume * math.sin(math.pi / 2 * step / steps), at + fade * step / steps)
        for step in range(1, steps + 1)
    ]
    return lead + rise


def _leave(entry: Entry, at: float, fade: float, line: int) -> list[TimedIntent]:
    path = f"/deck/{entry.deck}"
    steps = round(fade / FADE_STEP_S)
    fall = [
        TimedIntent(at + fade * n / steps, f"{path}/volume", entry.volume * math.cos(math.pi / 2 * n / steps), line)
        for n in range(1, steps + 1)
    ]
    return [*fall, TimedIntent(at + fade, f"{path}/play", 0, line)]


def _shown(value: Any) -> str:
    return repr(value)[:60]


_KEY_LINE: Final = re.compile(r"(?:\[+\s*(?:entry\s*\.\s*)?)?[\"']?([A-Za-z0-9_-]+)[\"']?\s*[=.\]]")
"""`key =`, `key.more =`, `[key]` and `[entry.key]`."""


class _Lines:
    """Where the keys of a setlist stand; tomllib does not say."""

    def __init__(self, text: str) -> None:
        self._top: dict[str, int] = {}
        self._entries: list[tuple[int, dict[str, int]]] = []
        for number, line in enumerate(text.splitlines(), start=1):
            bare = line.strip()
            if re.match(r"\[\[\s*entry\s*\]\]", bare):
                self._entries.append((number, {}))
            elif found := _KEY_LINE.match(bare):
                self._keys().setdefault(found[1], number)

    def _keys(self) -> dict[str, int]:
        return self._entries[-1][1] if self._entries else self._top

    def top(self, key: str) -> int:
        return self._top.get(key, next((keys[key] for _, keys in self._entries if key in keys), 1))

    def entry(self, index: int, key: str = "") -> int:
        if index >= len(self._entries):
            return 0
        line, keys = self._entries[index]
        return keys.get(key, line)
