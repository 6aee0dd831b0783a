"""OSCQuery on real sockets: the library python-oscquery finds and browses us, websockets listens and moves."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import anyio
import httpx2
import pytest
from pythonosc.osc_message import OscMessage as PeerMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonoscquery.osc_query_browser import OSCQueryBrowser
from pythonoscquery.osc_query_client import OSCQueryClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from control.registry import REGISTRY
from server.http.guard import Hosts
from server.session.intent import Intent
from server.surfaces.oscquery import OscQuery
from tests.server.surfaces.osc_rig import MUTE, VOLUME, Rig, lan_address, running, until

pytestmark = pytest.mark.anyio


class QueryRig:
    """An OSC surface and its OSCQuery server."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.hosts = Hosts("127.0.0.1")
        self.name = f"alchemy test {uuid4().hex[:8]}"
        self.query = OscQuery(rig.show, rig.surface, self.hosts, name=self.name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.query.port}"

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=15.0) as client:
            return await client.get(self.url + path, headers=headers)

    def connect(self, **options: object) -> connect:
        return connect(f"ws://127.0.0.1:{self.query.port}/", proxy=None, open_timeout=15.0, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def querying() -> AsyncIterator[QueryRig]:
    async with running() as rig:
        made = QueryRig(rig)
        async with anyio.create_task_group() as tasks:
            await tasks.start(made.query.run, 0)
            yield made
            tasks.cancel_scope.cancel()


async def heard(socket: ClientConnection, address: str) -> PeerMessage:
    """Return the next packet for `address`."""
    with anyio.fail_after(15):
        while True:
            data = await socket.recv()
            if isinstance(data, bytes) and (message := PeerMessage(data)).address == address:
                return message


def packed(address: str, value: float) -> bytes:
    builder = OscMessageBuilder(address)
    builder.add_arg(value)
    return builder.build().dgram


async def test_python_oscquery_finds_and_browses_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("pythonoscquery.osc_query_browser.Zeroconf", _zeroconf_on_loopback)
    async with querying() as made:
        with anyio.fail_after(15):
            while not made.query.is_announced:
                assert "not_announced" not in [notice.code for notice in made.rig.notices]
                await anyio.sleep(0.01)
        browser = await anyio.to_thread.run_sync(OSCQueryBrowser)

        def services() -> list[object]:
            found = [*browser.get_discovered_oscquery(), *browser.get_discovered_osc()]
            return [info for info in found if info is not None and info.name.startswith(made.name)]

        await until(lambda: len(services()) == 2)
        (info,) = [info for info in services() if info.type.startswith("_oscjson")]  # type: ignore[attr-defined]
        (osc,) = [info for info in services() if info.type.startswith("_osc.")]  # type: ignore[attr-defined]
        assert (info.port, osc.port) == (made.query.port, made.rig.port)  # type: ignore[attr-defined]
        client = OSCQueryClient(info)
        host = await anyio.to_thread.run_sync(client.get_host_info)
        assert host is not None
        assert (host.name, host.osc_port, host.osc_transport) == (made.name, made.rig.port, "UDP")
        assert all(
            host.extensions[name] for name in ("LISTEN", "VALUE", "RANGE", "UNIT", "DESCRIPTION", "PATH_CHANGED")
        )
        volume = await anyio.to_thread.run_sync(client.query_node, VOLUME)
        assert volume is not None
        assert (volume.full_path, volume.value, volume.description) == (VOLUME, [1.0], REGISTRY[VOLUME].description)
        assert await anyio.to_thread.run_sync(client.query_node, "/nope") is None
        stem = await anyio.to_thread.run_sync(client.query_node, "/stem/1")
        assert stem is not None
        assert {node.full_path for node in stem.contents} == {f"/stem/1/{name}" for name in ("volume", "mute", "solo")}
        eject = await anyio.to_thread.run_sync(client.query_node, "/deck/1/eject")
        assert eject is not None
        assert eject.access.value == 2
        await anyio.to_thread.run_sync(browser.zc.close)


def _zeroconf_on_loopback() -> object:
    from zeroconf import Zeroconf

    return Zeroconf(interfaces=["127.0.0.1"])


async def test_it_is_read_again_after_it_was_closed() -> None:
    for _ in range(3):  # the sockets of the second and third have the numbers of the first
        async with querying() as made:
            assert (await made.get(f"{VOLUME}?VALUE")).json() == {"VALUE": [1.0]}


async def test_http_answers_as_the_proposal_says() -> None:
    async with querying() as made:
        made.rig.show.submit(Intent(VOLUME, 0.25))
        await made.rig.show.settle()
        assert (await made.get(f"{VOLUME}?VALUE")).json() == {"VALUE": [0.25]}
        assert (await made.get(f"{VOLUME}?RANGE")).json() == {"RANGE": [{"MIN": 0.0, "MAX": 1.0}]}
        assert (await made.get("/deck/1/eject?VALUE")).status_code == 204
        assert (await made.get("/nope")).status_code == 404
        assert (await made.get(f"{VOLUME}?COLOUR")).status_code == 400
        assert (await made.get("/stem/1/volume?VALUE")).json() == {"VALUE": [0.25]}
        made.rig.levels["/deck/1/position"] = 12.5
        assert (await made.get("/deck/1/position?VALUE")).json() == {"VALUE": [12.5]}
        assert (await made.get("/?HOST_INFO")).json()["WS_PORT"] == made.query.port


async def test_pages_from_elsewhere_get_nothing() -> None:
    async with querying() as made:
        for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert (await made.get("/?HOST_INFO", **headers)).status_code == 403
        for options in ({"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}):
            with pytest.raises(InvalidStatus):
                await made.connect(**options)


async def test_a_program_listens_and_ignores() -> None:
    async with querying() as made, made.connect() as socket:
        await socket.send(json.dumps({"COMMAND": "LISTEN", "DATA": VOLUME}))
        assert (await heard(socket, VOLUME)).params == [1.0]
        made.rig.show.submit(Intent(MUTE, 1))
        made.rig.show.submit(Intent(VOLUME, 0.5))
        data = await socket.recv()
        assert isinstance(data, bytes)
        assert (PeerMessage(data).address, PeerMessage(data).params) == (VOLUME, [0.5]), "only what is listened to"
        await socket.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/deck/1/position"}))
        await heard(socket, "/deck/1/position")
        made.rig.levels["/deck/1/position"] = 7.5
        assert (await heard(socket, "/deck/1/position")).params == [7.5]
        await socket.send(json.dumps({"COMMAND": "IGNORE", "DATA": VOLUME}))
        await socket.send(packed(MUTE, 0))
        await made.rig.value(MUTE, 0)
        made.rig.show.submit(Intent(VOLUME, 0.75))
        await socket.send(json.dumps({"COMMAND": "LISTEN", "DATA": MUTE}))
        while (message := PeerMessage(bytes(await socket.recv()))).address != MUTE:  # type: ignore[arg-type]
            assert message.address != VOLUME


async def test_a_program_moves_controls_and_is_told_what_is_wrong() -> None:
    async with querying() as made, made.connect() as socket:
        await socket.send(packed(VOLUME, 0.25))
        await made.rig.value(VOLUME, 0.25)
        await socket.send(packed("/nope", 1))
        assert (await heard(socket, "/error")).params[0] == "/nope"


async def test_garbage_on_the_socket_is_survived() -> None:
    async with querying() as made, made.connect() as socket:
        for text in (
            "",
            "{",
            "[1]",
            '{"COMMAND": 3}',
            '{"COMMAND": "LISTEN", "DATA": "/nope"}',
            "x" * 10_000,
            "[" * 4000,
        ):
            await socket.send(text)
        for data in (b"", b"hello", bytes(2000), b"#bundle\0"):
            await socket.send(data)
        await socket.send(packed(MUTE, 1))
        await made.rig.value(MUTE, 1)


async def test_another_focus_is_told() -> None:
    async with querying() as made, made.connect() as socket:
        await socket.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/stem/1/volume"}))
        assert (await heard(socket, "/stem/1/volume")).params == [1.0]
        made.rig.show.submit(Intent("/deck/2/stem/vocals/volume", 0.5))
        made.rig.show.submit(Intent("/session/focus", "2"))
        paths: set[str] = set()
        values: list[object] = []
        with anyio.fail_after(15):
            while not (paths >= {"/stem", "/transport"} and values):
                message = await socket.recv()
                if isinstance(message, bytes):
                    values += PeerMessage(message).params
                else:
                    told = json.loads(message)
                    assert told["COMMAND"] == "PATH_CHANGED"
                    paths.add(told["DATA"])
        assert values == [0.5]


async def test_other_machines_wait_for_allow() -> None:
    host = lan_address()
    async with querying() as made:
        made.rig.surface.open_lan()
        made.hosts.open_lan()
        url = f"http://{host}:{made.query.port}/?HOST_INFO"
        async with httpx2.AsyncClient(trust_env=False, timeout=15.0) as client:

            async def ask() -> int:
                for _ in range(300):
                    try:
                        return (await client.get(url)).status_code
                    except httpx2.ConnectError:  # it is just opening
                        await anyio.sleep(0.02)
                raise AssertionError("the network was never let in")

            assert await ask() == 403
            assert [peer.status for peer in made.rig.surface.peers() if peer.address == host] == ["waiting"]
            await made.rig.surface.allow(host)
            assert await ask() == 200
        async with connect(f"ws://{host}:{made.query.port}/", proxy=None) as socket:
            await socket.send(packed(MUTE, 1))
            await made.rig.value(MUTE, 1)
            await made.rig.surface.block(host)
            await socket.send(packed(MUTE, 0))
            with anyio.fail_after(15):
                await socket.wait_closed()
        assert made.rig.show.controls[MUTE] == 1
