"""The player of a setlist: loads ahead, waits for the moment, plays the transition, goes on. Decides, and asks for
controls to be set at frames (`Draft.wish`); all that it does a hand could do.

    open --> ready --next, autopilot--> playing --its end comes near--> transition --> playing ... --> ended
                                           '-- the next one is not there yet: waiting

Owner: one step of the session. Pure: time arrives as the engine's frame, with the playhead's place on that frame.
Units: engine frames; seconds of the track for places; decks count from 1, entries from 0.

Rules a performer relies on:
- A control that is touched during a transition is the performer's until it is over: its automation lets go at once.
- Nothing is loaded over a deck that plays. A track that does not load is named and skipped.
- What has left is put back as it was, once it is silent.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from audio.commands import NOW, CommandKind
from audio.units import DECKS, STEMS
from control.control import Value
from server.marks import BEATS_A_BAR, Grid
from server.session import setlist_drill as drill
from server.session.draft import Draft
from server.session.effects import OpenSetlist
from server.session.setlist import Length
from server.session.setlist_moves import Ground, events, passage
from server.session.setlist_places import bar_line, beat_at, time_of_beat
from server.session.setlist_state import Glide, Planned, SetlistMemory, Standing
from server.session.setlist_tracks import base_rate, end_of, grid_of, holds, plays, start_of, tempo_now

LEAD_S: Final = 0.08
"""How far ahead of the engine's clock controls are sent: more than a tick and the way there and back."""

TICK_S: Final = 0.04
"""Between two ticks."""

PLACE: Final = 9
"""The slot of PLACE_ASK that is the setlist's."""

PATIENCE_S: Final = 20.0
"""How long a set stands still for a track that does not come, before it is passed over."""

GLIDE_S: Final = 8.0
"""How long an entry takes from the speed it followed back to its own."""

FREE_BEAT_S: Final = 0.5
"""A beat of a track without a grid."""

SYNC_REACH: Final = 0.12
"""How far an entry may be bent to follow, unless the file asks for it."""


class Player:
    """What one step does with the open setlist. Pre: there is one."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    @property
    def memory(self) -> SetlistMemory:
        """The setlist as it is by now."""
        assert self.draft.setlist is not None
        return self.draft.setlist

    def remember(self, **changes: Any) -> None:
        """Change what is remembered."""
        self.draft.setlist = replace(self.memory, **changes)

    def put(self, name: str, value: Value, frame: int = NOW) -> None:
        """Set a control, unless the performer holds it."""
        if name not in self.memory.held and self.draft.controls.get(name) != value:
            self.draft.wish(name, value, frame)
            if frame != NOW:
                self.remember(sent=(*self.memory.sent, (frame, name)))

    # --- what a surface asks for -------------------------------------------------------------------------------------

    def go_to(self, index: int) -> None:
        """Make an entry the next one and play the transition into it as soon as it is there."""
        memory = self.memory
        if memory.passage is not None:
            self.finish()
        coming = self.memory.coming
        if coming is None or coming.index != index:
            self.remember(coming=None)
            self.bring(index)
        self.remember(go=True)
        self.start_at_once()

    def finish(self) -> None:
        """Bring a transition to its end at once."""
        running = self.memory.passage
        if running is None:
            return
        late = {frame for frame, _ in self.memory.sent}
        for ramp in running.ramps:
            for frame in (NOW, *(f for f in late if (f, ramp.path) in self.memory.sent)):
                if ramp.path not in self.memory.held:
                    self.draft.wish(ramp.path, ramp.points[-1][1], frame)
        for move in running.moves:
            if move.frame > running.done and move.path not in self.memory.held:
                self.draft.wish(move.path, move.value)
        self.remember(passage=replace(running, ramps=(), moves=(), swap=self.memory.frame, end=self.memory.frame))
        self._swap()
        self._over()

    def let_go(self) -> None:
        """Leave everything to the performer: a transition stays where it is."""
        if self.memory.passage is not None:
            self._swap()
            self.remember(passage=None, held=frozenset())
            self.bring_next()
        self.remember(go=False)

    def engine_restored(self) -> None:
        """Another engine has another clock: what was planned by the old one's is over."""
        if self.memory.passage is not None:
            self._swap()
        self.remember(passage=None, held=frozenset(), sent=(), began=-1, frame=0, glide=None)
        self.bring_next()

    def touched(self, name: str, value: Value) -> None:
        """A surface has set a control: if it is automated, it is the performer's from now on."""
        memory = self.memory
        name = f"{name.removesuffix('pitch_fader')}rate" if name.endswith("/pitch_fader") else name
        if name.endswith("/loop/active") and memory.now is not None and name.startswith(f"/deck/{memory.now.deck}/"):
            self.remember(drill=None)
            self.draft.set("/setlist/pass", 0.0)
        running = memory.passage
        ours = {f"/deck/{memory.now.deck}/rate"} if memory.now is not None else set()
        if running is not None:
            ours |= {ramp.path for ramp in running.ramps} | {move.path for move in running.moves}
        if name not in ours:
            return
        self.remember(held=memory.held | {name})
        # What is on its way already would undo the hand: it is overtaken on its own frame.
        for frame, path in memory.sent:
            if path == name and frame > memory.frame:
                self.draft.wish(name, self.draft.controls.get(name, value), frame)

    # --- loading ahead -----------------------------------------------------------------------------------------------

    def bring_next(self) -> None:
        """Bring the entry after the one that plays to a deck, if there is one."""
        if self.memory.coming is None:
            now = self.memory.now
            self.bring(0 if now is None else now.index + 1)

    def bring(self, index: int) -> None:
        """Bring an entry, or the next one there is a track for, to a deck that is free."""
        entries = self.memory.entries
        while index < len(entries) and not entries[index].track_id:
            index += 1
        if index >= len(entries):
            self.remember(coming=None)
            self._tell()
            return
        self.remember(coming=Standing(index, self._deck_for(index), since=self.memory.frame))
        self._ask()
        self._tell()

    def _deck_for(self, index: int) -> int:
        """Return the deck an entry goes to: its own, or the other one of two."""
        entry, now = self.memory.entries[index].entry, self.memory.now
        if entry.fixed or now is None:
            return entry.deck
        other = 3 - now.deck if now.deck <= 2 else 1
        taken = {deck for deck in range(1, DECKS + 1) if plays(self.draft, deck)}
        free = [deck for deck in (other, 1, 2, 3, 4) if deck != now.deck and deck not in taken]
        return free[0] if free else other

    def _ask(self) -> None:
        """Load what comes, if its deck is free by now."""
        coming = self.memory.coming
        if coming is None or coming.asked or plays(self.draft, coming.deck):
            return
        now = self.memory.now
        shared = now is not None and now.deck == coming.deck
        if shared and not self.memory.go and not self.draft.decks[coming.deck - 1].at_end:
            return  # the one that plays has the deck until it is over
        stops = f"/deck/{coming.deck}/play"
        if any(path == stops and frame > self.memory.frame for frame, path in self.memory.sent):
            return  # it is about to stop, and still sounds
        planned = self.memory.entries[coming.index]
        self.remember(coming=replace(coming, asked=True))
        self.draft.load(coming.deck - 1, planned.track_id)

    def loaded(self, deck: int) -> None:
        """A deck has got a track."""
        coming, now = self.memory.coming, self.memory.now
        if coming is not None and coming.asked and coming.deck == deck and holds(self.draft, self.memory, coming):
            self.remember(coming=replace(coming, ready=True))
            self._prepare(coming)
            self._tell()
            self.start_at_once()
        elif now is not None and now.deck == deck and not now.ready and holds(self.draft, self.memory, now):
            self.remember(now=replace(now, ready=True))

    def failed(self, deck: int, message: str) -> None:
        """A deck has not got a track: the entry after it is next."""
        coming = self.memory.coming
        if coming is None or not coming.asked or coming.ready or coming.deck != deck:
            return
        self._skip(coming, message)

    def _skip(self, coming: Standing, why: str) -> None:
        title = self.memory.entries[coming.index].title
        self.draft.notice(
            "warning", "setlist_skipped", f"Setlist entry {coming.index + 1} ({title}) is passed over: {why}"
        )
        self.remember(coming=None)
        self.bring(coming.index + 1)

    def _prepare(self, coming: Standing) -> None:
        """Set a deck up for its entry while it stands."""
        planned, path = self.memory.entries[coming.index], f"/deck/{coming.deck}"
        entry = planned.entry
        side = ("left" if coming.deck % 2 else "right") if self.memory.crossfader else "thru"
        speed = entry.loops[0].speed_of(0) if entry.loops else 1.0
        wanted: list[tuple[str, Value]] = [
            ("assign", side), ("sync", 0), ("keylock", int(entry.keylock)), ("pitch", entry.key),
            ("rate", speed * base_rate(self.draft, self.memory, coming)), ("volume", entry.volume),
            *((f"stem/{stem}/volume", entry.stems.get(stem, 1.0)) for stem in STEMS),
        ]  # fmt: skip
        for name, value in wanted:
            self.put(f"{path}/{name}", value)
        self.draft.wish(f"{path}/position", self._start_s(coming))
        if entry.loops:
            drill.put_loop(self, coming, 0, NOW)

    def _start_s(self, standing: Standing) -> float:
        """Return where an entry begins: on a bar line, where it comes in on one."""
        entry = self.memory.entries[standing.index].entry
        start, grid = start_of(self.draft, self.memory, standing), grid_of(self.draft, standing.deck)
        if start is None:
            self._not_found(standing, str(entry.start), "it begins at the beginning")
            start = 0.0
        duration = float(self.draft.controls[f"/deck/{standing.deck}/duration"])
        if start >= duration:
            self._not_found(standing, f"{start:g} s", "it begins at the beginning")
            start = 0.0
        if entry.quantize and not entry.loops and grid is not None and standing.index:
            start = min(bar_line(grid, start), duration)
        return start

    def _not_found(self, standing: Standing, place: str, instead: str) -> None:
        title = self.memory.entries[standing.index].title
        text = f"Setlist entry {standing.index + 1} ({title}) has no place {place!r}: {instead}"
        self.draft.notice("warning", "setlist_place", text)

    # --- the clock ---------------------------------------------------------------------------------------------------

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
        if self.memory.passage is not None:
            self._carry(upto)
            if self.memory.passage is not None and frame >= self.memory.passage.swap:
                self._swap()
            if self.memory.passage is not None and frame >= self.memory.passage.end:
                self._over()
        elif position_s is not None:
            self._look_ahead(frame, upto, position_s)
        else:
            self._begin_in_time(frame, upto)
        if position_s is not None and self.memory.now is not None and plays(self.draft, self.memory.now.deck):
            drill.practise(self, frame, upto, position_s)
            self._keep_tempo(frame, upto, position_s)
        self._show_status()

    def start_at_once(self) -> None:
        """Begin where nothing plays that could be waited for."""
        memory = self.memory
        coming = memory.coming
        wanted = memory.go or bool(self.draft.controls["/setlist/autopilot"])
        if not wanted or coming is None or not coming.ready or memory.passage is not None:
            return
        at_s = memory.entries[coming.index].entry.at_s
        waits = at_s is not None and not memory.go and (at_s > 0.0 or memory.began >= 0)
        if self._stands(memory.now) and not waits:
            self._begin(0, self.memory.frame, NOW, 0)

    def _stands(self, now: Standing | None) -> bool:
        """Say whether nothing of the set plays, so that there is nothing to go over from."""
        if now is None:
            return True
        memory = self.draft.decks[now.deck - 1]
        if plays(self.draft, now.deck):
            return False
        return memory.at_end or self.memory.go or not holds(self.draft, self.memory, now)

    def _begin_in_time(self, frame: int, upto: int) -> None:
        """Begin an entry that has a time of its own, while nothing plays."""
        coming = self.memory.coming
        if not self.draft.controls["/setlist/autopilot"] or coming is None or not coming.ready:
            return
        if self.memory.began < 0:
            self.remember(began=frame)
        at = self._timed(coming)
        if at is None:
            self.start_at_once()
        elif at <= upto:
            self._begin(0, max(at, frame), max(at, frame), 0)

    def _timed(self, coming: Standing) -> int | None:
        """Return the frame that the file gives an entry."""
        at_s = self.memory.entries[coming.index].entry.at_s
        if at_s is None or self.memory.began < 0:
            return None
        return self.memory.began + round(at_s * self.draft.engine_rate)

    # --- when to go over ---------------------------------------------------------------------------------------------

    def _look_ahead(self, frame: int, upto: int, position_s: float) -> None:
        """Begin the transition when its moment has come."""
        memory, draft = self.memory, self.draft
        now, coming = memory.now, memory.coming
        assert now is not None
        rate = draft.engine_rate
        speed = float(draft.controls[f"/deck/{now.deck}/rate"])
        if draft.controls[f"/deck/{now.deck}/reverse"]:
            speed = -speed
        autopilot = bool(draft.controls["/setlist/autopilot"])
        if not plays(draft, now.deck):
            self._at_a_stand(frame, upto)
            return
        if memory.began < 0:
            start = self._start_s(now)
            self.remember(began=round(frame - (position_s - start) / max(speed, 0.01) * rate))
        if speed <= 0.0 or not (autopilot or memory.go):
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
            if leaves <= upto and end_s < float(draft.controls[f"/deck/{now.deck}/duration"]):
                self.put(f"/deck/{now.deck}/play", 0, max(leaves, frame + 1))
                self._ended()
            return
        entry = memory.entries[coming.index].entry
        grid = grid_of(draft, now.deck)
        at = self._timed(coming) if not memory.go else None
        if memory.go:
            line = position_s if grid is None or not entry.quantize else bar_line(grid, position_s, after=True)
            begins = max(frame_of(line), frame + 1)
            if memory.drill is not None or line >= end_s:
                begins = min(begins, upto)
            length = self._frames_of(entry.length, grid, line, speed)
        else:
            if entry.quantize and grid is not None:
                end_s = bar_line(grid, end_s)
            length = self._before(entry.length, grid, end_s, speed) if entry.transition != "cut" else 0
            begins = frame_of(end_s) - length
            if at is not None:
                if frame_of(end_s) <= at:
                    self._leave_alone(now, frame_of(end_s), frame, upto, end_s)
                    return
                begins, length = at, min(length, frame_of(end_s) - at)
        if begins > upto:
            return
        if coming.deck == now.deck:
            self.put(f"/deck/{now.deck}/play", 0, max(begins + length, frame + 1))
            self.remember(go=True)
            return
        if coming.ready:
            begins = max(begins, frame + 1)
            left = float(draft.controls[f"/deck/{now.deck}/duration"]) - position_s
            room = max(0, round(left / speed * rate) - (begins - frame))
            self._begin(now.deck, begins, begins, min(length, room) if memory.drill is None else length)

    def _leave_alone(self, now: Standing, leaves: int, frame: int, upto: int, end_s: float) -> None:
        """Stop at the end of an entry although the next one has time yet."""
        if leaves <= upto and end_s < float(self.draft.controls[f"/deck/{now.deck}/duration"]):
            self.put(f"/deck/{now.deck}/play", 0, max(leaves, frame + 1))
            self.remember(now=None)

    def _at_a_stand(self, frame: int, upto: int) -> None:
        """Go on from a deck that has stopped: at the end of its track, or because the performer wants it."""
        memory = self.memory
        now, coming = memory.now, memory.coming
        wanted = memory.go or bool(self.draft.controls["/setlist/autopilot"])
        if now is None or not wanted:
            return
        if coming is not None and plays(self.draft, coming.deck) and coming.ready:
            self._take(coming)
        elif self._stands(now):
            if coming is None:
                self._ended()
            elif coming.ready and self._timed(coming) is not None and not memory.go:
                self._begin_in_time(frame, upto)
            elif coming.ready:
                self.start_at_once()
            elif coming.asked and frame - max(coming.since, 0) > PATIENCE_S * self.draft.engine_rate:
                self._skip(coming, "it has not been loaded in time")

    def _ended(self) -> None:
        self.draft.set("/setlist/autopilot", 0)
        self.remember(go=False, over=True)

    def _frames_of(self, length: Length, grid: Grid | None, place_s: float, speed: float) -> int:
        """Return how many frames a length takes from a place on."""
        rate = self.draft.engine_rate
        if not length.is_musical:
            return round(length.amount * rate)
        beats = length.amount * (BEATS_A_BAR if length.unit == "bars" else 1)
        if grid is None:
            return round(beats * FREE_BEAT_S * rate / speed)
        return round((time_of_beat(grid, beat_at(grid, place_s) + beats) - place_s) / speed * rate)

    def _before(self, length: Length, grid: Grid | None, end_s: float, speed: float) -> int:
        """Return how many frames a length takes that ends at a place."""
        if not length.is_musical or grid is None:
            return self._frames_of(length, None, end_s, speed)
        beats = length.amount * (BEATS_A_BAR if length.unit == "bars" else 1)
        return round((end_s - time_of_beat(grid, beat_at(grid, end_s) - beats)) / speed * self.draft.engine_rate)

    # --- going over --------------------------------------------------------------------------------------------------

    def _begin(self, out: int, start: int, frame: int, length: int) -> None:
        """Begin the transition from deck `out` (0: none) into what comes; its first moves are for `frame`."""
        memory, draft = self.memory, self.draft
        coming = memory.coming
        assert coming is not None
        entry = memory.entries[coming.index].entry
        beat = FREE_BEAT_S * draft.engine_rate
        if out and (tempo := tempo_now(draft, out)):
            beat = 60.0 / tempo * draft.engine_rate
        shortest = round(0.02 * draft.engine_rate)
        ground = Ground(
            draft.controls, out, coming.deck, start, length if length >= shortest else 0, beat, draft.engine_rate,
            self._followed(out, coming, length), memory.crossfader,
        )  # fmt: skip
        running = passage(entry, ground)
        kept = self.memory.held & {f"/deck/{out}/rate"}
        self.remember(passage=running, go=False, held=kept)
        if not out:
            # Nothing plays that it could be measured by: it begins now, or at the time of the file.
            for move in running.moves:
                self.put(move.path, move.value, frame)
            self.remember(passage=replace(running, moves=(), swap=start, end=start, done=start))
            self._swap()
            self._over()
            return
        self._carry(self.memory.frame + round(LEAD_S * draft.engine_rate))
        if running.swap <= self.memory.frame:
            self._swap()

    def _followed(self, out: int, coming: Standing, length: int) -> float:
        """Return the speed at which an entry follows deck `out`, 0 where it keeps its own."""
        entry = self.memory.entries[coming.index].entry
        grid = grid_of(self.draft, coming.deck)
        leading = tempo_now(self.draft, out) if out else 0.0
        if not leading or grid is None or not length or entry.transition in ("cut", "echo-out") or entry.loops:
            return 0.0
        if entry.sync is False or (entry.sync is None and not entry.quantize):
            return 0.0
        own = base_rate(self.draft, self.memory, coming)
        at = own * 60.0 / _beat_s(grid)
        speeds = [own * leading * times / at for times in (1.0, 2.0, 0.5)]
        speed = min(speeds, key=lambda one: abs(one / own - 1.0))
        reach = SYNC_REACH if entry.sync is None else 4.0
        return speed if abs(speed / own - 1.0) <= reach and 0.25 <= speed <= 4.0 else 0.0

    def _carry(self, upto: int) -> None:
        """Send what a transition does up to a frame."""
        running = self.memory.passage
        if running is None or upto <= running.done:
            return
        found: list[tuple[int, int, str, Value]] = []
        for order, move in enumerate(running.moves):
            if running.done < move.frame <= upto:
                found.append((move.frame, order, move.path, move.value))
        for ramp in running.ramps:
            for frame, value in events(ramp, max(running.done, running.start), upto, self.draft.engine_rate):
                found.append((frame, len(running.moves), ramp.path, value))
        sent: list[tuple[int, str]] = []
        for frame, _, path, value in sorted(found, key=lambda one: one[:2]):
            if path not in self.memory.held:
                self.draft.wish(path, value, frame)
                sent.append((frame, path))
        self.remember(passage=replace(running, done=upto), sent=(*self.memory.sent, *sent))

    def _swap(self) -> None:
        """The entry that came is the one that plays."""
        coming, running = self.memory.coming, self.memory.passage
        if coming is None or running is None:
            return
        self._take(coming)
        if running.rate and f"/deck/{coming.deck}/rate" not in self.memory.held:
            frames = round(GLIDE_S * self.draft.engine_rate)
            self.remember(glide=Glide(running.swap, frames, running.rate))

    def _take(self, coming: Standing) -> None:
        entry = self.memory.entries[coming.index].entry
        self.remember(now=coming, coming=None, over=False, glide=None, drill=drill.begun(entry, self.memory.frame))
        if end_of(self.draft, self.memory, coming) is None:
            self._not_found(coming, str(entry.end), "it plays to its end")
        if self.memory.passage is None:
            self.bring_next()
        self._tell()

    def _over(self) -> None:
        """The transition is over: the deck that has left is free for what comes next."""
        now = self.memory.now
        kept = frozenset(path for path in self.memory.held if now is not None and path == f"/deck/{now.deck}/rate")
        self.remember(passage=None, held=kept)
        self.bring_next()

    # --- tempo -------------------------------------------------------------------------------------------------------

    def _keep_tempo(self, frame: int, upto: int, position_s: float) -> None:
        """Move the speed of what plays towards the entry's own, unless a hand or another deck has it."""
        memory, draft = self.memory, self.draft
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
                self.remember(glide=None)
        if abs(wanted - current) > 1e-7:
            self.put(f"{path}/rate", wanted, upto)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Show what plays and what comes."""
        memory, draft = self.memory, self.draft
        now, coming = memory.now, memory.coming
        planned = memory.entries[now.index] if now is not None else None
        after = memory.entries[coming.index] if coming is not None else None
        draft.set("/setlist/entry", float(now.index + 1) if now is not None else 0.0)
        draft.set("/setlist/next/deck", float(coming.deck) if coming is not None else 0.0)
        for name, one in (("current", planned), ("next", after)):
            draft.set(f"/setlist/{name}/title", one.title if one is not None else "")
            draft.set(f"/setlist/{name}/notes", one.entry.notes if one is not None else "")
        draft.set("/setlist/scene", planned.entry.scene if planned is not None else "")
        self._show_status()

    def _show_status(self) -> None:
        memory, draft = self.memory, self.draft
        if memory.passage is not None:
            status = "transition"
        elif memory.coming is not None and not memory.coming.ready and (memory.go or self._is_over(memory.now)):
            status = "waiting"
        elif memory.now is None:
            status = "ready"
        elif memory.over:
            status = "ended"
        else:
            status = "playing" if plays(draft, memory.now.deck) else "ready"
        draft.set("/setlist/status", status)
        draft.set("/setlist/pass", float(memory.drill.pass_ + 1) if memory.drill is not None else 0.0)

    def _is_over(self, now: Standing | None) -> bool:
        return now is not None and self.draft.decks[now.deck - 1].at_end


def _beat_s(grid: Grid) -> float:
    """Return the mean length of a beat."""
    return (grid.beats[-1] - grid.beats[0]) / (len(grid.beats) - 1)


def opened(draft: Draft, name: str, title: str, entries: Sequence[Planned], *, crossfader: bool, resumed: bool) -> None:
    """Take a setlist that was read; `resumed` goes on with the entry that plays."""
    at = int(float(draft.controls["/setlist/entry"])) - 1 if resumed else -1
    draft.setlist = SetlistMemory(name, title, tuple(entries), crossfader)
    player = Player(draft)
    draft.set("/setlist/load", name)
    draft.set("/setlist/title", title)
    draft.set("/setlist/count", float(len(entries)))
    if 0 <= at < len(entries):
        for deck in range(1, DECKS + 1):
            memory = draft.decks[deck - 1]
            if entries[at].track_id in (memory.track_id, memory.wanted) and entries[at].track_id:
                player.remember(now=Standing(at, deck, True, bool(memory.token)))
    now = player.memory.now
    if resumed and (now is None or not plays(draft, now.deck)):
        draft.set("/setlist/autopilot", 0)
    for number, planned in enumerate(entries, start=1):
        if not planned.track_id:
            text = f"Setlist entry {number} ({planned.title}) is not in the library and will be passed over"
            draft.notice("warning", "setlist_missing", text)
    player.bring_next()
    player._tell()


def ask_for(draft: Draft, name: str) -> None:
    """Open another setlist, or close the one that is open."""
    if name:
        draft.set("/setlist/status", "opening")
        draft.effects.append(OpenSetlist(name))
        return
    draft.setlist = None
    for path, value in _CLOSED:
        draft.set(path, value)


_CLOSED: Final[tuple[tuple[str, Value], ...]] = (
    ("/setlist/load", ""), ("/setlist/status", "closed"), ("/setlist/autopilot", 0), ("/setlist/entry", 0.0),
    ("/setlist/count", 0.0), ("/setlist/pass", 0.0), ("/setlist/title", ""), ("/setlist/current/title", ""),
    ("/setlist/current/notes", ""), ("/setlist/next/title", ""), ("/setlist/next/notes", ""),
    ("/setlist/next/deck", 0.0), ("/setlist/scene", ""),
)  # fmt: skip
