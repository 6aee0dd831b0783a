"""Which of two controllers of one model is which: where a device is plugged in.

Owner: nobody; reads /sys, never fails.
Units: none.

ALSA numbers its sequencer clients of sound cards from 16, four a card (include/sound/seq_kernel.h of Linux), and RtMidi
puts the client's number at the end of a port's name: `nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0` is card 1. The card's
device in /sys is its USB interface, whose parent has a serial number, if the maker gave it one, and else the socket.
"""

import re
from pathlib import Path

SYS = Path("/sys/class/sound")

_FIRST_CARD_CLIENT = 16
_CLIENTS_PER_CARD = 4


def ident_of(port: str, sys: Path = SYS) -> str:
    """Return a name for the device behind a port that is the same whenever it is plugged in, "" if there is none."""
    match = re.search(r"^(?P<name>.*?)\s+(?P<client>\d+):\d+$", port)
    if match is None or int(match["client"]) < _FIRST_CARD_CLIENT:
        return ""
    card = (int(match["client"]) - _FIRST_CARD_CLIENT) // _CLIENTS_PER_CARD
    try:
        interface = (sys / f"card{card}" / "device").resolve(strict=True)
        serial_file = interface.parent / "serial"
        serial = serial_file.read_text(errors="replace").strip() if serial_file.exists() else ""
    except (OSError, RuntimeError):
        return ""
    socket = interface.name.partition(":")[0]
    if not re.fullmatch(r"\d+-[\d.]+", socket):
        return ""
    return f"{match['name']} @ {f'serial {serial}' if serial.isprintable() and serial else f'usb {socket}'}"
