"""MIDI ports of the clock process: our own virtual ones, and those of the hardware that fit a pattern.

Owner: the clock process. One thread sends and polls, another looks for ports.
Units: nanoseconds of the monotonic clock.

A port that cannot be opened or written is left out and looked for again; the others go on. Inputs are polled and have
no callback: RtMidi's JACK thread would wait in it for the interpreter while a thread that opens a port holds that and
waits for JACK. Times come from the gaps that RtMidi measures between messages: as exact as with a callback.
"""

import fnmatch
import logging
import threading
import time
from typing import Any, Final

import rtmidi

from control.midi_names import CLIENT
from control.rtmidi_port import choose_api, discard, keep_for_ever, quiet
from control.settings import MidiApi

log = logging.getLogger(__name__)

OUT: Final = f"{CLIENT} clock"
"""The virtual port that clock and timecode come out of."""

IN: Final = f"{CLIENT} clock in"
"""The virtual port that another machine's clock is connected to."""

BEHIND_NS: Final = 20_000_000
"""A message that seems older than this came just now: the gaps do not say how long ago the last one was heard."""

QUEUE: Final = 4096


class ClockPorts:
    """Opens what is wanted; `look` again and again keeps up with what is plugged in."""

    def __init__(self, api: MidiApi = MidiApi.AUTO) -> None:
        self._wanted_api = api
        self._heard_ns: dict[str, int] = {}
        self._outputs: dict[str, Any] = {}
        self._inputs: dict[str, Any] = {}
        self._finders: dict[Any, Any] = {}
        self._run: object = None
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The outputs and inputs that are open."""
        return list(self._outputs), list(self._inputs)

    def look(self, outputs: str | None, inputs: str) -> None:
        """Open what fits and close what does not or is gone. `outputs` of None wants no output at all.

        Takes its time: not to be called by whoever sends.
        """
        api, run = choose_api(self._wanted_api)
        if run != self._run:  # another run of JACK: what belongs to the old one is dead, and must not be touched
            self._run = run
            self._abandon()
        self._match(self._outputs, rtmidi.MidiOut, api, outputs, OUT)
        self._match(self._inputs, rtmidi.MidiIn, api, inputs or None, IN)

    def _abandon(self) -> None:
        with self._lock:
            for opened in (self._outputs, self._inputs, self._finders):
                for port in opened.values():
                    keep_for_ever(port)
                opened.clear()

    def _match(self, opened: dict[str, Any], kind: Any, api: int | None, pattern: str | None, own: str) -> None:
        wanted: list[str] = []
        if api is not None and pattern is not None:
            wanted = [own, *(self._fitting(kind, api, pattern) if pattern else ())]
        for name in [name for name in opened if name not in wanted]:
            with self._lock:
                discard(opened.pop(name))
        for name in wanted:
            if name not in opened:
                try:
                    port = self._open(kind, api, name, own)
                except (rtmidi.RtMidiError, OSError, ValueError, NotImplementedError) as error:
                    log.info("MIDI port %s cannot be opened for the clock: %s", name, error)
                else:
                    with self._lock:
                        opened[name] = port

    def _fitting(self, kind: Any, api: int, pattern: str) -> list[str]:
        try:
            # kept: making one takes a tenth of a second, in which nothing could be sent
            finder = self._finders.get(kind) or self._finders.setdefault(kind, quiet(kind(api, name=OUT)))
            names = finder.get_ports() or []
        except (rtmidi.RtMidiError, OSError):
            return []
        return [
            name
            for name in names
            if not name.startswith(CLIENT) and fnmatch.fnmatchcase(name.casefold(), pattern.casefold())
        ]

    def _open(self, kind: Any, api: int | None, name: str, own: str) -> Any:
        limit = {"queue_size_limit": QUEUE} if kind is rtmidi.MidiIn else {}
        port = quiet(kind(api, name=own, **limit))
        try:
            if name == own:
                port.open_virtual_port("in" if kind is rtmidi.MidiIn else "out")
            else:
                port.open_port((port.get_ports() or []).index(name), name="clock")
            if kind is rtmidi.MidiIn:
                port.ignore_types(sysex=True, timing=False, active_sense=True)
        except BaseException:
            discard(port)
            raise
        return port

    def send(self, data: bytes) -> None:
        """Send to every output; one that fails is closed and found again by `look`."""
        with self._lock:
            for name, port in list(self._outputs.items()):
                try:
                    port.send_message(data)
                except (rtmidi.RtMidiError, OSError) as error:
                    log.info("MIDI port %s takes no clock: %s", name, error)
                    discard(self._outputs.pop(name))

    def poll(self) -> list[tuple[bytes, int]]:
        """Return what was heard since the last call, and when each message came."""
        found: list[tuple[bytes, int]] = []
        with self._lock:
            for name, port in self._inputs.items():
                while (event := port.get_message()) is not None:
                    data, gap_s = event
                    now = time.monotonic_ns()
                    at = self._heard_ns.get(name, 0) + round(gap_s * 1e9)
                    at = now if now - at > BEHIND_NS else min(at, now)
                    self._heard_ns[name] = at
                    found.append((bytes(data), at))
        return found

    def close(self) -> None:
        """Close every port."""
        with self._lock:
            for opened in (self._outputs, self._inputs):
                for port in opened.values():
                    discard(port)
                opened.clear()
