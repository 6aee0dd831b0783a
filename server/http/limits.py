"""How often somebody may ask: GCRA, one number per asker and class.

Owner: the event loop. Units: seconds of the monotonic clock; limits per minute, all of which may come at once.
Source: the generic cell rate algorithm of ATM traffic management (ITU-T I.371), virtual scheduling form.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from server.errors import ServerError

RateClass = Literal["browser", "api", "heavy", "unlimited"]

PER_MINUTE: Final[dict[RateClass, int]] = {"browser": 120, "api": 60, "heavy": 10}
_ASKERS_LIMIT: Final = 20_000


class TooManyRequests(ServerError):
    """Too many requests; wait a moment."""

    code = "too_many_requests"
    http_status = 429


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is taken; `retry_after_s` is how long to wait when it is not."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_s: float

    def headers(self) -> dict[str, str]:
        """Return the headers that tell."""
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(self.remaining)}
        if not self.allowed:
            told["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return told


class Limits:
    """Remembers for each asker when its allowance is whole again (the theoretical arrival time)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole_at: dict[tuple[str, str], float] = {}

    def ask(self, asker: str, kind: RateClass) -> Verdict:
        """Count one request of `asker`; one that is refused does not count."""
        limit = PER_MINUTE[kind]
        step = 60.0 / limit
        now = self._clock()
        key = (asker, kind)
        whole_at = max(self._whole_at.get(key, now), now)
        wait = whole_at + step - now - 60.0
        # A request that is early by less than rounding is not early.
        if wait > 1e-9:
            return Verdict(False, limit, 0, wait)
        self._remember(key, whole_at + step, now)
        return Verdict(True, limit, int((60.0 - (whole_at + step - now)) / step + 1e-9), 0.0)

    def _remember(self, key: tuple[str, str], whole_at: float, now: float) -> None:
        self._whole_at[key] = whole_at
        if len(self._whole_at) > _ASKERS_LIMIT:
            self._whole_at = {asker: at for asker, at in self._whole_at.items() if at > now}
