"""The OSC surface on real UDP with a real show: python-osc, liblo's oscsend and plain sockets as clients."""

import os
import shutil
import sys
import time
from pathlib import Path

import anyio
import pytest
from blockbuster import blockbuster_ctx
from pythonosc.tcp_client import SimpleTCPClient
from pythonosc.udp_client import SimpleUDPClient

from control.control import Kind
from control.osc_codec import decode, encode, encode_bundle, timetag_of
from control.osc_peers import SUBSCRIPTION_S
from control.osc_stream import Slip
from control.registry import ALIASES, REGISTRY
from server.errors import BadRequest
from server.session.intent import Intent
from server.surfaces.timetags import TooFarAhead, frame_of
from tests.server.surfaces.osc_rig import (
    MUTE,
    READABLE,
    VOLUME,
    FakeClock,
    Phone,
    lan_address,
    rig_and_phone,
    running,
    until,
)

pytestmark = pytest.mark.anyio
SENDER = str(Path(__file__).parents[2] / "control" / "sender.py")


# -- moving the show --------------------------------------------------------------------------------------------------


async def test_python_osc_moves_controls() -> None:
    async with running() as rig:
        with SimpleUDPClient("127.0.0.1", rig.port) as client:
            client.send_message(MUTE, 1)
            await rig.value(MUTE, 1)
            client.send_message(VOLUME, 0.25)
            await rig.value(VOLUME, 0.25)
            client.send_message("/deck/1/assign", "right")
            await rig.value("/deck/1/assign", "right")


@pytest.mark.skipif(shutil.which("oscsend") is None and not os.environ.get("CI"), reason="no oscsend here")
async def test_oscsend_mutes_the_vocals() -> None:
    async with running() as rig:
        await anyio.run_process(["oscsend", "localhost", str(rig.port), MUTE, "i", "1"])
        await rig.value(MUTE, 1)
        await anyio.run_process(["oscsend", "localhost", str(rig.port), MUTE, "F"])
        await rig.value(MUTE, 0)
        await anyio.run_process(["oscsend", "127.0.0.1", str(rig.port), VOLUME, "d", "0.5"])
        await rig.value(VOLUME, 0.5)


@pytest.mark.parametrize(("arg", "value"), [(1, 1), (1.0, 1), (True, 1), (0.2, 0), (False, 0), (7, 1)])
async def test_every_number_type_moves_a_toggle(arg: object, value: int) -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send(MUTE, 1 - value)
        await rig.value(MUTE, 1 - value)
        phone.send(MUTE, arg)
        await rig.value(MUTE, value)


async def test_a_message_without_arguments_presses_a_trigger_and_nothing_else() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/deck/1/load", "song")
        await rig.value("/deck/1/status", "ready")
        phone.send("/deck/1/play", 1)
        await rig.value("/deck/1/play", 1)
        phone.raw(b"/deck/1/stop\0\0\0\0")
        await rig.value("/deck/1/play", 0)
        phone.send("/transport/play")
        await rig.value("/deck/1/play", 1)
        phone.send(VOLUME)
        await until(lambda: [error[0] for error in phone.errors()] == [VOLUME])
        assert rig.show.controls[VOLUME] == 1.0


BAD = [
    ("/nope", (1,)),
    ("/deck/9/volume", (1,)),
    ("/deck/1/volum", (0.5,)),
    (VOLUME, (float("nan"),)),
    (VOLUME, (float("inf"),)),
    (VOLUME, ("loud",)),
    (VOLUME, (b"blob",)),
    (VOLUME, (None,)),
    (VOLUME, (0.5, 0.5)),
    (VOLUME, ()),
    ("/deck/1/assign", ("up",)),
    ("/deck/1/assign", (17,)),
    ("/deck/1/load", (3,)),
    ("/deck/1/title", ("mine",)),
    ("/deck/1/stem/vocals/level", (1.0,)),
    ("/subscribe", ("9000",)),
    ("/subscribe", (99_999,)),
    ("/subscribe", (float("nan"),)),
    ("/unsubscribe", (-1,)),
]


@pytest.mark.parametrize(("path", "args"), BAD, ids=[f"{path} {args}" for path, args in BAD])
async def test_what_is_wrong_is_answered_and_changes_nothing(path: str, args: tuple[object, ...]) -> None:
    async with rig_and_phone() as (rig, phone):
        before, rev = dict(rig.show.controls), rig.show.rev
        phone.send(path, *args)
        await until(lambda: bool(phone.errors()))
        (error,) = phone.errors()
        assert error[0] == path
        assert isinstance(error[1], str)
        assert error[1]
        await rig.show.settle()
        assert (dict(rig.show.controls), rig.show.rev) == (before, rev)
        assert rig.surface.subscribers() == []


async def test_garbage_is_answered_and_survived() -> None:
    async with rig_and_phone() as (rig, phone):
        rev = rig.show.rev
        for data in (b"", b"hello", b"#bundle\0", b"/x", b"/deck/1/volume\0\0,f\0\0", bytes(2000)):
            phone.raw(data)
        await phone.answered()
        assert len(phone.errors()) == 6
        await rig.show.settle()
        assert rig.show.rev == rev, "half a message is no message"
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)


async def test_order_is_kept_across_presses() -> None:
    async with rig_and_phone() as (rig, phone):
        for turn in range(50):
            phone.send(VOLUME, turn / 50)
            phone.send(MUTE, turn % 2)
        await phone.answered()
        await rig.show.settle()
        assert (rig.show.controls[VOLUME], rig.show.controls[MUTE]) == (pytest.approx(0.98), 1)


# -- time tags --------------------------------------------------------------------------------------------------------


async def test_a_time_tag_becomes_a_frame() -> None:
    async with rig_and_phone() as (rig, phone):
        heard_at = time.time() + 5.0
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(heard_at)))
        await rig.value(MUTE, 1)
        assert rig.clock is not None
        (command,) = [command for command in rig.deckhand.commands if command.frame]
        since = heard_at - time.time() + time.monotonic() - rig.clock.monotonic_ns / 1e9
        assert command.frame == pytest.approx(1_000_000 + since * 48_000 - 256, abs=480)


async def test_a_time_tag_in_the_past_or_without_an_engine_means_now() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(time.time() - 3600)))
        await rig.value(MUTE, 1)
        rig.clock = None
        phone.raw(encode_bundle([encode(MUTE, 0)], timetag_of(time.time() + 1)))
        await rig.value(MUTE, 0)
        assert {command.frame for command in rig.deckhand.commands} == {0}


async def test_a_time_tag_of_a_wrong_clock_is_refused() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.raw(encode_bundle([encode(MUTE, 1)], timetag_of(time.time() + 3600)))
        await until(lambda: bool(phone.errors()))
        assert phone.errors()[0][0] == MUTE
        assert rig.show.controls[MUTE] == 0


def test_frames_of_time_tags() -> None:
    clock = FakeClock(frame=48_000, monotonic_ns=10**9, latency_frames=0)
    wall, mono = 1_700_000_000 * 10**9, 2 * 10**9
    tag = timetag_of(1_700_000_000.5)
    assert frame_of(tag, clock, wall, mono) == 48_000 + 48_000 + 24_000
    clock.latency_frames = 480
    assert frame_of(tag, clock, wall, mono) == 120_000 - 480
    assert frame_of(1, clock, wall, mono) is None
    assert frame_of(0, clock, wall, mono) is None
    clock.latency_frames = 48_000
    assert frame_of(tag, clock, wall, mono) is None, "too late to be heard in time: now"
    with pytest.raises(TooFarAhead):
        frame_of(2**64 - 1, clock, wall, mono)


# -- hearing the show -------------------------------------------------------------------------------------------------


async def test_a_subscriber_gets_everything_readable_at_once() -> None:
    async with rig_and_phone() as (rig, phone):
        rig.levels["/deck/2/position"] = 12.5
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        assert set(phone.values()) == READABLE
        values = phone.values()
        for path, value in rig.show.controls.items():
            assert values[path] == pytest.approx(value) if isinstance(value, float) else values[path] == value, path
            if REGISTRY[path].kind is Kind.CONTINUOUS:
                assert isinstance(values[path], float), path
        assert values["/deck/2/position"] == 12.5


async def test_changes_go_to_every_subscriber_the_sender_included() -> None:
    async with rig_and_phone() as (rig, phone):
        other = Phone(rig)
        phone.send("/subscribe", phone.port)
        other.send("/subscribe", 0)
        # Both are read all the while: a socket that nobody reads drops what does not fit.
        await until(lambda: min(len(READABLE & set(one.values())) for one in (phone, other)) == len(READABLE))
        phone.heard.clear()
        other.heard.clear()
        phone.send(VOLUME, 0.5)
        await phone.hears(VOLUME, 0.5)
        await other.hears(VOLUME, 0.5)
        other.send(VOLUME, 0.5)
        await other.answered()
        await phone.answered()
        assert [message.address for message in phone.read()].count(VOLUME) == 1, "only what changed"
        other.close()


async def test_the_subscription_goes_to_the_port_that_was_asked_for() -> None:
    async with running() as rig:
        listener, asker = Phone(rig), Phone(rig)
        asker.send("/subscribe", listener.port)
        await until(lambda: set(listener.values()) >= READABLE)
        assert asker.read() == []
        asker.send("/nope", 1)
        await until(lambda: bool(asker.errors()) and bool(listener.errors()))
        asker.send("/unsubscribe")
        await asker.answered()
        assert rig.surface.subscribers() == []
        listener.close()
        asker.close()


async def test_it_ends_after_a_minute_and_is_renewed_by_asking_again() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        rig.now_offset += SUBSCRIPTION_S - 10
        phone.send("/subscribe", 0)
        await phone.answered()
        rig.now_offset += SUBSCRIPTION_S - 10
        await anyio.sleep(0.3)
        assert len(rig.surface.subscribers()) == 1
        rig.now_offset += 11
        await until(lambda: rig.surface.subscribers() == [])
        await phone.answered()
        phone.heard.clear()
        phone.send(VOLUME, 0.125)
        await rig.value(VOLUME, 0.125)
        await phone.answered()
        assert VOLUME not in phone.values()


async def test_telemetry_goes_out_when_it_changes_and_at_most_thirty_times_a_second() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        await anyio.sleep(0.1)
        phone.heard.clear()
        asked, started = rig.asked, time.monotonic()
        while time.monotonic() - started < 0.5:
            rig.levels["/deck/1/position"] += 0.001
            await anyio.sleep(0.001)
        elapsed = time.monotonic() - started
        assert rig.asked - asked <= elapsed * 30 + 2
        phone.read()
        assert {message.address for message in phone.heard} == {"/deck/1/position"}
        assert 1 <= len(phone.heard) <= elapsed * 30 + 2


async def test_nobody_listens_nothing_is_asked_for() -> None:
    async with rig_and_phone() as (rig, phone):
        await phone.answered()
        await anyio.sleep(0.1)
        assert rig.asked == 0


async def test_ping_answers_with_what_was_sent() -> None:
    async with rig_and_phone() as (_, phone):
        phone.send("/ping", 7, "x", 0.5)
        await phone.hears("/pong", 7, "x", 0.5)


# -- peers ------------------------------------------------------------------------------------------------------------


async def test_a_sender_nobody_knows_waits_and_moves_nothing_until_it_is_allowed() -> None:
    host = lan_address()
    async with running() as rig:
        rig.surface.open_lan()
        assert rig.surface.is_lan_open
        phone = Phone(rig, host)
        for _ in range(3):
            phone.send(MUTE, 1)
            phone.send("/subscribe", 0)
            phone.send("/nope", 1)
        await until(lambda: bool(rig.peers) and rig.peers[-1].peers[0].messages == 9)
        (peer,) = rig.peers[-1].peers
        assert (peer.address, peer.status) == (host, "waiting")
        assert rig.show.controls[MUTE] == 0
        assert phone.read() == []

        await rig.surface.allow(host)
        phone.send("/subscribe", 0)
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)
        await until(lambda: set(phone.values()) >= READABLE)
        assert rig.store.decisions == {host: "allowed"}

        await rig.surface.block(host)
        phone.send(MUTE, 0)
        await until(lambda: rig.surface.peers()[0].messages == 12)
        assert rig.surface.subscribers() == []
        assert rig.show.controls[MUTE] == 1
        assert rig.peers[-1].peers[0].status == "blocked"

        await rig.surface.forget(host)
        assert rig.store.decisions == {}
        rig.surface.close_lan()
        assert not rig.surface.is_lan_open
        phone.close()


async def test_decisions_are_remembered_and_names_are_no_addresses() -> None:
    async with running() as rig:
        await rig.surface.allow("192.168.7.7")
        assert [(peer.address, peer.status) for peer in rig.surface.peers()] == [("192.168.7.7", "allowed")]
        with pytest.raises(BadRequest):
            await rig.surface.allow("my phone")


# -- load -------------------------------------------------------------------------------------------------------------


async def test_a_burst_of_presses_from_another_program_is_counted_whole() -> None:
    async with running() as rig:
        count = 4096
        granted = rig.surface.counts().receive_buffer // 1280
        count = min(count, granted)
        await anyio.run_process([sys.executable, "-I", SENDER, str(rig.port), str(count), MUTE])
        await until(lambda: rig.surface.counts().handled == count)
        counts = rig.surface.counts()
        assert (counts.received, counts.lost, counts.refused, counts.superseded) == (count, 0, 0, 0)
        await rig.show.settle()
        assert rig.show.controls[MUTE] == 1


async def test_nothing_blocks_the_loop() -> None:
    with blockbuster_ctx("server.surfaces"):
        async with rig_and_phone() as (rig, phone):
            phone.send("/subscribe", 0)
            phone.send(MUTE, 1)
            await rig.value(MUTE, 1)
            await phone.answered()


# -- patterns ---------------------------------------------------------------------------------------------------------


async def test_a_pattern_moves_everything_it_fits() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/deck/{1,2}/stem/*/mute", 1)
        await phone.answered()
        await rig.show.settle()
        muted = {path for path, value in rig.show.controls.items() if path.endswith("/mute") and value == 1}
        assert muted == {path for path in REGISTRY if path.endswith("/mute") and "/stem/" in path and path[6] in "12"}
        phone.send("/stem/[1-2]/volume", 0.25)
        await rig.value("/deck/1/stem/drums/volume", 0.25)
        assert rig.show.controls["/deck/1/stem/vocals/volume"] == 0.25
        assert phone.errors() == []


async def test_a_pattern_is_answered_once_for_what_it_could_not_do() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/deck/1/*", 0.5)
        await phone.answered()
        ((path, told), *rest) = [error for error in phone.errors() if error[0] == "/deck/1/*"]
        assert path == "/deck/1/*"
        assert "controls did not take it" in str(told)
        assert len(rest) == 0
        await rig.show.settle()
        assert rig.show.controls["/deck/1/volume"] == 0.5
        phone.heard.clear()
        for pattern in ("/nothing/*", "/deck/[1/volume", "/" + "*" * 300):
            phone.send(pattern, 1)
        await phone.answered()
        assert len(phone.errors()) == 3


# -- TCP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
async def test_python_osc_moves_and_hears_the_show_over_tcp(mode: str) -> None:
    async with running() as rig:
        client = await anyio.to_thread.run_sync(lambda: SimpleTCPClient("127.0.0.1", rig.port, mode=mode))
        try:
            await anyio.to_thread.run_sync(client.send_message, "/subscribe", 0)
            await until(lambda: len(rig.surface.subscribers()) == 1)
            await anyio.to_thread.run_sync(client.send_message, VOLUME, 0.25)
            await rig.value(VOLUME, 0.25)
            heard: list[tuple[str, object]] = []

            def listen() -> None:
                for data in client.receive(timeout=10):
                    heard.extend((message.address, message.args[0]) for message in decode(data))

            with anyio.fail_after(15):
                while (VOLUME, 0.25) not in heard:
                    await anyio.to_thread.run_sync(listen)
        finally:
            await anyio.to_thread.run_sync(client.close)
        await until(lambda: rig.surface.subscribers() == [])
        assert "osc_gone" in [notice.code for notice in rig.notices]


@pytest.mark.skipif(shutil.which("oscsend") is None and not os.environ.get("CI"), reason="no oscsend here")
async def test_oscsend_mutes_the_vocals_over_tcp() -> None:
    async with running() as rig:
        await anyio.run_process(["oscsend", f"osc.tcp://127.0.0.1:{rig.port}/", MUTE, "i", "1"])
        await rig.value(MUTE, 1)


async def test_a_stream_that_is_lost_is_closed_and_the_others_go_on() -> None:
    async with rig_and_phone() as (rig, phone):
        async with await anyio.connect_tcp("127.0.0.1", rig.port) as stream:
            await stream.send(b"\x00\x00\x00\x00garbage")
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)


async def test_a_fast_stream_is_slowed_down_and_loses_nothing() -> None:
    async with running() as rig:
        count = 3000
        async with await anyio.connect_tcp("127.0.0.1", rig.port) as stream:
            await stream.send(b"".join(Slip().frame(encode(MUTE, number % 2)) for number in range(count)))
            await until(lambda: rig.surface.counts().handled == count)
        assert rig.surface.counts().refused == 0


# -- aliases, and who misbehaves --------------------------------------------------------------------------------------


async def test_a_layout_of_the_earlier_system_follows_the_show() -> None:
    async with rig_and_phone() as (rig, phone):
        phone.send("/subscribe", 0)
        await until(lambda: set(phone.values()) >= READABLE)
        assert not set(ALIASES) & set(phone.values()), "who does not use the old names does not hear them"
        phone.send("/stem/1/mute", 1)
        await phone.hears("/stem/1/mute", 1)
        rig.show.submit(Intent("/deck/2/stem/vocals/volume", 0.5))
        rig.show.submit(Intent("/session/focus", "2"))
        await phone.hears("/stem/1/mute", 0)
        await phone.hears("/stem/1/volume", 0.5)


async def test_a_storm_from_one_surface_delays_no_other_and_loses_no_press() -> None:
    """5,000 messages at once, faders among presses: every press arrives, in order, and the last place of each fader."""
    async with rig_and_phone() as (rig, phone):
        granted = min(5000, rig.surface.counts().receive_buffer // 1280 - 1)
        storm = Phone(rig)
        presses = 0
        for number in range(granted):
            if number % 10 == 9:
                presses += 1
                storm.send("/deck/2/stem/drums/mute", presses % 2)
            else:
                storm.send(f"/deck/2/stem/{('drums', 'bass')[number % 2]}/volume", number / granted)
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)
        await until(lambda: rig.surface.counts().waiting == 0)
        await rig.show.settle()
        counts = rig.surface.counts()
        assert counts.handled + counts.superseded == granted + 1
        assert counts.lost == counts.refused == 0
        order = [intent.path for intent in rig.obeyed]
        assert order.count("/deck/2/stem/drums/mute") == presses
        assert "/deck/2/stem/drums/mute" in order[order.index(MUTE) :], "the other hand did not wait for the storm"
        assert rig.show.controls["/deck/2/stem/bass/volume"] == pytest.approx((granted - 1) / granted, abs=0.01)
        await until(lambda: "osc_flood" in [notice.code for notice in rig.notices])
        storm.close()


async def test_who_sends_garbage_is_marked() -> None:
    async with rig_and_phone() as (rig, phone):
        for _ in range(20):
            phone.raw(b"GET / HTTP/1.1\r\n")
        await until(lambda: "osc_garbage" in [notice.code for notice in rig.notices])
        phone.send(MUTE, 1)
        await rig.value(MUTE, 1)


async def test_a_monitor_sees_every_message_and_what_it_does() -> None:
    async with rig_and_phone() as (rig, phone):
        watcher = Phone(rig)
        watcher.send("/monitor", 0)
        await watcher.answered()
        phone.send("/stem/1/mute", 1)
        phone.send("/deck/*/volume", 0.5)
        await phone.answered()
        source = f"127.0.0.1:{phone.port}"
        await until(lambda: sum(message.address == "/monitor" for message in watcher.read()) >= 3)
        lines = [str(message.args[1]) for message in watcher.read() if message.args[:1] == (source,)]
        assert "/stem/1/mute 1  ->  /deck/1/stem/vocals/mute 1 (of the deck that has the focus)" in lines
        assert any(line.startswith("/deck/*/volume 0.5  ->  4 controls") for line in lines)
        watcher.close()
