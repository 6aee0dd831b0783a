"""The DAW surface with a real show, against a program that speaks as AbletonOSC does, through python-osc."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from pythonosc.udp_client import SimpleUDPClient

from control.daw_profile import load
from control.osc_socket import OscSocket
from server.session.facts import AudibleDeck, EngineRestored
from server.session.intent import Intent
from server.surfaces.daw import DawSurface
from tests.server.surfaces.osc_rig import MUTE, VOLUME, Phone, Rig, until

pytestmark = pytest.mark.anyio


class Live(Phone):
    """What AbletonOSC is to us: hears commands at one port, tells at another."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        probe = OscSocket(lambda data, sender: None, lambda sender: True, lambda address: False)
        probe.open(0)
        self.tells_at = probe.port
        probe.close()

    def tell(self, address: str, *args: float) -> None:
        with SimpleUDPClient("127.0.0.1", self.tells_at) as client:
            client.send_message(address, list(args))


@asynccontextmanager
async def beside() -> AsyncIterator[tuple[Rig, Live, DawSurface]]:
    rig = Rig()
    live = Live(rig)
    profile = replace(load("ableton"), send_port=live.port, receive_port=live.tells_at)
    surface = DawSurface(rig.show, load_profile=lambda name: profile)
    async with anyio.create_task_group() as tasks:
        await tasks.start(rig.show.run)
        rig.show.report(EngineRestored((AudibleDeck(),) * 4, 48_000))
        rig.show.submit(Intent("/deck/1/load", "song"))
        await rig.value("/deck/1/status", "ready")
        tasks.start_soon(surface.run)
        rig.show.submit(Intent("/daw/profile", "ableton"))
        await live.hears("/live/song/start_listen/tempo")
        yield rig, live, surface
        tasks.cancel_scope.cancel()
    live.close()


async def test_a_daw_moves_the_show_and_is_not_echoed() -> None:
    async with beside() as (rig, live, _):
        live.heard.clear()
        live.tell("/live/song/get/tempo", 133.5)
        await rig.value("/session/tempo", 133.5)
        live.tell("/live/track/get/volume", 0, 0.425)
        await until(lambda: rig.show.controls[VOLUME] == pytest.approx(0.5))
        live.tell("/live/song/get/is_playing", 1)
        await rig.value("/deck/1/play", 1)
        rig.show.submit(Intent("/session/tempo", 120.0))
        await live.hears("/live/song/set/tempo", 120.0)
        assert [message.address for message in live.heard] == ["/live/song/set/tempo"]


async def test_the_show_moves_the_daw() -> None:
    async with beside() as (rig, live, _):
        rig.show.submit(Intent(MUTE, 1))
        await live.hears("/live/track/set/mute", 0, 1)
        rig.show.submit(Intent("/deck/1/play", 1))
        await live.hears("/live/song/start_playing")
        rig.show.submit(Intent("/deck/2/stem/drums/mute", 1))
        rig.show.submit(Intent("/session/focus", "2"))
        await live.hears("/live/track/set/mute", 1, 1)
        await live.hears("/live/track/set/mute", 0, 0)


async def test_it_stops_when_it_is_off_and_says_what_is_wrong() -> None:
    async with beside() as (rig, _, surface):
        assert surface.port
        rig.show.submit(Intent("/daw/profile", "off"))
        await until(lambda: surface.port == 0)
        rig.show.submit(Intent("/daw/host", "my computer"))
        rig.show.submit(Intent("/daw/profile", "ableton"))
        await until(lambda: "daw_host" in [notice.code for notice in rig.notices])
