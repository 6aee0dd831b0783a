"""What a surface needs of the show and of the engine; the real ones are `server.session.show.Show` and `EngineClient`.

Owner: nobody; interfaces only.
Units: as in `server.session.intent` and `audio.rings.ClockPair`.
"""

from collections.abc import AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from control.control import Value
from server.session.effects import Notice
from server.session.intent import Changes, Intent


class ShowPort(Protocol):
    """The show as surfaces see it."""

    @property
    def rev(self) -> int: ...

    @property
    def controls(self) -> Mapping[str, Value]: ...

    def value(self, path: str) -> Value | None: ...

    def submit(self, intent: Intent) -> None: ...

    def subscribe(self, surface: str) -> AbstractAsyncContextManager[AsyncIterable[Changes]]: ...

    def notice(self, notice: Notice) -> None: ...


class Clock(Protocol):
    """The engine's clock pair: frame `frame` began at `monotonic_ns` and is heard `latency_frames` later."""

    @property
    def frame(self) -> int: ...

    @property
    def monotonic_ns(self) -> int: ...

    @property
    def latency_frames(self) -> int: ...

    @property
    def rate(self) -> float: ...
