"""Where the server's own log goes: everything into `logs/server.log` of the data folder, warnings to the terminal too.

Owner: `server/run.py`, once, before the event loop starts.
"""

import logging
from pathlib import Path


def log_to(data: Path) -> None:
    """Send the log to `data`/logs/server.log, which is made where it is missing."""
    (data / "logs").mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[logging.FileHandler(data / "logs" / "server.log", encoding="utf-8"), _quiet_terminal()],
    )


def _quiet_terminal() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    return handler
