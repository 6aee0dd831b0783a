"""The speed of what a setlist plays: its own tempo, that of the deck it follows, and the way from one to the other.

Owner: one step of the session. Pure.
Units: speeds as ratios, tempo in BPM, engine frames.
"""

from typing import Final

from server.session.setlist_open import OpenSetlist
from server.session.setlist_places import tempo_of
from server.session.setlist_state import Standing
from server.session.setlist_tracks import base_rate, grid_of, tempo_now

GLIDE_S: Final = 8.0
"""How long an entry takes from the speed it followed back to its own."""

SYNC_REACH: Final = 0.12
"""How far an entry may be bent to follow, unless the file asks for it."""


def followed(setlist: OpenSetlist, out: int, coming: Standing, length: int) -> float:
    """Return the speed at which an entry follows deck `out`, 0 where it keeps its own."""
    entry = setlist.memory.entries[coming.index].entry
    grid = grid_of(setlist.draft, coming.deck)
    leading = tempo_now(setlist.draft, out) if out else 0.0
    if not leading or grid is None or not length or entry.transition in ("cut", "echo-out") or entry.loops:
        return 0.0
    if entry.sync is False or (entry.sync is None and not entry.quantize):
        return 0.0
    own = base_rate(setlist.draft, setlist.memory, coming)
    at = own * tempo_of(grid)
    speeds = [own * leading * times / at for times in (1.0, 2.0, 0.5)]
    speed = min(speeds, key=lambda one: abs(one / own - 1.0))
    reach = SYNC_REACH if entry.sync is None else 4.0
    return speed if abs(speed / own - 1.0) <= reach and 0.25 <= speed <= 4.0 else 0.0


def keep_tempo(setlist: OpenSetlist, frame: int, upto: int, position_s: float) -> None:
    """Move the speed of what plays towards the entry's own, unless a hand or another deck has it."""
    memory, draft = setlist.memory, setlist.draft
    now = memory.now
    if now is None or memory.drill is not None:
        return
    path = f"/deck/{now.deck}"
    if f"{path}/rate" in memory.held or draft.controls[f"{path}/sync"]:
        return
    entry, running = memory.entries[now.index].entry, memory.passage
    if (memory.glide is None and len(entry.tempo) < 2) or (running is not None and frame < running.swap <= upto):
        return
    current = float(draft.controls[f"{path}/rate"])
    ahead = (upto - frame) / draft.engine_rate * current
    wanted = base_rate(draft, memory, now, position_s + ahead)
    glide = memory.glide
    if glide is not None:
        share = (upto - glide.start) / glide.frames
        wanted = glide.rate + (wanted - glide.rate) * min(1.0, max(0.0, share))
        if share >= 1.0:
            setlist.remember(glide=None)
    if abs(wanted - current) > 1e-7:
        setlist.put(f"{path}/rate", wanted, upto)
