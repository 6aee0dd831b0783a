"""Real-time scheduling for the calling thread, where the system grants it.

    null timer: TIMER        stretchers: STRETCHER        everything else: as the system likes

Both lie below what JACK and the system's own audio threads have, so none of ours is ever in a sound card's way.

Owner: whoever runs the thread. Units: priorities of SCHED_RR and SCHED_FIFO, 1 to 99; niceness.
"""

import os
import sys
import threading
from contextlib import suppress
from typing import Final

TIMER: Final = 10
STRETCHER: Final = 5
"""Above all that has no deadline: what a stretcher makes is heard a few hundredths of a second later."""
_URGENCY: Final = -10
"""Niceness of a thread that was not granted a real-time priority."""


def ask_for_realtime(priority: int) -> bool:
    """Ask for `priority` for the calling thread, else for a better niceness; say whether real time was granted.

    Thread-safe: yes. Realtime-safe: no, it calls the system.
    """
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (OSError, AttributeError):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _URGENCY)
        return False
    return True
