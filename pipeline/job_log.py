"""What a worker logs about a job goes to the server too, and stays with the attempt.

Owner: the worker process adds one `JobLog` to its root logger; the thread of a job says in `about` whose lines its own
are. Lines of other threads stay in the worker's log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LONGEST: Final = 4000
"""Characters of a line, with its traceback, that are kept."""

Tell = Callable[[str], None]

_here = threading.local()


@contextmanager
def about(tell: Tell) -> Iterator[None]:
    """Give what this thread logs inside to `tell` as well."""
    _here.tell = tell
    try:
        yield
    finally:
        _here.tell = None


class JobLog(logging.Handler):
    """Hands lines on. What is logged while a line is handed on goes nowhere, so that it cannot go round."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on, if it is of a job."""
        tell: Tell | None = getattr(_here, "tell", None)
        if tell is None:
            return
        _here.tell = None
        try:
            tell(self.format(record)[:LONGEST])
        finally:
            _here.tell = tell
