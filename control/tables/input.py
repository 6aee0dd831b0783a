"""The rows of the input: what a musician plays along, heard, and set right in time.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator
from typing import Final

from audio.units import INPUT_OUTPUTS
from control.control import Access, Control, Curve, Kind, telemetry, trigger

INPUT_STATES: Final = ("idle", "measuring")
LATEST_S: Final = 2.0
"""An input is never later than this."""


def input_rows() -> Iterator[Control]:
    """Yield every row of the input."""
    path = "/practice/input"
    yield telemetry(f"{path}/level", "Peak of the input", "gain", 0.0, None)
    yield Control(f"{path}/volume", Kind.CONTINUOUS, "Volume of the input where it is heard", "gain", 0.0, 1.0, 0.0,
                  curve=Curve.AUDIO)  # fmt: skip
    yield Control(f"{path}/output", Kind.CHOICE, "Where the input is heard", default=INPUT_OUTPUTS[0],
                  choices=INPUT_OUTPUTS)  # fmt: skip
    yield Control(
        f"{path}/latency", Kind.CONTINUOUS,
        "How long what is played takes to come back by the input, kept for each device; 0 believes the device", "s",
        0.0, LATEST_S, 0.0,
    )  # fmt: skip
    yield trigger(f"{path}/measure", "Play a short noise on the master, and set the latency by when the input hears it")
    yield Control(f"{path}/status", Kind.CHOICE, "Whether the latency is being measured", default=INPUT_STATES[0],
                  choices=INPUT_STATES, access=Access.READ)  # fmt: skip
