"""Laws of the peers table and the subscriptions, on a clock that the test holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.osc_peers import (
    MAX_PER_HOST,
    MAX_SUBSCRIPTIONS,
    MAX_WAITING,
    SUBSCRIPTION_S,
    PeerStatus,
    PeerTable,
    Subscriptions,
    is_address,
    is_loopback,
)

PHONE = "192.168.1.20"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1"])
def test_this_machine_is_always_let_in_and_never_listed(host: str) -> None:
    table = PeerTable()
    assert is_loopback(host)
    assert table.admit(host, 0.0)
    assert table.may_hear(host)
    assert table.peers() == []


@pytest.mark.parametrize("host", ["192.168.1.20", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "0.0.0.0", "nonsense"])
def test_others_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


def test_an_unknown_sender_waits_moves_nothing_and_hears_nothing() -> None:
    table = PeerTable()
    assert not any(table.admit(PHONE, at) for at in range(3))
    assert not table.may_hear(PHONE)
    (peer,) = table.peers()
    assert (peer.address, peer.status, peer.messages) == (PHONE, PeerStatus.WAITING, 3)


def test_allow_block_and_forget() -> None:
    table = PeerTable()
    table.admit(PHONE, 0.0)
    table.decide(PHONE, PeerStatus.ALLOWED)
    assert table.admit(PHONE, 1.0)
    assert table.may_hear(PHONE)
    table.decide(PHONE, PeerStatus.BLOCKED)
    assert not table.admit(PHONE, 2.0)
    assert not table.may_hear(PHONE)
    assert table.forget(PHONE)
    assert not table.admit(PHONE, 3.0)
    assert table.peers()[0].status is PeerStatus.WAITING


def test_what_was_decided_before_still_holds_and_waiting_does_not_outlive_the_program() -> None:
    table = PeerTable([(PHONE, PeerStatus.ALLOWED), ("10.0.0.9", PeerStatus.WAITING)])
    assert table.admit(PHONE, 0.0)
    assert [peer.address for peer in table.peers()] == [PHONE]


def test_the_revision_moves_with_the_list_and_not_with_every_message() -> None:
    table = PeerTable()
    table.admit(PHONE, 0.0)
    revision = table.revision
    for at in range(100):
        table.admit(PHONE, at)
    assert table.revision == revision
    table.decide(PHONE, PeerStatus.ALLOWED)
    assert table.revision > revision


def test_a_crowd_of_unknown_senders_is_bounded_and_pushes_out_no_decision() -> None:
    table = PeerTable([(PHONE, PeerStatus.ALLOWED), ("10.0.0.9", PeerStatus.BLOCKED)])
    for k in range(5000):
        table.admit(f"10.{k >> 8}.{k & 255}.7", float(k))
    statuses = [peer.status for peer in table.peers()]
    assert statuses.count(PeerStatus.WAITING) == MAX_WAITING
    assert table.admit(PHONE, 9e9)
    assert not table.admit("10.0.0.9", 9e9)


@given(st.lists(st.tuples(st.sampled_from("nabf"), st.integers(0, 3)), max_size=40))
def test_only_allowed_senders_ever_move_or_hear(steps: list[tuple[str, int]]) -> None:
    table = PeerTable()
    allowed: set[str] = set()
    for step, k in steps:
        host = f"10.0.0.{k}"
        match step:
            case "a":
                table.decide(host, PeerStatus.ALLOWED)
                allowed.add(host)
            case "b":
                table.decide(host, PeerStatus.BLOCKED)
                allowed.discard(host)
            case "f":
                table.forget(host)
                allowed.discard(host)
        assert table.admit(host, 0.0) == table.may_hear(host) == (host in allowed)


def test_addresses() -> None:
    assert is_address("10.0.0.1")
    assert is_address("fe80::1%eth0")
    assert not is_address("my phone")
    assert not is_address("10.0.0.1; DROP TABLE")


# -- subscriptions ----------------------------------------------------------------------------------------------------

SOURCE = (PHONE, 50_000)


def test_a_subscription_ends_sixty_seconds_after_the_last_time_it_was_asked_for() -> None:
    subscriptions = Subscriptions()
    subscriptions.subscribe(SOURCE, 9000, 0.0)
    assert subscriptions.expire(SUBSCRIPTION_S - 0.001) == []
    subscriptions.subscribe(SOURCE, 9000, 50.0)
    assert subscriptions.expire(50.0 + SUBSCRIPTION_S - 0.001) == []
    assert subscriptions.targets() == [(PHONE, 9000)]
    assert subscriptions.expire(50.0 + SUBSCRIPTION_S) == [(PHONE, 9000)]
    assert len(subscriptions) == 0


def test_port_0_is_where_it_came_from() -> None:
    made = Subscriptions().subscribe(SOURCE, 0, 0.0)
    assert made is not None
    assert made.target == SOURCE


def test_it_always_goes_to_the_senders_own_address() -> None:
    made = Subscriptions().subscribe(SOURCE, 9000, 0.0)
    assert made is not None
    assert made.target == (PHONE, 9000)
    with pytest.raises(ValueError, match="port"):
        Subscriptions().subscribe(SOURCE, 65_536, 0.0)
    with pytest.raises(ValueError, match="port"):
        Subscriptions().subscribe(SOURCE, -1, 0.0)


def test_unsubscribe() -> None:
    subscriptions = Subscriptions()
    for port in (9000, 9001, 9002):
        subscriptions.subscribe((PHONE, 40_000 + port), port, 0.0)
    subscriptions.subscribe(("10.0.0.1", 5), 9000, 0.0)
    assert subscriptions.unsubscribe((PHONE, 1), 9001) == [(PHONE, 9001)]
    assert subscriptions.unsubscribe((PHONE, 49_000)) == [(PHONE, 9000)], "asked from the port that subscribed"
    assert subscriptions.unsubscribe((PHONE, 7)) == [(PHONE, 9002)], "asked from a new port: all of that address"
    assert subscriptions.targets() == [("10.0.0.1", 9000)], "nobody else's"


def test_subscriptions_are_bounded() -> None:
    subscriptions = Subscriptions()
    made = [subscriptions.subscribe(SOURCE, 1000 + k, 0.0) for k in range(MAX_PER_HOST + 3)]
    assert made.count(None) == 3
    for k in range(MAX_SUBSCRIPTIONS * 2):
        subscriptions.subscribe((f"10.0.1.{k}", 1), 0, 1.0)
    assert len(subscriptions) == MAX_SUBSCRIPTIONS
    assert subscriptions.subscribe((PHONE, 1), 0, 1.0 + SUBSCRIPTION_S) is not None, "those that expired make room"
