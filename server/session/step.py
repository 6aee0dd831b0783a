"""One step of the show: what an intent or a fact changes, and what it asks of the engine and the library.

Owner: the session task. Pure: no I/O, no clock; the same state and input give the same answer, so a show replays.
Units: seconds of the track in controls, track frames at the engine rate in commands; decks count from 0 here.

Rules a performer relies on:
- `rate` and `pitch_fader` agree: rate = 1 + fader x range. Writing `rate` moves the fader (to its end, where the rate
  lies beyond the range); the fader never takes the rate out of 0.25 to 4; a new range keeps the fader.
- `play` on a loading deck starts it when it is loaded; on an empty deck it is refused; at the end of the track it
  starts over. `stop` pauses and returns to the start.
- A deck plays on until the track loaded over it is there, then holds the new one, stopped unless `play` was sent
  meanwhile. A load that fails changes nothing that is heard.
- An intent with a time changes the show at once and the sound at that frame.
"""

from contextlib import suppress

from audio.commands import NOW
from control.control import BadValue, ControlError, check
from control.registry import REGISTRY, resolve
from server.session.controls import HANDLERS
from server.session.draft import Draft, Refuse
from server.session.effects import Effect
from server.session.facts import Fact
from server.session.happenings import FACTS
from server.session.intent import Intent, Refused
from server.session.rehearsing import keep_changed
from server.session.setlist_controls import hear, touched
from server.session.state import State


def step(state: State, event: Intent | Fact, now: float) -> tuple[State, tuple[Effect, ...]]:
    """Return the show after `event`, and what is to be done about it.

    `now` is the session's time in seconds; nothing here depends on it yet, replays pass the recorded one. Effects are
    in order; `Changed` comes last, and only if there is something to tell. Never raises for what came from outside:
    a bad intent gives `Refused` and the state it was given.
    """
    if not isinstance(event, Intent):
        draft = Draft(state)
        FACTS[type(event)](draft, event)
        hear(draft, event)
        _carry_out(draft)
        keep_changed(draft)
        return draft.result()
    try:
        control = resolve(event.path, str(state.controls["/session/focus"]))
        value = check(control, event.value)
    except ControlError as error:
        code = "bad_value" if isinstance(error, BadValue) else "unknown_control"
        return state, (Refused(code, str(error), event.path),)
    path = control.path
    draft = Draft(state)
    try:
        HANDLERS[path](draft, value, _frame(event.at))
        touched(draft, path, value)
        _carry_out(draft)
    except Refuse as refusal:
        draft = Draft(state)
        draft.effects.append(Refused(refusal.code, str(refusal), path))
        if control.is_state:
            draft.echo(path)
        return draft.result()
    if path in draft.controls and draft.controls[path] != event.value:
        draft.echo(path)
    keep_changed(draft)
    return draft.result()


def _carry_out(draft: Draft) -> None:
    """Set the controls that rules have asked for, each by its own rule; one that is refused is passed over."""
    while draft.wishes:
        wishes, draft.wishes = draft.wishes, []
        for wish in wishes:
            control = REGISTRY[wish.path]
            with suppress(ControlError, Refuse):
                HANDLERS[wish.path](draft, check(control, wish.value), wish.frame)


def _frame(at: int | None) -> int:
    """Return the frame of a command: NOW for none, and what a record can hold."""
    return NOW if at is None else max(NOW, min(at, 2**62))
