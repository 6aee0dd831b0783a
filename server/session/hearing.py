"""What the kernel reports, as facts: one table for the live engine and for the offline renderer.

Owner: the caller. Pure.
Units: track frames at the engine rate in events, seconds of the track in facts; slots count from 0.
"""

from typing import Any

from audio.commands import EventKind
from audio.units import DECKS
from server.session import facts


def fact_of(event: Any, rate: int) -> facts.Fact | None:
    """Return what one EVENT record means to the show; None where it means nothing."""
    kind, deck, slot, token = int(event["kind"]), int(event["deck"]), int(event["slot"]), int(event["token"])
    at_s, to_s = float(event["a"]) / rate, float(event["b"]) / rate
    match kind:
        case EventKind.DECK_ENDED:
            return facts.DeckEnded(deck, token, at_s)
        case EventKind.PLACE_TOLD:
            return facts.PlaceTold(deck, token, slot, at_s, int(event["frame"]))
        case EventKind.PLAY_CHANGED:
            return facts.PlayChanged(deck, token, bool(event["a"]), to_s)
        case EventKind.CUE_MOVED:
            return facts.CueMoved(deck, token, at_s)
        case EventKind.HOTCUE_STORED:
            return facts.HotcueStored(deck, token, slot, at_s, to_s if to_s > at_s else None)
        case EventKind.HOTCUE_CLEARED:
            return facts.HotcueCleared(deck, token, slot)
        case EventKind.LOOP_CHANGED:
            return facts.LoopChanged(deck, token, bool(slot & 1), bool(slot & 2), at_s, to_s)
        case EventKind.LOOP_PASSED:
            return facts.LoopPassed(deck, token, at_s, to_s, bool(slot & 1))
        case EventKind.MEMORY_STORED:
            return facts.MemoryStored(deck, token, at_s)
        case EventKind.MEMORY_CLEARED:
            return facts.MemoryCleared(deck, token, at_s)
        case EventKind.LEADER_CHANGED:
            return facts.LeaderChanged(slot if slot < DECKS else None)
        case EventKind.RATE_FOLLOWED:
            return facts.RateFollowed(deck, token, float(event["a"]))
        case EventKind.STEM_LOOP_CHANGED:
            return facts.StemLoopChanged(deck, token, slot, to_s > at_s)
        case _:
            return None
