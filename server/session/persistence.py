"""The show on disk: saved as it changes, restored at start, so that a crash or a restart costs nothing.

Owner: one `keep` task writes DATA/show.json, by an atomic rename, off the event loop; a file that cannot be read is
put aside and never stops a start.
Units: positions in seconds of the track.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
import msgspec

from audio.files import write_whole
from audio.units import DECKS
from control.control import Access, ControlError, Value, check
from control.registry import REGISTRY
from server.session.effects import Notice
from server.session.sampling import belongs_to_bank
from server.session.show import Show
from server.session.state import DEFAULTS, DeckMemory, State, initial

VERSION: Final = 1
"""Format of the file; a file of a later version is put aside, not guessed at."""

THROTTLE_S: Final = 0.5
"""At least this long between two saves."""

REFRESH_S: Final = 5.0
"""At most this long between two saves while a deck holds a track: the playhead moves without a change."""


class _Deck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One deck: `token` and `track_id` as in `DeckMemory`, a track that was on its way counted as held."""

    token: int = 0
    track_id: str = ""
    position_s: float = 0.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `controls` are those that differ from their defaults."""

    version: int
    next_token: int
    controls: dict[str, Value]
    decks: list[_Deck]


def save(path: Path, state: State, positions: Sequence[float]) -> None:
    """Write the show to `path` in one piece. `positions` are the decks' places now. Raises OSError."""
    decks = [
        _Deck(0, memory.wanted, memory.load_position_s if memory.seek_when_loaded is None else memory.seek_when_loaded)
        if memory.loading
        else _Deck(memory.token, memory.track_id, position_s)
        for memory, position_s in zip(state.decks, positions, strict=True)
    ]
    controls = {
        name: value for name, value in state.controls.items() if value != DEFAULTS[name] and not belongs_to_bank(name)
    }
    data = msgspec.json.format(msgspec.json.encode(_File(VERSION, state.next_token, controls, decks)), indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def restore(path: Path, first_token: int = 1) -> tuple[State, Notice | None]:
    """Return the show as it was saved, every deck paused, and what the performer should know about it.

    A missing file is a show nobody has touched. A file that cannot be read is renamed to `show.unreadable-N.json`.
    `first_token` is the least token to give out. Raises OSError when the folder itself cannot be used.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return initial(first_token), None
    try:
        file = msgspec.json.decode(data, type=_File)
        if file.version != VERSION or len(file.decks) != DECKS or file.next_token < 0:
            raise msgspec.ValidationError(f"version {file.version}, {len(file.decks)} decks")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        aside = _free_name(path)
        path.replace(aside)
        text = f"The saved show could not be read and starts afresh; the old file is kept as {aside.name} ({error})"
        return initial(first_token), Notice("warning", "show_unreadable", text)
    state = initial(max(first_token, file.next_token))
    controls = dict(state.controls)
    for name, value in file.controls.items():
        control = REGISTRY.get(name)
        if control is None or not control.is_state or belongs_to_bank(name):
            continue  # a control of another version of the program, or kept with its bank
        try:
            controls[name] = check(replace(control, access=Access.READ_WRITE), value)
        except ControlError:
            continue
    controls["/sequencer/run"] = 0
    decks = []
    for number, deck in enumerate(file.decks, start=1):
        decks.append(DeckMemory(deck.token, deck.track_id, position_s=max(0.0, deck.position_s)))
        controls[f"/deck/{number}/play"] = 0
        controls[f"/deck/{number}/gap"] = 0
        controls[f"/deck/{number}/bend"] = 0.0
        controls[f"/deck/{number}/leader"] = 0
        controls[f"/deck/{number}/loop/active"] = 0
        controls[f"/deck/{number}/loop/roll"] = 0.0
        controls[f"/deck/{number}/load"] = deck.track_id
        controls[f"/deck/{number}/status"] = "loading" if deck.track_id else "empty"
    if controls["/setlist/load"]:
        controls["/setlist/status"] = "opening"
    return replace(state, controls=controls, decks=tuple(decks)), None


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.unreadable-{number}{path.suffix}")).exists():
        number += 1
    return aside


async def keep(show: Show, path: Path, *, throttle_s: float = THROTTLE_S, refresh_s: float = REFRESH_S) -> None:
    """Save `show` to `path` as it changes, until cancelled; then once more."""
    failed = False
    try:
        async with show.subscribe("persistence") as changes:
            await _save(show, path, failed)
            while True:
                with anyio.move_on_after(refresh_s if any(deck.token for deck in show.state.decks) else None):
                    await anext(changes)
                await anyio.sleep(throttle_s)
                changes.drain()
                failed = await _save(show, path, failed)
    finally:
        with anyio.CancelScope(shield=True):
            await _save(show, path, failed)


async def _save(show: Show, path: Path, failed: bool) -> bool:
    """Save once, off the loop; return whether it failed, telling the performer the first time."""
    try:
        await anyio.to_thread.run_sync(save, path, show.state, show.positions())
    except OSError as error:
        if not failed:
            text = f"The show could not be saved ({error}); it plays on, and is saved when there is room again"
            show.notice(Notice("warning", "show_not_saved", text))
        return True
    return False
