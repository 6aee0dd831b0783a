"""Gestures: press, release, tap, long press and double press, from when a button goes down and comes up.

Owner: the device that listens. Pure: no clock, `now` is monotonic seconds.
Units: seconds.

    press    at once                      release  at once
    long     while it is held, LONG_S after it went down
    double   at the second press within DOUBLE_S of the first
    tap      a press that is neither long nor the first of two: at the release, or, where the button also has a
             double press, once the second press did not come

A button only waits for what is asked of it: `wanted` says which gestures its lines use.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from control.mapping_entry import Gesture

LONG_S: Final = 0.5
DOUBLE_S: Final = 0.3


@dataclass(slots=True)
class _Button:
    down_at: float | None = None
    pressed_at: float = -1e9
    was_long: bool = False
    was_double: bool = False
    tap_at: float | None = None


class Gestures:
    """Follows the buttons of one device."""

    def __init__(self, wanted: Callable[[Hashable], frozenset[Gesture]]) -> None:
        self._wanted = wanted
        self._buttons: dict[Hashable, _Button] = {}

    def press(self, source: Hashable, now: float) -> list[Gesture]:
        """Return the gestures that begin as `source` goes down."""
        button = self._buttons.setdefault(source, _Button())
        wanted = self._wanted(source)
        button.was_double = Gesture.DOUBLE in wanted and now - button.pressed_at <= DOUBLE_S
        button.pressed_at = -1e9 if button.was_double else now
        button.down_at, button.was_long, button.tap_at = now, False, None
        return [Gesture.PRESS, *([Gesture.DOUBLE] if button.was_double else [])]

    def release(self, source: Hashable, now: float) -> list[Gesture]:
        """Return the gestures that `source` coming up makes."""
        button = self._buttons.setdefault(source, _Button())
        was_down, button.down_at = button.down_at is not None, None
        found = [Gesture.RELEASE]
        if was_down and not button.was_long and not button.was_double and Gesture.TAP in self._wanted(source):
            if Gesture.DOUBLE in self._wanted(source) and now - button.pressed_at < DOUBLE_S:
                button.tap_at = button.pressed_at + DOUBLE_S
            else:
                found.append(Gesture.TAP)
        return found

    def due(self, now: float) -> list[tuple[Hashable, Gesture]]:
        """Return the gestures that time alone has made."""
        found: list[tuple[Hashable, Gesture]] = []
        for source, button in self._buttons.items():
            if button.tap_at is not None and now >= button.tap_at:
                button.tap_at = None
                found.append((source, Gesture.TAP))
            if self._is_waiting(source, button) and button.down_at is not None and now - button.down_at >= LONG_S:
                button.was_long = True
                found.append((source, Gesture.LONG))
        return found

    def next_at(self) -> float | None:
        """Return when `due` has something to say at the earliest, None if nothing waits."""
        times = [button.tap_at for button in self._buttons.values() if button.tap_at is not None]
        for source, button in self._buttons.items():
            if button.down_at is not None and self._is_waiting(source, button):
                times.append(button.down_at + LONG_S)
        return min(times, default=None)

    def _is_waiting(self, source: Hashable, button: _Button) -> bool:
        long = button.down_at is not None and not button.was_long and not button.was_double
        return long and Gesture.LONG in self._wanted(source)
