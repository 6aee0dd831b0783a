"""What MIDI devices are shown: lights, rings, meters and motor faders follow the show, greetings come and go.

Owner: the event loop. Units: seconds; control values as the registry says.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import anyio

from control.errors import PortLost
from control.midi_device import MidiDevice
from server.session.intent import Changes

log = logging.getLogger(__name__)

FLUSH_S: Final = 0.01
"""Pause before feedback that was held back goes on."""

METERS_S: Final = 1 / 30
"""How often meters are shown."""


class Outputs(Protocol):
    """The way to the devices; `control.midi_ports.MidiPorts` is the real one."""

    def has_output(self, port: str) -> bool: ...

    def send(self, port: str, data: bytes) -> None: ...


class MidiShow:
    """Shows the show on `devices`, which belong to the surface. `telemetry` returns readable controls that flow."""

    def __init__(
        self,
        outputs: Outputs,
        devices: Mapping[str, MidiDevice],
        telemetry: Callable[[], Mapping[str, float]],
        now: Callable[[], float],
    ) -> None:
        self._outputs = outputs
        self._devices = devices
        self._telemetry = telemetry
        self._now = now
        self._flushing: set[str] = set()

    def changed(self, change: Changes, focus: str) -> None:
        """Follow what changed, while deck `focus` has the focus."""
        now = self._now()
        for device in self._devices.values():
            own = change.source == f"midi:{device.port}"
            for path, value in change.changes.items():
                device.changed(path, value, own, focus, now)
            if change.changes.get("/setlist/scene"):
                device.turn_to(str(change.changes["/setlist/scene"]))
            if "/session/focus" in change.changes:
                device.show_all(focus, now)
            self.flush(device.port)

    async def run_meters(self) -> None:
        """Show meters until cancelled."""
        while True:
            await anyio.sleep(METERS_S)
            shown = [device for device in self._devices.values() if device.meters]
            values = self._telemetry() if shown else {}
            for device in shown:
                for path in device.meters:
                    if path in values:
                        device.meter(path, values[path])
                self.flush(device.port)

    def say(self, port: str, messages: Sequence[bytes]) -> None:
        """Send messages as they are, such as a greeting."""
        if not self._outputs.has_output(port):
            return
        try:
            for message in messages:
                self._outputs.send(port, message)
        except PortLost as error:
            log.debug("%s", error)

    def flush(self, port: str) -> None:
        """Send the feedback that is due; plan the rest."""
        device = self._devices.get(port)
        if device is None or port in self._flushing or not self._outputs.has_output(port):
            return
        try:
            for message in device.feedback.due(self._now()):
                self._outputs.send(port, message)
        except PortLost as error:
            log.debug("%s", error)
            return
        if device.feedback.waiting:
            self._flushing.add(port)
            asyncio.get_running_loop().call_later(FLUSH_S, self._flush_again, port)

    def _flush_again(self, port: str) -> None:
        self._flushing.discard(port)
        self.flush(port)
