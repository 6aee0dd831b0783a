"""`alchemy midi` and `alchemy osc`: every message in words, and the control it moves.

Owner: the command line; runs until Ctrl-C. Lines go to standard output.
Units: as in the messages; times of day in seconds.

While a server runs it owns the OSC port: then the monitor asks it for every message it hears, with the sender and the
control it moves, and for what changes. Otherwise it listens on the port itself and prints every message.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio

from control.errors import BadMessage, PortTaken
from control.mapping import DeviceMapping
from control.mapping_store import FileMappings, choose
from control.midi_device import MidiDevice
from control.midi_log import in_words
from control.midi_messages import RealTime, decode
from control.midi_names import Arrived
from control.midi_ports import MidiPorts
from control.osc_codec import OscMessage, encode
from control.osc_codec import decode as decode_osc
from control.osc_queue import Sender
from control.osc_socket import EVERYWHERE, OscSocket
from control.osc_words import value_words, words
from control.registry import REGISTRY
from control.settings import MidiSettings

RENEW_S: Final = 20.0
ANSWER_S: Final = 2.0
"""How long a server has to answer before the port counts as somebody else's."""

Print = Callable[[str], None]


def midi_line(arrived: Arrived, device: str, moves: Sequence[tuple[str, object]] = ()) -> str:
    """Return one line for a MIDI message and what it asks for by its mapping."""
    asked = "  ->  " + ", ".join(f"{path} {value_words(value)}" for path, value in moves) if moves else ""
    return f"{_time()}  {device:<28}  {in_words(arrived.data)}{asked}"


def osc_line(message: OscMessage, sender: Sender) -> str:
    """Return one line for an OSC message and what it would do."""
    return f"{_time()}  {sender[0]}:{sender[1]:<6}  {words(message)}"


def _time() -> str:
    now = time.time()
    return time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"


# -- MIDI ------------------------------------------------------------------------------------------------------------


def run_midi_monitor(
    contains: str = "", mappings: Path | None = None, settings: MidiSettings | None = None, out: Print = print
) -> int:
    """Print the messages of every MIDI port whose name has `contains` in it until Ctrl-C; return an exit code."""
    settings = settings or MidiSettings()
    if contains:
        settings = MidiSettings(settings.api, (f"*{contains}*",), settings.ignore, False, settings.poll_s)
    found, faults = FileMappings(mappings or Path("mappings")).load()
    for fault in faults:
        out(fault)
    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(_midi, settings, found, out)
    return 0


async def _midi(settings: MidiSettings, mappings: list[DeviceMapping], out: Print) -> None:
    devices: dict[str, MidiDevice] = {}
    values = {path: control.default for path, control in REGISTRY.items()}

    def hear(arrived: Arrived) -> None:
        device = devices.get(arrived.port)
        if device is None:
            state = next((state for state in ports.ports() if state.name == arrived.port and state.is_input), None)
            name, ident = (state.device, state.ident) if state else (arrived.port, arrived.port)
            mapping = choose(mappings, name, ident)
            device = devices[arrived.port] = MidiDevice(arrived.port, name, mapping, values.get, ident)
        moves: list[tuple[str, object]] = []
        try:
            message = decode(arrived.data)
            if isinstance(message, RealTime) and message.name == "clock":
                return  # 24 a beat; nobody reads that
            moves = [(move.path, move.value) for move in device.hear(message, "1", time.monotonic())]
        except BadMessage:
            pass
        out(midi_line(arrived, device.name, moves))

    def change() -> None:
        for state in ports.ports():
            way = "in " if state.is_input else "out"
            out(f"{_time()}  {way} {state.name}: {state.trouble or state.error or state.status}")

    ports = MidiPorts(hear, change, settings)
    out("Waiting for MIDI; Ctrl-C ends. Plug in a controller, it is found while this runs.")
    await ports.run()


# -- OSC -------------------------------------------------------------------------------------------------------------


def run_osc_monitor(port: int = 8000, out: Print = print) -> int:
    """Print OSC messages on `port`, or what changes in the server that has it, until Ctrl-C; return an exit code."""
    try:
        return anyio.run(_osc, port, out)
    except KeyboardInterrupt:
        return 0


async def _osc(port: int, out: Print) -> int:
    def hear(data: bytes, sender: Sender) -> None:
        try:
            for message in decode_osc(data):
                out(osc_line(message, sender))
        except BadMessage as error:
            out(f"{_time()}  {sender[0]}:{sender[1]:<6}  unreadable {data[:24].hex(' ')}: {error}")

    door = OscSocket(hear, lambda sender: True, lambda address: False)
    try:
        door.open(port, EVERYWHERE)
    except PortTaken:
        try:
            return await _follow(port, out)
        except (anyio.BrokenResourceError, OSError):
            out("The server has gone.")
            return 0
    try:
        out(f"No server runs: listening on UDP port {door.port} myself; Ctrl-C ends.")
        await anyio.sleep_forever()
    finally:
        door.close()
    return 0


async def _follow(port: int, out: Print) -> int:
    """Subscribe to the server on `port` and print what it sends."""
    answered = False
    async with await anyio.create_connected_udp_socket(
        "127.0.0.1", port, family=socket.AddressFamily.AF_INET, local_host="127.0.0.1"
    ) as udp:
        renew = 0.0
        asked = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= renew:
                await udp.send(encode("/subscribe", 0))
                await udp.send(encode("/monitor", 0))
                renew = now + RENEW_S
            data = b""
            with anyio.move_on_after(min(ANSWER_S, max(renew - now, 0.05))):
                data = await udp.receive()
            if not data and not answered and time.monotonic() - asked >= ANSWER_S:
                out(f"UDP port {port} belongs to a program that does not answer OSC")
                return 1
            if data and not answered:
                answered = True
                out(f"A server has UDP port {port}: these are its values, and then what changes; Ctrl-C ends.")
            if data:
                _print_change(data, out)


def _print_change(data: bytes, out: Print) -> None:
    try:
        for message in decode_osc(data):
            if message.address == "/monitor":
                out(f"{_time()}  {'  '.join(map(str, message.args))}")
                continue
            control = REGISTRY.get(message.address)
            if control is None or not control.is_telemetry:  # levels and positions come 30 times a second
                out(f"{_time()}  {message.address} {' '.join(value_words(arg) for arg in message.args)}")
    except BadMessage as error:
        out(f"{_time()}  unreadable: {error}")
