"""When an open setlist goes over to its next entry: worked out from where the playhead is and how fast it moves.

    position, speed --> frame at which the end of the entry is reached --> less the transition --> begin there

Owner: one step of the session. Pure.
Units: engine frames; seconds of the track.
"""

from typing import Final

from audio.commands import NOW, CommandKind
from server.marks import BEATS_A_BAR, Grid
from server.session import setlist_drill as drill
from server.session import setlist_shown as shown
from server.session import setlist_tempo as tempo
from server.session.setlist import Length
from server.session.setlist_open import FREE_BEAT_S
from server.session.setlist_places import bar_line, beat_at, time_of_beat
from server.session.setlist_player import LEAD_S, Player
from server.session.setlist_state import NEVER, Standing
from server.session.setlist_tracks import end_of, grid_of, holds, plays, start_of

PATIENCE_S: Final = 20.0
"""How long a set stands still for a track that does not come, before it is passed over."""


TICK_S: Final = 0.04
"""Between two ticks."""

PLACE: Final = 9
"""The slot of PLACE_ASK that is the setlist's."""


class Clocked(Player):
    """The player, moved on by the time and by where the playhead is."""

    def tick(self, frame: int) -> None:
        """Time has passed: ask where the playhead is, and go on when that is known; at once where nothing plays."""
        now = self.memory.now
        self.remember(frame=frame, sent=tuple(one for one in self.memory.sent if one[0] > frame))
        if now is not None and self.draft.connected and self.draft.decks[now.deck - 1].token:
            deck = now.deck - 1
            self.draft.send(CommandKind.PLACE_ASK, deck, PLACE, 0.0, NOW, self.draft.decks[deck].token)
        else:
            self.advance(frame, None)

    def told(self, deck: int, frame: int, position_s: float) -> None:
        """The playhead of deck `deck` was at `position_s` on `frame`."""
        now = self.memory.now
        if now is not None and now.deck == deck:
            self.advance(frame, position_s)

    def advance(self, frame: int, position_s: float | None) -> None:
        """Do everything that is to be done up to a little after `frame`."""
        self.remember(frame=frame)
        upto = frame + round(LEAD_S * self.draft.engine_rate)
        self._ask()
        if self.memory.passage is None:
            self.expect(NEVER)
        if self.memory.passage is not None:
            self._carry(upto)
            if self.memory.passage is not None and frame >= self.memory.passage.swap:
                self._swap()
            if self.memory.passage is not None and frame >= self.memory.passage.end:
                self._over()
        elif position_s is not None:
            _look_ahead(self, frame, upto, position_s)
        else:
            self.begin_in_time(frame, upto)
        if position_s is not None and self.memory.now is not None and plays(self.draft, self.memory.now.deck):
            drill.practise(self, frame, upto, position_s)
            tempo.keep_tempo(self, frame, upto, position_s)
        shown.show_status(self)


def _look_ahead(player: Player, frame: int, upto: int, position_s: float) -> None:
    """Say when the transition will begin, and begin it when its moment has come and the set goes on by itself."""
    memory, draft = player.memory, player.draft
    now, coming = memory.now, memory.coming
    assert now is not None
    rate = draft.engine_rate
    speed = float(draft.controls[f"/deck/{now.deck}/rate"])
    if draft.controls[f"/deck/{now.deck}/reverse"]:
        speed = -speed
    goes_on = bool(draft.controls["/setlist/autopilot"]) or memory.go
    if not plays(draft, now.deck):
        _at_a_stand(player, frame, upto)
        return
    if memory.began < 0:
        start = start_of(draft, memory, now) or 0.0
        player.remember(began=round(frame - (position_s - start) / max(speed, 0.01) * rate))
    if speed <= 0.0:
        return
    if memory.drill is not None and not memory.go:
        return

    def frame_of(place_s: float) -> int:
        return round(frame + (place_s - position_s) / speed * rate)

    ours = holds(draft, memory, now)
    if not ours and not memory.go:
        return  # the performer plays something else there
    end_s = end_of(draft, memory, now) if ours else None
    if end_s is None:
        end_s = float(draft.controls[f"/deck/{now.deck}/duration"])
    if coming is None:
        leaves = frame_of(end_s)
        player.expect(leaves)
        if goes_on and leaves <= upto and end_s < float(draft.controls[f"/deck/{now.deck}/duration"]):
            player.put(f"/deck/{now.deck}/play", 0, max(leaves, frame + 1))
            _ended(player)
        return
    entry = memory.entries[coming.index].entry
    grid = grid_of(draft, now.deck)
    at = player.timed(coming) if not memory.go else None
    if memory.go:
        line = position_s if grid is None or not entry.quantize else bar_line(grid, position_s, after=True)
        begins = max(frame_of(line), frame + 1)
        if memory.drill is not None or line >= end_s:
            begins = min(begins, upto)
        length = _frames_of(player, entry.length, grid, line, speed)
    else:
        if entry.quantize and grid is not None:
            end_s = bar_line(grid, end_s)
        length = _before(player, entry.length, grid, end_s, speed) if entry.transition != "cut" else 0
        begins = frame_of(end_s) - length
        if at is not None:
            if frame_of(end_s) <= at:
                player.expect(at)
                if goes_on:
                    _leave_alone(player, now, frame_of(end_s), frame, upto, end_s)
                return
            begins, length = at, min(length, frame_of(end_s) - at)
    player.expect(begins)
    if begins > upto or not goes_on:
        return
    if coming.deck == now.deck:
        player.put(f"/deck/{now.deck}/play", 0, max(begins + length, frame + 1))
        player.remember(go=True)
        return
    if coming.ready:
        begins = max(begins, frame + 1)
        left = float(draft.controls[f"/deck/{now.deck}/duration"]) - position_s
        room = max(0, round(left / speed * rate) - (begins - frame))
        player.begin(now.deck, begins, begins, min(length, room) if memory.drill is None else length)


def _leave_alone(player: Player, now: Standing, leaves: int, frame: int, upto: int, end_s: float) -> None:
    """Stop at the end of an entry although the next one has time yet."""
    if leaves <= upto and end_s < float(player.draft.controls[f"/deck/{now.deck}/duration"]):
        player.put(f"/deck/{now.deck}/play", 0, max(leaves, frame + 1))
        player.remember(now=None)


def _at_a_stand(player: Player, frame: int, upto: int) -> None:
    """Go on from a deck that has stopped: at the end of its track, or because the performer wants it."""
    memory = player.memory
    now, coming = memory.now, memory.coming
    wanted = memory.go or bool(player.draft.controls["/setlist/autopilot"])
    if now is None or not wanted:
        return
    if coming is not None and plays(player.draft, coming.deck) and coming.ready:
        player.take(coming)
    elif player.stands(now):
        if coming is None:
            _ended(player)
        elif coming.ready and player.timed(coming) is not None and not memory.go:
            player.begin_in_time(frame, upto)
        elif coming.ready:
            player.start_at_once()
        elif coming.asked and frame - max(coming.since, 0) > PATIENCE_S * player.draft.engine_rate:
            player.skip(coming, "it has not been loaded in time")


def _ended(player: Player) -> None:
    player.draft.set("/setlist/autopilot", 0)
    player.remember(go=False, over=True)


def _frames_of(player: Player, length: Length, grid: Grid | None, place_s: float, speed: float) -> int:
    """Return how many frames a length takes from a place on."""
    rate = player.draft.engine_rate
    if not length.is_musical:
        return round(length.amount * rate)
    beats = length.amount * (BEATS_A_BAR if length.unit == "bars" else 1)
    if grid is None:
        return round(beats * FREE_BEAT_S * rate / speed)
    return round((time_of_beat(grid, beat_at(grid, place_s) + beats) - place_s) / speed * rate)


def _before(player: Player, length: Length, grid: Grid | None, end_s: float, speed: float) -> int:
    """Return how many frames a length takes that ends at a place."""
    if not length.is_musical or grid is None:
        return _frames_of(player, length, None, end_s, speed)
    beats = length.amount * (BEATS_A_BAR if length.unit == "bars" else 1)
    return round((end_s - time_of_beat(grid, beat_at(grid, end_s) - beats)) / speed * player.draft.engine_rate)
