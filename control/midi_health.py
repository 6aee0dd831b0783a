"""Whether a port behaves: how much it sends, and how much of that can be read.

Owner: whoever hears the port. Pure: no clock, `now` is monotonic seconds.
Units: messages a second.
"""

from typing import Final

WINDOW_S: Final = 1.0
FLOOD: Final = 2000
"""Messages in one window from which a port counts as flooding; a 5-pin cable carries about 1,000, a hand makes 400."""

GARBAGE: Final = 10
"""Unreadable messages in one window from which a port is marked."""


class Health:
    """Counts what one port sends. A port that is marked stays so for the window that follows the last bad one."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._messages = 0
        self._unreadable = 0
        self.trouble = ""
        """What is wrong, in words; empty while all is well."""

    def hear(self, readable: bool, now: float) -> bool:
        """Count a message; return whether `trouble` changed."""
        before = self.trouble
        self._roll(now)
        self._messages += 1
        self._unreadable += not readable
        if self._messages >= FLOOD or self._unreadable >= GARBAGE:
            self.trouble = self._words()
        return bool(before) != bool(self.trouble)

    def look(self, now: float) -> bool:
        """Note that time passes; return whether `trouble` changed."""
        before = self.trouble
        self._roll(now)
        return bool(before) != bool(self.trouble)

    def _roll(self, now: float) -> None:
        if self._since is None:
            self._since = now
        elif now - self._since >= WINDOW_S:
            self.trouble = self._words() if now - self._since < 2 * WINDOW_S else ""
            self._since, self._messages, self._unreadable = now, 0, 0

    def _words(self) -> str:
        if self._messages >= FLOOD:
            return f"floods: more than {FLOOD} messages a second"
        return "sends what is no MIDI" if self._unreadable >= GARBAGE else ""
