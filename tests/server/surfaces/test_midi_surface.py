"""The MIDI surface with a real show: through JACK's dummy driver with virtual controllers, and with pretended ports."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from control.control import UnknownControl
from control.errors import CannotLearn
from control.mapping_store import FileMappings, choose
from control.midi_names import VIRTUAL, Arrived, PortState
from control.settings import MidiApi, MidiSettings
from server.protocol import LearnChanged
from server.session.effects import Notice
from server.session.facts import AudibleDeck, EngineRestored
from server.session.intent import Intent
from server.session.show import Show
from server.surfaces.midi import MidiSurface
from tests.control.midi_jack import Controller, jack_server
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio
MUTE = "/deck/1/stem/vocals/mute"
VOLUME = "/deck/1/stem/vocals/volume"
DESK = """
[device]
match = "desk*"

[[map]]
source = "note 1/36"
path = "/deck/1/stem/vocals/mute"

[[map]]
source = "cc 1/21"
path = "/deck/1/volume"
curve = "linear"
"""


class FakePorts:
    """Ports with manners: one input called `desk:out`, which has an output."""

    def __init__(self, hear: Callable[[Arrived], None], change: Callable[[], None]) -> None:
        self.hear = hear
        self.change = change
        self.sent: list[tuple[int, ...]] = []
        self.names = ["desk:out"]

    def ports(self) -> list[PortState]:
        return [PortState(name, name, True) for name in self.names]

    def has_output(self, port: str) -> bool:
        return port in self.names

    def send(self, port: str, data: bytes) -> None:
        assert port in self.names
        self.sent.append(tuple(data))

    def look_again(self) -> None:
        pass

    async def run(self) -> None:
        self.change()
        await anyio.sleep_forever()

    def play(self, *data: int, port: str = "desk:out") -> None:
        self.hear(Arrived(port, data, time.monotonic()))


class Rig:
    """A show, its MIDI surface, and what it told."""

    def __init__(self, folder: Path, settings: MidiSettings | None = None) -> None:
        self.deckhand = FakeDeckhand({"song": 100.0})
        self.show = Show(self.deckhand)
        self.deckhand.report = self.show.report
        self.learned: list[LearnChanged] = []
        self.notices: list[Notice] = []
        self.show.watch(self.notices.append)
        self.store = FileMappings(folder)
        self.fake: FakePorts | None = None
        self.surface = MidiSurface(
            self.show,
            self.store,
            settings=settings,
            on_learn=self.learned.append,
            ports=None if settings else self._ports,
        )

    def _ports(self, hear: Callable[[Arrived], None], change: Callable[[], None]) -> FakePorts:
        self.fake = FakePorts(hear, change)
        return self.fake

    @property
    def ports(self) -> FakePorts:
        assert self.fake is not None
        return self.fake

    async def settled(self) -> None:
        await self.show.settle()
        await anyio.wait_all_tasks_blocked()


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.005)
    assert condition()


@asynccontextmanager
async def running(folder: Path, settings: MidiSettings | None = None) -> AsyncIterator[Rig]:
    rig = Rig(folder, settings)
    async with anyio.create_task_group() as tasks:
        await tasks.start(rig.show.run)
        rig.show.report(EngineRestored((AudibleDeck(),) * 4, 48_000))
        await rig.show.settle()
        await tasks.start(rig.surface.run)
        yield rig
        tasks.cancel_scope.cancel()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk.toml").write_text(DESK)
    return tmp_path


# -- with pretended ports ---------------------------------------------------------------------------------------------


async def test_a_mapped_button_moves_the_show_and_its_light_follows(folder: Path) -> None:
    async with running(folder) as rig:
        await rig.settled()
        rig.ports.sent.clear()
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1
        assert rig.ports.sent == [(0x90, 36, 127)]
        rig.show.submit(Intent(MUTE, 0, "osc"))
        await rig.settled()
        assert rig.ports.sent[-1] == (0x90, 36, 0)


async def test_a_fader_is_picked_up_and_let_go_when_another_surface_moves_its_control(folder: Path) -> None:
    async with running(folder) as rig:
        await rig.settled()
        rig.ports.play(0xB0, 21, 30)
        await rig.settled()
        assert rig.show.controls["/deck/1/volume"] == 1.0
        rig.ports.play(0xB0, 21, 127)
        rig.ports.play(0xB0, 21, 64)
        await rig.settled()
        assert rig.show.controls["/deck/1/volume"] == 0.5
        await anyio.sleep(0.06)
        rig.show.submit(Intent("/deck/1/volume", 0.9, "osc"))
        await rig.settled()
        rig.ports.play(0xB0, 21, 60)
        await rig.settled()
        assert rig.show.controls["/deck/1/volume"] == 0.9


async def test_what_the_show_refuses_is_told(folder: Path) -> None:
    (folder / "desk.toml").write_text(DESK.replace(MUTE, "/deck/1/play"))
    async with running(folder) as rig:
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert [notice.code for notice in rig.notices] == ["deck_empty"]


async def test_learn_maps_saves_and_is_heard_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    async with running(folder) as rig:
        rig.surface.start_learn(VOLUME)
        assert rig.surface.learning == VOLUME
        for value in range(20, 40):
            rig.ports.play(0xB0, 30, value)
        assert rig.learned == [LearnChanged(VOLUME, "waiting"), LearnChanged(VOLUME, "mapped", "desk:out", "cc 1/30")]
        await rig.settled()
        assert rig.show.controls[VOLUME] < 0.2, "the rest of the same move counts already: the hand is on it"
        await until(lambda: (folder / "desk-out.toml").exists())
        found, faults = FileMappings(folder).load()
        assert faults == []
        chosen = choose(found, "desk:out")
        assert chosen is not None
        assert [(str(entry.source), entry.path) for entry in chosen.entries] == [("cc 1/30", VOLUME)]


async def test_a_slow_learn_ends_when_the_knob_is_quiet(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.surface.start_learn(MUTE)
        rig.ports.play(0xB0, 50, 127)
        await until(lambda: rig.surface.learning is None)
        assert rig.learned[-1] == LearnChanged(MUTE, "mapped", "desk:out", "cc 1/50")


async def test_while_it_learns_nothing_moves_and_cancel_ends_it(folder: Path) -> None:
    async with running(folder) as rig:
        rig.surface.start_learn(VOLUME)
        rig.ports.play(0xB0, 21, 127)
        rig.surface.cancel_learn()
        rig.surface.cancel_learn()
        await rig.settled()
        assert rig.learned == [LearnChanged(VOLUME, "waiting"), LearnChanged(VOLUME, "cancelled")]
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1


async def test_learning_over_a_mapped_button_says_what_lost_it_and_keeps_the_rest(folder: Path) -> None:
    async with running(folder) as rig:
        rig.surface.start_learn("/deck/2/play")
        rig.ports.play(0x90, 36, 100)
        assert rig.learned[1:] == [
            LearnChanged(MUTE, "unmapped", "desk:out", "note 1/36"),
            LearnChanged("/deck/2/play", "mapped", "desk:out", "note 1/36"),
        ]
        await until(lambda: "/deck/2/play" in (folder / "desk.toml").read_text())
        assert '"/deck/1/volume"' in (folder / "desk.toml").read_text()
        rig.ports.play(0x80, 36, 0)
        rig.ports.play(0x90, 36, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 0


async def test_what_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        with pytest.raises(UnknownControl):
            rig.surface.start_learn("/nope")
        with pytest.raises(CannotLearn):
            rig.surface.start_learn("/deck/1/title")
        assert rig.learned == []


async def test_a_mapping_edited_by_hand_is_in_force_and_a_faulty_one_is_told(folder: Path) -> None:
    async with running(folder) as rig:
        (folder / "desk.toml").write_text(DESK.replace("note 1/36", "note 1/40"))
        assert await rig.surface.reload() == []
        rig.ports.play(0x90, 40, 100)
        await rig.settled()
        assert rig.show.controls[MUTE] == 1
        (folder / "desk.toml").write_text(DESK.replace("note 1/36", "note 1/400"))
        (fault,) = await rig.surface.reload()
        assert fault.startswith("desk.toml line 6: source")
        assert rig.notices[-1].message == fault


async def test_a_device_that_comes_back_is_shown_everything(folder: Path) -> None:
    async with running(folder) as rig:
        await rig.settled()
        rig.ports.names = []
        rig.ports.change()
        rig.show.submit(Intent(MUTE, 1, "osc"))
        await rig.settled()
        rig.ports.sent.clear()
        rig.ports.names = ["desk:out"]
        rig.ports.change()
        assert set(rig.ports.sent) == {(0x90, 36, 127), (0xB0, 21, 127)}


async def test_garbage_and_clock_move_nothing(folder: Path) -> None:
    async with running(folder) as rig:
        rev = rig.show.rev
        for data in ((), (1, 2, 3), (0xF8,), (0x90, 36), (0xF0, 1), (0xB0, 21, 200)):
            rig.ports.play(*data)
        await rig.settled()
        assert rig.show.rev == rev


# -- through JACK -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jack() -> Iterator[None]:
    with jack_server(f"sfa-midi-{os.getpid()}"):
        yield


async def test_a_real_port_moves_the_show_and_is_lit(jack: None, folder: Path) -> None:
    settings = MidiSettings(api=MidiApi.JACK, poll_s=0.05)
    async with running(folder, settings) as rig:
        desk = Controller("desk")
        try:
            await until(lambda: (0x90, 36, 0) in desk.heard)  # the light is told how things stand
            desk.send(0x90, 36, 100)
            await until(lambda: rig.show.controls[MUTE] == 1)
            await until(lambda: desk.heard[-1] == (0x90, 36, 127))

            rig.surface.start_learn(VOLUME)
            for value in range(100, 115):
                desk.send(0xB0, 70, value)
            await until(lambda: rig.surface.learning is None)
            desk.send(0xB0, 70, 0)
            await until(lambda: rig.show.controls[VOLUME] == 0.0)
        finally:
            desk.unplug()
        await until(lambda: [state.name for state in rig.surface.ports()] == [VIRTUAL])


async def test_the_generic_mixer_is_in_force_on_the_virtual_port_alone(jack: None, tmp_path: Path) -> None:
    settings = MidiSettings(api=MidiApi.JACK, poll_s=0.05)
    async with running(tmp_path, settings) as rig:
        desk = Controller("unknown")
        try:
            await until(lambda: rig.surface.mapping_of(VIRTUAL) is not None and len(rig.surface.ports()) >= 2)
            mapping = rig.surface.mapping_of(VIRTUAL)
            assert mapping is not None
            assert mapping.builtin
            assert rig.surface.mapping_of("unknown:out") is None
        finally:
            desk.unplug()
