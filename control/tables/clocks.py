"""The rows of the clocks that come in and go out.

Owner: nobody changes them at run time. Units: as each row says.
"""

from collections.abc import Iterator

from audio.units import TIMECODE_CHANNELS, TIMECODE_DB, TIMECODE_RATES
from control.clocks.timecode import RATES
from control.clocks.wire import OFF
from control.control import Access, Control, Kind, toggle


def clock_rows() -> Iterator[Control]:
    """Yield every row of the clocks."""
    yield toggle("/link/enabled", "Share tempo and beat over Ableton Link (optional package)")
    yield toggle("/link/start_stop", "Share start and stop of the deck in focus over Link")
    yield Control(
        "/link/peers", Kind.CONTINUOUS, "Other programs in the Link session", "", 0.0, None, 0.0, access=Access.READ
    )
    yield toggle("/clock/out", "Send MIDI clock, with Start, Stop and song position of the deck in focus")
    yield Control(
        "/clock/out/ports",
        Kind.TEXT,
        "MIDI outputs that clock and timecode go to beside our own port, as a pattern (* and ?)",
        default="",
    )
    yield Control(
        "/clock/out/late",
        Kind.CONTINUOUS,
        "How late the latest message of the last second was handed to the system",
        "frames",
        0.0,
        None,
        0.0,
        access=Access.READ,
    )
    yield Control(
        "/clock/in",
        Kind.TEXT,
        "MIDI inputs whose clock sets the tempo, beside our own port, as a pattern (* and ?); empty: none",
        default="",
    )
    yield toggle("/clock/in/transport", "Start, Stop and song position that come in move the deck in focus")
    yield Control(
        "/clock/in/status",
        Kind.CHOICE,
        "How the clock that comes in is",
        default=OFF,
        choices=(OFF, "waiting", "stopped", "running", "lost"),
        access=Access.READ,
    )
    yield Control(
        "/clock/in/tempo", Kind.CONTINUOUS, "Tempo of the clock that comes in", "BPM", 0.0, 400.0, 0.0,
        access=Access.READ,
    )  # fmt: skip
    yield Control(
        "/timecode/out",
        Kind.CHOICE,
        "Send MIDI timecode of the deck in focus, at this rate",
        "frames/s",
        default=OFF,
        choices=(OFF, *RATES),
    )
    yield Control(
        "/timecode/ltc",
        Kind.CHOICE,
        "Sound linear timecode of the deck in focus, at this rate, on an output channel of its own",
        "frames/s",
        default=OFF,
        choices=(OFF, *TIMECODE_RATES),
    )
    yield Control(
        "/timecode/ltc/channel",
        Kind.CHOICE,
        "Output channel of the device that linear timecode has for itself",
        default=TIMECODE_CHANNELS[0],
        choices=TIMECODE_CHANNELS,
    )
    yield Control("/timecode/ltc/level", Kind.CONTINUOUS, "Level of linear timecode", "dB", -40.0, 0.0, TIMECODE_DB)
    yield Control(
        "/timecode/offset", Kind.CONTINUOUS, "What timecode shows at the start of the track", "s", 0.0, 86_399.0, 0.0
    )
