"""Keeps how late the input is with the device it was measured on: another device has another way, or a way not known.

    /practice/input/latency --changed--> DATA/input-delays.json, under the device --the device is there again--> back

Owner: the lifespan's task group. Units: seconds.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from audio.files import write_whole
from server.session.input_delay import LATENCY
from server.session.intent import Intent
from server.session.show import Show

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.25
"""Between two looks at the device and the control."""


class InputDelays:
    """See the module. Thread-safe: no."""

    def __init__(self, show: Show, device: Callable[[], str], path: Path) -> None:
        """`device` names what is played and heard on, empty while that is not known."""
        self._show, self._device, self._path = show, device, path
        self._known: dict[str, float] = {}
        self._at = ""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        self._known, self._at = await anyio.to_thread.run_sync(self._read), ""
        task_status.started()
        while True:
            device = self._device()
            if device and device != self._at:
                self._at = device
                # Where nothing was kept yet, the show's own delay is that of the first device.
                wanted = self._known.get(device, 0.0 if self._known else self._now())
                if self._known.get(device) != wanted:
                    self._known[device] = wanted
                    await self._save()
                if wanted != self._now():
                    self._show.submit(Intent(LATENCY, wanted, "input delays"))
            elif device and self._now() != self._known.get(device):
                self._known[device] = self._now()
                await self._save()
            await anyio.sleep(LOOK_S)

    def _now(self) -> float:
        return float(self._show.value(LATENCY) or 0.0)

    def _read(self) -> dict[str, float]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, float])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, ValueError) as fault:
            _log.warning("%s cannot be read, delays are measured anew: %s", self._path.name, fault)
            return {}

    async def _save(self) -> None:
        data = msgspec.json.format(msgspec.json.encode(self._known), indent=1)
        try:
            await anyio.to_thread.run_sync(write_whole, self._path, data)
        except OSError as fault:
            _log.warning("the delay of the input is not kept: %s", fault)
