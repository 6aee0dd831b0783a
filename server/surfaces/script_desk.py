"""Which devices have scripts running, by the mapping that is in force on each.

Owner: the MIDI surface; everything is called on the loop. Units: none.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from anyio.abc import TaskGroup

from control.control import Value
from control.mapping import DeviceMapping
from control.mapping_store import FileMappings
from server.surfaces.midi_scripts import DeviceScripts
from server.surfaces.script_process import ScriptLine, script_process


class ScriptDesk:
    """Starts and stops scripts. `ask` sets a control for a port, `send` reaches its device, `trouble` tells of a
    device, in words, whether that is grave."""

    def __init__(
        self,
        store: FileMappings,
        *,
        value_of: Callable[[str], Value | None],
        ask: Callable[[str, str, Value], None],
        send: Callable[[str, bytes], None],
        trouble: Callable[[str, str, bool], None],
        connect: Callable[[], AbstractAsyncContextManager[ScriptLine]] = script_process,
    ) -> None:
        self._store = store
        self._value_of = value_of
        self._ask = ask
        self._send = send
        self._trouble = trouble
        self._connect = connect
        self._tasks: TaskGroup | None = None
        self._running: dict[str, DeviceScripts] = {}

    def open(self, tasks: TaskGroup) -> None:
        """Run scripts in this task group from now on."""
        self._tasks = tasks

    def close(self) -> None:
        """Let every script shut down; their tasks end with the task group."""
        for port in list(self._running):
            self.follow(port, "", None)
        self._tasks = None

    def follow(self, port: str, device: str, mapping: DeviceMapping | None, fresh: bool = False) -> None:
        """Run the scripts of `mapping` on a port, and no others; `fresh` starts those anew that run already."""
        running = self._running.get(port)
        wanted = mapping if mapping is not None and mapping.scripts else None
        if running is not None:
            same = wanted is not None and (wanted.scripts, wanted.calls) == (
                running.mapping.scripts, running.mapping.calls,
            )  # fmt: skip
            if same and not fresh:
                return
            running.stop()
            del self._running[port]
        if wanted is None or self._tasks is None:
            return
        scripts = DeviceScripts(
            wanted, device, self._store,
            value_of=self._value_of,
            ask=lambda path, value: self._ask(port, path, value),
            send=lambda data: self._send(port, data),
            trouble=lambda text, is_grave: self._trouble(device, text, is_grave),
            connect=self._connect,
        )  # fmt: skip
        self._running[port] = scripts
        self._tasks.start_soon(scripts.run)

    def hear(self, port: str, data: tuple[int, ...]) -> None:
        """Pass a message of a device to its scripts, if it has some."""
        scripts = self._running.get(port)
        if scripts is not None:
            scripts.hear(data)

    def changed(self, changes: Mapping[str, Value]) -> None:
        """Pass on what the show says."""
        for scripts in self._running.values():
            scripts.changed(changes)
