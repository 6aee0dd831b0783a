"""Names of MIDI ports: what is the same device, which output belongs to which input, which of two twins is which.

Owner: nobody; pure.
Units: `at` in seconds of the monotonic clock.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CLIENT: Final = "Sound Forge Alchemy"
"""Our name among the MIDI programs; ports of this name are our own and never opened."""

VIRTUAL: Final = "Sound Forge Alchemy in"
"""Name, as a device, of the port that other programs connect to."""


@dataclass(frozen=True, slots=True)
class Route:
    """What was chosen for a device: whether it is heard, and its output: "" for its own, "none", or a port's name."""

    hear: bool = True
    output: str = ""


@dataclass(slots=True)
class PortState:
    """A MIDI port as it is shown. `device` is its name without what changes from one plug-in to the next, numbered
    where several are alike; `ident` also says where it is plugged in, if the system tells. `trouble`: it floods, or
    sends garbage."""

    name: str
    device: str
    is_input: bool
    status: str = "open"
    error: str = ""
    messages: int = 0
    ident: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came: the whole message and its port."""

    port: str
    data: tuple[int, ...]
    at: float


def device_of(port: str) -> str:
    """Return a port's name without numbers that change: `nano:nano MIDI 1 20:0` is `nano:nano MIDI 1`."""
    return re.sub(r"\s+\d+:\d+$", "", port).strip()


def partner_of(device: str, outputs: list[str]) -> str | None:
    """Return the output port that belongs to an input's device.

    The same name; else the same name the other way round (`system:midi_capture_1`, `system:midi_playback_1`); else the
    only port of the same program. JACK tells programs of one name apart by -01, -02.
    """
    client = _client_of(device)
    turned = re.sub(r"\bout\b", "in", device.replace("capture", "playback"))
    for wanted in (device, turned):
        for name in outputs:
            if device_of(name) == wanted or (_client_of(name), _port_of(name)) == (client, _port_of(wanted)):
                return name
    of_client = [name for name in outputs if ":" in device and _client_of(name) == client]
    return of_client[0] if len(of_client) == 1 else None


def _client_of(name: str) -> str:
    return re.sub(r"-\d\d$", "", name.partition(":")[0])


def _port_of(name: str) -> str:
    return device_of(name).partition(":")[2] or name


def is_own(name: str) -> bool:
    """Return whether a port is one of ours."""
    return name.startswith(CLIENT)


def numbered(ports: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return each port's device name, from (device, id) by port; twins get (2), (3) in the order of their ids."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name, (device, _) in sorted(ports.items(), key=lambda item: (item[1][1], item[0])):
        counts[device] = counts.get(device, 0) + 1
        found[name] = device if counts[device] == 1 else f"{device} ({counts[device]})"
    return found
