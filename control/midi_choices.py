"""What was chosen for each device: whether it is heard, and where its lights are. Kept in one small file.

Owner: the MIDI surface; `load` and `save` block on a file, so an event loop calls them in a thread. `route` may be
asked in any thread: the table is replaced, never changed.
Units: none.
"""

import logging
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from control.mapping_text import quoted
from control.midi_names import Route

log = logging.getLogger(__name__)

MOST: Final = 256


class PortChoices:
    """Choices by device name. `path` None: nothing is kept beyond this run."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._routes: dict[str, Route] = {}

    def route(self, device: str) -> Route:
        """Return what was chosen for a device."""
        return self._routes.get(device, Route())

    def choose(self, device: str, route: Route) -> None:
        """Choose for a device."""
        routes = {**self._routes, device: route}
        if route == Route():
            del routes[device]
        self._routes = dict(list(routes.items())[-MOST:])

    def load(self) -> None:
        """Read what was kept; a file that cannot be read counts as empty and is left alone."""
        if self._path is None or not self._path.exists():
            return
        try:
            rows = tomllib.loads(self._path.read_text(encoding="utf-8")).get("port", [])
            self._routes = {
                row["device"]: Route(bool(row.get("hear", True)), str(row.get("output", ""))) for row in rows[:MOST]
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: %s", self._path, error)

    def save(self) -> None:
        """Write the file, whole or not at all. Raises OSError."""
        if self._path is None:
            return
        text = "# What was chosen for MIDI ports, on the page or with `alchemy midi`.\n"
        for device, route in self._routes.items():
            text += f"\n[[port]]\ndevice = {quoted(device)}\nhear = {str(route.hear).lower()}\n"
            text += f"output = {quoted(route.output)}\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".ports-", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
