"""RtMidi: the MIDI system of this machine, its ports opened and closed. The one file that imports rtmidi.

Owner: `control/midi_ports.py`. `look` and `close` run in one thread at a time, `send` on the event loop; what comes in
is handed to `arrive` in RtMidi's own thread.
Units: MIDI bytes.

Clients of a JACK server that has gone are never closed: libjack can crash in there once a new server runs.
"""

import ctypes
import fnmatch
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import rtmidi

from control.errors import PortLost
from control.midi_identity import ident_of
from control.midi_names import CLIENT, VIRTUAL, PortState, Route, device_of, is_own, numbered, partner_of
from control.settings import MidiApi, MidiSettings

log = logging.getLogger(__name__)

SETTLE_S: Final = 0.05
"""A connection counts from the sound system's next periods on; what is sent before that is lost, greetings first."""

RETRY_S: Final = 10.0
"""How long a port that failed is left alone."""


class RtMidiSystem:
    """The RtMidi objects. `route` says, by device, whether it is heard and where its feedback goes."""

    def __init__(
        self,
        arrive: Callable[[str, tuple[int, ...]], None],
        settings: MidiSettings,
        route: Callable[[str], Route] = lambda device: Route(),
    ) -> None:
        self._arrive = arrive
        self._settings = settings
        self._route = route
        self._api: int | None = None
        self._server: object = None
        self._finder_in: Any = None
        self._finder_out: Any = None
        self._virtual: Any = None
        self._virtual_out: Any = None
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._trouble = ""
        self._rest_until = 0.0

    def look(self) -> tuple[dict[str, PortState], dict[str, str]]:
        """Open what has come, close what has gone; return the ports and the output of each input."""
        api, server = choose_api(self._settings.api)
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
        devices = numbered({name: (device_of(name), ident_of(name)) for name in inputs})
        routes = {name: self._route(devices[name]) for name in inputs}
        partners = {name: _output_for(name, routes[name], outputs) for name in inputs}
        heard = [name for name in inputs if routes[name].hear]
        states: dict[str, PortState] = {}
        pairs: dict[str, str] = {}
        if self._virtual is not None:
            states[VIRTUAL] = PortState(VIRTUAL, VIRTUAL, True, ident=VIRTUAL)
            if self._virtual_out is not None:
                pairs[VIRTUAL] = VIRTUAL
        wanted = {partners[name] for name in heard}
        self._sync(self._inputs, heard, self._open_input, states, True)
        before = set(self._outputs)
        self._sync(self._outputs, [name for name in outputs if name in wanted], self._open_output, states, False)
        if set(self._outputs) - before:
            time.sleep(SETTLE_S)
        for name in inputs:
            if name not in heard:
                states[name] = PortState(name, device_of(name), True, "off")
            states[name].device, states[name].ident = devices[name], ident_of(name) or devices[name]
            output = partners[name]
            if output is not None and output in self._outputs and name in self._inputs:
                pairs[name] = output
        return states, pairs

    def send(self, output: str, data: bytes) -> None:
        port = self._virtual_out if output == VIRTUAL else self._outputs.get(output)
        if port is None:
            raise PortLost(f"{output} is gone")
        try:
            port.send_message(data)
        except (rtmidi.RtMidiError, OSError, ValueError) as error:
            raise PortLost(f"{output}: {error}") from error

    def close(self) -> None:
        """Close everything. What fails to close is left to the system."""
        for port in self._forget():
            discard(port)

    def _abandon(self) -> None:
        """Let go of everything without closing it: closing a client of a JACK server that has gone can crash us."""
        for port in self._forget():
            keep_for_ever(port)

    def _forget(self) -> list[Any]:
        own = [self._virtual, self._virtual_out, self._finder_in, self._finder_out]
        everything = [*self._inputs.values(), *self._outputs.values(), *own]
        self._inputs, self._outputs = {}, {}
        self._virtual = self._virtual_out = self._finder_in = self._finder_out = None
        self._failed.clear()
        return [port for port in everything if port is not None]

    def _start(self, api: int) -> None:
        self._finder_in = quiet(rtmidi.MidiIn(api, name=CLIENT))
        self._finder_out = quiet(rtmidi.MidiOut(api, name=CLIENT))
        if self._settings.virtual:
            self._virtual = self._own_port(rtmidi.MidiIn, api, "in")
            self._virtual_out = self._own_port(rtmidi.MidiOut, api, "out")
            if self._virtual is not None:
                self._listen(self._virtual, VIRTUAL)

    def _own_port(self, kind: Any, api: int, name: str) -> Any:
        """Return a port of our own that other programs connect to, None where the system has no such thing."""
        port = quiet(kind(api, name=CLIENT))
        try:
            port.open_virtual_port(name)
        except (rtmidi.RtMidiError, OSError, NotImplementedError) as error:
            log.info("no virtual MIDI port: %s", error)
            discard(port)
            return None
        return port

    def _names(self) -> tuple[list[str], list[str]]:
        inputs = [name for name in self._finder_in.get_ports() or [] if self._wanted(name)]
        outputs = [name for name in self._finder_out.get_ports() or [] if not is_own(name)]
        return inputs, outputs

    def _wanted(self, name: str) -> bool:
        def fits(patterns: tuple[str, ...]) -> bool:
            return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)

        return not is_own(name) and fits(self._settings.ports) and not fits(self._settings.ignore)

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
            discard(opened.pop(name))
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
        port = quiet(rtmidi.MidiIn(self._api, name=CLIENT))
        try:
            port.open_port(_index(port, name), name=device_of(name).replace(":", " "))
            self._listen(port, name)
        except BaseException:
            discard(port)
            raise
        return port

    def _open_output(self, name: str) -> Any:
        assert self._api is not None
        port = quiet(rtmidi.MidiOut(self._api, name=CLIENT))
        try:
            port.open_port(_index(port, name), name=device_of(name).replace(":", " ") + " feedback")
        except BaseException:
            discard(port)
            raise
        return port

    def _listen(self, port: Any, name: str) -> None:
        arrive = self._arrive

        def heard(event: tuple[list[int], float], _: object = None) -> None:
            arrive(name, tuple(event[0]))

        port.ignore_types(sysex=False, timing=False, active_sense=True)
        port.set_callback(heard)


def _output_for(name: str, route: Route, outputs: list[str]) -> str | None:
    """Return the output port of a device: the one that was chosen, else the one that belongs to it."""
    if route.output == "none":
        return None
    if route.output:
        wanted = route.output.casefold()
        fitting = (
            one for one in outputs if fnmatch.fnmatchcase(one.casefold(), wanted) or device_of(one) == route.output
        )
        return next(fitting, None)
    return partner_of(device_of(name), outputs)


def _index(port: Any, name: str) -> int:
    names = port.get_ports() or []
    if name not in names:
        raise ValueError(f"{name} has just gone")
    return int(names.index(name))


def quiet(port: Any) -> Any:
    """Send RtMidi's warnings to our log instead of the terminal."""
    port.set_error_callback(lambda kind, message, _: log.debug("RtMidi: %s", message))
    return port


def keep_for_ever(port: Any) -> None:
    """Take a reference that nobody gives back, so that the object is not even destroyed at the end of the program."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(port))


def discard(port: Any) -> None:
    try:
        if isinstance(port, rtmidi.MidiIn):
            port.cancel_callback()
        port.close_port()
        port.delete()
    except (rtmidi.RtMidiError, OSError) as error:
        log.debug("a MIDI port did not close: %s", error)


def choose_api(wanted: MidiApi) -> tuple[int | None, object]:
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
        api, _ = choose_api((settings or MidiSettings()).api)
        if api is None:
            return []
        port = quiet(kind(api, name=CLIENT))
        try:
            return [name for name in port.get_ports() or [] if not is_own(name)]
        finally:
            discard(port)
    except (rtmidi.RtMidiError, OSError) as error:
        log.info("MIDI is not available: %s", error)
        return []
