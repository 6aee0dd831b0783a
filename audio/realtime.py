"""Real-time scheduling for the calling thread, where the system grants it.

    null timer: TIMER        stretchers: STRETCHER        everything else: as the system likes

Both lie below what JACK and the system's own audio threads have, so none of ours is ever in a sound card's way. A
system takes time from all real-time threads of a core, the audio callback too, when they leave next to nothing of it to
others; so who may come near that watches itself (`used_s`) and goes back to an ordinary priority in time
(`go_ordinary`).

Owner: whoever runs the thread. Units: priorities of SCHED_FIFO, 1 to 99; niceness; seconds of a core.
"""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
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


def go_ordinary(thread: int) -> None:
    """Take the real-time priority from a thread of this process, by its native number, and leave it a good niceness.

    One that has ended is passed over.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, thread, _URGENCY)


def used_s(thread: int) -> float:
    """Return what a thread of this process has used of a core so far, to a hundredth of a second; 0 for none."""
    try:
        fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
