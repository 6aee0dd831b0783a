"""Laws of conduct: who floods or sends garbage is marked for a while, and only they are."""

from control.osc_conduct import FLOOD_PER_S, GARBAGE_PER_S, MARKED_S, REMEMBERED, Conduct, Trouble

PHONE, DESK = ("10.0.0.7", 5000), ("10.0.0.8", 5000)


def test_a_flood_is_marked_and_forgiven() -> None:
    conduct = Conduct()
    for number in range(FLOOD_PER_S - 1):
        conduct.heard(PHONE, number / FLOOD_PER_S)
        conduct.heard(DESK, number / 100)
    assert conduct.troubles(0.9995) == {}
    conduct.heard(PHONE, 0.9996)
    assert conduct.troubles(1.0) == {PHONE: Trouble.FLOOD}
    conduct.heard(PHONE, 5.0)
    assert conduct.troubles(1.0 + MARKED_S) == {}


def test_garbage_is_marked() -> None:
    conduct = Conduct()
    for number in range(GARBAGE_PER_S):
        assert conduct.troubles(number / 100) == {}
        conduct.heard(PHONE, number / 100)
        conduct.unreadable(PHONE, number / 100)
    assert conduct.troubles(1.0) == {PHONE: Trouble.GARBAGE}


def test_now_and_then_is_no_trouble() -> None:
    conduct = Conduct()
    for second in range(100):
        conduct.unreadable(PHONE, float(second))
    assert conduct.troubles(99.0) == {}


def test_it_remembers_a_bounded_number() -> None:
    conduct = Conduct()
    for port in range(REMEMBERED * 2):
        conduct.heard(("10.0.0.7", port), port / 1000)
    assert len(conduct._watched) == REMEMBERED
