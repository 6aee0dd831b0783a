"""A script process as the server holds it.

Owner: the scripts of one device. Units: as in `control.scripts.wire`.
"""

from contextlib import AbstractAsyncContextManager

from control.scripts.wire import FromScript, ToScript, from_script
from server.surfaces.line_process import Lines, line_process

ScriptLine = Lines[ToScript, FromScript]
"""A way to a script process and back."""


def script_process() -> AbstractAsyncContextManager[ScriptLine]:
    """Run a script process while inside; at the end it is killed if it has not gone."""
    return line_process("control.scripts.process", decoder=from_script, name="script")
