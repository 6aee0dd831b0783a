"""Automatic gain: tracks of any loudness come to the deck at one target, beside the trim.

    loudness of the track (analysis) --> target - loudness, at most LARGEST_DB either way --> DECK_AUTO_GAIN

Owner: the session task. Pure. A track whose loudness is not known plays as it is, until it is.
Units: LUFS, integrated over the track; decks count from 0.
"""

from typing import Final

from audio.commands import NOW, CommandKind
from audio.units import DECKS
from control.control import Value
from server.session.draft import Draft, Handler

TARGET: Final = "/mixer/auto_gain/target"
LARGEST_DB: Final = 12.0
UNKNOWN_LUFS: Final = -70.0
"""What the control of a track's loudness reads where nobody has measured it."""


def gain_db(target: float, loudness: float) -> float:
    """Return what brings a track of `loudness` to `target`, in dB; 0 where the loudness is not known."""
    if loudness <= UNKNOWN_LUFS:
        return 0.0
    return max(-LARGEST_DB, min(LARGEST_DB, target - loudness))


def follow(draft: Draft, deck: int, at: int = NOW) -> None:
    """Tell the engine what the deck's automatic gain is now."""
    path = f"/deck/{deck + 1}"
    decibels = 0.0
    if draft.controls[f"{path}/auto_gain"]:
        decibels = gain_db(float(draft.controls[TARGET]), float(draft.controls[f"{path}/track_loudness"]))
    draft.send(CommandKind.DECK_AUTO_GAIN, deck, 0, 10.0 ** (decibels / 20.0), at)


def measured(draft: Draft, deck: int, loudness: float | None) -> None:
    """Note the loudness of the track on a deck, None where nobody knows it."""
    draft.set(f"/deck/{deck + 1}/track_loudness", UNKNOWN_LUFS if loudness is None else loudness)
    if draft.controls[f"/deck/{deck + 1}/auto_gain"]:
        follow(draft, deck)


def _switch(deck: int) -> Handler:
    def switched(draft: Draft, value: Value, at: int) -> None:
        draft.set(f"/deck/{deck + 1}/auto_gain", value)
        follow(draft, deck, at)

    return switched


def _aim(draft: Draft, value: Value, at: int) -> None:
    draft.set(TARGET, value)
    for deck in range(DECKS):
        follow(draft, deck, at)


HANDLERS: Final[dict[str, Handler]] = {
    TARGET: _aim,
    **{f"/deck/{deck + 1}/auto_gain": _switch(deck) for deck in range(DECKS)},
}
"""What its controls do."""
