"""Mix and stems: they null, they take over from each other without a click, and a gap keeps its word."""

import numpy as np
import pytest

from audio.commands import CHUNK_FRAMES, CommandKind, EventKind, command
from audio.host import KernelHost, SlotMemory
from tests.audio.kernel.listening import (
    FADE,
    Sound,
    constant,
    decibels,
    host_with,
    kinds,
    mixed,
    noise,
    on,
    stems_of,
    steps,
    tone,
    whole,
)

FRAMES = 12 * CHUNK_FRAMES


def partly(sound: Sound, chunks: list[int]) -> SlotMemory:
    """Return memory of which only `chunks` are ready; the rest holds a poison that must never be heard."""
    memory = SlotMemory.empty(len(sound))
    memory.audio[:] = 1e3
    for chunk in chunks:
        stretch = slice(chunk * CHUNK_FRAMES, (chunk + 1) * CHUNK_FRAMES)
        memory.audio[stretch] = sound[stretch]
        memory.ready[chunk] = 1
    return memory


def fill(memory: SlotMemory, sound: Sound, chunks: list[int]) -> None:
    """Let `chunks` arrive."""
    for chunk in chunks:
        stretch = slice(chunk * CHUNK_FRAMES, (chunk + 1) * CHUNK_FRAMES)
        memory.audio[stretch] = sound[stretch]
        memory.ready[chunk] = 1


@pytest.mark.parametrize("rate", [1.0, 1.0003, 0.83, 1.5, -1.1])
def test_stems_at_unity_null_against_the_mix(rate: float) -> None:
    stems = stems_of(60_000, 6)
    sent = [command(CommandKind.DECK_RATE, a=rate), on()]
    heard = host_with(mixed(stems), *sent, stems=whole(stems), position=30_000)
    plain = host_with(mixed(stems), *sent, position=30_000)
    a, b = heard.render(12_000).astype(np.float64), plain.render(12_000).astype(np.float64)
    assert heard.snapshot()["decks"][0]["stems_audible"] == 1
    assert np.sqrt((a**2).mean()) > 0.05
    assert decibels(float(np.sqrt(((a - b) ** 2).mean() / (a**2).mean()))) < -120.0


@pytest.mark.parametrize("rate", [1.0, 1.0003, 0.6, 2.5, -1.0, -1.7])
def test_only_ready_frames_are_heard_and_the_swap_is_seamless(rate: float) -> None:
    parts = {0: tone(FRAMES, 200.0, 0.2), 1: tone(FRAMES, 300.0, 0.2)}
    ready = [3, 4, 5, 7, 9, 10, 11]
    memory = {0: partly(parts[0], ready), 1: partly(parts[1], [2, *ready])}
    start = 0 if rate > 0 else FRAMES
    sent = [command(CommandKind.DECK_RATE, a=rate), on()]
    host = host_with(mixed(parts), *sent, stems=memory, position=start)
    length = int(FRAMES / abs(rate)) + 1000
    out = host.render(length)
    plain = host_with(mixed(parts), *sent, position=start).render(length)
    assert np.abs(out).max() < 0.5
    assert np.allclose(out, plain, atol=2e-6)
    changes = [kind for kind in kinds(host.events()) if kind in (EventKind.STEMS_ENTERED, EventKind.STEMS_LEFT)]
    assert changes.count(EventKind.STEMS_ENTERED) >= 3
    assert changes.count(EventKind.STEMS_LEFT) >= 2


def test_stems_enter_on_the_first_ready_frame_and_leave_before_the_last() -> None:
    stems = {0: constant(FRAMES, 0.1), 1: constant(FRAMES, 0.3)}
    memory = {slot: partly(sound, [2, 3]) for slot, sound in stems.items()}
    # The mix differs from the sum, so that each is told from the other.
    host = host_with(constant(FRAMES, 0.2), on(), stems=memory)
    out = host.render(5 * CHUNK_FRAMES)[:, 0]
    first, last = 2 * CHUNK_FRAMES, 4 * CHUNK_FRAMES
    assert np.allclose(out[FADE:first], 0.2)
    assert out[first] > 0.2
    assert np.allclose(out[first + FADE : last - FADE - 2], 0.4)
    assert np.allclose(out[last:], 0.2, atol=1e-6)
    assert np.abs(np.diff(out[FADE:])).max() <= 0.2 / FADE + 1e-6
    entered, left = (event for event in host.events() if event["kind"] in (4, 5))
    assert int(entered["kind"]) == EventKind.STEMS_ENTERED
    assert int(entered["a"]) == int(entered["frame"]) == first
    assert last - 2 * FADE <= int(left["a"]) < last


def test_all_stems_must_be_ready() -> None:
    stems = stems_of(FRAMES)
    memory = whole(stems)
    memory[1] = partly(stems[1], [])
    host = host_with(mixed(stems), on(), stems=memory)
    assert np.array_equal(host.render(9000)[FADE:], mixed(stems)[FADE:9000])
    assert host.snapshot()["decks"][0]["gap"] == 1


def test_a_mute_where_nothing_is_ready_waits_and_shows() -> None:
    stems = {0: constant(FRAMES, 0.1), 1: constant(FRAMES, 0.3)}
    memory = {slot: partly(sound, [2, 3, 4, 5]) for slot, sound in stems.items()}
    host = host_with(mixed(stems), on(), command(CommandKind.STEM_MUTE, 0, 1, a=1, frame=1000), stems=memory)
    before = host.render(2 * CHUNK_FRAMES)[:, 0]
    assert np.allclose(before[FADE:], 0.4)
    deck = host.snapshot()["decks"][0]
    assert (deck["pending_mask"], deck["gap"], deck["stems_audible"], deck["stem_mask"]) == (0b10, 1, 0, 0b11)
    after = host.render(CHUNK_FRAMES)[:, 0]
    assert after[0] < 0.4
    assert np.allclose(after[FADE:], 0.1, atol=1e-6)
    deck = host.snapshot()["decks"][0]
    assert (deck["pending_mask"], deck["gap"], deck["stems_audible"]) == (0, 0, 1)


def test_a_mute_taken_back_while_it_waits_is_forgotten() -> None:
    stems = stems_of(FRAMES)
    memory = {slot: SlotMemory.empty(FRAMES) for slot in stems}
    host = host_with(mixed(stems), on(), command(CommandKind.STEM_SOLO, 0, 1, a=1), stems=memory)
    host.render(1000)
    assert host.snapshot()["decks"][0]["pending_mask"] == 0b10
    host.send(command(CommandKind.STEM_SOLO, 0, 1, a=0))
    host.render(1000)
    assert host.snapshot()["decks"][0]["pending_mask"] == 0


def test_a_gap_holds_the_level_of_what_is_left() -> None:
    stems = {0: noise(FRAMES, 1, 0.2), 1: noise(FRAMES, 2, 0.05)}
    memory = {slot: partly(sound, [0, 1, 2, 3, 7, 8]) for slot, sound in stems.items()}
    host = host_with(mixed(stems), on(), command(CommandKind.STEM_MUTE, 0, 0, a=1), stems=memory)
    left = host.render(3 * CHUNK_FRAMES)[CHUNK_FRAMES:]
    host.render(CHUNK_FRAMES)
    gap = host.render(3 * CHUNK_FRAMES)
    deck = host.snapshot()["decks"][0]
    assert (deck["gap"], deck["pending_mask"], deck["stems_audible"]) == (1, 0, 0)
    assert decibels(float(gap.std() / left.std())) == pytest.approx(0.0, abs=0.5)
    assert np.abs(gap).max() < 0.4
    back = host.render(CHUNK_FRAMES)[2 * FADE :]
    assert np.allclose(back, stems[1][7 * CHUNK_FRAMES + 2 * FADE : 8 * CHUNK_FRAMES], atol=1e-6)


def test_an_unmute_in_a_gap_brings_the_mix_to_its_own_level() -> None:
    stems = {0: constant(FRAMES, 0.4), 1: constant(FRAMES, 0.1)}
    memory = {slot: partly(sound, [0, 1, 2, 3]) for slot, sound in stems.items()}
    host = host_with(mixed(stems), on(), command(CommandKind.STEM_MUTE, 0, 0, a=1), stems=memory)
    host.render(5 * CHUNK_FRAMES)
    assert 0.05 < host.render(100)[-1, 0] < 0.2
    host.send(command(CommandKind.STEM_MUTE, 0, 0, a=0))
    out = host.render(1000)[:, 0]
    assert out[-1] == pytest.approx(0.5)
    assert np.abs(np.diff(out)).max() <= 0.5 / FADE


def test_the_mix_by_choice_is_the_mix() -> None:
    stems = {0: constant(FRAMES, 0.1), 1: constant(FRAMES, 0.3)}
    sent = [command(CommandKind.STEM_MUTE, 0, 1, a=1), command(CommandKind.DECK_SOURCE, a=0, frame=2000)]
    host = host_with(mixed(stems), on(), *sent, stems=whole(stems))
    out = host.render(4000)[:, 0]
    assert out[1999] == pytest.approx(0.1)
    assert out[-1] == pytest.approx(0.4)
    assert np.abs(np.diff(out)).max() <= 0.4 / FADE + 1e-6
    deck = host.snapshot()["decks"][0]
    assert (deck["gap"], deck["stems_audible"], deck["pending_mask"]) == (0, 0, 0)


def test_stems_that_arrive_in_front_of_the_playhead_take_over() -> None:
    stems = stems_of(FRAMES)
    memory = {slot: SlotMemory.empty(FRAMES) for slot in stems}
    host = host_with(mixed(stems), on(), stems=memory)
    host.render(1000)
    for slot in stems:
        fill(memory[slot], stems[slot], [0, 1, 2])
    out = host.render(1000)
    assert kinds(host.events())[-1] == EventKind.STEMS_ENTERED
    assert np.allclose(out, mixed(stems)[1000:2000], atol=1e-6)


def test_binding_stems_later_and_taking_them_away_is_not_heard() -> None:
    stems = stems_of(FRAMES)
    host = host_with(mixed(stems), on())
    first = host.render(1000)
    host.bind_stems(0, 1, whole(stems))
    second = host.render(1000)
    assert host.snapshot()["decks"][0]["stem_mask"] == 0b1111
    host.bind_stem(0, 1, 2, SlotMemory.whole(stems[2]))
    third = host.render(1000)
    host.unbind_stems(0, 1)
    fourth = host.render(1000)
    assert host.snapshot()["decks"][0]["stem_mask"] == 0
    out = np.concatenate([first, second, third, fourth])
    assert np.allclose(out[FADE:], mixed(stems)[FADE:4000], atol=1e-6)


def test_a_bind_for_a_track_that_is_gone_does_nothing() -> None:
    host = host_with(constant(FRAMES, 0.25), on())
    host.bind_stems(0, 99, {0: SlotMemory.whole(constant(FRAMES, 0.9))})
    assert host.render(1000)[-1, 0] == 0.25
    assert host.snapshot()["decks"][0]["stem_mask"] == 0


def test_seeking_while_stems_play_starts_in_stems() -> None:
    stems = {0: constant(FRAMES, 0.1), 1: constant(FRAMES, 0.3)}
    sent = [command(CommandKind.STEM_MUTE, 0, 1, a=1), command(CommandKind.DECK_SEEK, a=20_000, frame=2000)]
    out = host_with(mixed(stems), on(), *sent, stems=whole(stems)).render(4000)[:, 0]
    assert np.allclose(out[FADE:], 0.1, atol=1e-6)


@pytest.mark.parametrize("rate", [1.0, 1.07, -1.0, -0.9])
def test_missing_audio_is_a_fade_to_silence_and_is_counted(rate: float) -> None:
    sound = constant(FRAMES, 0.5)
    memory = partly(sound, [0, 1, 2, 3, 6, 7, 8, 9, 10, 11])
    host = KernelHost()
    host.load(0, 1, memory, 0 if rate > 0 else FRAMES)
    host.send(command(CommandKind.DECK_ASSIGN, a=1))
    host.send(command(CommandKind.DECK_RATE, a=rate))
    host.send(on())
    out = host.render(int(FRAMES / abs(rate)) - 1000)
    assert np.abs(out).max() <= 0.5 + 1e-4
    # Where the track itself begins or ends the interpolation rings: that is the signal's own step.
    assert steps(out[500:]).max() <= 1.01 * 0.5 / FADE
    silent = int(host.snapshot()["silent_frames"])
    assert silent == pytest.approx(2 * CHUNK_FRAMES / abs(rate), abs=6 * FADE)
    missing = [event for event in host.events() if event["kind"] == EventKind.AUDIO_MISSING]
    assert sum(int(event["b"]) for event in missing) == silent
    assert np.count_nonzero(out[:, 0] == 0.0) >= int(2 * CHUNK_FRAMES / abs(rate)) - 2


def test_stems_do_not_need_the_mix() -> None:
    stems = stems_of(FRAMES)
    host = KernelHost()
    host.load(0, 1, SlotMemory.empty(FRAMES), 0, whole(stems))
    host.send(on())
    assert np.abs(host.render(2000)).max() > 0.1
    assert host.snapshot()["silent_frames"] == 0
