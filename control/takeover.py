"""Soft takeover: when a moved fader gets hold of a control that stands somewhere else.

Owner: the MIDI surface, one `Pickup` for each mapped fader of each device. Pure: no clock.
Units: travel 0 to 1.

A fader that holds the control moves it. When another hand moves the control away, the fader holds no more: the last
writer wins, and two hands never fight. How it comes back is the line's `takeover`:

    pickup   its moves count for nothing until it meets the control or passes it
    scale    its moves close in on the control in proportion, so that both meet at the end of the travel at the latest
    jump     it takes the control along at once

"Near" is within 3/128 of the travel (the figure is that of Mixxx, src/controllers/softtakeover.cpp). "Passed" needs a
place before this one: a fader that has not been heard yet is nowhere.

    holds   near   passed        pickup moves   scale moves   holds then
    yes     any    any           to the fader   to the fader  yes
    no      yes    any           to the fader   to the fader  yes
    no      no     yes           to the fader   to the fader  yes
    no      no     no            not at all     closer        no

    the control has a new value:   this fader put it there, the last of all -> holds (a scaled move is not "there")
                                   another hand did, near the fader         -> as before
                                   another hand did, far from it            -> holds no more
"""

from dataclasses import dataclass
from typing import Final

NEAR: Final = 3 / 128
"""How close to the control a fader must be to take it."""


@dataclass(slots=True)
class Pickup:
    """Memory of one fader. `place` is where it was last heard, None before that."""

    holds: bool = False
    place: float | None = None

    def move(self, travel: float, control: float) -> bool:
        """Note that the fader went to `travel` while the control stands at `control`; return whether it moves it."""
        near = abs(travel - control) <= NEAR
        passed = self.place is not None and (self.place - control) * (travel - control) <= 0
        self.place = travel
        if not (self.holds or near or passed):
            return False
        self.holds = True
        return True

    def scale(self, travel: float, control: float) -> float | None:
        """Note the same, and return where the control goes: to the fader, or nearer to it; None before a first move."""
        before = self.place
        if self.move(travel, control):
            return travel
        if before is None or before == travel:
            return None
        if travel > before:
            return control + (1.0 - control) * (travel - before) / (1.0 - before)
        return control * travel / before

    def elsewhere(self, travel: float) -> None:
        """Note that the fader went to `travel` while it moved something else."""
        self.place = travel
        self.holds = False

    def echo(self, control: float, own: bool) -> None:
        """Note that the control stands at `control` now; `own` if this fader put it there."""
        if own:
            self.holds = True
        elif self.place is None or abs(self.place - control) > NEAR:
            self.holds = False

    def take(self, travel: float | None = None) -> None:
        """Give the control to the fader: it was just learned, under the hand that moves it."""
        self.holds = True
        if travel is not None:
            self.place = travel
