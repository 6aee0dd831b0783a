"""The broker's contract, against a real PostgreSQL and real worker processes that are really killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import psycopg
import pytest
from dramatiq.worker import Worker

from pipeline.broker import BrokerUnsupported, PostgresBroker, broker_for
from pipeline.jobs import AnalyseJob, SeparateJob, message

PATIENCE_S = 30.0
_pause = threading.Event()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(int(PATIENCE_S / 0.02)):
        if condition():
            return
        _pause.wait(0.02)
    raise AssertionError("it did not come to that")


class Desk:
    """A queue, its workers, and what they wrote."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.log = folder / "log"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.connection = psycopg.connect(dsn, autocommit=True)

    def worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.pipeline.broker.crashing_worker", self.dsn, str(self.log), str(threads)]
        with (self.folder / "worker.log").open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        self.workers.append(process)
        return process

    def put(self, name: str, actor: str, *arguments: object, connection: psycopg.Connection | None = None) -> None:
        made = dramatiq.Message("work", actor, arguments, {}, {}, message_id=name)
        (connection or self.connection).execute("SELECT queue.put(%s, 'work', %s, %s)", (name, actor, made.encode()))

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def states(self) -> dict[str, str]:
        return dict(self.connection.execute("SELECT message_id, state FROM queue.messages").fetchall())

    def close(self) -> None:
        for process in self.workers:
            process.kill()
            process.wait()
        self.connection.close()


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(database_url, tmp_path)
    yield made
    made.close()


def test_what_is_committed_runs_and_what_is_rolled_back_does_not(desk: Desk) -> None:
    desk.worker()
    for number in range(20):
        with psycopg.connect(desk.dsn) as connection:
            desk.put(f"m{number}", "note", f"m{number}", connection=connection)
            if number % 3 == 0:
                connection.rollback()
    wanted = {f"m{number}" for number in range(20) if number % 3}
    until(lambda: not desk.states() and set(desk.lines()) >= wanted)
    assert sorted(line for line in desk.lines() if line != "up") == sorted(wanted)


def test_a_message_put_twice_runs_once(desk: Desk) -> None:
    desk.put("same", "note", "a")
    desk.put("same", "note", "b")
    desk.worker()
    until(lambda: not desk.states())
    assert desk.lines().count("a") == 1 and "b" not in desk.lines()


def test_retries_come_back_and_then_give_up(desk: Desk) -> None:
    desk.worker()
    desk.put("twice", "stumble", "twice", 2)
    desk.put("always", "stumble", "always", 99)
    until(lambda: desk.states() == {"always": "dead"})
    counts = Counter(desk.lines())
    assert (counts["twice"], counts["always"]) == (3, 4)
    reason = desk.connection.execute("SELECT reason FROM queue.messages").fetchone()
    assert reason == ("stumbled",)


def test_a_dead_worker_s_message_goes_to_another_at_once(desk: Desk) -> None:
    gate = desk.folder / "gate"
    gate.touch()
    first = desk.worker()
    desk.put("m", "hold", "m", str(gate))
    until(lambda: "m" in desk.lines())
    desk.worker()
    until(lambda: desk.lines().count("up") == 2)
    first.kill()
    until(lambda: desk.lines().count("m") == 2)
    gate.unlink()
    until(lambda: not desk.states())
    assert desk.lines().count("m done") == 1


def test_a_stopped_worker_gives_back_uncounted(desk: Desk) -> None:
    gate = desk.folder / "gate"
    gate.touch()
    for turn in range(1, 5):  # more often than a killer may kill
        worker = desk.worker()
        if turn == 1:
            desk.put("m", "hold", "m", str(gate))
        until(lambda turn=turn: desk.lines().count("m") == turn)
        worker.terminate()
        worker.wait()
        assert desk.states() == {"m": "queued"}
    row = desk.connection.execute("SELECT deaths, claim FROM queue.messages").fetchone()
    assert row == (0, 4)


def test_what_kills_its_worker_three_times_is_dead_and_takes_nobody_along(desk: Desk) -> None:
    gate = desk.folder / "gate"
    gate.touch()
    desk.put("bystander", "hold", "bystander", str(gate))
    desk.put("killer", "die", "killer")
    for _ in range(8):
        worker = desk.worker(threads=2)
        until(lambda worker=worker: worker.poll() is not None or desk.states().get("killer") == "dead")
        if worker.poll() is None:
            break
        if "bystander" in desk.lines() and gate.exists() and desk.lines().count("killer") >= 1:
            gate.unlink()
    until(lambda: desk.states() == {"killer": "dead"})
    counts = Counter(desk.lines())
    assert counts["killer"] == 3 and counts["bystander done"] == 1
    assert desk.connection.execute("SELECT reason FROM queue.messages").fetchone() == (
        "has killed its worker three times",
    )


def test_a_receipt_that_is_out_of_date_changes_nothing(desk: Desk) -> None:
    first, second = PostgresBroker(desk.dsn).session, PostgresBroker(desk.dsn).session
    desk.put("m", "note", "m")
    old = first.claim("work")
    assert old is not None
    first.release(old)
    new = second.claim("work")
    assert new is not None and new.claim == old.claim + 1
    for statement in ("ack", "bury", "release"):
        arguments = (old.message_id, old.claim, "why") if statement == "bury" else (old.message_id, old.claim)
        marks = ", ".join(["%s"] * len(arguments))
        row = desk.connection.execute(f"SELECT queue.{statement}({marks})", arguments).fetchone()
        assert row == (False,)
        assert desk.states() == {"m": "running"}
    second.ack(new)
    assert desk.states() == {}
    first.close()
    second.close()


def test_higher_priority_goes_first_and_equals_in_order(desk: Desk) -> None:
    session = PostgresBroker(desk.dsn).session
    for name, urgency in (("a", 0), ("b", 0), ("urgent", 100), ("late", -1)):
        session.put(name, "work", "note", b"{}", urgency, 0.0, None)
    found = []
    while (claim := session.claim("work")) is not None:
        found.append(claim.message_id)
    assert found == ["urgent", "a", "b", "late"]
    session.close()
    assert set(desk.states().values()) == {"queued"}, "closing gives everything back"


def test_a_delayed_message_waits_for_its_time(desk: Desk) -> None:
    session = PostgresBroker(desk.dsn).session
    assert session.due_s("work") is None, "an idle worker would ask without a pause"
    session.put("m", "work", "note", b"{}", 0, 3600.0, None)
    assert session.claim("work") is None
    due = session.due_s("work")
    assert due is not None and 3500 < due <= 3600
    desk.connection.execute("UPDATE queue.messages SET eta = now()")
    assert session.claim("work") is not None
    session.close()


def test_a_lost_connection_keeps_what_nobody_took_and_says_what_is_lost(desk: Desk) -> None:
    session = PostgresBroker(desk.dsn).session
    for name in ("kept", "taken", "unknown"):
        session.put(name, "work", "note", b"{}", 0, 0.0, None)
    claims = {claim.message_id: claim for claim in (session.claim("work") for _ in range(3)) if claim is not None}
    # The answer to a claim that was lost with the connection: the queue thinks it is ours, we know nothing of it.
    session._held.pop(("unknown", 1))
    with desk.connection.transaction():
        desk.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 21265"
        )
        desk.connection.execute("UPDATE queue.messages SET state = 'queued', worker = NULL WHERE message_id = 'taken'")
    session.ack(claims["kept"])
    assert not claims["kept"].lost.is_set() and claims["taken"].lost.is_set()
    assert desk.states() == {"taken": "queued", "unknown": "queued"}
    session.close()


def test_dramatiq_s_own_interface(desk: Desk) -> None:
    broker = PostgresBroker(desk.dsn)
    ran: list[int] = []
    running, most = [0], [0]
    lock = threading.Lock()

    def work(number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        _pause.wait(0.02)
        with lock:
            running[0] -= 1
            ran.append(number)

    actor = dramatiq.actor(queue_name="inside", broker=broker)(work)
    for number in range(20):
        actor.send(number)
    actor.send_with_options(args=(20,), delay=100)
    worker = Worker(broker, worker_threads=3, worker_timeout=100)
    worker.queue_prefetch = 3
    worker.start()
    broker.join("inside", timeout=20_000)
    worker.stop()
    assert sorted(ran) == list(range(21)) and most[0] <= 3
    actor.send(1)
    broker.flush_all()
    assert desk.states() == {}
    with pytest.raises(dramatiq.errors.QueueNotFound):
        broker.consume("elsewhere")
    broker.close()


def test_a_message_that_cannot_be_read_is_buried(desk: Desk) -> None:
    desk.connection.execute("SELECT queue.put('m', 'work', 'note', 'no json')")
    desk.put("unknown", "nobody", 1)
    desk.worker()
    until(lambda: desk.states() == {"m": "dead", "unknown": "dead"})


def test_other_brokers_are_refused_in_words() -> None:
    for url in ("", "nonsense", "kafka://somewhere", "redis://somewhere?heartbeat_s=0", "redis://somewhere:port"):
        with pytest.raises(BrokerUnsupported, match="ALCHEMY_BROKER"):
            broker_for(url)


@pytest.mark.parametrize(("url", "extra"), [("amqp://somewhere", "pika"), ("redis://somewhere", "redis")])
def test_a_broker_whose_package_is_missing_says_how_to_get_it(
    url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith(("dramatiq.brokers.r", extra))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(BrokerUnsupported, match="pip install"):
        broker_for(url)


def test_our_messages_are_dramatiq_s(desk: Desk) -> None:
    for work in (
        SeparateJob("job", "track", "spectral", "", {"threads": 2}, 7),
        AnalyseJob("job", "track", ("tempo",)),
    ):
        made = message(work, 3)
        read = dramatiq.Message.decode(made.payload)
        assert (read.message_id, read.queue_name, read.actor_name) == ("job:3", made.queue, made.actor)
        assert read.options == {"subject": "job"}
        from pipeline.jobs import read as read_work

        assert read_work(read.args[0]) == work


def test_random_kills_lose_nothing_and_run_nothing_twice_without_a_death(desk: Desk) -> None:
    """Sixty messages, ten kills at random moments: all are done, and no message runs more often than workers died."""
    dice = random.Random(7)
    total, kills = 60, 10
    for number in range(total):
        desk.put(f"m{number}", "note", f"m{number}")
    killed = 0
    workers = [desk.worker(threads=2)]
    while desk.states() or killed < kills:
        if killed < kills:
            seen, more = len(desk.lines()), dice.randint(1, 4)
            until(lambda seen=seen, more=more: len(desk.lines()) >= seen + more or not desk.states())
            victim = workers.pop()
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            killed += 1
            workers.append(desk.worker(threads=2))
            if not desk.states():
                for number in range(total, total + 10):
                    desk.put(f"m{number}", "note", f"m{number}")
                total += 10
        else:
            until(lambda: not desk.states())
    counts = Counter(line for line in desk.lines() if line != "up")
    assert set(counts) == {f"m{number}" for number in range(total)}
    assert sum(counts.values()) - total <= 2 * kills
