"""Phones: a stranger on the network waits, is allowed, and moves a control; the page is served over HTTPS."""

import ssl
from pathlib import Path

import httpx2
import pytest
from pythonosc.udp_client import SimpleUDPClient

from server.tls import lan_addresses
from tests.end_to_end.listening import Page
from tests.end_to_end.program import Program, until

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not lan_addresses(), reason="this machine has no address but loopback, so there is no network"),
]


@pytest.fixture(scope="module")
def network(program: Program) -> dict[str, object]:
    """The answer to opening the network."""
    answer = program.http.post("/api/lan", json={"open": True})
    assert answer.is_success, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_phone_waits_until_it_is_allowed_and_a_blocked_one_moves_nothing(
    program: Program, network: dict[str, object]
) -> None:
    address = lan_addresses()[0]
    phone = SimpleUDPClient(address, program.osc_port)
    program.set("/mixer/master", 1.0)

    def waiting() -> list[str]:
        phone.send_message("/mixer/master", 0.25)
        peers = program.http.get("/api/peers").json()["peers"]
        return [peer["address"] for peer in peers if peer["status"] == "waiting"]

    assert until("the phone shows up", waiting) == [address]
    assert program.control("/mixer/master") == 1.0

    def decide(status: str) -> None:
        assert program.http.post("/api/peers", json={"address": address, "status": status}).is_success

    decide("allowed")
    phone.send_message("/mixer/master", 0.25)
    until("the phone moves the master", lambda: program.control("/mixer/master") == 0.25)
    decide("blocked")
    phone.send_message("/mixer/master", 0.75)
    with Page(program) as page:
        page.say({"type": "ping", "sent": 0.0, "id": 1})
        page.hear("pong", id=1)
    assert program.control("/mixer/master") == 0.25
    decide("forgotten")


def test_the_link_for_phones_logs_one_browser_in_over_https(program: Program, network: dict[str, object]) -> None:
    links = network["links"]
    assert isinstance(links, list)
    authority: Path = program.data / "tls" / "authority.crt"
    trust = ssl.create_default_context(cafile=str(authority))
    with httpx2.Client(verify=trust, trust_env=False) as phone:
        welcome = phone.get(links[0])
        assert welcome.status_code == 303
        assert phone.get(links[0].split("?")[0] + "api/me").status_code == 200
    with httpx2.Client(verify=trust, trust_env=False) as stranger:
        assert stranger.get(links[0]).status_code == 401
        assert stranger.get(links[0].split("?")[0] + "api/session").status_code == 401


def test_the_network_can_be_shut_again(program: Program, network: dict[str, object]) -> None:
    links = network["links"]
    assert isinstance(links, list)
    assert program.http.post("/api/lan", json={"open": False}).json()["open"] is False
    with pytest.raises(httpx2.TransportError):
        httpx2.get(links[0].split("?")[0], verify=False, trust_env=False)
    SimpleUDPClient(lan_addresses()[0], program.osc_port).send_message("/mixer/master", 0.5)
    assert not program.http.get("/api/lan").json()["open"]
