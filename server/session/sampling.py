"""Pads and sequencer: what their controls do to the show, and what is told of them.

    /pad/N/... of the bank that is chosen --> Pad in the show's memory --> commands --> kernel
                                                     '--> SaveBank --> library

Owner: nobody; tables. Pure. The show remembers every bank; the controls show the one that is chosen.
Units: seconds of the sample in controls, frames at the engine rate in commands; banks and pads count from 0.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from audio.commands import NOW, CommandKind
from audio.units import BANKS, PAD_MODES, PADS, STEPS
from control.control import Value
from server.pads import NO_STEPS, Pad, PadSource, read_deck, read_source, read_steps, sign_of, velocity_of
from server.session import facts
from server.session.draft import Draft, Handler, Refuse
from server.session.effects import LoadPad, SaveBank
from server.session.state import State


@dataclass(frozen=True, slots=True)
class _Param:
    """A number of a pad: where it is kept, and which command carries it."""

    attribute: str
    kind: CommandKind
    convert: Callable[[Value, int], float] = lambda value, rate: float(value)


def _frames(value: Value, rate: int) -> float:
    return float(round(float(value) * rate))


_PARAMS: Final[Mapping[str, _Param]] = {
    "mode": _Param("mode", CommandKind.PAD_MODE, lambda value, rate: float(PAD_MODES.index(str(value)))),
    "choke": _Param("choke", CommandKind.PAD_CHOKE),
    "gain": _Param("gain", CommandKind.PAD_GAIN),
    "pfl": _Param("pfl", CommandKind.PAD_PFL),
    "pan": _Param("pan", CommandKind.PAD_PAN),
    "pitch": _Param("pitch", CommandKind.PAD_PITCH),
    "start": _Param("start_s", CommandKind.PAD_START, _frames),
    "end": _Param("end_s", CommandKind.PAD_END, _frames),
    "quantize": _Param("quantize", CommandKind.PAD_QUANTIZE),
}

_SHOWN: Final[Mapping[str, str]] = {
    "source": "source",
    "name": "name",
    "status": "status",
    "duration": "duration_s",
    **{name: param.attribute for name, param in _PARAMS.items()},
}
"""What of a pad the controls show, and where it is kept."""

_OF_BANK: Final = frozenset(
    [f"/pad/{pad}/{part}" for pad in range(1, PADS + 1) for part in (*_SHOWN, "playing")]
    + [f"/sequencer/step/{step}" for step in range(1, STEPS + 1)]
    + [f"/sequencer/pattern/{pad}" for pad in range(1, PADS + 1)]
)


_AT_REST: Final = Pad()


def belongs_to_bank(path: str) -> bool:
    """Say whether a control shows what the banks hold, which is kept with them."""
    return path in _OF_BANK


def _bank(draft: Draft) -> int:
    return int(draft.controls["/pad/bank"]) - 1


def _pattern_bank(draft: Draft) -> int:
    return int(draft.controls["/sequencer/bank"]) - 1


def _hold(draft: Draft, place: int, pad: Pad) -> None:
    """Keep a pad, and show it if its bank is chosen."""
    draft.pads = (*draft.pads[:place], pad, *draft.pads[place + 1 :])
    if place // PADS == _bank(draft):
        _show(draft, place % PADS, pad)


def _show(draft: Draft, number: int, pad: Pad) -> None:
    for name, attribute in _SHOWN.items():
        draft.set(f"/pad/{number + 1}/{name}", getattr(pad, attribute))


def _save(draft: Draft, bank: int) -> None:
    draft.effects.append(SaveBank(bank, draft.pads[bank * PADS : (bank + 1) * PADS]))


def _show_sounding(draft: Draft) -> None:
    mask = draft.sounding[_bank(draft)]
    for number in range(PADS):
        draft.set(f"/pad/{number + 1}/playing", mask >> number & 1)


def _show_steps(draft: Draft) -> None:
    selected = int(draft.controls["/sequencer/select"]) - 1
    first = _pattern_bank(draft) * PADS
    for number in range(PADS):
        draft.set(f"/sequencer/pattern/{number + 1}", draft.pads[first + number].steps)
    for step, sign in enumerate(draft.pads[first + selected].steps, start=1):
        draft.set(f"/sequencer/step/{step}", velocity_of(sign))


def _choose_bank(draft: Draft, value: Value, at: int) -> None:
    draft.set("/pad/bank", value)
    first = _bank(draft) * PADS
    for number in range(PADS):
        _show(draft, number, draft.pads[first + number])
    _show_sounding(draft)


# --- one pad ---------------------------------------------------------------------------------------------------------


def _hit(number: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        bank = _bank(draft)
        pad = draft.pads[bank * PADS + number]
        if float(value) > 0.0 and pad.status != "ready" and not pad.name:
            raise Refuse("pad_empty", f"Pad {number + 1} of bank {bank + 1} is silent: nothing is loaded on it")
        draft.send(CommandKind.PAD_HIT, bank, number, float(value), at)

    return handler


def _stop(number: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        if value:
            draft.send(CommandKind.PAD_STOP, _bank(draft), number, 0.0, at)

    return handler


def _set(number: int, param: _Param) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        bank = _bank(draft)
        place = bank * PADS + number
        if getattr(draft.pads[place], param.attribute) != value:
            changed: dict[str, Any] = {param.attribute: value}
            _hold(draft, place, replace(draft.pads[place], **changed))
            _save(draft, bank)
        draft.send(param.kind, bank, number, param.convert(value, draft.engine_rate), at)

    return handler


def put_source(draft: Draft, bank: int, number: int, text: str) -> None:
    """Let a pad play something else, or nothing. Raises Refuse."""
    place = bank * PADS + number
    if not text.strip():
        kept = replace(draft.pads[place], source="", name="", status="empty", duration_s=0.0, loading=0, wanted="")
        _hold(draft, place, replace(kept, start_s=0.0, end_s=0.0))
        _load(draft, place, "", 0)
        _send_pad(draft, place)
        _save(draft, bank)
        return
    try:
        source = str(read_source(text))
    except ValueError as fault:
        raise Refuse("bad_value", str(fault)) from fault
    _load(draft, place, source, draft.next_token)
    draft.next_token += 1


def _load(draft: Draft, place: int, source: str, token: int) -> None:
    if token:
        _hold(draft, place, replace(draft.pads[place], status="loading", loading=token, wanted=source))
    if draft.connected:
        draft.effects.append(LoadPad(place // PADS, place % PADS, token, source))


def _source(number: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        put_source(draft, _bank(draft), number, str(value))
        draft.echo(f"/pad/{number + 1}/source")

    return handler


def _take(number: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        try:
            deck, stem = read_deck(str(value))
        except ValueError as fault:
            raise Refuse("bad_value", str(fault)) from fault
        path = f"/deck/{deck + 1}"
        track_id = draft.decks[deck].track_id
        start_s, end_s = float(draft.controls[f"{path}/loop/start"]), float(draft.controls[f"{path}/loop/end"])
        if not track_id or end_s <= start_s or start_s < 0.0:
            raise Refuse("no_loop", f"Deck {deck + 1} has no loop: set one first, then put it on the pad")
        bank = _bank(draft)
        put_source(draft, bank, number, str(PadSource(track_id, stem, start_s, end_s)))
        place = bank * PADS + number
        _hold(draft, place, replace(draft.pads[place], mode="loop", start_s=0.0, end_s=0.0))
        _send_pad(draft, place)

    return handler


# --- sequencer -------------------------------------------------------------------------------------------------------


def _put_steps(draft: Draft, number: int, steps: str, at: int) -> None:
    bank = _pattern_bank(draft)
    place = bank * PADS + number
    before = draft.pads[place].steps
    if steps == before:
        return
    draft.pads = (*draft.pads[:place], replace(draft.pads[place], steps=steps), *draft.pads[place + 1 :])
    _show_steps(draft)
    _save(draft, bank)
    for step, sign in enumerate(steps):
        if sign != before[step]:
            draft.send(CommandKind.SEQUENCER_SET, bank, number, float(step), at, 0, velocity_of(sign))


def _pattern(number: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        try:
            _put_steps(draft, number, read_steps(str(value)), at)
        except ValueError as fault:
            raise Refuse("bad_value", str(fault)) from fault
        draft.echo(f"/sequencer/pattern/{number + 1}")

    return handler


def _step(step: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        number = int(draft.controls["/sequencer/select"]) - 1
        steps = draft.pads[_pattern_bank(draft) * PADS + number].steps
        _put_steps(draft, number, steps[:step] + sign_of(float(value)) + steps[step + 1 :], at)
        draft.echo(f"/sequencer/step/{step + 1}")

    return handler


def _clear(draft: Draft, value: Value, at: int) -> None:
    if value:
        for number in range(PADS):
            _put_steps(draft, number, NO_STEPS, at)


def _select(draft: Draft, value: Value, at: int) -> None:
    draft.set("/sequencer/select", value)
    _show_steps(draft)


def _choose_pattern(draft: Draft, value: Value, at: int) -> None:
    draft.set("/sequencer/bank", value)
    draft.send(CommandKind.SEQUENCER_BANK, 0, 0, float(_pattern_bank(draft)), at)
    _show_steps(draft)


def _stop_all(draft: Draft, value: Value, at: int) -> None:
    if value:
        draft.send(CommandKind.SAMPLER_STOP, 0, 0, 0.0, at)


def _handlers() -> dict[str, Handler]:
    table: dict[str, Handler] = {
        "/pad/bank": _choose_bank,
        "/pad/stop": _stop_all,
        "/sequencer/bank": _choose_pattern,
        "/sequencer/select": _select,
        "/sequencer/clear": _clear,
    }
    for number in range(PADS):
        path = f"/pad/{number + 1}"
        table[path] = _hit(number)
        table[f"{path}/stop"] = _stop(number)
        table[f"{path}/source"] = _source(number)
        table[f"{path}/take"] = _take(number)
        table.update({f"{path}/{name}": _set(number, param) for name, param in _PARAMS.items()})
        table[f"/sequencer/pattern/{number + 1}"] = _pattern(number)
    for step in range(STEPS):
        table[f"/sequencer/step/{step + 1}"] = _step(step)
    return table


SAMPLING: Final = _handlers()
"""What the controls of pads and sequencer do."""


# --- facts -----------------------------------------------------------------------------------------------------------


def _wanted(draft: Draft, fact: facts.PadWanted) -> None:
    try:
        put_source(draft, fact.bank, fact.pad, fact.source)
    except Refuse as fault:
        draft.notice("error", fault.code, str(fault), f"/pad/{fact.pad + 1}/source")


def _loaded(draft: Draft, fact: facts.PadLoaded) -> None:
    place = fact.bank * PADS + fact.pad
    pad = draft.pads[place]
    if fact.token != pad.loading:
        return
    fresh = fact.source != pad.source
    kept = replace(pad, source=fact.source, name=fact.name, status="ready", duration_s=fact.duration_s)
    kept = replace(kept, loading=0, wanted="")
    if fresh:
        kept = replace(kept, start_s=0.0, end_s=0.0)
    _hold(draft, place, kept)
    _send_pad(draft, place)
    if kept.source != pad.source or kept.name != pad.name:
        _save(draft, fact.bank)


def _load_failed(draft: Draft, fact: facts.PadLoadFailed) -> None:
    place = fact.bank * PADS + fact.pad
    pad = draft.pads[place]
    if fact.token != pad.loading:
        return
    # What it played before it still plays.
    _hold(draft, place, replace(pad, status="ready" if pad.duration_s > 0.0 else "failed", loading=0, wanted=""))
    draft.notice("error", fact.code, fact.message, f"/pad/{fact.pad + 1}/source")


def _sounding(draft: Draft, fact: facts.PadsSounding) -> None:
    draft.sounding = fact.masks
    _show_sounding(draft)


def _send_pad(draft: Draft, place: int) -> None:
    """Tell the engine all numbers of a pad."""
    pad = draft.pads[place]
    for param in _PARAMS.values():
        a = param.convert(getattr(pad, param.attribute), draft.engine_rate)
        draft.send(param.kind, place // PADS, place % PADS, a)


def meet_sampler(draft: Draft) -> None:
    """Bring pads and patterns to an engine that has just come."""
    draft.sounding = (0,) * BANKS
    _show_sounding(draft)
    draft.send(CommandKind.SEQUENCER_BANK, 0, 0, float(_pattern_bank(draft)))
    for place, pad in enumerate(draft.pads):
        if any(getattr(pad, param.attribute) != getattr(_AT_REST, param.attribute) for param in _PARAMS.values()):
            _send_pad(draft, place)
        for step, sign in enumerate(pad.steps):
            if sign != ".":
                bank, number = place // PADS, place % PADS
                draft.send(CommandKind.SEQUENCER_SET, bank, number, float(step), NOW, 0, velocity_of(sign))
        if pad.wanted or pad.source:
            _load(draft, place, pad.wanted or pad.source, draft.next_token)
            draft.next_token += 1


SAMPLING_HEARD: Final[dict[type, Callable[[Draft, Any], None]]] = {
    facts.PadWanted: _wanted,
    facts.PadLoaded: _loaded,
    facts.PadLoadFailed: _load_failed,
    facts.PadsSounding: _sounding,
}
"""What each kind of fact about pads does."""


def lines_of(state: State) -> Iterator[tuple[str, Value]]:
    """Yield what a fresh show has to be told, in order, to hold the same pads and patterns."""
    for bank in range(BANKS):
        pads = state.pads[bank * PADS : (bank + 1) * PADS]
        if all(pad == _AT_REST for pad in pads):
            continue
        yield "/pad/bank", str(bank + 1)
        yield "/sequencer/bank", str(bank + 1)
        for number, pad in enumerate(pads, start=1):
            if pad.wanted or pad.source:
                yield f"/pad/{number}/source", pad.wanted or pad.source
            for name, param in _PARAMS.items():
                value = getattr(pad, param.attribute)
                if value != getattr(_AT_REST, param.attribute):
                    yield f"/pad/{number}/{name}", value
            if pad.steps != NO_STEPS:
                yield f"/sequencer/pattern/{number}", pad.steps
    for path in ("/pad/bank", "/sequencer/bank"):
        yield path, state.controls[path]


def with_pads(state: State, pads: tuple[Pad, ...]) -> State:
    """Return the show with these pads, BANKS x PADS of them, as they were kept; none is loaded yet."""
    draft = Draft(state)
    draft.pads = tuple(replace(pad, status="loading" if pad.source else "empty", loading=0, wanted="") for pad in pads)
    _choose_bank(draft, draft.controls["/pad/bank"], NOW)
    _show_steps(draft)
    return replace(draft.result()[0], rev=state.rev)
