"""Loaded models that several separations share: loaded once, in the background, used in turns.

Owner: any thread. Two separations at once on a small processor would fight for its cores; here they take turns, segment
by segment, in the order in which they asked. Waiting can be given up at any moment.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from pipeline.engines.base import Cancelled

Key = TypeVar("Key", bound=Hashable)
Loaded = TypeVar("Loaded")

POLL_S: Final = 0.03
"""How often a running model, a load or a turn is asked whether it has been cancelled."""

_LOADED_AT_ONCE: Final = 2


class Turns:
    """A lock that is fair (first come, first served) and can be given up."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, cancelled: Cancelled) -> Iterator[bool]:
        """Wait for one's turn; yields False when cancelled before it came."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            yield self._wait(ticket, cancelled)
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, cancelled: Cancelled) -> bool:
        with self._changed:
            while self._waiting[0] is not ticket:
                self._changed.wait(POLL_S)
                if cancelled():
                    return False
        return True


@dataclass(slots=True)
class Shared(Generic[Loaded]):
    """A loaded model and the queue before it."""

    model: Loaded
    turns: Turns = field(default_factory=Turns)


class Loading(Generic[Key, Loaded]):
    """A model on its way into memory, in a thread of its own, so that whoever waits can give up."""

    def __init__(self, key: Key, load: Callable[[Key], Loaded]) -> None:
        self._done = threading.Event()
        self._shared: Shared[Loaded] | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(key, load), name="load-model", daemon=True).start()

    def _run(self, key: Key, load: Callable[[Key], Loaded]) -> None:
        try:
            self._shared = Shared(load(key))
        except BaseException as error:  # handed to the waiting thread
            self._error = error
        finally:
            self._done.set()

    @property
    def failed(self) -> bool:
        """Whether the load came to a bad end."""
        return self._done.is_set() and self._error is not None

    def wait(self, cancelled: Cancelled) -> Shared[Loaded] | None:
        """Wait for the model; None when cancelled. Raises what the load raised."""
        while not self._done.wait(POLL_S):
            if cancelled():
                return None
        if self._error is not None:
            raise self._error
        return self._shared


class Cache(Generic[Key, Loaded]):
    """Loaded models by key, the least recently used dropped first; running separations keep theirs to the end."""

    def __init__(self, load: Callable[[Key], Loaded]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._held: OrderedDict[Key, Loading[Key, Loaded]] = OrderedDict()

    def get(self, key: Key, cancelled: Cancelled) -> Shared[Loaded] | None:
        """Give the loaded model, waiting for it; None when cancelled. Raises what the load raised."""
        return self.start(key).wait(cancelled)

    def start(self, key: Key) -> Loading[Key, Loaded]:
        """Begin to load, unless it is loaded or on its way; a load that failed is tried again."""
        with self._lock:
            loading = self._held.get(key)
            if loading is None or loading.failed:
                loading = self._held[key] = Loading(key, self._load)
            self._held.move_to_end(key)
            while len(self._held) > _LOADED_AT_ONCE:
                self._held.popitem(last=False)
            return loading

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._held.clear()

    def __len__(self) -> int:
        return len(self._held)
