"""An OSC message in words: what it says, and which control it moves.

Owner: the monitors. Pure.
Units: as in the message.
"""

from control.control import ControlError, UnknownControl, check
from control.osc_codec import IMMEDIATELY, OscMessage, unix_of
from control.osc_pattern import Addresses, BadPattern, TooManyHits, is_pattern
from control.registry import ALIASES, REGISTRY, resolve

FOR_THE_SERVER = ("/subscribe", "/unsubscribe", "/ping", "/monitor")
"""Addresses that are no controls."""

_ADDRESSES = Addresses([*REGISTRY, *ALIASES])


def words(message: OscMessage, focus: str = "1") -> str:
    """Return one line: address, arguments, time if it is for later, and what it does with deck `focus` in focus."""
    args = " ".join(value_words(arg) for arg in message.args)
    at = "" if message.timetag <= IMMEDIATELY else f"  at {unix_of(message.timetag):.3f}"
    return f"{message.address} {args}{at}  ->  {effect(message, focus)}"


def effect(message: OscMessage, focus: str = "1") -> str:
    """Return what a message does."""
    if message.address in FOR_THE_SERVER:
        return "for the server itself"
    if is_pattern(message.address) and message.address not in REGISTRY:
        try:
            hits = _ADDRESSES.matching(message.address)
        except (BadPattern, TooManyHits) as error:
            return f"refused: {error}"
        shown = ", ".join(hits[:3]) + (" ..." if len(hits) > 3 else "")
        return f"{len(hits)} controls: {shown}" if hits else "no control fits"
    try:
        control = resolve(message.address, focus)
        value = check(control, message.args[0] if message.args else 1)
    except UnknownControl as error:
        return str(error)
    except ControlError as error:
        return f"refused: {error}"
    alias = "" if message.address in REGISTRY else " (of the deck that has the focus)"
    return f"{control.path} {value_words(value)}{alias}"


def value_words(value: object) -> str:
    """Return an argument in words."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return f"[{' '.join(map(value_words, value))}]"
    return (
        f"{len(value)} bytes"
        if isinstance(value, bytes)
        else repr(str(value))
        if isinstance(value, str)
        else str(value)
    )
