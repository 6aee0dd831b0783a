"""The engine process on the null device, from outside: what is loaded is what sounds, whatever dies around it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import numpy as np
import psutil
import pytest

from audio.client import EngineClient
from audio.commands import CommandKind, EventKind, command
from audio.errors import EngineGone, EngineMissing, LoadRefused
from audio.launch import WarmStandby, adopt_or_start
from audio.settings import AudioSettings
from audio.source import DeckSource, StemSource
from tests.audio.engines import (
    at_engine,
    deck_source,
    play_from,
    record,
    running_engine,
    store,
    until,
    until_status,
)
from tests.audio.material import Audio, music

pytestmark = pytest.mark.anyio

FADE = 480
"""Frames after which every fade of the kernel is over, with room."""

NAMES = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[EngineClient]:
    async with running_engine() as (client, _, _):
        yield client


def stems_of(seconds: float) -> list[Audio]:
    """Four stems on the 2^-21 grid, whose sum is the mix."""
    parts = [music(seconds, seed=10 + index) * 0.2 for index in range(4)]
    return [np.round(part * 2**21) / 2**21 for part in parts]


async def test_what_is_loaded_is_what_sounds_to_the_sample(engine: EngineClient, tmp_path: Path) -> None:
    song = music(4)
    await engine.load(0, 11, deck_source(tmp_path / "a.flac", song))
    start = await play_from(engine, 0, 24_000)
    heard = await record(engine, start, 48_000)
    meant = at_engine(store(tmp_path / "b.flac", song))[24_000:72_000]
    assert np.abs(heard[FADE:] - meant[FADE:]).max() < 1e-6
    await engine.eject(0)


async def test_a_48_khz_track_is_not_resampled(engine: EngineClient, tmp_path: Path) -> None:
    song = music(2, rate=48_000)
    await engine.load(0, 12, deck_source(tmp_path / "a.flac", song, rate=48_000))
    start = await play_from(engine, 0, 0)
    heard = await record(engine, start, 24_000)
    assert np.abs(heard[FADE:] - store(tmp_path / "b.flac", song)[FADE:24_000]).max() < 1e-6
    await engine.eject(0)


async def test_a_load_starts_where_it_is_told_and_is_announced(engine: EngineClient, tmp_path: Path) -> None:
    engine.events()
    await engine.load(1, 21, deck_source(tmp_path / "a.flac", music(4), at_s=3.0))
    events = engine.events()
    loaded = [event for event in events if event["kind"] == EventKind.DECK_LOADED]
    assert [(int(e["deck"]), int(e["token"]), float(e["a"])) for e in loaded] == [(1, 21, 144_000.0)]
    await until(lambda: int(engine.snapshot()["decks"][1]["token"]) == 21)
    deck = engine.snapshot()["decks"][1]
    assert (float(deck["position"]), int(deck["duration"]), int(deck["playing"])) == (144_000, 192_000, 0)
    await engine.eject(1)
    await until(lambda: int(engine.snapshot()["decks"][1]["token"]) == 0)


async def test_memory_goes_when_decks_are_ejected(engine: EngineClient, tmp_path: Path) -> None:
    for token in (31, 32, 33):
        await engine.load(2, token, deck_source(tmp_path / f"{token}.flac", music(4)))
    await engine.eject(2)
    report = await until_status(engine, lambda report: report.resident_bytes == 0)
    assert report.decks == ()
    if sys.platform == "linux":
        await until(lambda: not slot_memory(report.pid))


def slot_memory(pid: int) -> dict[str, int]:
    """Return the slot memory a process has open, by inode, with the bytes that it really takes (Linux)."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if "sfa-deck" in str(entry.readlink()):
                memory = entry.stat()
                found[str(memory.st_ino)] = memory.st_blocks * 512
    return found


async def test_faders_up_stems_equal_the_mix_and_a_muted_stem_is_gone(engine: EngineClient, tmp_path: Path) -> None:
    parts = stems_of(4)
    # The mix holds something that no stem does: it belongs to `other`.
    song = sum(parts) + 0.05 * music(4, seed=99)
    stems = tuple(StemSource(slot, NAMES[slot], tmp_path / f"{slot}.flac") for slot in range(4))
    stored = [store(tmp_path / f"{slot}.flac", part) for slot, part in enumerate(parts)]
    await engine.load(0, 41, deck_source(tmp_path / "mix.flac", song, stems=stems))
    await until_status(engine, lambda report: all(slot.ready == 1 for slot in report.decks[0].slots))
    start = await play_from(engine, 0, 0)
    mute = start + 48_000
    engine.send(command(CommandKind.STEM_MUTE, 0, 0, a=1, frame=mute))
    heard = await record(engine, start, 96_000)
    mix = at_engine(store(tmp_path / "mix2.flac", song))
    assert int(engine.snapshot()["decks"][0]["stems_audible"]) == 1
    assert np.abs(heard[FADE:48_000] - mix[FADE:48_000]).max() < 1e-6
    without = mix[:96_000] - at_engine(stored[0])[:96_000]
    assert np.abs(heard[48_000 + FADE :] - without[48_000 + FADE :]).max() < 1e-6
    engine.send(command(CommandKind.STEM_MUTE, 0, 0, a=0))
    await engine.eject(0)


async def test_stems_that_arrive_mid_play_take_over_at_the_same_frame(engine: EngineClient, tmp_path: Path) -> None:
    parts = stems_of(6)
    song = sum(parts)
    paths = [tmp_path / f"{name}.part" for name in NAMES]
    stems = tuple(StemSource(slot, NAMES[slot], paths[slot], "part", 1.0, ()) for slot in range(4))
    await engine.load(0, 51, deck_source(tmp_path / "mix.flac", song, stems=stems))
    engine.send(command(CommandKind.STEM_MUTE, 0, 1, a=1))
    start = await play_from(engine, 0, 0)
    await until(lambda: engine.clock().frame > start + 4_800)
    assert int(engine.snapshot()["decks"][0]["stems_audible"]) == 0
    for path, part in zip(paths, parts, strict=True):
        with path.open("wb") as file:
            file.truncate(len(part) * 8)
            file.seek(22_050 * 8)
            file.write(part[22_050 : 44_100 * 4].astype("<f4").tobytes())
    for slot, path in enumerate(paths):
        await engine.stem_ranges(0, 51, slot, path, [(22_050, 44_100 * 4)])
    await until(lambda: int(engine.snapshot()["decks"][0]["stems_audible"]) == 1)
    audible = engine.clock().frame
    assert audible - start < 4 * 48_000
    heard = await record(engine, audible, 4_800)
    place = audible - start
    meant = at_engine(song - parts[1])[place : place + 4_800]
    assert np.abs(heard[FADE:] - meant[FADE:]).max() < 1e-5
    engine.send(command(CommandKind.STEM_MUTE, 0, 1, a=0))
    await engine.eject(0)


async def test_a_finished_stem_may_move_to_its_final_file(engine: EngineClient, tmp_path: Path) -> None:
    parts = stems_of(2)
    stems = tuple(StemSource(slot, NAMES[slot], tmp_path / f"{slot}.part", "part", 1.0, ()) for slot in range(4))
    await engine.load(0, 61, deck_source(tmp_path / "mix.flac", sum(parts), stems=stems))
    for slot, part in enumerate(parts):
        store(tmp_path / f"{slot}.flac", part)
        await engine.stem_ranges(0, 61, slot, tmp_path / f"{slot}.flac", None)
    report = await until_status(engine, lambda report: all(slot.ready == 1 for slot in report.decks[0].slots))
    assert [slot.label for slot in report.decks[0].slots] == ["mix", *NAMES]
    await engine.eject(0)


async def test_a_better_set_of_stems_replaces_the_first(engine: EngineClient, tmp_path: Path) -> None:
    parts = stems_of(2)
    first = tuple(StemSource(slot, NAMES[slot], tmp_path / f"{slot}.flac") for slot in (0, 3))
    for slot, part in enumerate(parts):
        store(tmp_path / f"{slot}.flac", part)
    await engine.load(0, 66, deck_source(tmp_path / "mix.flac", sum(parts), stems=first))
    await until_status(engine, lambda report: all(slot.ready == 1 for slot in report.decks[0].slots))
    await until(lambda: int(engine.snapshot()["decks"][0]["stem_mask"]) == 0b1001)
    await engine.declare_stems(0, 66, [StemSource(slot, NAMES[slot], tmp_path / f"{slot}.flac") for slot in range(4)])
    await until(lambda: int(engine.snapshot()["decks"][0]["stem_mask"]) == 0b1111)
    report = await until_status(engine, lambda report: len(report.decks[0].slots) == 5)
    assert all(slot.bound for slot in report.decks[0].slots)
    await engine.eject(0)


async def test_news_about_a_track_that_has_left_is_ignored(engine: EngineClient, tmp_path: Path) -> None:
    await engine.stem_ranges(3, 999, 0, tmp_path / "gone.part", [(0, 100)])
    await engine.declare_stems(3, 999, [StemSource(0, "vocals", tmp_path / "gone.flac")])
    await engine.eject(3, 999)
    assert (await engine.status()).decks == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reference": Path("/nowhere/reference.flac")}, "reference.flac cannot be read"),
        ({"rate": 48_000}, "at 48000 Hz were announced"),
        ({"frames": 12}, "12 at 44100 Hz were announced"),
        ({"frames": -5}, "no track is like that"),
        ({"gain": float("nan")}, "no track is like that"),
        ({"position_s": float("inf")}, "cannot start"),
        ({"stems": (StemSource(9, "x", Path("x.flac")),)}, "has slot 9"),
        ({"stems": (StemSource(0, "x", Path("x.part"), "part", 1.0, ((5, 2),)),)}, "ends before it begins"),
    ],
)
async def test_a_load_that_cannot_be_is_refused_with_the_fact(
    change: dict[str, object], says: str, engine: EngineClient, tmp_path: Path
) -> None:
    source = deck_source(tmp_path / "a.flac", music(1))
    fields = {name: getattr(source, name) for name in source.__struct_fields__}
    with pytest.raises(LoadRefused, match=says):
        await engine.load(0, 71, DeckSource(**{**fields, **change}))
    report = await engine.status()
    assert report.decks == () and report.resident_bytes == 0


async def test_a_deck_or_token_that_does_not_exist_is_refused(engine: EngineClient, tmp_path: Path) -> None:
    source = deck_source(tmp_path / "a.flac", music(1))
    with pytest.raises(LoadRefused, match="no deck 5"):
        await engine.load(4, 1, source)
    with pytest.raises(LoadRefused, match="token"):
        await engine.load(0, 0, source)


async def test_a_missing_stem_leaves_the_mix_playing_and_says_so(engine: EngineClient, tmp_path: Path) -> None:
    song = music(2)
    stems = (StemSource(0, "vocals", tmp_path / "gone.flac"), StemSource(3, "other", tmp_path / "gone2.flac"))
    await engine.load(0, 81, deck_source(tmp_path / "mix.flac", song, stems=stems))
    report = await until_status(engine, lambda report: any("gone.flac" in text for text in report.messages))
    assert report.decks[0].token == 81
    start = await play_from(engine, 0, 0)
    heard = await record(engine, start, 24_000)
    meant = at_engine(store(tmp_path / "b.flac", song))[:24_000]
    assert np.abs(heard[FADE:] - meant[FADE:]).max() < 1e-6
    await engine.eject(0)


async def test_a_reference_cut_short_plays_as_far_as_it_goes(engine: EngineClient, tmp_path: Path) -> None:
    song = music(8)
    source = deck_source(tmp_path / "mix.flac", song)
    data = (tmp_path / "mix.flac").read_bytes()
    (tmp_path / "mix.flac").write_bytes(data[: len(data) // 2])
    await engine.load(0, 91, source)
    report = await until_status(engine, lambda report: any("deck 1, mix" in text for text in report.messages))
    await until_status(engine, lambda report: 0.3 < report.decks[0].slots[0].ready < 0.6)
    assert report.filler_restarts == 0
    start = await play_from(engine, 0, 48_000)
    heard = await record(engine, start, 24_000)
    meant = at_engine(store(tmp_path / "b.flac", song))[48_000:72_000]
    assert np.abs(heard[FADE:] - meant[FADE:]).max() < 1e-6
    await engine.eject(0)


async def test_a_stem_cut_short_under_the_engine_leaves_the_mix_playing_there(
    engine: EngineClient, tmp_path: Path
) -> None:
    song = np.tile(music(10), (8, 1))
    names = {0: tmp_path / "vocals.flac", 3: tmp_path / "other.flac"}
    for slot, path in names.items():
        store(path, song * (0.25 if slot == 0 else 0.75))
    stems = tuple(StemSource(slot, NAMES[slot], path) for slot, path in names.items())
    await engine.load(0, 95, deck_source(tmp_path / "mix.flac", song, stems=stems))
    start = await play_from(engine, 0, 0)
    before = await engine.status()
    assert min(slot.ready for slot in before.decks[0].slots) < 1, "it is being read"
    os.truncate(names[0], names[0].stat().st_size // 3)
    report = await until_status(engine, lambda report: any("vocals" in text for text in report.messages))
    assert report.pid == before.pid and engine.clock().frame > start
    await until_status(engine, lambda report: report.decks[0].slots[0].ready == 1)
    start = await play_from(engine, 0, 70 * 48_000)
    heard = await record(engine, start, 24_000)
    # The song repeats itself every ten seconds.
    meant = at_engine(store(tmp_path / "b.flac", song[: 20 * 44_100]))[10 * 48_000 : 10 * 48_000 + 24_000]
    assert np.abs(heard[FADE:] - meant[FADE:]).max() < 1e-6
    snapshot = engine.snapshot()["decks"][0]
    assert (int(snapshot["stems_audible"]), int(snapshot["gap"])) == (0, 1), "and says so"
    await engine.eject(0)


async def test_a_killed_filler_is_replaced_and_the_music_plays_on(engine: EngineClient, tmp_path: Path) -> None:
    song = np.tile(music(10), (18, 1))
    await engine.load(0, 101, deck_source(tmp_path / "mix.flac", song))
    start = await play_from(engine, 0, 0)
    before = await engine.status()
    assert before.decks[0].slots[0].ready < 1
    os.kill(before.filler_pid, signal.SIGKILL)
    after = await until_status(engine, lambda report: report.decks[0].slots[0].ready == 1)
    assert after.filler_restarts == before.filler_restarts + 1 and after.filler_pid != before.filler_pid
    assert any("started again" in text for text in after.messages)
    assert after.pid == before.pid and engine.clock().frame > start
    now = engine.clock().frame
    heard = await record(engine, now, 4_800)
    meant = at_engine(store(tmp_path / "b.flac", song[: 44_100 * 40]))[now - start : now - start + 4_800]
    assert np.abs(heard - meant).max() < 1e-6
    await engine.eject(0)


async def test_the_client_needs_no_compiler() -> None:
    code = "import sys, audio.client, audio.launch, audio.importer; print([m for m in sys.modules if 'numba' in m])"
    done = await anyio.run_process([sys.executable, "-c", code])
    assert done.stdout.decode().strip() == "[]"


async def test_an_engine_starts_without_scipy(engine: EngineClient) -> None:
    """It would add a third of a second to every start; and what Numba would do with it, the kernel never asks for."""
    for pid in (engine.pid, (await engine.status()).filler_pid):
        loaded = {mapped.path for mapped in psutil.Process(pid).memory_maps()}
        assert any("numba" in path for path in loaded)
        assert not [path for path in loaded if "/scipy/" in path]


async def test_nonsense_on_the_socket_is_answered_and_harms_nobody(engine: EngineClient) -> None:
    stream = await anyio.connect_unix(str(engine.runtime_dir / "engine.sock"))
    async with stream:
        await stream.send(b"\x03\x00\x00\x00abc")
        assert b"nonsense" in await stream.receive()
        await stream.send(b"\xff\xff\xff\xff")
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
    assert (await engine.status()).pid == engine.pid


async def test_a_second_engine_for_the_folder_is_refused(engine: EngineClient) -> None:
    done = await anyio.run_process(
        [sys.executable, "-m", "audio", "--runtime-dir", str(engine.runtime_dir), "--audio", "null"],
        check=False,
        stderr=subprocess.PIPE,
    )
    assert done.returncode == 3
    assert f"process {engine.pid}" in done.stderr.decode()
    assert (await engine.status()).pid == engine.pid


async def test_another_server_adopts_the_engine_and_its_music(engine: EngineClient, tmp_path: Path) -> None:
    await engine.load(0, 111, deck_source(tmp_path / "a.flac", music(4)))
    adopted, process = await adopt_or_start(engine.runtime_dir, AudioSettings(device="null"))
    assert process is None and adopted.pid == engine.pid
    assert int(adopted.snapshot()["decks"][0]["token"]) == 111
    await adopted.eject(0, 111)
    await adopted.aclose()


async def test_a_dead_engine_is_noticed_and_a_warm_one_takes_its_place() -> None:
    async with running_engine() as (client, process, runtime_dir), WarmStandby() as standby:
        os.kill(client.pid, signal.SIGKILL)
        await until(lambda: not client.alive)
        with pytest.raises(EngineGone):
            await client.status()
        with pytest.raises(EngineMissing):
            EngineClient.attach(runtime_dir)
        again, warm = await standby.take(runtime_dir, AudioSettings(device="null"))
        try:
            assert again.pid == warm.pid != process.pid
            await until(lambda: again.clock().frame > 0)
            await again.quit()
            await until(lambda: not warm.running)
            assert not (runtime_dir / "engine.sock").exists() and not (runtime_dir / "engine.json").exists()
        finally:
            warm.end()


async def test_an_engine_that_nobody_comes_back_to_ends_itself(tmp_path: Path) -> None:
    source = deck_source(tmp_path / "a.flac", music(1))
    async with running_engine(orphan_s=0.5) as (client, process, _):
        await client.load(0, 1, source)
        client.send(command(CommandKind.DECK_PLAY, 0, a=1))
        await client.aclose()
        await until(lambda: not process.running)
        assert float(client.snapshot()["decks"][0]["position"]) >= 48_000


async def test_a_track_that_does_not_fit_lives_in_a_window_around_its_playhead(tmp_path: Path) -> None:
    minutes, second = 4, 44_100
    song = np.repeat(np.linspace(-0.5, 0.5, minutes * 60), second)[:, None].repeat(2, 1)
    stems = tuple(StemSource(slot, NAMES[slot], tmp_path / f"{slot}.flac") for slot in (0, 3))
    for slot in (0, 3):
        store(tmp_path / f"{slot}.flac", song / 2)
    async with running_engine(memory_mib=64) as (client, _, _):
        source = deck_source(tmp_path / "mix.flac", song, stems=stems)
        budget = 64 << 20
        await client.load(0, 1, source)
        for at_s in (0, 150, 60, 230):
            client.send(command(CommandKind.DECK_SEEK, 0, a=at_s * 48_000))
            await until(lambda at_s=at_s: float(client.snapshot()["decks"][0]["position"]) == at_s * 48_000)
            await until_status(client, lambda report: report.resident_bytes > budget * 0.8)
            start = await play_from(client, 0, at_s * 48_000 + 1_000)
            heard = await record(client, start, 9_600)
            client.send(command(CommandKind.DECK_PLAY, 0, a=0))
            assert np.abs(heard[FADE:] - song[at_s * second, 0]).max() < 1e-5
            report = await until_status(client, lambda report: report.resident_bytes < budget * 1.1)
            assert report.decks[0].windowed
        assert report.budget_bytes == budget
        if sys.platform == "linux":
            await until(lambda: sum(slot_memory(report.pid).values()) < budget * 1.2)
