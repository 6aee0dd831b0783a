"""What the MIDI surface needs of MIDI ports, so that tests can pretend some.

Owner: the MIDI surface. No code of its own.
Units: none.
"""

from collections.abc import Callable
from typing import Protocol

from control.midi_names import Arrived, PortState


class Ports(Protocol):
    """The MIDI ports; `control.midi_ports.MidiPorts` is the real one."""

    def ports(self) -> list[PortState]: ...

    def has_output(self, port: str) -> bool: ...

    def send(self, port: str, data: bytes) -> None: ...

    def look_again(self) -> None: ...

    async def run(self) -> None: ...


PortsFactory = Callable[[Callable[[Arrived], None], Callable[[], None]], Ports]
