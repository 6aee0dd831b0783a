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

from dataclasses import replace
from typing import Final

from audio.commands import NOW
from audio.units import DECKS, STEMS
from control.control import Value
from server.session import setlist_drill as drill
from server.session import setlist_shown as shown
from server.session import setlist_tempo as tempo
from server.session.setlist_moves import Ground, events, passage
from server.session.setlist_open import FREE_BEAT_S, OpenSetlist
from server.session.setlist_places import bar_line
from server.session.setlist_state import NEVER, Glide, Standing
from server.session.setlist_tracks import base_rate, end_of, grid_of, holds, plays, start_of, tempo_now

LEAD_S: Final = 0.08
"""How far ahead of the engine's clock controls are sent: more than a tick and the way there and back."""


class Player(OpenSetlist):
    """What one step does with the open setlist. Pre: there is one."""

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
        self.remember(passage=None, held=frozenset(), sent=(), began=-1, frame=0, due=NEVER, glide=None)
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
            shown.tell(self)
            return
        self.remember(coming=Standing(index, self._deck_for(index), since=self.memory.frame))
        self._ask()
        shown.tell(self)

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
            shown.tell(self)
            self.start_at_once()
        elif now is not None and now.deck == deck and not now.ready and holds(self.draft, self.memory, now):
            self.remember(now=replace(now, ready=True))

    def failed(self, deck: int, message: str) -> None:
        """A deck has not got a track: the entry after it is next."""
        coming = self.memory.coming
        if coming is None or not coming.asked or coming.ready or coming.deck != deck:
            return
        self.skip(coming, message)

    def skip(self, coming: Standing, why: str) -> None:
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
        self.draft.wish(f"{path}/position", self.start_s(coming))
        if entry.loops:
            drill.put_loop(self, coming, 0, NOW)

    def start_s(self, standing: Standing) -> float:
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

    # --- beginning ---------------------------------------------------------------------------------------------------

    def start_at_once(self) -> None:
        """Begin where nothing plays that could be waited for."""
        memory = self.memory
        coming = memory.coming
        wanted = memory.go or bool(self.draft.controls["/setlist/autopilot"])
        if not wanted or coming is None or not coming.ready or memory.passage is not None:
            return
        at_s = memory.entries[coming.index].entry.at_s
        waits = at_s is not None and not memory.go and (at_s > 0.0 or memory.began >= 0)
        if self.stands(memory.now) and not waits:
            self.begin(0, self.memory.frame, NOW, 0)

    def stands(self, now: Standing | None) -> bool:
        """Say whether nothing of the set plays, so that there is nothing to go over from."""
        if now is None:
            return True
        memory = self.draft.decks[now.deck - 1]
        if plays(self.draft, now.deck):
            return False
        return memory.at_end or self.memory.go or not holds(self.draft, self.memory, now)

    def begin_in_time(self, frame: int, upto: int) -> None:
        """Begin an entry that has a time of its own, while nothing plays."""
        coming = self.memory.coming
        if not self.draft.controls["/setlist/autopilot"] or coming is None or not coming.ready:
            return
        if self.memory.began < 0:
            self.remember(began=frame)
        at = self.timed(coming)
        if at is None:
            self.start_at_once()
            return
        self.expect(at)
        if at <= upto:
            self.begin(0, max(at, frame), max(at, frame), 0)

    def timed(self, coming: Standing) -> int | None:
        """Return the frame that the file gives an entry."""
        at_s = self.memory.entries[coming.index].entry.at_s
        if at_s is None or self.memory.began < 0:
            return None
        return self.memory.began + round(at_s * self.draft.engine_rate)

    # --- going over --------------------------------------------------------------------------------------------------

    def begin(self, out: int, start: int, frame: int, length: int) -> None:
        """Begin the transition from deck `out` (0: none) into what comes; its first moves are for `frame`."""
        memory, draft = self.memory, self.draft
        coming = memory.coming
        assert coming is not None
        entry = memory.entries[coming.index].entry
        beat = FREE_BEAT_S * draft.engine_rate
        if out and (bpm := tempo_now(draft, out)):
            beat = 60.0 / bpm * draft.engine_rate
        shortest = round(0.02 * draft.engine_rate)
        ground = Ground(
            draft.controls, out, coming.deck, start, length if length >= shortest else 0, beat, draft.engine_rate,
            tempo.followed(self, out, coming, length), memory.crossfader,
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
        self.take(coming)
        if running.rate and f"/deck/{coming.deck}/rate" not in self.memory.held:
            frames = round(tempo.GLIDE_S * self.draft.engine_rate)
            self.remember(glide=Glide(running.swap, frames, running.rate))

    def take(self, coming: Standing) -> None:
        entry = self.memory.entries[coming.index].entry
        self.remember(now=coming, coming=None, over=False, glide=None, drill=drill.begun(entry, self.memory.frame))
        if end_of(self.draft, self.memory, coming) is None:
            self._not_found(coming, str(entry.end), "it plays to its end")
        if self.memory.passage is None:
            self.bring_next()
        shown.tell(self)

    def _over(self) -> None:
        """The transition is over: the deck that has left is free for what comes next."""
        now = self.memory.now
        kept = frozenset(path for path in self.memory.held if now is not None and path == f"/deck/{now.deck}/rate")
        self.remember(passage=None, held=kept)
        self.bring_next()
