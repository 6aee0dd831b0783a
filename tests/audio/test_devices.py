"""Which device calls the kernel: the wanted one, the next, the timer, and the wanted one again."""

import threading

import pytest

from audio import devices, portaudio
from audio.devices import RETRY_S, STALL_S, DeviceKeeper, NullOutput
from audio.errors import DeviceLost, FormatRejected
from audio.portaudio import Device


class FakeKernel:
    """Counts frames when it is told to; its null loop waits until it is stopped."""

    callback_address = 1
    userdata_address = 2

    def __init__(self) -> None:
        self.frame = 0
        self.latency = -1
        self.channels = 0
        self._stop = threading.Event()

    def run_null(self, block: int) -> None:
        self._stop.clear()
        self._stop.wait()

    def stop_null(self) -> None:
        self._stop.set()

    def set_channels(self, channels: int) -> None:
        self.channels = channels

    def set_input(self, channels: int, latency_frames: int) -> None:
        self.input = (channels, latency_frames)

    def set_latency(self, frames: int) -> None:
        self.latency = frames

    def outlet(self, rate: int) -> "FakeOutlet":
        if rate == 88_200:
            raise ValueError("cannot resample to that")
        return FakeOutlet()


class FakeOutlet:
    """What a device of another rate calls."""

    callback_address = 3
    userdata_address = 4
    latency = 96
    heard_late = 201


class FakeCards:
    """A PortAudio with the cards a test plugs in; refuses a second stream, and hangs or refuses when told."""

    def __init__(self) -> None:
        self.plugged = [
            Device(0, "Built-in", "ALSA", 2, 48_000.0, True),
            Device(1, "Studio 24", "ALSA", 8, 48_000.0, False),
        ]
        self.refusing: set[str] = set()
        self.rates: dict[str, set[int]] = {}
        self.tried: list[int] = []
        self.refused_channels: set[int] = set()
        self.hanging = False
        self.deaf = False
        self.heard_rates: set[int] = set()
        self.open: list[FakeCards.Stream] = []

    class Stream:
        def __init__(self, cards: "FakeCards", device: Device, channels: int) -> None:
            self.cards, self.device, self.active, self.latency_s = cards, device, True, 0.01
            self.channels, self.round_trip_s = channels, 0.025

        def close(self) -> None:
            self.cards.open.remove(self)
            if self.cards.hanging:
                raise DeviceLost(f"{self.device.name} does not answer any more")

    def output(
        self,
        device: Device,
        *,
        rate: int,
        channels: int,
        callback: int,
        userdata: int,
        source: Device | None,
        **_: int,
    ) -> "FakeCards.Stream":
        assert not self.open, "two streams call the kernel at once"
        self.tried.append(rate)
        if device.name in self.refusing or device not in self.plugged or channels in self.refused_channels:
            raise FormatRejected(f"{device.name} refuses {rate}")
        if rate not in self.rates.get(device.name, {rate}):
            raise FormatRejected(f"{device.name} refuses {rate}")
        if source is not None and (self.deaf or rate not in (self.heard_rates or {rate})):
            raise FormatRejected(f"{source.name} cannot be heard")
        assert (callback, userdata) == ((1, 2) if rate == 48_000 else (3, 4))
        self.open.append(FakeCards.Stream(self, device, channels))
        return self.open[-1]


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> FakeCards:
    made = FakeCards()
    monkeypatch.setattr(portaudio, "outputs", lambda: list(made.plugged))
    monkeypatch.setattr(portaudio, "rescan", lambda: None)
    monkeypatch.setattr(portaudio, "available", lambda: True)
    monkeypatch.setattr(portaudio, "Output", made.output)
    return made


class Rig:
    """A keeper on a fake kernel and fake cards, with a clock of its own."""

    def __init__(self, wanted: str, channels: int = 0, source: str = "") -> None:
        self.kernel, self.said = FakeKernel(), list[str]()
        self.keeper = DeviceKeeper(self.kernel, wanted, 48_000, 128, self.said.append, channels=channels, source=source)
        self.now = 0.0

    def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices.time, "monotonic", lambda: self.now)
        self.keeper.start()

    def advance(self, seconds: float, *, playing: bool = True) -> None:
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            self.kernel.frame += 4800 * playing
            self.keeper.check(self.now)


@pytest.mark.parametrize(
    ("wanted", "opened"),
    [
        ("auto", "Built-in, ALSA"),
        ("studio", "Studio 24, ALSA"),
        ("Built-in", "Built-in, ALSA"),
        ("theremin", "null"),
        ("null", "null"),
    ],
)
def test_the_wanted_device_is_opened(
    wanted: str, opened: str, cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(wanted)
    rig.start(monkeypatch)
    assert rig.keeper.name == opened
    assert rig.kernel.latency == (0 if opened == "null" else 480)
    assert bool(rig.said) == (wanted == "theremin")
    rig.advance(1)
    assert rig.keeper.losses == 0
    rig.keeper.close()
    assert not cards.open


@pytest.mark.parametrize(
    ("wanted", "channels", "opened"),
    [("Built-in", 0, 2), ("Studio", 0, 8), ("Studio", 4, 4), ("Built-in", 8, 2), ("null", 0, 8), ("null", 2, 2)],
)
def test_as_many_channels_are_played_as_there_are_and_are_wanted(
    wanted: str, channels: int, opened: int, cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(wanted, channels)
    rig.start(monkeypatch)
    assert rig.kernel.channels == opened
    assert [stream.channels for stream in cards.open] == ([] if wanted == "null" else [opened])
    rig.keeper.close()


def test_a_device_that_refuses_many_channels_gets_two(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.refused_channels = {8}
    rig = Rig("Studio")
    rig.start(monkeypatch)
    assert rig.keeper.name == "Studio 24, ALSA" and rig.kernel.channels == 2
    rig.keeper.close()


@pytest.mark.parametrize(
    ("name", "channels", "usable"),
    [("default", 32, 2), ("Pulse", 32, 2), ("system", 8, 8), ("Rig 30", 30, 8), ("Mono-ish", 3, 2), ("hw:1,0", 4, 4)],
)
def test_a_device_that_mixes_counts_as_stereo(name: str, channels: int, usable: int) -> None:
    assert Device(0, name, "ALSA", channels, 48_000.0, False).usable_channels == usable


def test_a_device_that_refuses_the_format_is_passed_over(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.refusing = {"Built-in"}
    rig = Rig("auto")
    rig.start(monkeypatch)
    assert rig.keeper.name == "Studio 24, ALSA" and "Built-in refuses" in rig.said[0]
    rig.keeper.close()


@pytest.mark.parametrize("own", [44_100.0, 48_000.0])
def test_a_device_of_another_rate_is_opened_at_its_own(
    own: float, cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.plugged = [Device(0, "Old card", "ALSA", 2, own, True)]
    cards.rates = {"Old card": {44_100, 88_200}}
    rig = Rig("auto")
    rig.start(monkeypatch)
    assert rig.keeper.name == "Old card, ALSA at 44100 Hz" and cards.tried == [48_000, 44_100]
    assert any("resampled to 44100 Hz" in text for text in rig.said)
    # 10 ms of the device and the frames that the filter waits for.
    assert rig.kernel.latency == 480 + 96
    rig.keeper.close()


def test_a_rate_there_is_no_way_to_is_a_refusal(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.plugged = [Device(0, "Odd card", "ALSA", 2, 88_200.0, True)]
    cards.rates = {"Odd card": {88_200}}
    rig = Rig("auto")
    rig.start(monkeypatch)
    assert rig.keeper.name == "null" and rig.said == ["Odd card refuses 48000"]
    rig.keeper.close()


def test_a_device_that_stands_still_is_replaced_by_the_next(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig("auto")
    rig.start(monkeypatch)
    rig.advance(STALL_S - 0.2, playing=False)
    assert rig.keeper.losses == 0
    cards.plugged.pop(0)
    rig.advance(0.4, playing=False)
    assert rig.keeper.losses == 1 and rig.keeper.name == "Studio 24, ALSA"
    rig.keeper.close()


def test_a_device_that_comes_back_is_taken_up_again(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig("auto")
    rig.start(monkeypatch)
    unplugged, cards.plugged = cards.plugged, []
    cards.open[0].active = False
    rig.advance(0.1)
    assert isinstance(rig.keeper.output, NullOutput) and rig.keeper.losses == 1
    rig.advance(2 * RETRY_S)
    assert rig.keeper.name == "null"
    cards.plugged = unplugged
    rig.advance(RETRY_S + 0.2)
    assert rig.keeper.name == "Built-in, ALSA" and rig.keeper.losses == 1
    rig.keeper.close()


def test_a_driver_that_hung_is_not_touched_again(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig("auto")
    rig.start(monkeypatch)
    cards.hanging = True
    cards.open[0].active = False
    rig.advance(3 * RETRY_S)
    assert rig.keeper.name == "null" and any("restart the engine" in text for text in rig.said)
    rig.keeper.close()


# --- what is heard ----------------------------------------------------------------------------------------------------

MICROPHONE = Device(5, "Microphone", "ALSA", 0, 48_000.0, False, 1)


def hearing(cards: FakeCards, monkeypatch: pytest.MonkeyPatch, found: Device | None = MICROPHONE) -> Rig:
    """Return a rig that was started with an input wanted, which is `found`."""
    monkeypatch.setattr(portaudio, "input_for", lambda device, wanted: found)
    rig = Rig("auto", source="auto")
    rig.start(monkeypatch)
    return rig


def test_an_input_is_opened_with_the_output_and_is_as_late_as_both(
    cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = hearing(cards, monkeypatch)
    assert rig.kernel.input == (1, 1200) and rig.keeper.name == "Built-in, ALSA" and not rig.said
    cards.plugged = []
    cards.open[0].active = False
    rig.advance(1.0)
    assert isinstance(rig.keeper.output, NullOutput) and rig.kernel.input == (0, 0)
    rig.keeper.close()


def test_an_input_that_cannot_be_opened_leaves_the_output(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.deaf = True
    rig = hearing(cards, monkeypatch)
    assert rig.keeper.name == "Built-in, ALSA" and rig.kernel.input == (0, 0)
    assert rig.said == ["nothing is heard: Microphone cannot be heard"]
    rig.keeper.close()


def test_an_input_that_is_not_there_is_said(cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = hearing(cards, monkeypatch, None)
    assert rig.kernel.input == (0, 0) and "no input for Built-in" in rig.said[0]
    rig.keeper.close()


def test_a_device_of_another_rate_is_heard_as_much_later_as_resampling_takes(
    cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.plugged = [Device(0, "Old card", "ALSA", 2, 44_100.0, True)]
    cards.rates = {"Old card": {44_100}}
    rig = hearing(cards, monkeypatch)
    assert rig.keeper.name == "Old card, ALSA at 44100 Hz" and rig.kernel.input == (1, 1200 + 201)
    rig.keeper.close()


def test_an_input_that_has_another_rate_than_its_output_takes_it_along(
    cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards.heard_rates = {44_100}
    rig = hearing(cards, monkeypatch)
    assert rig.keeper.name == "Built-in, ALSA at 44100 Hz" and rig.kernel.input == (1, 1200 + 201)
    rig.keeper.close()
