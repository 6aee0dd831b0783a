"""What a musician who practises does to a deck: loops by time, bar and section, and the speed trainer.

    loop comes round --LoopPassed--> passes counted --> next speed, sent ahead --> taken by the kernel at the next seam

Owner: nobody; pure functions over a draft. Nothing here knows a position.
Units: seconds of the track in controls, track frames in commands; speed as ratio; decks count from 0.
"""

from typing import Final

from audio.commands import NOW, CommandKind
from audio.units import DECKS
from control.control import Value
from server.practice import Pass, Section, name_of
from server.session.draft import Draft, Handler, Refuse
from server.session.effects import LogClean, LogPass
from server.session.marking import grid_on
from server.session.performing import kept, press, token_of
from server.session.rows import ROWS
from server.session.transport import Transport

_NEAR: Final = 1e-6


def put_loop(draft: Draft, deck: int, start_s: float, end_s: float, at: int, *, on: bool) -> None:
    """Give a deck this loop, on or off; an end that is not after the start is no loop. Raises Refuse."""
    token, rate, path = token_of(draft, deck), draft.engine_rate, f"/deck/{deck + 1}/loop"
    whole = end_s > start_s >= 0.0
    draft.send(CommandKind.LOOP_PUT, deck, 0, max(0.0, start_s) * rate, at, token, end_s * rate if whole else 0.0)
    if whole and on:
        draft.send(CommandKind.LOOP_ACTIVE, deck, 0, 1.0, at, token)
    draft.set(f"{path}/start", start_s)
    draft.set(f"{path}/end", end_s if whole else -1.0)
    draft.set(f"{path}/active", int(whole and on))
    note_loop(draft, deck)


def note_loop(draft: Draft, deck: int) -> None:
    """Begin to count the passes of another loop, and show which section it is."""
    show_section(draft, deck)
    draft.set(f"/deck/{deck + 1}/loop/passes", 0.0)
    draft.set(f"/deck/{deck + 1}/trainer/passes", 0.0)
    if draft.controls[f"/deck/{deck + 1}/trainer/on"]:
        aim(draft, deck)


def show_section(draft: Draft, deck: int) -> None:
    """Show which section the loop is."""
    draft.set(f"/deck/{deck + 1}/loop/section", float(_section_looped(draft, deck)[0]))


def _section_looped(draft: Draft, deck: int) -> tuple[int, str]:
    path = f"/deck/{deck + 1}/loop"
    start_s, end_s = float(draft.controls[f"{path}/start"]), float(draft.controls[f"{path}/end"])
    return name_of(draft.decks[deck].rehearsal.sections, start_s, end_s)


def _typed(deck: int, which: str) -> Handler:
    """Type the beginning or the end of the loop."""
    path = f"/deck/{deck + 1}/loop"

    def handler(draft: Draft, value: Value, at: int) -> None:
        token_of(draft, deck)
        seconds = min(float(value), float(draft.controls[f"/deck/{deck + 1}/duration"]))
        start_s, end_s = float(draft.controls[f"{path}/start"]), float(draft.controls[f"{path}/end"])
        if seconds < 0.0:
            put_loop(draft, deck, -1.0, -1.0, at, on=False)
        elif which == "start":
            put_loop(draft, deck, seconds, end_s, at, on=bool(draft.controls[f"{path}/active"]))
        elif seconds <= start_s:
            raise Refuse("bad_value", f"The loop of deck {deck + 1} begins at {start_s:g} s and ends after that")
        else:
            put_loop(draft, deck, max(0.0, start_s), seconds, at, on=bool(draft.controls[f"{path}/active"]))

    return handler


def _go_round(draft: Draft, deck: int, start_s: float, end_s: float, at: int) -> None:
    """Loop from one place to another and go there."""
    put_loop(draft, deck, start_s, min(end_s, float(draft.controls[f"/deck/{deck + 1}/duration"])), at, on=True)
    draft.send(CommandKind.LOOP_AGAIN, deck, 0, 1.0, at, draft.decks[deck].token)
    draft.remember(deck, at_end=False)


def section_of(draft: Draft, deck: int, number: int) -> Section:
    """Return a section by its number, from 1. Raises Refuse."""
    sections = draft.decks[deck].rehearsal.sections
    if not sections:
        raise Refuse("no_sections", f"The track on deck {deck + 1} has no sections yet: analyse it first")
    if not 1 <= number <= len(sections):
        raise Refuse("no_sections", f"The track on deck {deck + 1} has the sections 1 to {len(sections)}, not {number}")
    return sections[number - 1]


def _section(deck: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        token_of(draft, deck)
        number = round(float(value))
        if number == 0:
            put_loop(draft, deck, -1.0, -1.0, at, on=False)
            return
        section = section_of(draft, deck, number)
        _go_round(draft, deck, section.start_s, section.end_s, at)

    return handler


def _bar(deck: int) -> Handler:
    """Loop from a bar on, which the grid says where it is."""
    path = f"/deck/{deck + 1}"

    def handler(draft: Draft, value: Value, at: int) -> None:
        token_of(draft, deck)
        grid = grid_on(draft, deck)
        if grid is None:
            raise Refuse("no_grid", f"Deck {deck + 1} has no beat grid yet: analyse its track, or tap one")
        beats = round(float(draft.controls[f"{path}/click/bar"]))
        bars = round(float(draft.controls[f"{path}/loop/bars"]))
        first = (round(float(value)) - 1) * beats
        start_s, end_s = grid.place_of(first), grid.place_of(first + bars * beats)
        if start_s >= float(draft.controls[f"{path}/duration"]):
            raise Refuse("bad_value", f"The track on deck {deck + 1} ends before bar {round(float(value))}")
        _go_round(draft, deck, max(0.0, start_s), end_s, at)

    return handler


def _bars(deck: int) -> Handler:
    loop = kept(f"/deck/{deck + 1}/loop/bars", CommandKind.LOOP_BARS, deck)

    def handler(draft: Draft, value: Value, at: int) -> None:
        token_of(draft, deck)
        if grid_on(draft, deck) is None:
            raise Refuse("no_grid", f"Deck {deck + 1} has no beat grid yet: analyse its track, or tap one")
        loop(draft, float(round(float(value))), at)

    return handler


def _again(deck: int) -> Handler:
    begin, play = press(CommandKind.LOOP_AGAIN, deck), Transport(deck).play

    def handler(draft: Draft, value: Value, at: int) -> None:
        if value:
            begin(draft, value, at)
            draft.remember(deck, at_end=False)
            play(draft, 1, at)

    return handler


# --- the trainer -----------------------------------------------------------------------------------------------------


def _stepped(draft: Draft, deck: int, back: bool = False) -> float:
    """Return the speed one step on, or back; 0 where there is none."""
    path = f"/deck/{deck + 1}"
    now, step = float(draft.controls[f"{path}/rate"]), float(draft.controls[f"{path}/trainer/step"])
    goal = float(draft.controls[f"{path}/trainer/{'start' if back else 'stop'}"])
    if abs(goal - now) < _NEAR:
        return 0.0
    return round(now + max(-step, min(step, goal - now)), 6)


def _arm(draft: Draft, deck: int, rate: float, at: int = NOW) -> None:
    """Send the speed of the next pass ahead, 0 for the same."""
    draft.set(f"/deck/{deck + 1}/trainer/next", rate)
    draft.send(CommandKind.PASS_RATE, deck, 0, rate, at, draft.decks[deck].token)


def aim(draft: Draft, deck: int, at: int = NOW) -> None:
    """Work out the speed of the next pass from the passes made."""
    path = f"/deck/{deck + 1}/trainer"
    due = float(draft.controls[f"{path}/passes"]) + 1 >= round(float(draft.controls[f"{path}/every"]))
    counts = draft.controls[f"{path}/by"] == "passes"
    _arm(draft, deck, _stepped(draft, deck) if due and counts else 0.0, at)


def _switch(deck: int) -> Handler:
    path = f"/deck/{deck + 1}"

    def handler(draft: Draft, value: Value, at: int) -> None:
        if not value and not draft.decks[deck].token:
            draft.set(f"{path}/trainer/on", 0)
            return
        token_of(draft, deck)
        if value and draft.controls[f"{path}/sync"]:
            raise Refuse("in_sync", f"Deck {deck + 1} follows another tempo: turn its sync off to train the speed")
        draft.set(f"{path}/trainer/on", value)
        draft.set(f"{path}/trainer/passes", 0.0)
        if not value:
            _arm(draft, deck, 0.0, at)
            return
        ROWS[f"{path}/keylock"].apply(draft, 1, at)
        Transport(deck).rate(draft, draft.controls[f"{path}/trainer/start"], at)
        aim(draft, deck, at)
        if not draft.controls[f"{path}/loop/active"]:
            text = f"The trainer of deck {deck + 1} waits for a loop: it counts how often that comes round"
            draft.notice("info", "no_loop", text, f"{path}/trainer/on")

    return handler


def _setting(deck: int, path: str) -> Handler:
    """Change what the trainer goes by, while it trains too."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        draft.set(path, value)
        if draft.controls[f"/deck/{deck + 1}/trainer/on"]:
            aim(draft, deck, at)

    return handler


def _judged(deck: int, *, clean: bool) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        if not value:
            return
        path = f"/deck/{deck + 1}/trainer"
        if not draft.controls[f"{path}/on"]:
            raise Refuse("trainer_off", f"The speed trainer of deck {deck + 1} is off: turn {path}/on first")
        if clean and draft.decks[deck].practised:
            draft.effects.append(LogClean(draft.decks[deck].track_id, _this_pass(draft, deck)))
        _arm(draft, deck, _stepped(draft, deck, back=not clean), at)

    return handler


def _this_pass(draft: Draft, deck: int) -> Pass:
    path = f"/deck/{deck + 1}"
    start_s, end_s = float(draft.controls[f"{path}/loop/start"]), float(draft.controls[f"{path}/loop/end"])
    return Pass(start_s, end_s, round(float(draft.controls[f"{path}/rate"]), 4), _section_looped(draft, deck)[1])


def loop_passed(draft: Draft, deck: int, *, stepped: bool) -> None:
    """Count a pass, and aim at the next."""
    path = f"/deck/{deck + 1}"
    draft.set(f"{path}/loop/passes", float(draft.controls[f"{path}/loop/passes"]) + 1.0)
    if draft.decks[deck].practised:
        draft.effects.append(LogPass(draft.decks[deck].track_id, _this_pass(draft, deck)))
    if not draft.controls[f"{path}/trainer/on"]:
        return
    if stepped:
        # What the kernel has taken; it says so itself right after.
        show_rate(draft, deck, float(draft.controls[f"{path}/trainer/next"]) or float(draft.controls[f"{path}/rate"]))
    draft.set(f"{path}/trainer/passes", 0.0 if stepped else float(draft.controls[f"{path}/trainer/passes"]) + 1.0)
    aim(draft, deck)


def show_rate(draft: Draft, deck: int, rate: float) -> None:
    """Show a speed that the kernel has taken, on the fader too."""
    path = f"/deck/{deck + 1}"
    reach = float(draft.controls[f"{path}/pitch_range"])
    draft.set(f"{path}/rate", rate)
    draft.set(f"{path}/pitch_fader", max(-1.0, min(1.0, (rate - 1.0) / reach)))


def _deck_handlers(deck: int) -> dict[str, Handler]:
    path = f"/deck/{deck + 1}"
    handlers = {
        f"{path}/loop/start": _typed(deck, "start"),
        f"{path}/loop/end": _typed(deck, "end"),
        f"{path}/loop/section": _section(deck),
        f"{path}/loop/bars": _bars(deck),
        f"{path}/loop/bar": _bar(deck),
        f"{path}/loop/again": _again(deck),
        f"{path}/trainer/on": _switch(deck),
        f"{path}/trainer/clean": _judged(deck, clean=True),
        f"{path}/trainer/missed": _judged(deck, clean=False),
    }
    for name in ("start", "stop", "step", "every", "by"):
        handlers[f"{path}/trainer/{name}"] = _setting(deck, f"{path}/trainer/{name}")
    return handlers


PRACTISING: Final[dict[str, Handler]] = {
    path: handler for deck in range(DECKS) for path, handler in _deck_handlers(deck).items()
}
"""What each of these controls does."""
