"""Where stems are mute: stretches of the track, kept as a text in a control, and sent to the kernel whole.

Owner: nobody; pure functions over a draft.
Units: seconds of the track in controls, track frames in commands; decks and slots count from 0.
"""

from collections.abc import Callable
from typing import Final

from audio.commands import NOW, CommandKind
from audio.units import DECKS, STEMS
from control.control import Value
from server.practice import BadRegion, Region, joined, read_regions, write_regions
from server.session.draft import Draft, Handler, Refuse
from server.session.performing import token_of
from server.session.practising import section_of


def _path(deck: int, slot: int) -> str:
    return f"/deck/{deck + 1}/stem/{STEMS[slot]}/mutes"


def put_mutes(draft: Draft, deck: int, slot: int, regions: tuple[Region, ...], at: int = NOW) -> None:
    """Let a stem be mute there and nowhere else. Raises Refuse."""
    token, rate = token_of(draft, deck), draft.engine_rate
    draft.set(_path(deck, slot), write_regions(regions))
    draft.send(CommandKind.MUTES_CLEAR, deck, slot, 0.0, at, token)
    for start_s, end_s in regions:
        start, end = float(round(start_s * rate)), float(round(end_s * rate))
        draft.send(CommandKind.MUTE_ADD, deck, slot, start, at, token, end)


Change = Callable[[Draft, tuple[Region, ...], Value], tuple[Region, ...]]


def _edit(deck: int, slot: int, change: Change, *, button: bool = False) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        if button and not value:
            return
        token_of(draft, deck)
        try:
            regions = change(draft, read_regions(str(draft.controls[_path(deck, slot)])), value)
        except BadRegion as error:
            raise Refuse("bad_value", str(error)) from error
        put_mutes(draft, deck, slot, regions, at)

    return handler


def _looped(deck: int) -> Change:
    def change(draft: Draft, regions: tuple[Region, ...], value: Value) -> tuple[Region, ...]:
        path = f"/deck/{deck + 1}/loop"
        start_s, end_s = float(draft.controls[f"{path}/start"]), float(draft.controls[f"{path}/end"])
        if end_s <= start_s:
            raise Refuse("no_loop", f"Deck {deck + 1} has no loop: set its beginning and its end first")
        return joined((*regions, (start_s, end_s)))

    return change


def _in_section(deck: int) -> Change:
    def change(draft: Draft, regions: tuple[Region, ...], value: Value) -> tuple[Region, ...]:
        section = section_of(draft, deck, round(float(value)))
        return joined((*regions, (section.start_s, section.end_s)))

    return change


def _without(draft: Draft, regions: tuple[Region, ...], value: Value) -> tuple[Region, ...]:
    return tuple(region for region in regions if not region[0] <= float(value) < region[1])


def _stem_handlers(deck: int, slot: int) -> dict[str, Handler]:
    path = _path(deck, slot)
    return {
        path: _edit(deck, slot, lambda draft, regions, value: read_regions(str(value))),
        f"{path}/add": _edit(deck, slot, lambda draft, regions, value: joined((*regions, *read_regions(str(value))))),
        f"{path}/loop": _edit(deck, slot, _looped(deck), button=True),
        f"{path}/section": _edit(deck, slot, _in_section(deck)),
        f"{path}/remove": _edit(deck, slot, _without),
        f"{path}/clear": _edit(deck, slot, lambda draft, regions, value: (), button=True),
    }


MUTING: Final[dict[str, Handler]] = {
    path: handler
    for deck in range(DECKS)
    for slot in range(len(STEMS))
    for path, handler in _stem_handlers(deck, slot).items()
}
"""What each of these controls does."""
