"""The live socket: two pages see one show, nothing bad changes it, and a slow page slows nobody."""

import random
from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgpack
import numpy as np
import pytest
from starlette.websockets import WebSocket

from control.control import check
from control.registry import REGISTRY
from server import live, protocol
from server.errors import NotAllowed
from server.outbox import OUTBOX_MESSAGES
from tests.server.live_harness import FakePage, PageLeft, Room

pytestmark = pytest.mark.anyio

VOLUME = "/deck/1/volume"


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with Room().open() as opened:
        yield opened


async def test_welcome_holds_the_whole_show(room: Room) -> None:
    welcome = await room.enter().greet()
    assert welcome["protocol"] == protocol.PROTOCOL_VERSION
    assert welcome["version"] == "1.2.3"
    assert welcome["rev"] == room.show.rev
    assert welcome["controls"] == dict(room.show.controls)
    assert welcome["engine"]["device"] == "null"


async def test_a_change_reaches_every_page_and_the_one_that_asked(room: Room) -> None:
    first, second = room.enter(), room.enter()
    await first.greet()
    await second.greet()
    first.tell(type="set", path=VOLUME, value=0.25, id=1)
    second.tell(type="set", path="/mixer/crossfader", value=-1, id=1)
    heard = [[await page.hear("state") for _ in range(2)] for page in (first, second)]
    assert heard[0] == heard[1]
    assert [message["rev"] for message in heard[0]] == sorted({message["rev"] for message in heard[0]})
    merged: dict[str, Any] = {}
    for message in heard[0]:
        merged |= message["changes"]
    assert merged == {VOLUME: 0.25, "/mixer/crossfader": -1.0}


async def test_a_trigger_is_pressed_and_a_toggle_is_not_one(room: Room) -> None:
    page = room.enter()
    await page.greet()
    page.tell(type="trigger", path="/deck/1/stop", id=4)
    page.tell(type="trigger", path="/deck/1/play", id=5)
    error = await page.hear("error")
    assert (error["answers"], error["path"]) == (5, "/deck/1/play")
    assert room.show.triggered == ["/deck/1/stop"]


async def test_the_frame_of_an_intent_is_passed_on_and_checked(room: Room) -> None:
    page = room.enter()
    await page.greet()
    page.tell(type="set", path=VOLUME, value=0.5, at=96_000)
    page.tell(type="set", path=VOLUME, value=0.1, at=-1, id=2)
    page.tell(type="set", path=VOLUME, value=0.1, at=2**63, id=3)
    assert [(await page.hear("error"))["answers"] for _ in range(2)] == [2, 3]
    assert [intent.at for intent in room.show.intents] == [96_000]


@pytest.mark.parametrize(
    ("message", "answers"),
    [
        ({"type": "set", "path": VOLUME, "value": float("nan"), "id": 11}, 11),
        ({"type": "set", "path": VOLUME, "value": float("inf"), "id": 12}, 12),
        ({"type": "set", "path": VOLUME, "value": "loud", "id": 13}, 13),
        ({"type": "set", "path": VOLUME, "value": [1], "id": 14}, 14),
        ({"type": "set", "path": VOLUME, "value": None, "id": 15}, 15),
        ({"type": "set", "path": VOLUME, "value": b"1", "id": 16}, 16),
        ({"type": "set", "path": "/deck/9/volume", "value": 1, "id": 17}, 17),
        ({"type": "set", "path": "/deck/1/duration", "value": 1, "id": 18}, 18),
        ({"type": "set", "path": 4, "value": 1, "id": 19}, 19),
        ({"type": "set", "value": 1, "id": 20}, 20),
        ({"type": "set", "path": "/" + "x" * 5_000, "value": 1, "id": 21}, 21),
        ({"type": "set", "path": VOLUME, "value": 1, "id": "one"}, 0),
        ({"type": "dance", "id": 22}, 22),
        ({"id": 23}, 23),
        ({"type": "subscribe", "topics": ["meters", "secrets"], "id": 24}, 24),
        ({"type": "subscribe", "topics": "meters", "id": 25}, 25),
        ({"type": "ping", "sent": "now", "id": 26}, 26),
    ],
)
async def test_bad_messages_are_answered_and_change_nothing(room: Room, message: dict[str, Any], answers: int) -> None:
    page = room.enter()
    await page.greet()
    before, rev = dict(room.show.controls), room.show.rev
    page.tell(**message)
    error = await page.hear()
    assert (error["type"], error["answers"]) == ("error", answers)
    assert error["message"]
    assert len(error["path"]) <= 200
    assert (dict(room.show.controls), room.show.rev) == (before, rev)
    page.tell(type="ping", sent=1.5, id=99)
    assert await page.hear() == {"type": "pong", "sent": 1.5, "frame": 4_800, "id": 99}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81\xa4type\xa3set",
        msgpack.packb([1, 2, 3]),
        msgpack.packb("set"),
        msgpack.packb({"type": "set", "path": "\ud800", "value": 1}, unicode_errors="surrogatepass"),
        b"\x91" * 60_000,
        b"\x82\xa4type\xa4ping\xa1x" + b"\x91" * 50_000,
        msgpack.packb({"type": "ping", "sent": 1.0, "pad": b"0" * live.MAX_MESSAGE_BYTES}),
        msgpack.packb(msgpack.ExtType(5, b"abc")),
        msgpack.packb({1: 2, "type": "ping", "sent": 1.0}),
    ],
    ids=lambda data: f"{data[:12]!r}_{len(data)}",
)
async def test_garbage_is_answered(room: Room, data: bytes) -> None:
    page = room.enter()
    await page.greet()
    page.tell_raw(data)
    assert (await page.hear())["type"] == "error"
    page.tell_text("hello")
    assert (await page.hear())["code"] == "not_binary"


async def test_seeded_noise_never_breaks_the_socket(room: Room) -> None:
    page = room.enter()
    await page.greet()
    chance = random.Random(4)
    good = msgpack.packb({"type": "set", "path": VOLUME, "value": 0.5, "id": 1})
    for _ in range(300):
        noise = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        page.tell_raw(bytes(noise[: chance.randrange(len(noise) + 1)]) if chance.random() < 0.2 else bytes(noise))
    page.tell(type="ping", sent=0.0, id=5)
    kinds: list[str] = []
    while not kinds or kinds[-1] != "pong":
        kinds.append((await page.hear())["type"])
    assert kinds.count("error") > 100
    assert set(room.show.controls) == {path for path, control in REGISTRY.items() if control.is_state}
    assert all(check(REGISTRY[path], room.show.controls[path]) is not None for path in (VOLUME, "/deck/2/volume"))


async def test_unknown_fields_are_ignored(room: Room) -> None:
    page = room.enter()
    page.tell(type="hello", protocol=protocol.PROTOCOL_VERSION, client="test", colour="blue", more={"a": [1]})
    assert (await page.hear())["type"] == "welcome"
    page.tell(type="set", path=VOLUME, value=0.5, id=1, velocity=3)
    assert (await page.hear())["changes"] == {VOLUME: 0.5}


async def test_another_protocol_is_refused_and_closed(room: Room) -> None:
    page = room.enter()
    page.tell(type="hello", protocol=protocol.PROTOCOL_VERSION + 1)
    assert (await page.hear())["code"] == "protocol_mismatch"
    with pytest.raises(PageLeft) as left:
        await page.hear()
    assert left.value.code == live.CLOSE_PROTOCOL


async def test_nothing_moves_before_hello(room: Room) -> None:
    page = room.enter()
    page.tell(type="set", path=VOLUME, value=0.5, id=3)
    error = await page.hear()
    assert (error["code"], error["answers"]) == ("hello_first", 3)
    assert room.show.intents == []
    await page.greet()


async def test_a_stranger_gets_nothing() -> None:
    async def nobody(_: WebSocket) -> int:
        raise NotAllowed

    async with Room(nobody).open() as room:
        page = room.enter()
        page.tell(type="hello", protocol=protocol.PROTOCOL_VERSION)
        with pytest.raises(PageLeft):
            await page.hear()
        assert room.hub.pages == 0


async def test_telemetry_comes_only_to_those_who_ask(room: Room) -> None:
    page, other = room.enter(), room.enter()
    await page.greet("meters", "jobs", "audio")
    await other.greet()
    meters = await page.hear("meters")
    assert meters["master"] == [0.5, 0.25]
    blocks = [await page.hear("audio") for _ in range(3)]
    start = blocks[0]["frame"]
    assert start >= 4_800
    assert [block["frame"] - start for block in blocks] == [0, 960, 1_920]
    assert blocks[0]["rate"] == 48_000
    pcm = np.frombuffer(blocks[1]["pcm"], "<f4").reshape(-1, 2)
    assert np.array_equal(pcm[:, 0], np.arange(start + 960, start + 1_920))
    room.hub.publish(protocol.JobChanged("j", "separate", "t", "processing", 40, "segment 2 of 5"))
    assert (await page.hear("job"))["stage"] == "segment 2 of 5"
    other.tell(type="ping", sent=0.0, id=8)
    assert (await other.hear())["id"] == 8


async def test_audio_goes_on_from_the_clock_of_another_engine(room: Room) -> None:
    page = room.enter()
    await page.greet("audio")
    await page.hear("audio")
    for clock in (10_000_000, 4_800):  # one that ran for minutes, then one that begins anew
        room.tone.now = clock
        block = await page.hear("audio")
        with anyio.fail_after(5):
            while abs(block["frame"] - clock) > 48_000:
                block = await page.hear("audio")


async def test_subscribe_replaces_the_earlier_choice(room: Room) -> None:
    page = room.enter()
    await page.greet("audio")
    page.tell(type="subscribe", topics=[])
    page.tell(type="ping", sent=0.0, id=1)
    await page.hear("pong")
    frame = room.tone.frame
    await anyio.wait_all_tasks_blocked()
    page.tell(type="ping", sent=0.0, id=2)
    assert (await page.hear())["type"] == "pong"
    assert room.tone.frame - frame <= room.tone.ahead  # one read may have been under way


async def test_jobs_of_one_user_stay_with_that_user() -> None:
    users = iter((1, 2))

    async def next_user(_: WebSocket) -> int:
        return next(users)

    async with Room(next_user).open() as room:
        mine = room.enter()
        await mine.greet("jobs")
        theirs = room.enter()
        await theirs.greet("jobs")
        room.hub.publish(protocol.LibraryChanged("t", "added"), user_id=1)
        room.hub.publish(protocol.Notice("info", "done", "all done"))
        assert [(await mine.hear())["type"] for _ in range(2)] == ["library", "notice"]
        assert (await theirs.hear())["type"] == "notice"


async def test_peers_and_learn_follow_every_welcome(room: Room) -> None:
    room.hub.publish(protocol.PeersChanged([protocol.Peer("192.168.1.9:5000", "waiting", 3)]))
    page = room.enter()
    await page.greet()
    assert (await page.hear())["peers"][0]["address"] == "192.168.1.9:5000"
    page.tell(type="hello", protocol=protocol.PROTOCOL_VERSION)
    assert [(await page.hear())["type"] for _ in range(2)] == ["welcome", "peers"]


async def test_a_page_that_does_not_read_slows_nobody_and_gets_a_fresh_welcome(room: Room) -> None:
    slow, quick = room.enter(), room.enter()
    await slow.greet("meters", "audio")
    await quick.greet()
    steps = OUTBOX_MESSAGES * 3
    for step in range(steps):
        room.show.change({VOLUME: step / steps})
        assert (await quick.hear("state"))["changes"] == {VOLUME: step / steps}
    slow.tell(type="set", path=VOLUME, value="loud", id=77)
    await anyio.wait_all_tasks_blocked()
    heard = [await slow.hear()]
    while heard[-1]["type"] != "welcome":
        heard.append(await slow.hear())
    welcome = heard[-1]
    assert len(heard) <= OUTBOX_MESSAGES
    assert welcome["rev"] == room.show.rev
    assert welcome["controls"][VOLUME] == (steps - 1) / steps
    assert (await slow.hear("error", "state"))["answers"] == 77  # the answer was not lost with the rest
    room.show.change({VOLUME: 1.0})
    change = await slow.hear("state")
    assert (change["rev"], change["changes"]) == (room.show.rev, {VOLUME: 1.0})


async def test_a_slow_page_loses_meters_and_old_audio_before_anything_else(room: Room) -> None:
    slow = room.enter()
    await slow.greet("meters", "audio")
    held = await slow.hear("audio")
    await room.tone.reach(held["frame"] + 60 * room.tone.ahead)
    for step in range(10):
        room.show.change({VOLUME: step / 10})
    await anyio.wait_all_tasks_blocked()
    heard = [await slow.hear() for _ in range(12)]
    states = [message for message in heard if message["type"] == "state"]
    assert len(states) == 10
    assert not any(message["type"] == "welcome" for message in heard)
    later = await slow.hear("audio")
    assert later["frame"] - held["frame"] > 30 * room.tone.ahead  # what was too old is gone


async def test_a_change_made_before_the_welcome_is_not_sent_again(room: Room) -> None:
    page = room.enter()
    page.tell(type="hello", protocol=protocol.PROTOCOL_VERSION)
    room.show.change({VOLUME: 0.3})  # the hub has not passed it on when the page is welcomed
    welcome = await page.hear("welcome")
    assert welcome["controls"][VOLUME] == 0.3
    room.show.change({VOLUME: 0.4})
    state = await page.hear("state")
    assert state["rev"] == welcome["rev"] + 1


async def test_when_the_hub_lags_every_page_gets_a_welcome(room: Room) -> None:
    page = room.enter()
    await page.greet()
    room.show.change({VOLUME: 0.3}, lagged=True)
    assert (await page.hear())["controls"][VOLUME] == 0.3


async def test_a_page_that_leaves_is_forgotten(room: Room) -> None:
    page = room.enter()
    await page.greet("meters")
    assert room.hub.pages == 1
    page.leave()
    await _until_empty(room, page)
    room.show.change({VOLUME: 0.3})
    other = room.enter()
    assert (await other.greet())["controls"][VOLUME] == 0.3


async def _until_empty(room: Room, page: FakePage) -> None:
    with anyio.fail_after(5):
        while room.hub.pages:
            await anyio.lowlevel.checkpoint()
