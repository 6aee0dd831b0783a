"""What every part of an open setlist works with: the draft of the step, what is remembered, one way to set a control.

Owner: one step of the session. Pure.
Units: engine frames.
"""

from dataclasses import replace
from typing import Any, Final

from audio.commands import NOW
from control.control import Value
from server.session.draft import Draft
from server.session.setlist_state import SetlistMemory

FREE_BEAT_S: Final = 0.5
"""A beat of a track without a grid."""


class OpenSetlist:
    """The open setlist in one step. Pre: there is one."""

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

    def expect(self, frame: int) -> None:
        """Remember when the set will go on, for the display of the time that is left."""
        self.remember(due=frame)
