"""Commands: order, frames, refusals, and whatever else may lie in a ring that another process writes."""

import numpy as np
import pytest

from audio.commands import COMMAND, HORIZON_FRAMES, CommandKind, EventKind, command, join
from audio.errors import EngineBusy
from audio.host import KernelHost, SlotMemory
from audio.kernel.layout import DRAIN_LIMIT, SCHEDULED
from audio.rings import COMMAND_CAPACITY, EVENT_CAPACITY, CommandProducer, EventConsumer, ProducerReplaced
from tests.audio.kernel.listening import FADE, constant, host_with, kinds, mixed, on, stems_of, tone, whole


def refused(host: KernelHost) -> int:
    """Return how many refusals the host has heard of."""
    return kinds(host.events()).count(EventKind.COMMAND_REFUSED)


def test_commands_for_one_frame_apply_in_the_order_sent() -> None:
    levels = np.random.default_rng(1).random(50)
    sent = [command(CommandKind.DECK_VOLUME, a=float(level), frame=500) for level in levels]
    host = host_with(constant(9000), on(), *sent)
    assert host.render(500 + FADE)[-1, 0] == pytest.approx(0.5 * levels[-1])


def test_commands_apply_in_order_of_frame_whatever_the_order_sent() -> None:
    frames = np.random.default_rng(2).permutation(np.arange(1, 40)) * 300
    sent = [command(CommandKind.DECK_VOLUME, a=frame / 12_000, frame=int(frame)) for frame in frames]
    out = host_with(constant(20_000), on(), *sent).render(12_000)[:, 0]
    for frame in frames:
        assert out[frame + FADE - 1] == pytest.approx(0.5 * frame / 12_000, abs=1e-6)


def test_a_late_command_applies_at_the_next_block() -> None:
    host = host_with(constant(9000), on())
    host.render(1000)
    host.send(command(CommandKind.MASTER_VOLUME, a=0.0, frame=3))
    out = host.render(FADE)
    assert out[0, 0] < 0.5
    assert out[-1, 0] == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        command(CommandKind.DECK_VOLUME, a=float("nan")),
        command(CommandKind.DECK_SEEK, a=float("inf")),
        command(CommandKind.DECK_VOLUME, deck=4, a=0.1),
        command(CommandKind.STEM_VOLUME, 0, slot=8, a=0.1),
        command(CommandKind.STEM_MUTE, 255, slot=255, a=1),
        command(CommandKind.DECK_VOLUME, a=0.1, token=77),
        command(CommandKind.DECK_PLAY, 3, a=1),
        command(CommandKind.DECK_VOLUME, a=0.1, frame=HORIZON_FRAMES + 10_000_000),
        command(999, a=0.1),  # type: ignore[arg-type]
        command(0, a=0.1),  # type: ignore[arg-type]
    ],
)
def test_a_bad_command_is_refused_and_changes_nothing(bad: np.ndarray) -> None:
    sound = tone(9000)
    host = host_with(sound, on())
    host.render(FADE)
    host.send(bad)
    assert np.array_equal(host.render(1000), sound[FADE : FADE + 1000])
    event = next(event for event in host.events() if event["kind"] == EventKind.COMMAND_REFUSED)
    assert event["a"] == bad["kind"][0]


def test_numbers_out_of_range_are_clamped() -> None:
    host = host_with(constant(90_000, 0.25), on())
    host.send(join([
        command(CommandKind.DECK_VOLUME, a=7.0),
        command(CommandKind.MASTER_VOLUME, a=1e300),
        command(CommandKind.DECK_RATE, a=100.0),
    ]))  # fmt: skip
    host.render(1000)
    assert host.snapshot()["decks"][0]["rate"] == 4.0
    assert host.render(100)[-1, 0] == pytest.approx(0.25, abs=1e-4)
    host.send(command(CommandKind.DECK_SEEK, a=1e30))
    host.render(1000)
    assert host.snapshot()["decks"][0]["position"] == 90_000


def test_a_full_list_refuses_and_keeps_what_it_has() -> None:
    host = host_with(constant(90_000), on())
    more = SCHEDULED + 100
    host.send(join([command(CommandKind.DECK_VOLUME, a=0.5, frame=20_000 + n) for n in range(more)]))
    for _ in range(more // DRAIN_LIMIT + 1):
        host.render(64)
    assert refused(host) == 100
    applied = int(host.snapshot()["commands_applied"])
    for _ in range(30):
        host.render(1000)
    assert int(host.snapshot()["commands_applied"]) - applied == SCHEDULED


def test_a_burst_is_applied_whole() -> None:
    host = host_with(constant(90_000), on())
    host.render(64)
    before = int(host.snapshot()["commands_applied"])
    host.send(join([command(CommandKind.DECK_VOLUME, a=n / 8192) for n in range(COMMAND_CAPACITY)]))
    with pytest.raises(EngineBusy):
        host.send(command(CommandKind.DECK_VOLUME, a=1.0))
    for _ in range(COMMAND_CAPACITY // DRAIN_LIMIT):
        host.render(128)
    assert int(host.snapshot()["commands_applied"]) - before == COMMAND_CAPACITY
    assert host.render(FADE)[-1, 0] == pytest.approx(0.5 * 8191 / 8192, abs=1e-5)


def test_the_ring_wraps() -> None:
    host = host_with(constant(1_000_000), on())
    for turn in range(100):
        host.send(join([command(CommandKind.DECK_VOLUME, a=(turn + n) / 500) for n in range(333)]))
        host.render(64)
    assert int(host.snapshot()["commands_applied"]) == 100 * 333 + 2
    assert refused(host) == 0


def test_a_record_whose_tail_is_not_published_does_not_count() -> None:
    sound = tone(9000)
    host = host_with(sound, on())
    host.render(FADE)
    ring = host.block["commands"]
    place = int(ring["produced"]["tail"]) % COMMAND_CAPACITY
    ring["records"][place] = command(CommandKind.MASTER_VOLUME, a=0.0)[0]
    assert np.array_equal(host.render(1000), sound[FADE : FADE + 1000])


def test_a_new_producer_takes_the_ring_over() -> None:
    host = host_with(constant(9000), on())
    host.render(100)
    first = CommandProducer(host.block["commands"])
    first.send(command(CommandKind.DECK_VOLUME, a=0.5))
    second = CommandProducer(host.block["commands"])
    with pytest.raises(ProducerReplaced):
        first.send(command(CommandKind.DECK_VOLUME, a=0.0))
    second.send(command(CommandKind.DECK_TRIM, a=0.5))
    assert host.render(FADE)[-1, 0] == pytest.approx(0.5 * 0.25)


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_neither_crash_nor_hang_nor_shout(seed: int) -> None:
    random = np.random.default_rng(seed)
    host = host_with(tone(90_000, 300.0, 0.9), on(), stems=None)
    ring = host.block["commands"]
    for _ in range(60):
        count = int(random.integers(1, 400))
        records = np.frombuffer(random.bytes(count * COMMAND.itemsize), COMMAND).copy()
        # Half of them look almost right.
        likely = random.random(count) < 0.5
        records["kind"][likely] = random.choice([int(kind) for kind in CommandKind], likely.sum())
        records["deck"][likely] %= 5
        records["slot"][likely] %= 9
        records["token"][likely] = 0
        records["frame"][likely] = host.frame + random.integers(-10, 300, likely.sum())
        host.send(records)
        if random.random() < 0.2:
            ring["produced"]["tail"] = random.integers(0, 1 << 63, dtype=np.uint64)
        out = host.render(int(random.integers(1, 300)))
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1.0
        host.events()
    ring["produced"]["tail"] = ring["consumed"]["head"]
    host.load(0, 2, SlotMemory.whole(constant(9000)))
    host.send(on())
    host.render(1000)
    assert host.snapshot()["decks"][0]["token"] == 2


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_of_commands_stays_finite_and_below_the_ceiling(seed: int) -> None:
    random = np.random.default_rng(100 + seed)
    host = KernelHost()
    stems = stems_of(40_000, 5)
    for deck in range(4):
        memory = whole(stems)
        for slot in memory:
            memory[slot].ready[:] = random.random(len(memory[slot].ready)) < 0.7
        mix = SlotMemory.whole(mixed(stems))
        mix.ready[:] = random.random(len(mix.ready)) < 0.8
        host.load(deck, deck + 1, mix, 0, memory)
    every = list(CommandKind)
    values = [-1.0, 0.0, 0.3, 1.0, 2.0, -0.5, 16.0, 4.0, 1.0003, 39_000.0, 5000.0]
    for _ in range(150):
        host.send(join([
            command(
                every[int(random.integers(len(every)))], int(random.integers(4)), int(random.integers(5)),
                a=float(random.choice(values)), frame=host.frame + int(random.integers(0, 500)),
            )
            for _ in range(int(random.integers(0, 30)))
        ]))  # fmt: skip
        if random.random() < 0.1:
            deck = int(random.integers(4))
            host.load(deck, int(random.integers(5, 99)), SlotMemory.whole(mixed(stems)), 0, whole(stems))
        out = host.render(int(random.integers(1, 700)))
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1.0
    assert host.snapshot()["commands_applied"] > 1000


def test_audio_that_is_not_a_number_is_silenced() -> None:
    sound = constant(20_000, 0.25)
    sound[3000:3100] = np.nan
    sound[5000:5010] = np.inf
    out = host_with(sound, on()).render(10_000)
    assert np.isfinite(out).all()
    assert np.allclose(out[6000:], 0.25)


def test_full_event_rings_are_counted_and_nothing_else_happens() -> None:
    host = host_with(constant(90_000), on())
    host.render(64)
    bad = join([command(999) for _ in range(DRAIN_LIMIT)])  # type: ignore[arg-type]
    for _ in range(10):
        host.send(bad)
        host.render(64)
    total = 10 * DRAIN_LIMIT + 1
    assert int(host.snapshot()["events_lost"]) == total - EVENT_CAPACITY
    consumer = EventConsumer(host.block["events"])
    events = consumer.read()
    assert len(events) == EVENT_CAPACITY
    assert kinds(events[:2]) == [EventKind.DECK_LOADED, EventKind.COMMAND_REFUSED]
    assert len(consumer.read()) == 0
    host.send(command(999))  # type: ignore[arg-type]
    host.render(64)
    assert kinds(consumer.read()) == [EventKind.COMMAND_REFUSED]


@pytest.mark.parametrize("value", [1e300, -1e300, 1e19, -1e19, 1e-300, -1e-300, 4e9, 0.0])
def test_a_number_far_beyond_all_ranges_is_clamped_by_every_command(value: float) -> None:
    """Nothing that is not finite comes out, and the deck obeys again afterwards."""
    host = host_with(tone(96_000, 200.0), on(), stems=whole(stems_of(96_000, 2)))
    for kind in CommandKind:
        host.send(command(kind, 0, 0, a=value, b=value))
        out = host.render(512)
        assert np.isfinite(out).all() and np.abs(out).max() <= 1.0, kind.name
        deck = host.snapshot()["decks"][0]
        assert -2.0 * 96_000 <= float(deck["position"]) <= 2.0 * 96_000 and np.isfinite(float(deck["rate"])), kind.name
    host.load(0, 2, SlotMemory.whole(constant(96_000, 0.25)))
    host.send(join([command(CommandKind.DECK_RATE, a=1.0), on()]))
    assert np.isfinite(host.render(4 * FADE)).all()
    assert host.snapshot()["decks"][0]["token"] == 2
