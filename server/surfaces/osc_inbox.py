"""What an OSC message asks of the show: patterns, values and time tags become intents.

Owner: the OSC surface; on the event loop.
Units: values as the registry says; time tags as in `control.osc_codec`.
"""

import time
from collections.abc import Callable
from typing import Final

from control.control import Control, ControlError, Kind, UnknownControl, Value, check
from control.osc_codec import Argument, Impulse, OscMessage
from control.osc_pattern import Addresses, BadPattern, TooManyHits, is_pattern
from control.osc_queue import Sender
from control.registry import ALIASES, REGISTRY, resolve
from server.session.intent import Intent, Refused
from server.surfaces.show_port import Clock, ShowPort
from server.surfaces.timetags import TooFarAhead, frame_of

Answer = Callable[[str, str], None]
"""Told the path and what is wrong with what was asked of it."""

WRITABLE: Final = Addresses(
    [path for path, control in REGISTRY.items() if control.is_writable]
    + [path for path in ALIASES if resolve(path, "1").is_writable]
)
"""What patterns are compared with."""


class Inbox:
    """Hands what messages ask for to the show."""

    def __init__(self, show: ShowPort, clock: Callable[[], Clock | None]) -> None:
        self._show = show
        self._clock = clock

    def move(self, message: OscMessage, sender: Sender, answer: Answer) -> None:
        """Submit what `message` asks for; `answer` is told what was refused, now or later."""
        path = message.address
        try:
            at = frame_of(message.timetag, self._clock(), time.time_ns(), time.monotonic_ns())
            if is_pattern(path) and path not in REGISTRY:
                self._move_all(path, message.args, sender, at, answer)
            else:
                self._submit(path, _value_of(path, message.args), sender, at, answer)
        except (UnknownControl, TooFarAhead, WrongArguments, BadPattern, TooManyHits) as error:
            answer(path, str(error))

    def _move_all(
        self, pattern: str, args: tuple[Argument, ...], sender: Sender, at: int | None, answer: Answer
    ) -> None:
        """Set every control a pattern fits. Those that do not take the value are told in one answer."""
        hits = WRITABLE.matching(pattern)
        if not hits:
            raise UnknownControl(f"no control fits {pattern[:120]!r}")
        faults: list[str] = []
        for path in hits:
            try:
                value = _value_of(path, args)
                check(resolve(path, "1"), value)
            except (ControlError, WrongArguments) as error:
                faults.append(str(error))
            else:
                self._submit(path, value, sender, at, answer)
        if faults:
            answer(pattern, f"{len(faults)} of {len(hits)} controls did not take it: {faults[0]}")

    def _submit(self, path: str, value: Value, sender: Sender, at: int | None, answer: Answer) -> None:
        def refused(told: Refused) -> None:
            answer(path, told.message)

        self._show.submit(Intent(path, value, f"osc:{sender[0]}:{sender[1]}", at, refused))


class WrongArguments(ValueError):
    """The message does not carry one value."""


_PRESSED_BY_NAME: Final = ("/transport/play", "/transport/stop")
"""Aliases that layouts of the earlier system press without an argument."""


def _value_of(path: str, args: tuple[Argument, ...]) -> Value:
    if len(args) == 1 and isinstance(args[0], tuple):
        args = args[0]
    if not args or args == (Impulse.IMPULSE,):
        control: Control = resolve(path, "1")
        if control.kind is Kind.TRIGGER or path in _PRESSED_BY_NAME:
            return 1
        raise WrongArguments(f"{path} takes a value, and none came")
    if len(args) > 1:
        raise WrongArguments(f"{path} takes one value, and {len(args)} came")
    value = args[0]
    if isinstance(value, bytes | Impulse | tuple) or value is None:
        raise WrongArguments(f"{path} takes a number or a text")
    if isinstance(value, str):
        return str(value)
    return value


def coalesces(address: bytes) -> bool:
    """Return whether only the newest value of this address counts: a fader, or a pattern that fits faders alone."""
    try:
        path = address.decode("ascii")
        if is_pattern(path) and path not in REGISTRY:
            return all(_is_fader(resolve(hit, "1")) for hit in WRITABLE.matching(path))
        return _is_fader(resolve(path, "1"))
    except (UnknownControl, UnicodeDecodeError, BadPattern, TooManyHits):
        return False


def _is_fader(control: Control) -> bool:
    return control.kind is Kind.CONTINUOUS and control.is_writable and control.is_readable


def port_of(args: tuple[Argument, ...], default: int | None) -> int | None:
    """Return the port that /subscribe or /unsubscribe names. Raises ValueError."""
    if not args:
        return default
    port = args[0]
    if isinstance(port, bool) or not isinstance(port, int | float) or port != port // 1:
        raise ValueError("takes the port to send to as a whole number")
    if not 0 <= port <= 65_535:
        raise ValueError(f"a port is 0 to 65535, not {port:g}")
    return int(port)
