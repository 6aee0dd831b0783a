"""A worker process for the broker's tests: takes messages of the queue `work` and writes down what it ran.

Run as `python -m tests.pipeline.broker.crashing_worker DSN LOG THREADS`. Actors:
    note(text)             writes `text`
    hold(text, path)       writes `text`, then waits while the file `path` exists, then writes `text` + " done"
    die(text)              writes `text` and kills the process
    stumble(text, times)   writes `text`; fails the first `times` times
SIGTERM gives back what is held and ends.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import dramatiq
from dramatiq.worker import Worker

from pipeline.broker import broker_for


def main(dsn: str, log: str, threads: int) -> None:
    broker = broker_for(dsn)
    lock = threading.Lock()
    tries: dict[str, int] = {}
    idle = threading.Event()

    def write(text: str) -> None:
        with lock, Path(log).open("a") as file:
            file.write(f"{text}\n")

    def note(text: str) -> None:
        write(text)

    def hold(text: str, path: str) -> None:
        write(text)
        while Path(path).exists():
            idle.wait(0.01)
        write(f"{text} done")

    def die(text: str) -> None:
        write(text)
        os.kill(os.getpid(), signal.SIGKILL)

    def stumble(text: str, times: int) -> None:
        write(text)
        tries[text] = tries.get(text, 0) + 1
        if tries[text] <= times:
            raise RuntimeError("stumbled")

    for function in (note, hold, die, stumble):
        dramatiq.actor(queue_name="work", broker=broker, min_backoff=10, max_backoff=50)(function)
    worker = Worker(broker, queues={"work"}, worker_threads=threads, worker_timeout=100)
    worker.queue_prefetch = threads
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker.start()
    write("up")
    stop.wait()
    broker.close()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
