"""A setlist on paper: TOML, read whole and checked before anything plays, every fault with its line and key.

Owner: the caller. Pure but for reading the file.
Units: as in `server.session.setlist`.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from audio.units import STEMS
from server.session.script import Problem, ScriptRejected, did_you_mean, read_text
from server.session.setlist import SWAP_ORDER, Entry, Lane, Length, Loop, Setlist
from server.session.setlist_keys import (
    ENTRY_KEYS,
    LANE_KEYS,
    LEVEL,
    LOOP_KEYS,
    TOP_KEYS,
    Key,
    lane_fault,
    shown,
)
from server.session.setlist_places import END, START, read_place
from server.session.toml_lines import TomlLines

DEFAULT_FADE: Final = Length(8.0)
DEFAULT_SWAP: Final = Length(8.0, "bars")
DEFAULT_ECHO: Final = Length(4.0, "beats")


def check_setlist(path: Path) -> list[Problem]:
    """Return everything that is wrong with a setlist, in the order of its lines; an empty list for a good one."""
    try:
        read_setlist(path)
    except ScriptRejected as rejected:
        return list(rejected.problems)
    return []


def read_setlist(path: Path) -> Setlist:
    """Return a checked setlist. Raises ScriptRejected with every fault."""
    return setlist_of(read_text(path), path)


def setlist_of(text: str, path: Path) -> Setlist:
    """Return the setlist that a text describes; `path` names it in what is said. Raises ScriptRejected."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        raise ScriptRejected(path, [Problem(line, f"is not TOML: {str(error).split(' (at ')[0]}")]) from error
    reader = _Reader(TomlLines(text))
    setlist = reader.read(table, path.stem)
    if reader.problems:
        raise ScriptRejected(path, sorted(reader.problems, key=lambda problem: problem.line))
    return setlist


class _Reader:
    """Collects the faults of one file."""

    def __init__(self, lines: TomlLines) -> None:
        self._lines = lines
        self.problems: list[Problem] = []

    def read(self, table: Mapping[str, Any], name: str) -> Setlist:
        self._keys(table, TOP_KEYS, (), (*ENTRY_KEYS, *TOP_KEYS))
        listed = table.get("entry", [])
        if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
            self._fault("a setlist needs at least one [[entry]] with a track", "entry", ("entry",))
            listed = []
        entries: list[Entry] = []
        for index, given in enumerate(listed):
            before = len(self.problems)
            self._check_entry(index, given)
            if len(self.problems) == before:
                entries.append(self._entry(index, given, table, entries))
        if not self.problems:
            self._check_between(entries)
        return Setlist(str(table.get("title", "")) or name, tuple(entries), bool(table.get("crossfader", False)))

    def _fault(self, text: str, key: str, path: tuple[str | int, ...]) -> None:
        self.problems.append(Problem(self._lines.line(*path), text, key))

    def _keys(
        self, given: Mapping[str, Any], rules: Mapping[str, Key], path: tuple[str | int, ...], known: tuple[str, ...]
    ) -> None:
        for key, value in given.items():
            rule = rules.get(key)
            if rule is None:
                self._fault("is not known here" + did_you_mean(key, known), key, (*path, key))
            elif not rule.check(value):
                self._fault(f"{rule.wants}, not {shown(value)}", key, (*path, key))

    def _check_entry(self, index: int, given: Mapping[str, Any]) -> None:
        path = ("entry", index)
        before = len(self.problems)
        self._keys(given, ENTRY_KEYS, path, tuple(ENTRY_KEYS))
        if "track" not in given:
            self._fault("is missing: which track?", "track", path)
        self._check_stems(given.get("stems"), path)
        for name, rules in (("lane", LANE_KEYS), ("loop", LOOP_KEYS)):
            tables = given.get(name, [])
            if not isinstance(tables, list):
                continue
            for nth, one in enumerate(tables):
                if isinstance(one, dict):
                    self._keys(one, rules, (*path, name, nth), tuple(rules))
                    self._check_table(name, one, (*path, name, nth))
        if len(self.problems) == before:
            self._check_whole(given, path)

    def _check_stems(self, stems: object, path: tuple[str | int, ...]) -> None:
        for stem, level in stems.items() if isinstance(stems, dict) else ():
            if stem not in STEMS:
                text = f"no stem is called {stem[:40]!r}" + did_you_mean(stem, STEMS)
                self._fault(text, "stems", (*path, "stems", stem))
            elif not LEVEL.check(level):
                self._fault(f"{LEVEL.wants}, not {shown(level)}", f"stems.{stem}", (*path, "stems", stem))

    def _check_table(self, name: str, one: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        if name == "lane":
            for key in ("control", "points"):
                if key not in one:
                    self._fault("is missing", key, path)
            fault = lane_fault(one)
            if fault:
                self._fault(fault[1], fault[0], (*path, fault[0]))
        elif "from" not in one:
            self._fault("is missing: where does the loop begin?", "from", path)
        if name == "loop" and "to" in one and "bars" in one:
            self._fault("a loop has either an end or a number of bars", "bars", (*path, "bars"))

    def _check_whole(self, given: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
        start, end = read_place(given.get("start", 0.0)), read_place(given.get("end", "end"))
        plain = start is not None and end is not None and start.kind == end.kind == "seconds"
        if plain and start and end and not start.by and not end.by and end.number <= start.number:
            text = f"lies after start ({start.number:g} s), not at {end.number:g} s"
            self._fault(text, "end", (*path, "end"))
        lengths = [key for key in ("seconds", "beats", "bars") if key in given]
        if len(lengths) > 1:
            self._fault(f"a transition has one length, and {lengths[0]} is there too", lengths[1], (*path, lengths[1]))
        if "rate" in given and "tempo" in given:
            self._fault("the speed is given already by rate", "tempo", (*path, "tempo"))
        transition = given.get("transition", "cut")
        if transition == "lanes" and not given.get("lane"):
            self._fault("needs at least one [[entry.lane]]", "transition", (*path, "transition"))
        if "order" in given and transition != "stem-swap":
            self._fault('is the order of a "stem-swap"', "order", (*path, "order"))

    def _check_between(self, entries: list[Entry]) -> None:
        latest = 0.0
        for index, entry in enumerate(entries):
            path = ("entry", index)
            overlaps = entry.transition in ("fade", "stem-swap", "lanes")
            if index and overlaps and entry.deck == entries[index - 1].deck:
                text = f"a {entry.transition} needs two decks, and the track before is on deck {entry.deck} too"
                self._fault(text, "deck", (*path, "transition"))
            if entry.at_s is not None:
                if entry.at_s < latest:
                    text = f"the track before begins at {latest:g} s: entries stand in the order they play"
                    self._fault(text, "at", (*path, "at"))
                latest = entry.at_s

    def _entry(self, index: int, given: Mapping[str, Any], table: Mapping[str, Any], earlier: list[Entry]) -> Entry:
        other = (3 - earlier[-1].deck if earlier[-1].deck <= 2 else 1) if earlier else 1
        tempo = given.get("tempo", None if "rate" in given else table.get("tempo"))
        transition = given.get("transition", "cut")
        length = _length(given, transition)
        lanes = tuple(_lane(one) for one in given.get("lane", []))
        if transition == "lanes" and not any(unit in given for unit in ("seconds", "beats", "bars")):
            length = _longest(lanes)
        loops = tuple(_loop(one) for one in given.get("loop", []))
        start = read_place(given["start"]) if "start" in given else loops[0].start if loops else START
        end = read_place(given.get("end", "end"))
        return Entry(
            line=self._lines.line("entry", index),
            track=given["track"].strip(),
            deck=given.get("deck", other),
            fixed="deck" in given,
            start=start or START,
            end=end or END,
            at_s=None if "at" not in given else float(given["at"]),
            rate=float(given.get("rate", 1.0)),
            tempo=_curve(tempo),
            keylock=given.get("keylock", "rate" not in given),
            key=float(given.get("key", 0.0)),
            volume=float(given.get("volume", 1.0)),
            stems={stem: float(level) for stem, level in given.get("stems", {}).items()},
            transition=transition,
            length=length,
            quantize=given.get("quantize", transition != "cut" and length.is_musical),
            sync=given.get("sync"),
            order=tuple(given.get("order", SWAP_ORDER)),
            lanes=lanes,
            loops=loops,
            notes=given.get("notes", "").strip(),
            scene=given.get("scene", "").strip(),
        )


def _length(given: Mapping[str, Any], transition: str) -> Length:
    for unit in ("seconds", "beats", "bars"):
        if unit in given:
            return Length(float(given[unit]), unit)
    return {"stem-swap": DEFAULT_SWAP, "echo-out": DEFAULT_ECHO}.get(transition, DEFAULT_FADE)


def _longest(lanes: tuple[Lane, ...]) -> Length:
    """Return the length of a transition that is its lanes: as long as the last of their points."""
    ends = [(lane.points[-1][0], lane.unit) for lane in lanes]
    last, unit = max(ends)
    return Length(max(last, 0.05), unit)


def _lane(given: Mapping[str, Any]) -> Lane:
    points = tuple((float(at), float(value) if not isinstance(value, str) else value) for at, value in given["points"])
    return Lane(given["control"], points, given.get("unit", "beats"), given.get("shape", "line"))


def _loop(given: Mapping[str, Any]) -> Loop:
    speed, step = float(given.get("speed", 1.0)), float(given.get("step", 0.05))
    speed_to, every = float(given.get("speed_to", speed)), int(given.get("every", 1))
    steps = -(-abs(speed_to - speed) // step) if abs(speed_to - speed) > 1e-9 else 0
    passes = int(given.get("passes", (steps + 1) * every if steps else 4))
    return Loop(
        read_place(given["from"]) or START,
        read_place(given["to"]) if "to" in given else None,
        float(given.get("bars", 4.0)),
        passes,
        speed,
        speed_to,
        step,
        every,
    )


def _curve(tempo: object) -> tuple[tuple[float, float], ...]:
    if tempo is None:
        return ()
    if isinstance(tempo, int | float):
        return ((0.0, float(tempo)),)
    return tuple((float(beat), float(bpm)) for beat, bpm in tempo)  # type: ignore[attr-defined]  # checked by its key
