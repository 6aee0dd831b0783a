"""The rows of the sampler: the sixteen pads of the bank that is chosen, and the step sequencer.

Owner: nobody changes them at run time. Units: as each row says; seconds of the sample.
"""

from collections.abc import Iterator

from audio.units import BANKS, CHOKE_GROUPS, LONGEST_SAMPLE_S, PAD_MODES, PADS, STEPS
from control.control import VELOCITY, Access, Control, Curve, Kind, level, telemetry, toggle, trigger

PAD_STATES = ("empty", "loading", "ready", "failed")
QUANTIZE_BEATS = ("0", "0.25", "0.5", "1", "2", "4")
STEP_BEATS = ("1", "0.5", "0.333333", "0.25", "0.166667", "0.125")
"""Lengths of a step, in beats: quarter, eighth, its triplet, sixteenth, its triplet, thirty-second."""
NO_STEPS = "." * STEPS


def sampler_rows() -> Iterator[Control]:
    """Yield every row of the pads and of the sequencer."""
    banks = tuple(str(n) for n in range(1, BANKS + 1))
    yield Control("/pad/bank", Kind.CHOICE, "Bank of pads that all of /pad/N means", default="1", choices=banks)
    yield level("/pad/volume", "Volume of all pads")
    yield trigger("/pad/stop", "Let everything that pads play fade out; the sequencer goes on")
    for n in range(1, PADS + 1):
        yield from _pad_rows(n)
    yield from _sequencer_rows(banks)


def _pad_rows(n: int) -> Iterator[Control]:
    path, pad = f"/pad/{n}", f"pad {n}"
    yield Control(
        path, Kind.CONTINUOUS, f"Hit {pad}: how hard; 0 lets it go", VELOCITY, 0.0, 1.0, 0.0, access=Access.WRITE
    )
    yield trigger(f"{path}/stop", f"Let what {pad} plays fade out")
    yield Control(
        f"{path}/source",
        Kind.TEXT,
        f"What {pad} plays: a track's id, then #STEM for one stem, then @FROM-TO in seconds; empty for nothing",
        default="",
    )
    yield Control(
        f"{path}/take",
        Kind.TEXT,
        f"Put the loop of a deck on {pad}: the deck's number, then #STEM for one stem",
        default="",
        access=Access.WRITE,
    )
    yield Control(f"{path}/name", Kind.TEXT, f"What {pad} plays is called", default="", access=Access.READ)
    yield Control(
        f"{path}/status", Kind.CHOICE, f"Whether {pad} can be hit", default="empty", choices=PAD_STATES,
        access=Access.READ,
    )  # fmt: skip
    yield Control(
        f"{path}/duration", Kind.CONTINUOUS, f"Length of what {pad} plays", "s", 0.0, None, 0.0, access=Access.READ
    )
    yield Control(f"{path}/playing", Kind.TOGGLE, f"Whether {pad} sounds", "", 0, 1, 0, access=Access.READ)
    yield Control(
        f"{path}/mode", Kind.CHOICE, f"How {pad} plays: to its end, round until it is hit again, while it is held",
        default=PAD_MODES[0], choices=PAD_MODES,
    )  # fmt: skip
    yield Control(
        f"{path}/choke", Kind.CHOICE, f"Group in which {pad} and others silence each other; 0 is none", default="0",
        choices=tuple(str(group) for group in range(CHOKE_GROUPS + 1)),
    )  # fmt: skip
    yield level(f"{path}/gain", f"Volume of {pad}")
    yield toggle(f"{path}/pfl", f"Hear {pad} in the headphones alone, not in the master")
    yield Control(f"{path}/pan", Kind.CONTINUOUS, f"Balance of {pad}", "", -1.0, 1.0, 0.0, curve=Curve.CENTRED)
    yield Control(
        f"{path}/pitch", Kind.CONTINUOUS, f"Pitch of {pad}; its speed goes with it", "semitones", -24.0, 24.0, 0.0,
        curve=Curve.CENTRED,
    )  # fmt: skip
    yield Control(
        f"{path}/start", Kind.CONTINUOUS, f"Where in its sample {pad} begins", "s", 0.0, LONGEST_SAMPLE_S, 0.0
    )
    yield Control(
        f"{path}/end", Kind.CONTINUOUS, f"Where in its sample {pad} ends; 0 is the sample's own end", "s", 0.0,
        LONGEST_SAMPLE_S, 0.0,
    )  # fmt: skip
    yield Control(
        f"{path}/quantize", Kind.CHOICE, f"Beats on whose multiples {pad} sounds; 0 is at once", "beats", default="0",
        choices=QUANTIZE_BEATS,
    )  # fmt: skip


def _sequencer_rows(banks: tuple[str, ...]) -> Iterator[Control]:
    yield toggle(
        "/sequencer/run", "Run the step sequencer, on the beat of the deck that leads or at the session's tempo"
    )
    yield Control("/sequencer/bank", Kind.CHOICE, "Bank that the sequencer plays", default="1", choices=banks)
    yield Control("/sequencer/step_beats", Kind.CHOICE, "Length of a step", "beats", default="0.25", choices=STEP_BEATS)
    yield Control(
        "/sequencer/length", Kind.CHOICE, "Steps until the pattern begins again", default=str(STEPS),
        choices=tuple(str(n) for n in range(1, STEPS + 1)),
    )  # fmt: skip
    yield Control(
        "/sequencer/swing", Kind.CONTINUOUS, "Part of a step by which every second step comes late", "", 0.0, 0.5, 0.0
    )
    yield telemetry("/sequencer/position", "Step that sounds, from 1; 0 while the sequencer stands", "", 0.0, STEPS)
    yield trigger("/sequencer/clear", "Empty the pattern of the sequencer's bank")
    yield Control(
        "/sequencer/select", Kind.CHOICE, "Pad whose steps /sequencer/step/N are", default="1",
        choices=tuple(str(n) for n in range(1, PADS + 1)),
    )  # fmt: skip
    for n in range(1, STEPS + 1):
        yield Control(
            f"/sequencer/step/{n}", Kind.CONTINUOUS, f"How hard step {n} hits the selected pad; 0 is not at all",
            "", 0.0, 1.0, 0.0,
        )  # fmt: skip
    for n in range(1, PADS + 1):
        yield Control(
            f"/sequencer/pattern/{n}", Kind.TEXT,
            f"All steps of pad {n}, one sign each: a dot for none, 1 to 9 for how hard", default=NO_STEPS,
        )  # fmt: skip
