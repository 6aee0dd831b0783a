"""MIDI ports through JACK's dummy driver: found while running, heard, written, lost and found again."""

import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest

from control.errors import PortLost
from control.midi_messages import ControlChange, decode
from control.midi_names import VIRTUAL, Arrived, device_of, partner_of
from control.midi_ports import MidiPorts
from control.rtmidi_port import RtMidiSystem, input_names, output_names
from control.settings import MidiApi, MidiSettings
from tests.control.midi_jack import Controller, jack_server

pytestmark = pytest.mark.anyio
SETTINGS = MidiSettings(api=MidiApi.JACK, poll_s=0.05)


@pytest.fixture(scope="module")
def jack() -> Iterator[None]:
    with jack_server(f"sfa-ports-{os.getpid()}"):
        yield


@pytest.fixture
def desk(jack: None) -> Iterator[Controller]:
    controller = Controller("desk")
    try:
        yield controller
    finally:
        controller.unplug()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.move_on_after(20):
        while not condition():
            await anyio.sleep(0.01)
    assert condition()


class Opened:
    def __init__(self, settings: MidiSettings = SETTINGS) -> None:
        self.heard: list[Arrived] = []
        self.threads: set[int] = set()
        self.changes = 0
        self.ports = MidiPorts(self._hear, self._change, settings)

    def _hear(self, arrived: Arrived) -> None:
        self.threads.add(threading.get_ident())
        self.heard.append(arrived)

    def _change(self) -> None:
        self.changes += 1

    def names(self) -> list[str]:
        return [state.name for state in self.ports.ports() if state.is_input and state.status == "open"]


@asynccontextmanager
async def running(settings: MidiSettings = SETTINGS) -> AsyncIterator[Opened]:
    opened = Opened(settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.ports.run)
        yield opened
        tasks.cancel_scope.cancel()


async def test_a_controller_is_found_and_heard_on_the_loops_own_thread(desk: Controller) -> None:
    async with running() as opened:
        await until(lambda: "desk:out" in opened.names())
        for value in range(128):
            desk.send(0xB0, 21, value)
        await until(lambda: len(opened.heard) == 128)
        assert [decode(arrived.data) for arrived in opened.heard] == [
            ControlChange(1, 21, value) for value in range(128)
        ]
        assert {arrived.port for arrived in opened.heard} == {"desk:out"}
        assert opened.threads == {threading.get_ident()}


async def test_system_exclusive_and_clock_come_through(desk: Controller) -> None:
    async with running() as opened:
        await until(lambda: "desk:out" in opened.names())
        desk.send(0xF0, 0x7E, *range(100), 0xF7)
        desk.send(0xF8)
        await until(lambda: len(opened.heard) == 2)
        assert opened.heard[0].data == (0xF0, 0x7E, *range(100), 0xF7)


async def test_a_controller_may_be_told_something(desk: Controller) -> None:
    async with running() as opened:
        await until(lambda: opened.ports.has_output("desk:out"))
        opened.ports.send("desk:out", bytes((0x90, 36, 127)))
        await until(lambda: desk.heard == [(0x90, 36, 127)])
        with pytest.raises(PortLost):
            opened.ports.send("nobody", b"\x90\x01\x01")


async def test_controllers_come_and_go_while_it_runs(jack: None) -> None:
    async with running() as opened:
        await until(lambda: opened.names() == [VIRTUAL])
        for _ in range(2):
            desk = Controller("late")
            await until(lambda: "late:out" in opened.names())
            desk.send(0x90, 1, 1)
            await until(lambda: bool(opened.heard))
            opened.heard.clear()
            desk.unplug()
            await until(lambda: opened.names() == [VIRTUAL])
        assert opened.changes >= 5


async def test_other_programs_connect_to_the_virtual_port(desk: Controller) -> None:
    only_virtual = MidiSettings(api=MidiApi.JACK, poll_s=0.05, ports=("nothing",))
    async with running(only_virtual) as opened:
        await until(lambda: VIRTUAL in opened.names())
        ours = [name for name in output_all() if name.endswith(":in") and "Sound Forge" in name]
        desk.connect_to(ours[0])
        desk.send(0xB0, 7, 1)
        await until(lambda: len(opened.heard) == 1)
        assert opened.heard[0].port == VIRTUAL


async def test_a_controller_that_is_also_routed_by_hand_is_heard_once(desk: Controller) -> None:
    async with running() as opened:
        await until(lambda: "desk:out" in opened.names())
        ours = [name for name in output_all() if name.endswith(":in") and "Sound Forge" in name]
        desk.connect_to(ours[0])
        for value in range(20):
            desk.send(0xB0, 7, value)
            await anyio.sleep(0.01)  # JACK delivers both ways in one period; the next message comes later
        await until(lambda: len(opened.heard) >= 20)
        await anyio.sleep(0.05)
        assert [arrived.data[2] for arrived in opened.heard] == list(range(20))


def output_all() -> list[str]:
    """Return every port that can be written to, our own too."""
    import subprocess

    return subprocess.run(["jack_lsp"], check=True, capture_output=True, text=True, timeout=10).stdout.splitlines()


async def test_ports_that_are_not_wanted_stay_closed(desk: Controller) -> None:
    async with running(MidiSettings(api=MidiApi.JACK, poll_s=0.05, ignore=("DESK*",))) as opened:
        await until(lambda: opened.names() == [VIRTUAL])
        for _ in range(5):
            await anyio.sleep(0.05)
            assert opened.names() == [VIRTUAL]


async def test_names_for_the_doctor(desk: Controller) -> None:
    assert "desk:out" in input_names(SETTINGS)
    assert "desk-01:in" in output_names(SETTINGS)


async def test_no_midi_system_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "sfa-nobody")
    assert input_names(SETTINGS) == []
    async with running() as opened:
        await anyio.sleep(0.12)
        assert opened.ports.ports() == []


async def test_a_midi_system_that_dies_is_survived_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "sfa-nobody")
    name = f"sfa-mortal-{os.getpid()}"
    async with running() as opened:
        for _ in range(2):
            with jack_server(name):
                await until(lambda: opened.names() == [VIRTUAL])
                desk = Controller("mortal")
                await until(lambda: "mortal:out" in opened.names())
                desk.unplug()
            await until(lambda: opened.ports.ports() == [])


async def test_a_midi_system_that_was_restarted_between_two_looks_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "sfa-nobody")
    name = f"sfa-again-{os.getpid()}"
    system = RtMidiSystem(lambda port, data: None, SETTINGS)
    for _ in range(2):
        with jack_server(name):
            desk = Controller("again")
            try:
                states, _ = await anyio.to_thread.run_sync(system.look)
                assert "again:out" in states
            finally:
                desk.unplug()
    await anyio.to_thread.run_sync(system.close)


def test_names_of_devices() -> None:
    assert device_of("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0") == "nanoKONTROL2:nanoKONTROL2 MIDI 1"
    assert device_of("desk:out") == "desk:out"
    outputs = ["nano:nano MIDI 1 20:0", "pad:pad in 24:0", "a:x", "a:y"]
    assert partner_of("nano:nano MIDI 1", outputs) == "nano:nano MIDI 1 20:0"
    assert partner_of("pad:pad out", outputs) == "pad:pad in 24:0"
    assert partner_of("a:z", outputs) is None, "two that could be meant: neither is"
    assert partner_of("other", outputs) is None
    assert partner_of("desk:out", ["other:in", "desk-01:in", "desk-02:x"]) == "desk-01:in"
    assert partner_of("system:midi_capture_2", ["system:midi_playback_1", "system:midi_playback_2"]) == (
        "system:midi_playback_2"
    )
