"""Practice in a setlist: one loop after another, so many passes each, faster from pass to pass.

    | pass 1, slow | pass 2 | ... | last pass |-- next loop, or on to the end of the entry
                   ^ a new speed takes effect on the seam

Owner: one step of the session. Pure. A performer who switches the loop off ends the practice.
Units: engine frames; seconds of the track; passes and loops count from 0.
"""

from dataclasses import replace
from typing import Final

from audio.commands import NOW, CommandKind
from server.marks import BEATS_A_BAR
from server.session.setlist import Entry, Loop
from server.session.setlist_open import OpenSetlist
from server.session.setlist_places import beat_at, time_of_beat
from server.session.setlist_state import Drill, Standing
from server.session.setlist_tracks import base_rate, entry_of, grid_of, place_of

BEFORE_SEAM_S: Final = 0.03
"""How long before its end a loop is switched off for good: the cross-fade of its seam must not have begun."""

SHORTEST_S: Final = 0.1

FREE_BAR_S: Final = 2.0
"""A bar of a track without a grid."""


def begun(entry: Entry, frame: int) -> Drill | None:
    """Return the practice of an entry that begins, if it has any."""
    return Drill(0, since=frame) if entry.loops else None


def ends_of(setlist: OpenSetlist, standing: Standing, loop: Loop) -> tuple[float, float] | None:
    """Return where a loop begins and ends; None where the track has no such places."""
    draft, memory = setlist.draft, setlist.memory
    start = place_of(draft, standing, loop.start)
    if start is None:
        return None
    end: float | None
    grid = grid_of(draft, standing.deck)
    if loop.end is not None:
        end = place_of(draft, standing, loop.end)
    elif grid is None:
        end = start + loop.bars * FREE_BAR_S
    else:
        end = time_of_beat(grid, beat_at(grid, start) + loop.bars * BEATS_A_BAR)
    duration = float(draft.controls[f"/deck/{standing.deck}/duration"])
    if end is None or min(end, duration) - start < SHORTEST_S:
        title = memory.entries[standing.index].title
        text = f"Setlist entry {standing.index + 1} ({title}): its loop from {loop.start} is passed over"
        draft.notice("warning", "setlist_place", text)
        return None
    return start, min(end, duration)


def put_loop(setlist: OpenSetlist, standing: Standing, number: int, frame: int) -> bool:
    """Lay a loop on the deck of an entry and switch it on; False where the track has no such places."""
    loop = entry_of(setlist.memory, standing).loops[number]
    ends = ends_of(setlist, standing, loop)
    if ends is None:
        return False
    draft, deck = setlist.draft, standing.deck - 1
    rate, path = draft.engine_rate, f"/deck/{standing.deck}/loop"
    draft.send(
        CommandKind.LOOP_PUT, deck, 0, ends[0] * rate, frame, draft.decks[deck].token, ends[1] * rate
    )  # fmt: skip
    draft.set(f"{path}/start", ends[0])
    draft.set(f"{path}/end", ends[1])
    draft.wish(f"{path}/active", 1, frame)
    return True


def practise(setlist: OpenSetlist, frame: int, upto: int, position_s: float) -> None:
    """Count the passes, and prepare what the next seam brings."""
    now, drill = setlist.memory.now, setlist.memory.drill
    if now is None or drill is None or frame < drill.since:
        return
    draft = setlist.draft
    entry, path = entry_of(setlist.memory, now), f"/deck/{now.deck}"
    loop = entry.loops[drill.number]
    start_s, end_s = float(draft.controls[f"{path}/loop/start"]), float(draft.controls[f"{path}/loop/end"])
    if end_s <= start_s:
        setlist.remember(drill=None)
        return
    if position_s < drill.last_s - 0.5 * (end_s - start_s):
        drill = replace(drill, pass_=drill.pass_ + 1)
    drill = replace(drill, last_s=position_s)
    setlist.remember(drill=drill)
    speed = max(float(draft.controls[f"{path}/rate"]), 0.01)
    seam = round(frame + (end_s - position_s) / speed * draft.engine_rate)
    if seam > upto or seam <= frame:
        return
    own = base_rate(draft, setlist.memory, now, position_s)
    if loop.passes and drill.pass_ >= loop.passes - 1:
        _leave(setlist, now, drill, seam, frame, own)
    elif drill.paced <= drill.pass_:
        setlist.put(f"{path}/rate", own * loop.speed_of(drill.pass_ + 1), seam)
        setlist.remember(drill=replace(drill, paced=drill.pass_ + 1))


def _leave(setlist: OpenSetlist, now: Standing, drill: Drill, seam: int, frame: int, own: float) -> None:
    """Go from the last pass of a loop to the next loop, or on with the track."""
    draft, path = setlist.draft, f"/deck/{now.deck}"
    loops = entry_of(setlist.memory, now).loops
    off = max(NOW, seam - round(BEFORE_SEAM_S * draft.engine_rate))
    for number in range(drill.number + 1, len(loops)):
        ends = ends_of(setlist, now, loops[number])
        if ends is None:
            continue
        draft.send(CommandKind.LOOP_ACTIVE, now.deck - 1, 0, 0.0, off, draft.decks[now.deck - 1].token)
        draft.wish(f"{path}/position", ends[0], seam)
        put_loop(setlist, now, number, seam)
        setlist.put(f"{path}/rate", own * loops[number].speed_of(0), seam)
        setlist.remember(drill=Drill(number, since=seam + 1))
        return
    draft.wish(f"{path}/loop/active", 0, off)
    setlist.put(f"{path}/rate", own, seam)
    setlist.remember(drill=None)
