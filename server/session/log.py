"""The log of a running session: every intent that was obeyed, as a script that `alchemy render` plays again.

Owner: the session task writes to memory; one task brings it to disk. Units: seconds since the log was begun.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio

from audio.units import STEMS
from control.control import Kind
from control.registry import REGISTRY
from server.session.intent import Intent
from server.session.sampling import belongs_to_bank, lines_of
from server.session.state import DEFAULTS, State

_OF_THE_TRACK: Final = (
    "/loop/start", "/loop/end", "/loop/active", "/loop/section", "/loop/bars", "/loop/beats", "/loop/roll",
    "/trainer/on",
)  # fmt: skip
"""What only a deck with a track takes."""

FLUSH_S: Final = 0.5
"""At least this long between two writes."""


class IntentLog:
    """Give `write` to the Show as `on_intent`, and run `run` beside it.

    The first lines bring a fresh show to `state`, the show when the log began, with its playheads at `positions` (s).
    `time_of` maps an engine frame to the session's clock: an intent timed by frame is written at that time.
    """

    def __init__(
        self,
        path: Path,
        state: State,
        positions: tuple[float, ...],
        now: float,
        time_of: Callable[[int], float] | None = None,
    ) -> None:
        """Begin a log at `path`, replacing what is there; its clock starts at `now`. Raises OSError."""
        self._path = path
        self._began = now
        self._time_of = time_of
        self._lines: list[str] = []
        self.failure: OSError | None = None
        path.write_text("", encoding="utf-8")
        self._begin(state, positions)

    def write(self, intent: Intent, now: float) -> None:
        """Take down one intent; returns at once."""
        if intent.at is not None and intent.at > 0 and self._time_of is not None:
            now = self._time_of(intent.at)
        self._put(max(0.0, now - self._began), intent.path, intent.value)

    def flush(self) -> None:
        """Bring what was taken down to disk. Blocks; raises OSError."""
        lines, self._lines = self._lines, []
        if lines:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(lines)

    async def run(self) -> None:
        """Write to disk until cancelled; then once more. A full disk ends the log, not the show: see `failure`."""
        try:
            while self.failure is None:
                await self._write_out()
                await anyio.sleep(FLUSH_S)
        finally:
            with anyio.CancelScope(shield=True):
                await self._write_out()

    async def _write_out(self) -> None:
        try:
            await anyio.to_thread.run_sync(self.flush)
        except OSError as error:
            self.failure = error

    def _put(self, at_s: float, path: str, value: object) -> None:
        if self.failure is None:
            self._lines.append(json.dumps({"at": round(at_s, 6), "path": path, "value": value}) + "\n")

    def _begin(self, state: State, positions: tuple[float, ...]) -> None:
        changed = [path for path, value in state.controls.items() if value != DEFAULTS[path] and _is_told(path)]
        changed.sort(key=lambda path: not path.endswith("/pitch_range"))  # before the rate it bends
        decks = {f"/deck/{deck + 1}": memory.wanted or memory.track_id for deck, memory in enumerate(state.decks)}
        loaded = tuple(f"{path}/" for path, track in decks.items() if track)
        for path in changed:
            if not path.startswith(loaded):
                self._put(0.0, path, state.controls[path])
        for path, value in lines_of(state):
            self._put(0.0, path, value)
        for deck, (path, track) in enumerate(decks.items()):
            if not track:
                continue
            # A track that is opened in practice mode begins anew: what the deck is like comes after it.
            self._put(0.0, f"{path}/load", track)
            for name in changed:
                if name.startswith(f"{path}/"):
                    self._put(0.0, name, state.controls[name])
            self._put_places(state, path)
            if positions[deck] > 0:
                self._put(0.0, f"{path}/position", positions[deck])
            if state.controls[f"{path}/play"]:
                self._put(0.0, f"{path}/play", 1)

    def _put_places(self, state: State, path: str) -> None:
        """Write the deck's loop, and where its stems are mute."""
        if float(state.controls[f"{path}/loop/end"]) > float(state.controls[f"{path}/loop/start"]) >= 0.0:
            for name in ("loop/start", "loop/end", "loop/active"):
                self._put(0.0, f"{path}/{name}", state.controls[f"{path}/{name}"])
        for stem in STEMS:
            if state.controls[f"{path}/stem/{stem}/mutes"]:
                self._put(0.0, f"{path}/stem/{stem}/mutes", state.controls[f"{path}/stem/{stem}/mutes"])


def _is_told(path: str) -> bool:
    """Say whether a control is written at the beginning of a log as it stands."""
    control = REGISTRY[path]
    follows = control.kind is Kind.TEXT or path.endswith(("/play", "/pitch_fader", *_OF_THE_TRACK))
    return control.is_writable and not follows and not belongs_to_bank(path)
