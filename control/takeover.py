"""Soft takeover: when a moved fader gets hold of a control that stands somewhere else.

Owner: the MIDI surface, one `Pickup` for each mapped fader of each device. Pure: no clock, `now` is monotonic seconds.
Units: travel 0 to 1.

A fader that holds the control moves it. Another surface may move the control away; then the fader holds no more, and
its moves count for nothing until it meets the control again. The idea and the two constants are those of Mixxx
(src/controllers/softtakeover.cpp: 3/128, 50 ms); the rule is written afresh, as a table:

    holds   near the control   passed it since the last move   ->  moves the control   holds
    yes     any                any                                 yes                 yes
    no      yes                any                                 yes                 yes
    no      no                 yes                                 yes                 yes
    no      no                 no                                  no                  no

    another surface moved the control:   near the fader -> holds as before
                                         far, and the fader moved it less than 50 ms ago
                                              -> holds as before (the hand wins)
                                         far otherwise -> holds no more

"Near" is within 3/128 of the travel. "Passed" needs a place before this one: a fader that has not been heard yet is
nowhere.
"""

from dataclasses import dataclass
from typing import Final

NEAR: Final = 3 / 128
"""How close to the control a fader must be to take it."""

HAND_WINS_S: Final = 0.05
"""A fader that moved the control so recently keeps it against other surfaces."""


@dataclass(slots=True)
class Pickup:
    """Memory of one fader. `place` is where it was last heard, None before that."""

    holds: bool = False
    place: float | None = None
    moved_at: float = -1e9

    def move(self, travel: float, control: float, now: float) -> bool:
        """Note that the fader went to `travel` while the control stands at `control`; return whether it moves it."""
        near = abs(travel - control) <= NEAR
        passed = self.place is not None and (self.place - control) * (travel - control) <= 0
        self.place = travel
        if not (self.holds or near or passed):
            return False
        self.holds = True
        self.moved_at = now
        return True

    def echo(self, control: float, own: bool, now: float) -> None:
        """Note that the control stands at `control` now; `own` if this fader put it there."""
        if own or self.place is None:
            return
        if abs(self.place - control) > NEAR and now - self.moved_at > HAND_WINS_S:
            self.holds = False

    def take(self, travel: float | None = None, now: float | None = None) -> None:
        """Give the control to the fader: it was just learned, under the hand that moves it."""
        self.holds = True
        if travel is not None:
            self.place = travel
        if now is not None:
            self.moved_at = now
