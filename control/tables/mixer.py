"""The rows of the mixer.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from audio.units import CROSSFADER_CURVES, RECORDED
from control.control import Access, Control, Curve, Kind, level, telemetry, toggle


def mixer_rows() -> Iterator[Control]:
    """Yield every row of the mixer."""
    yield Control(
        "/mixer/crossfader",
        Kind.CONTINUOUS,
        "Crossfader; -1 is only the left side",
        "",
        -1.0,
        1.0,
        0.0,
        curve=Curve.CENTRED,
    )
    yield Control(
        "/mixer/crossfader/curve",
        Kind.CHOICE,
        "Law of the crossfader",
        default="constant_power",
        choices=CROSSFADER_CURVES,
    )
    yield level("/mixer/master", "Master level")
    yield toggle("/mixer/record", "Record the master, and the buses that are armed, to files")
    for bus in RECORDED:
        text = f"Arm {bus}: the next recording has a file of it beside the master, on the same frames"
        yield toggle(f"/mixer/record/bus/{bus}", text)
    yield Control(
        "/mixer/record/file", Kind.TEXT, "Name of the recording, or of the last one", default="", access=Access.READ
    )
    yield telemetry("/mixer/record/seconds", "Length of the recording so far", "s", 0.0, None)
    yield telemetry("/mixer/level/left", "Peak of the master, left", "gain", 0.0, None)
    yield telemetry("/mixer/level/right", "Peak of the master, right", "gain", 0.0, None)
    yield telemetry("/mixer/limiter", "Gain reduction of the limiter", "dB", 0.0, None)
