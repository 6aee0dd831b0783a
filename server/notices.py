"""Sentences for the performer from the time before there is a show to tell them.

Owner: the event loop.
"""

import logging

from server.session.effects import Notice
from server.session.show import Show

_log = logging.getLogger(__name__)


class Notices:
    """Warnings that wait for a show, and go straight to it once it is there."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._show: Show | None = None

    def warn(self, sentence: str) -> None:
        """Tell the performer, now or as soon as there is a show."""
        _log.warning("%s", sentence)
        if self._show is None:
            self._waiting.append(sentence)
        else:
            self._show.notice(Notice("warning", "server", sentence))

    def publish_to(self, show: Show) -> None:
        """Tell what waited, and whatever comes from now on, through `show`."""
        self._show = show
        for sentence in self._waiting:
            show.notice(Notice("warning", "server", sentence))
