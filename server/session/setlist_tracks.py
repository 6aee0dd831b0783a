"""What an open setlist asks about the decks: what plays, what they hold, where an entry's places are in its track.

Owner: the caller. Pure; nothing here changes anything.
Units: seconds of the track; decks count from 1; speeds as ratios, tempo in BPM.
"""

from bisect import bisect_right
from typing import Final

from server.marks import HOTCUES, Grid, HotCue
from server.session.draft import Draft
from server.session.setlist import Entry
from server.session.setlist_places import Place, TrackView, beat_at, find_place, tempo_of
from server.session.setlist_state import SetlistMemory, Standing

RATES: Final = (0.25, 4.0)


def plays(draft: Draft, deck: int) -> bool:
    """Say whether a deck holds a track and plays it."""
    return bool(draft.decks[deck - 1].token) and bool(draft.controls[f"/deck/{deck}/play"])


def holds(draft: Draft, memory: SetlistMemory, standing: Standing) -> bool:
    """Say whether a deck holds the track of its entry."""
    deck = draft.decks[standing.deck - 1]
    return bool(deck.token) and deck.track_id == memory.entries[standing.index].track_id


def grid_of(draft: Draft, deck: int) -> Grid | None:
    """Return the grid a deck plays on: the performer's own, or the analysis'."""
    memory = draft.decks[deck - 1]
    return memory.grid if memory.grid is not None else memory.analysed


def view_of(draft: Draft, deck: int) -> TrackView:
    """Return what is marked in the track on a deck."""
    path, controls = f"/deck/{deck}", draft.controls
    cues = tuple(
        HotCue(slot, float(place), None, str(controls[f"{path}/hotcue/{slot}/name"]))
        for slot in range(1, HOTCUES + 1)
        if float(place := controls[f"{path}/hotcue/{slot}/position"]) >= 0.0
    )
    return TrackView(
        float(controls[f"{path}/duration"]),
        grid_of(draft, deck),
        float(controls[f"{path}/cue/position"]),
        cues,
        draft.decks[deck - 1].rehearsal.sections,
    )


def entry_of(memory: SetlistMemory, standing: Standing) -> Entry:
    """Return the entry that stands there."""
    return memory.entries[standing.index].entry


def place_of(draft: Draft, standing: Standing, place: Place) -> float | None:
    """Return where a place is in the track on an entry's deck; None where the track does not have it."""
    return find_place(place, view_of(draft, standing.deck))


def start_of(draft: Draft, memory: SetlistMemory, standing: Standing) -> float | None:
    """Return where an entry begins, as the file says."""
    return place_of(draft, standing, entry_of(memory, standing).start)


def end_of(draft: Draft, memory: SetlistMemory, standing: Standing) -> float | None:
    """Return where an entry leaves, as the file says; None where there is no such place after its start."""
    end = place_of(draft, standing, entry_of(memory, standing).end)
    start = start_of(draft, memory, standing) or 0.0
    return end if end is not None and end > start else None


def base_rate(draft: Draft, memory: SetlistMemory, standing: Standing, position_s: float | None = None) -> float:
    """Return the speed that the file gives an entry, at a place or where it begins; 1 where it gives none."""
    entry = entry_of(memory, standing)
    grid = grid_of(draft, standing.deck)
    if not entry.tempo or grid is None:
        return entry.rate
    start = start_of(draft, memory, standing) or 0.0
    beats = 0.0 if position_s is None else beat_at(grid, position_s) - beat_at(grid, start)
    return min(max(_on_curve(entry.tempo, beats) / tempo_of(grid), RATES[0]), RATES[1])


def tempo_now(draft: Draft, deck: int) -> float:
    """Return the tempo of a deck at the speed it has, 0 without a grid."""
    grid = grid_of(draft, deck)
    return tempo_of(grid) * float(draft.controls[f"/deck/{deck}/rate"]) if grid is not None else 0.0


def _on_curve(points: tuple[tuple[float, float], ...], at: float) -> float:
    """Return the value of a curve of straight lines, level before its first and after its last point."""
    after = bisect_right([place for place, _ in points], at)
    if after == 0:
        return points[0][1]
    if after == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
