"""MIDI ports through RtMidi: found while running, opened, heard and written. The one file that imports rtmidi.

Owner: the event loop, which alone calls what is public; looking for ports and opening them happens in a thread, since
a sound system may take its time. RtMidi's own thread enters by one door: it appends to a bounded inbox and wakes the
loop with `call_soon_threadsafe`, once for all that waits.
Units: `at` in seconds of the monotonic clock, taken as the message came.

A port that fails is disabled, shown with its reason and tried again when it comes back; the others go on. On systems
that have virtual ports there is one of our own, `VIRTUAL`, for DAWs and bridges to connect to.
"""

import asyncio
import ctypes
import fnmatch
import logging
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import rtmidi

from control.errors import PortLost
from control.settings import MidiApi, MidiSettings

log = logging.getLogger(__name__)

CLIENT: Final = "Sound Forge Alchemy"
"""Our name among the MIDI programs; ports of this name are our own and never opened."""

VIRTUAL: Final = "Sound Forge Alchemy in"
"""Name, as a device, of the port that other programs connect to."""

INBOX: Final = 8192
"""Messages that may wait for the loop; beyond that the newest are lost, and counted."""

RETRY_S: Final = 10.0
"""How long a port that failed is left alone."""

TWICE_S: Final = 0.02
"""The same message on a port and on the virtual port within this time is one message that was routed twice."""


@dataclass(slots=True)
class PortState:
    """A MIDI port as it is shown. `device` is its name without what changes from one plug-in to the next."""

    name: str
    device: str
    is_input: bool
    status: str = "open"
    error: str = ""
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came: the whole message, its port and the device's name."""

    port: str
    device: str
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


class MidiPorts:
    """Keeps every wanted port open. `run` until cancelled; `on_message` and `on_change` are called on the loop."""

    def __init__(
        self,
        on_message: Callable[[Arrived], None],
        on_change: Callable[[], None] = lambda: None,
        settings: MidiSettings | None = None,
    ) -> None:
        self._on_message = on_message
        self._on_change = on_change
        self._settings = settings or MidiSettings()
        self._system = _System(self._arrive, self._settings)
        self._inbox: deque[Arrived] = deque()
        self._awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._recent: dict[tuple[int, ...], deque[tuple[str, float]]] = {}
        self._states: dict[str, PortState] = {}
        self._outputs: dict[str, str] = {}
        self.lost = 0

    def ports(self) -> list[PortState]:
        """Return every port that is open or failed."""
        return list(self._states.values())

    def has_output(self, port: str) -> bool:
        """Return whether something can be shown on the device of this input port."""
        return port in self._outputs

    def send(self, port: str, data: bytes) -> None:
        """Send a message to the device of an input port. Raises PortLost."""
        output = self._outputs.get(port)
        if output is None:
            raise PortLost(f"{port} has no output")
        self._system.send(output, data)

    async def run(self) -> None:
        """Find, open and close ports until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while self._settings.api is not MidiApi.OFF:
                states, outputs = await anyio.to_thread.run_sync(self._system.look)
                before = {key: (state.status, state.error) for key, state in self._states.items()}
                for key, state in states.items():
                    if key in self._states:
                        state.messages = self._states[key].messages
                changed = outputs != self._outputs
                self._states, self._outputs = states, outputs
                if changed or before != {key: (state.status, state.error) for key, state in states.items()}:
                    self._on_change()
                await anyio.sleep(self._settings.poll_s)
        finally:
            self._loop = None
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._system.close)

    # -- RtMidi's thread ----------------------------------------------------------------------------------------------

    def _arrive(self, port: str, device: str, data: tuple[int, ...]) -> None:
        loop = self._loop
        if loop is None:
            return
        if len(self._inbox) >= INBOX:
            self.lost += 1
            return
        self._inbox.append(Arrived(port, device, data, time.monotonic()))
        if not self._awake:
            self._awake = True
            try:
                loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop has closed
                self._loop = None

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        self._awake = False
        for _ in range(256):
            try:
                arrived = self._inbox.popleft()
            except IndexError:
                return
            state = self._states.get(arrived.port)
            if state is not None:
                state.messages += 1
            if not self._came_twice(arrived):
                self._on_message(arrived)
        if self._loop is not None and not self._awake:
            self._awake = True
            self._loop.call_soon(self._deliver)

    def _came_twice(self, arrived: Arrived) -> bool:
        """Return whether this is a message that somebody routes to us on two ways, the virtual port being one."""
        if len(self._recent) > 512:
            self._recent.clear()
        alone = self._recent.setdefault(arrived.data, deque(maxlen=64))
        while alone and arrived.at - alone[0][1] > TWICE_S:
            alone.popleft()
        for earlier in alone:
            if (earlier[0] == VIRTUAL) != (arrived.port == VIRTUAL):
                alone.remove(earlier)
                return True
        alone.append((arrived.port, arrived.at))
        return False


class _System:
    """The RtMidi objects, touched only by `look` and `close` (one thread at a time) and by `send`."""

    def __init__(self, arrive: Callable[[str, str, tuple[int, ...]], None], settings: MidiSettings) -> None:
        self._arrive = arrive
        self._settings = settings
        self._api: int | None = None
        self._server: object = None
        self._finder_in: Any = None
        self._finder_out: Any = None
        self._virtual: Any = None
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._trouble = ""
        self._rest_until = 0.0

    def look(self) -> tuple[dict[str, PortState], dict[str, str]]:
        """Open what has come, close what has gone; return the ports and the output of each input."""
        api, server = _choose_api(self._settings.api)
        if (api, server) != (self._api, self._server):
            if self._server is None:
                self.close()
            else:
                self._abandon()
            self._api, self._server = api, server
        if api is None or time.monotonic() < self._rest_until:
            return {}, {}
        try:
            if self._finder_in is None:
                self._start(api)
            inputs, outputs = self._names()
        except (rtmidi.RtMidiError, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("MIDI is not available: %s", error)
            self.close()
            self._rest_until = time.monotonic() + RETRY_S
            return {}, {}
        self._trouble = ""
        states: dict[str, PortState] = {}
        if self._virtual is not None:
            states[VIRTUAL] = PortState(VIRTUAL, VIRTUAL, True)
        partners = {name: partner_of(device_of(name), outputs) for name in inputs}
        wanted = {output for output in partners.values() if output is not None}
        self._sync(self._inputs, inputs, self._open_input, states, True)
        self._sync(self._outputs, [name for name in outputs if name in wanted], self._open_output, states, False)
        pairs = {name: output for name, output in partners.items() if output in self._outputs and name in self._inputs}
        return states, {name: output for name, output in pairs.items() if output is not None}

    def send(self, output: str, data: bytes) -> None:
        port = self._outputs.get(output)
        if port is None:
            raise PortLost(f"{output} is gone")
        try:
            port.send_message(data)
        except (rtmidi.RtMidiError, OSError, ValueError) as error:
            raise PortLost(f"{output}: {error}") from error

    def close(self) -> None:
        """Close everything. What fails to close is left to the system."""
        for port in self._forget():
            _discard(port)

    def _abandon(self) -> None:
        """Let go of everything without closing it: closing a client of a JACK server that has gone can crash us."""
        for port in self._forget():
            _keep_for_ever(port)

    def _forget(self) -> list[Any]:
        everything = [*self._inputs.values(), *self._outputs.values(), self._virtual, self._finder_in, self._finder_out]
        self._inputs, self._outputs = {}, {}
        self._virtual = self._finder_in = self._finder_out = None
        self._failed.clear()
        return [port for port in everything if port is not None]

    def _start(self, api: int) -> None:
        self._finder_in = _quiet(rtmidi.MidiIn(api, name=CLIENT))
        self._finder_out = _quiet(rtmidi.MidiOut(api, name=CLIENT))
        if self._settings.virtual:
            virtual = _quiet(rtmidi.MidiIn(api, name=CLIENT))
            try:
                virtual.open_virtual_port("in")
            except (rtmidi.RtMidiError, OSError, NotImplementedError) as error:
                log.info("no virtual MIDI port: %s", error)
                _discard(virtual)
            else:
                self._listen(virtual, VIRTUAL)
                self._virtual = virtual

    def _names(self) -> tuple[list[str], list[str]]:
        inputs = [name for name in self._finder_in.get_ports() or [] if self._wanted(name)]
        outputs = [name for name in self._finder_out.get_ports() or [] if not _is_own(name)]
        return inputs, outputs

    def _wanted(self, name: str) -> bool:
        def fits(patterns: tuple[str, ...]) -> bool:
            return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)

        return not _is_own(name) and fits(self._settings.ports) and not fits(self._settings.ignore)

    def _sync(
        self,
        opened: dict[str, Any],
        present: list[str],
        open_port: Callable[[str], Any],
        states: dict[str, PortState],
        is_input: bool,
    ) -> None:
        for name in [name for name in opened if name not in present]:
            log.info("MIDI port %s is gone", name)
            _discard(opened.pop(name))
        now = time.monotonic()
        for name in present:
            key = name if is_input else f"{name} (out)"
            error, tried_at = self._failed.get(key, ("", 0.0))
            if name not in opened and (not error or now - tried_at > RETRY_S):
                try:
                    opened[name] = open_port(name)
                    self._failed.pop(key, None)
                    error = ""
                    log.info("MIDI %s %s", "in" if is_input else "out", name)
                except (rtmidi.RtMidiError, OSError, ValueError) as failure:
                    error = str(failure)
                    self._failed[key] = (error, now)
                    log.warning("MIDI port %s cannot be opened: %s", name, failure)
            states[key] = PortState(name, device_of(name), is_input, "failed" if error else "open", error)
        for key in [key for key in self._failed if key not in states and key.endswith(" (out)") != is_input]:
            del self._failed[key]

    def _open_input(self, name: str) -> Any:
        assert self._api is not None
        port = _quiet(rtmidi.MidiIn(self._api, name=CLIENT))
        try:
            port.open_port(_index(port, name), name=device_of(name).replace(":", " "))
            self._listen(port, name)
        except BaseException:
            _discard(port)
            raise
        return port

    def _open_output(self, name: str) -> Any:
        assert self._api is not None
        port = _quiet(rtmidi.MidiOut(self._api, name=CLIENT))
        try:
            port.open_port(_index(port, name), name=device_of(name).replace(":", " ") + " feedback")
        except BaseException:
            _discard(port)
            raise
        return port

    def _listen(self, port: Any, name: str) -> None:
        device = device_of(name)
        arrive = self._arrive

        def heard(event: tuple[list[int], float], _: object = None) -> None:
            arrive(name, device, tuple(event[0]))

        port.ignore_types(sysex=False, timing=False, active_sense=True)
        port.set_callback(heard)


def _index(port: Any, name: str) -> int:
    names = port.get_ports() or []
    if name not in names:
        raise ValueError(f"{name} has just gone")
    return int(names.index(name))


def _is_own(name: str) -> bool:
    return name.startswith(CLIENT)


def _quiet(port: Any) -> Any:
    """Send RtMidi's warnings to our log instead of the terminal."""
    port.set_error_callback(lambda kind, message, _: log.debug("RtMidi: %s", message))
    return port


def _keep_for_ever(port: Any) -> None:
    """Take a reference that nobody gives back, so that the object is not even destroyed at the end of the program."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(port))


def _discard(port: Any) -> None:
    try:
        if isinstance(port, rtmidi.MidiIn):
            port.cancel_callback()
        port.close_port()
        port.delete()
    except (rtmidi.RtMidiError, OSError) as error:
        log.debug("a MIDI port did not close: %s", error)


def _choose_api(wanted: MidiApi) -> tuple[int | None, object]:
    """Return RtMidi's number of the system to use now, None if there is none, and which running instance of it."""
    compiled = rtmidi.get_compiled_api()
    if wanted is MidiApi.OFF:
        return None, None
    if wanted is MidiApi.AUTO:
        if sys.platform == "darwin":
            wanted = MidiApi.COREMIDI
        elif sys.platform == "linux":
            wanted = MidiApi.ALSA if Path("/dev/snd/seq").exists() else MidiApi.JACK
        else:
            return (rtmidi.API_UNSPECIFIED if compiled else None), None
    api = {
        MidiApi.ALSA: rtmidi.API_LINUX_ALSA,
        MidiApi.JACK: rtmidi.API_UNIX_JACK,
        MidiApi.COREMIDI: rtmidi.API_MACOSX_CORE,
    }[wanted]
    if api not in compiled:
        return None, None
    if api == rtmidi.API_UNIX_JACK:
        server = _jack_server()
        return (int(api) if server is not None else None), server
    return int(api), None


def _jack_server() -> object:
    """Return what tells one run of the JACK server from the next, None if there is none.

    libjack is not asked: it complains on the terminal, and clients of a server that has gone say nothing at all.
    """
    if sys.platform != "linux":
        return True
    name = os.environ.get("JACK_DEFAULT_SERVER", "default")
    for path in Path("/dev/shm").glob(f"jack_{name}_{os.getuid()}_*"):
        try:
            found = path.stat()
        except OSError:
            continue
        return str(path), found.st_ino, found.st_ctime_ns
    return None


def input_names(settings: MidiSettings | None = None) -> list[str]:
    """Return the names of the MIDI inputs there are now; blocks for a moment, never raises."""
    return _list(rtmidi.MidiIn, settings)


def output_names(settings: MidiSettings | None = None) -> list[str]:
    """Return the names of the MIDI outputs there are now; blocks for a moment, never raises."""
    return _list(rtmidi.MidiOut, settings)


def _list(kind: Any, settings: MidiSettings | None) -> list[str]:
    try:
        api, _ = _choose_api((settings or MidiSettings()).api)
        if api is None:
            return []
        port = _quiet(kind(api, name=CLIENT))
        try:
            return [name for name in port.get_ports() or [] if not _is_own(name)]
        finally:
            _discard(port)
    except (rtmidi.RtMidiError, OSError) as error:
        log.info("MIDI is not available: %s", error)
        return []
