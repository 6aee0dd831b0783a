"""Shared models: one load for all, turns in order, waiting that can be given up, a failed load tried again."""

import threading

import pytest

from pipeline.engines.base import never
from pipeline.engines.sharing import Cache, Turns
from pipeline.errors import ModelCorrupt


def test_a_turn_that_is_not_waited_for_is_given_up() -> None:
    turns = Turns()
    with turns.turn(never) as first:
        assert first
        with turns.turn(lambda: True) as second:
            assert not second
    with turns.turn(never) as third:
        assert third


def test_turns_come_in_the_order_they_were_asked_for() -> None:
    turns, order = Turns(), list[int]()
    threads = []

    def work(number: int) -> None:
        with turns.turn(never):
            order.append(number)

    with turns.turn(never):
        for number in range(5):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            while len(turns._waiting) < number + 2:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_a_model_is_loaded_once_for_all_who_wait() -> None:
    loads: list[str] = []
    go = threading.Event()

    def load(key: str) -> str:
        loads.append(key)
        assert go.wait(10)
        return key.upper()

    cache: Cache[str, str] = Cache(load)
    assert cache.get("a", lambda: True) is None  # given up; the load goes on
    go.set()
    first, second = cache.get("a", never), cache.get("a", never)
    assert first is not None and first is second and first.model == "A"
    assert loads == ["a"]


def test_a_load_that_failed_is_told_and_tried_again() -> None:
    outcomes = iter([ModelCorrupt("bad"), None])

    def load(key: str) -> str:
        if error := next(outcomes):
            raise error
        return key

    cache: Cache[str, str] = Cache(load)
    with pytest.raises(ModelCorrupt):
        cache.get("a", never)
    loaded = cache.get("a", never)
    assert loaded is not None and loaded.model == "a"


def test_only_the_last_few_models_stay() -> None:
    cache: Cache[int, int] = Cache(lambda key: key)
    for key in range(6):
        cache.get(key, never)
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0
