"""MIDI without hardware: a JACK server of our own with the dummy driver, and controllers made of virtual ports."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rtmidi


def _end_with_the_tests() -> None:
    """Have the kernel end the server when the tests die: JACK allows eight servers a machine."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@contextmanager
def jack_server(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a private JACK server and make it the default one of this process."""
    if shutil.which("jackd") is None or rtmidi.API_UNIX_JACK not in rtmidi.get_compiled_api():
        if os.environ.get("CI"):
            pytest.fail("jackd is missing: apt-get install -y jackd2")
        pytest.skip("no jackd here")
    before = os.environ.get("JACK_DEFAULT_SERVER")
    with tempfile.TemporaryFile() as log:
        # synchronous: otherwise a client that is late has its last MIDI buffer delivered a second time
        command = [
            "jackd",
            "-n",
            name,
            "--no-realtime",
            "--sync",
            "-t",
            "5000",
            "-d",
            "dummy",
            "-r",
            "48000",
            "-p",
            "128",
        ]
        environment = {**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"}
        server = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, preexec_fn=_end_with_the_tests
        )
        os.environ["JACK_DEFAULT_SERVER"] = name
        try:
            subprocess.run(["jack_wait", "-s", name, "-w", "-t", "15"], check=True, capture_output=True, timeout=30)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)
            if before is None:
                os.environ.pop("JACK_DEFAULT_SERVER", None)
            else:
                os.environ["JACK_DEFAULT_SERVER"] = before
            for left in (*Path("/dev/shm").glob(f"jack_{name}_*"), *Path("/dev/shm").glob(f"jack_sem.*_{name}_*")):
                left.unlink(missing_ok=True)


class Controller:
    """A MIDI controller with one output and one input, as it looks to other programs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[tuple[int, ...]] = []
        self._out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
        self._out.open_virtual_port("out")
        self._in: Any = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name)
        self._in.open_virtual_port("in")
        self._in.set_callback(lambda event, _: self.heard.append(tuple(event[0])))

    def send(self, *data: int) -> None:
        self._out.send_message(data)

    def connect_to(self, port: str) -> None:
        """Route the output to a port by hand, as a patchbay does."""
        mine = f"{self._out_client()}:out"
        subprocess.run(["jack_connect", mine, port], check=True, capture_output=True, timeout=10)

    def _out_client(self) -> str:
        return self.name

    def unplug(self) -> None:
        self._in.cancel_callback()
        for port in (self._out, self._in):
            port.close_port()
            port.delete()
