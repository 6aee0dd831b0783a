"""The clock process as the server holds it.

Owner: the clock surface. Units: as in `control.clocks.wire`.
"""

from contextlib import AbstractAsyncContextManager
from typing import Final

from control.clocks.wire import FromProcess, ToProcess, from_process
from control.settings import MidiApi
from server.surfaces.line_process import Lines, line_process

END_S: Final = 1.0

ClockLine = Lines[ToProcess, FromProcess]
"""A way to a clock process and back."""


def clock_process(api: MidiApi = MidiApi.AUTO) -> AbstractAsyncContextManager[ClockLine]:
    """Run a clock process while inside; at the end it is asked to go, and then made to."""
    return line_process("control.clocks.process", api.value, decoder=from_process, name="clock", patience_s=END_S)
