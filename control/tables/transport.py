"""The rows of a deck's transport: cues, loops, sync, grid, hands on the record.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator
from typing import Final

from audio.units import SESSION_TEMPO_BPM
from control.control import Access, Control, Curve, Kind, telemetry, toggle, trigger

HOTCUES: Final = 8


def _act(path: str, description: str, unit: str, minimum: float, maximum: float) -> Control:
    """Return a number that acts each time it is written and remembers nothing."""
    return Control(path, Kind.CONTINUOUS, description, unit, minimum, maximum, 0.0, access=Access.WRITE)


def _reading(path: str, description: str, unit: str = "s", default: float = -1.0) -> Control:
    return Control(path, Kind.CONTINUOUS, description, unit, -1.0, None, default, access=Access.READ)


def _place(path: str, description: str) -> Control:
    return Control(path, Kind.CONTINUOUS, description, "s", -1.0, None, -1.0)


def transport_rows(n: int) -> Iterator[Control]:
    """Yield the transport's rows of deck `n` (from 1)."""
    deck = f"/deck/{n}"
    yield trigger(f"{deck}/cue", f"Cue button of deck {n}: 1 pressed, 0 let go")
    yield _reading(f"{deck}/cue/position", f"Main cue of deck {n}", default=0.0)
    yield toggle(f"{deck}/quantize", f"What is done to deck {n} falls on its beat grid")
    yield _act(f"{deck}/beatjump", f"Jump deck {n} by this many beats, negative backwards", "beats", -1024.0, 1024.0)
    yield toggle(f"{deck}/sync", f"Deck {n} follows the leader's tempo and beats")
    yield toggle(f"{deck}/leader", f"Deck {n} leads; 0 leaves the choice to the engine")
    yield toggle(f"{deck}/slip", f"The track on deck {n} runs on under loops, reverse, scratches and held hot cues")
    yield toggle(f"{deck}/reverse", f"Deck {n} plays backwards")
    yield Control(
        f"{deck}/bend", Kind.CONTINUOUS, f"A push on the speed of deck {n} while it is held; full is 8 %", "",
        -1.0, 1.0, 0.0, curve=Curve.CENTRED,
    )  # fmt: skip
    yield _act(
        f"{deck}/jog", f"Turn the jog wheel of deck {n}: a nudge while it plays, the record while it stands", "turns",
        -4.0, 4.0,
    )  # fmt: skip
    yield trigger(f"{deck}/touch", f"A hand on the record of deck {n}: 1 laid on, 0 taken off")
    yield _act(
        f"{deck}/scratch", f"Where the hand has the record of deck {n}, from where it touched it", "s", -600.0, 600.0
    )
    yield trigger(f"{deck}/brake", f"Brake deck {n} to a stand; 0 lets go")
    yield trigger(f"{deck}/spinback", f"Spin deck {n} back to a stand; 0 lets go")
    yield from _loop_rows(n)
    for number in range(1, HOTCUES + 1):
        yield from _hotcue_rows(n, number)
    yield trigger(f"{deck}/memory/set", f"Keep the place of deck {n} as a memory point")
    yield trigger(f"{deck}/memory/next", f"Go to the next memory point of deck {n}")
    yield trigger(f"{deck}/memory/previous", f"Go to the memory point before on deck {n}")
    yield trigger(f"{deck}/memory/clear", f"Forget the memory point nearest to the place of deck {n}")
    yield from _grid_rows(n)


def _loop_rows(n: int) -> Iterator[Control]:
    loop, deck = f"/deck/{n}/loop", f"deck {n}"
    yield trigger(f"{loop}/in", f"The loop of {deck} begins here")
    yield trigger(f"{loop}/out", f"The loop of {deck} ends here and is on")
    yield toggle(f"{loop}/active", f"The loop of {deck} is on; 1 without a loop makes one of the beats last used")
    yield Control(
        f"{loop}/beats", Kind.CONTINUOUS, f"Write it to loop this many beats of {deck} from here", "beats",
        1 / 32, 64.0, 4.0,
    )  # fmt: skip
    yield trigger(f"{loop}/halve", f"Halve the loop of {deck}")
    yield trigger(f"{loop}/double", f"Double the loop of {deck}")
    yield _act(f"{loop}/move", f"Move the loop of {deck} by this many beats", "beats", -256.0, 256.0)
    yield trigger(f"{loop}/reloop", f"Leave the loop of {deck}, or go back to its beginning and turn it on")
    yield Control(
        f"{loop}/roll", Kind.CONTINUOUS, f"Loop this many beats of {deck} while the track runs on; 0 goes back to it",
        "beats", 0.0, 64.0, 0.0,
    )  # fmt: skip
    yield _place(f"{loop}/start", f"Where the loop of {deck} begins; write it to move that, -1 for no loop")
    yield _place(f"{loop}/end", f"Where the loop of {deck} ends; write it to move that, -1 for no loop")


def _hotcue_rows(n: int, number: int) -> Iterator[Control]:
    cue, of = f"/deck/{n}/hotcue/{number}", f"hot cue {number} of deck {n}"
    yield trigger(f"{cue}/go", f"Go to {of} and play, or set it where it is empty; 0 lets go")
    yield trigger(f"{cue}/set", f"Set {of} here, or on the loop that is on")
    yield trigger(f"{cue}/clear", f"Clear {of}")
    yield _reading(f"{cue}/position", f"Where {of} is; -1 where it is empty")
    yield _reading(f"{cue}/end", f"Where the loop of {of} ends; -1 where it is none")
    yield Control(f"{cue}/name", Kind.TEXT, f"Name of {of}", default="")
    yield Control(f"{cue}/color", Kind.TEXT, f"Colour of {of}, as #rrggbb", default="")


def _grid_rows(n: int) -> Iterator[Control]:
    grid, of = f"/deck/{n}/grid", f"the beat grid of deck {n}"
    yield _act(f"{grid}/shift", f"Move {of}", "s", -1.0, 1.0)
    yield trigger(f"{grid}/halve", f"Halve the tempo of {of}")
    yield trigger(f"{grid}/double", f"Double the tempo of {of}")
    yield trigger(f"{grid}/downbeat", f"The nearest beat of {of} begins a bar")
    yield trigger(f"{grid}/anchor", f"Move {of} so that its nearest beat is here")
    yield trigger(f"{grid}/tap", f"Tap {of}: from the fourth tap on it is made anew")
    yield trigger(f"{grid}/reset", f"Go back to the analysis for {of}")
    yield Control(
        f"{grid}/edited", Kind.TOGGLE, f"1 where {of} is the performer's own", "", 0, 1, 0, access=Access.READ
    )
    yield telemetry(
        f"/deck/{n}/beat", f"Place of deck {n} in its beat grid, from the first downbeat", "beats", 0.0, None
    )
    yield telemetry(f"/deck/{n}/tempo", f"Tempo of deck {n} at the speed it has; 0 without a grid", "bpm", 0.0, None)
    yield telemetry(f"/deck/{n}/phase", f"How far deck {n} is ahead of the leader's beat", "beats", -0.5, 0.5)


def stem_loop_rows(n: int, stem: str) -> Iterator[Control]:
    """Yield the rows of the loop of one stem on deck `n` (from 1)."""
    path, of = f"/deck/{n}/stem/{stem}/loop", f"the {stem} on deck {n}"
    yield toggle(f"{path}/active", f"Loop {of} alone, from here, while the other stems go on")
    yield Control(f"{path}/beats", Kind.CONTINUOUS, f"Length of the loop of {of}", "beats", 1 / 32, 64.0, 4.0)


def tempo_rows() -> Iterator[Control]:
    """Yield the rows of the session's tempo."""
    yield Control(
        "/session/tempo", Kind.CONTINUOUS,
        "Tempo of the session and its clocks, which is the leader's where one leads; write it to move the leader",
        "BPM", 20.0, 400.0, SESSION_TEMPO_BPM,
    )  # fmt: skip
