"""Scripts of mappings, one process for each device that has some: what a device says goes to them, what they ask for
goes to the show, and what they send goes to the device.

Owner: the MIDI surface; everything is called on the loop. Units: seconds; values in the scale of the scripts.

    device --Heard--> process --Asked--> Show       Show, telemetry --Told--> process       process --Sends--> device

Nothing waits for a script: what it has not dealt with waits here, newer positions of a fader replacing older ones once
there are many, and a process that has not answered for a while is ended and started anew, three times at most.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

import anyio
import anyio.to_thread

from control.control import ControlError, Value
from control.mapping import DeviceMapping
from control.mapping_store import FileMappings
from control.scripts.values import NAMES_OF, READINGS, SCALES, value_of_name
from control.scripts.wire import (
    Asked,
    Begin,
    Done,
    FromScript,
    Heard,
    Says,
    Sends,
    Shut,
    Told,
    ToScript,
    Trouble,
    Watches,
)
from server.surfaces.script_process import ScriptLine, script_process

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""How long a process may owe an answer: loading and `init` take two seconds at most, each."""

CROWDED: Final = 256
"""Messages in wait beyond which older positions of a fader give way."""

MOST_WAITING: Final = 8192
STARTS: Final = 3
FLOW_S: Final = 1 / 30
"""Between two looks at values that flow by themselves."""

SURE_S: Final = 0.15
"""When a script is told what became of a value that it asked for."""

END_S: Final = 0.5

_BUNDLED: Final = ("midi-components", "common-controller-scripts", "common-hid", "lodash.mixxx")
"""Files that mappings name and do not bring: what of them is needed is built in."""

_Connect = Callable[[], AbstractAsyncContextManager[ScriptLine]]


class DeviceScripts:
    """The scripts of one device. `ask` sets a control, `send` reaches the device, `trouble` is told what is wrong."""

    def __init__(
        self,
        mapping: DeviceMapping,
        device: str,
        store: FileMappings,
        *,
        value_of: Callable[[str], Value | None],
        ask: Callable[[str, Value], None],
        send: Callable[[bytes], None],
        trouble: Callable[[str, bool], None],
        connect: _Connect = script_process,
    ) -> None:
        self.mapping = mapping
        self._device = device
        self._store = store
        self._value_of = value_of
        self._ask = ask
        self._send = send
        self._trouble = trouble
        self._connect = connect
        self._waiting: deque[ToScript] = deque()
        self._stir = anyio.Event()
        self._owed: deque[float] = deque()
        self._watched: set[str] = set()
        self._flowing: dict[str, float] = {}
        self._doubted: dict[str, float] = {}
        self._lost = 0
        self._ended = False

    # -- from the loop ------------------------------------------------------------------------------------------------

    def hear(self, data: tuple[int, ...]) -> None:
        """Pass on a message of the device."""
        if len(self._waiting) >= CROWDED and data and data[0] & 0xF0 in (0xB0, 0xE0):
            wanted = data[: 2 if data[0] & 0xF0 == 0xB0 else 1]
            for index, one in enumerate(self._waiting):
                if isinstance(one, Heard) and tuple(one.data[: len(wanted)]) == wanted:
                    del self._waiting[index]
                    break
        self._put(Heard(list(data)))

    def changed(self, changes: Mapping[str, Value]) -> None:
        """Pass on what the show says."""
        names = {name for path in changes for name in NAMES_OF.get(path, ())}
        for name in names:
            self._doubted.pop(name, None)
        if names:
            self._put(Told({name: value_of_name(name, self._value_of) for name in names}))

    def stop(self) -> None:
        """Let the scripts shut down; `run` returns soon after."""
        self._ended = True
        self._put(Shut())

    def _put(self, message: ToScript) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            if self._lost == 1:
                self._trouble("the script does not keep up; messages are lost", True)
            return
        self._waiting.append(message)
        self._stir.set()

    # -- the process --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the scripts until `stop`; a process that hangs or dies is started again."""
        for start in range(STARTS):
            begin = await self._begin()
            if begin is None or self._ended:
                return
            try:
                async with self._connect() as line, anyio.create_task_group() as tasks:
                    self._owed.clear()
                    self._watched.clear()
                    self._waiting.appendleft(begin)
                    tasks.start_soon(self._speak, line)
                    tasks.start_soon(self._keep_up, line)
                    await self._listen(line)
                    tasks.cancel_scope.cancel()
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                log.warning("the scripts of %s are gone: %s", self._device, error)
            if self._ended:
                return
            self._waiting.clear()
            again = "are started again" if start + 1 < STARTS else "stay off; the other controls go on"
            self._trouble(f"the scripts stopped and {again}", True)

    async def _begin(self) -> Begin | None:
        files: list[tuple[str, str]] = []
        for script in self.mapping.scripts:
            try:
                files.append((script.file, await anyio.to_thread.run_sync(self._store.script, script.file)))
            except FileNotFoundError:
                if not script.file.startswith(_BUNDLED):
                    self._trouble(f"{script.file} is not there: import it, or put it into mappings/scripts", True)
            except (OSError, UnicodeDecodeError, ControlError) as error:
                self._trouble(f"{script.file} cannot be read: {error}", True)
        if not files:
            return None
        calls = [(one.status, one.number, one.function, one.group) for one in self.mapping.calls]
        values = {name: value_of_name(name, self._value_of) for name in (*SCALES, *READINGS)}
        scales = {name: scale.row() for name, scale in SCALES.items()}
        return Begin(files, [one.prefix for one in self.mapping.scripts], calls, scales, values, self._device)

    async def _speak(self, line: ScriptLine) -> None:
        try:
            while True:
                while self._waiting:
                    batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), 64))]
                    now = anyio.current_time()
                    self._owed.extend([now] * len(batch))
                    await line.tell(*batch)
                    while len(self._owed) >= CROWDED:  # it has enough; what comes meanwhile can still be replaced
                        await anyio.sleep(0.005)
                self._stir = anyio.Event()
                await self._stir.wait()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            line.kill()

    async def _listen(self, line: ScriptLine) -> None:
        async for message in line.told():
            self._heard(message)

    async def _keep_up(self, line: ScriptLine) -> None:
        """Tell values that flow, values that were asked for and did not come, and end what hangs."""
        ended_at: float | None = None
        while True:
            await anyio.sleep(FLOW_S)
            now = anyio.current_time()
            if self._ended:
                ended_at = ended_at or now
            if (self._owed and now - self._owed[0] > PATIENCE_S) or (ended_at and now - ended_at > END_S):
                line.kill()
                return
            fresh = {name: value_of_name(name, self._value_of) for name in self._watched}
            changed = {name: value for name, value in fresh.items() if self._flowing.get(name) != value}
            self._flowing |= changed
            doubted = [name for name, at in self._doubted.items() if now - at > SURE_S]
            for name in doubted:
                del self._doubted[name]
                changed[name] = value_of_name(name, self._value_of)
            if changed:
                self._put(Told(changed))

    def _heard(self, message: FromScript) -> None:
        match message:
            case Done(count=count):
                for _ in range(min(count, len(self._owed))):
                    self._owed.popleft()
            case Asked(name=name, value=value, is_path=True):
                self._ask(name, value)
            case Asked(name=name, value=value):
                self._set(name, value)
            case Sends(data=data):
                self._send(bytes(byte & 0xFF for byte in data[:1024]))
            case Watches(name=name) if name in READINGS:
                self._watched.add(name)
            case Says(text=text):
                log.info("%s says: %s", self._device, text)
            case Trouble(text=text, is_grave=is_grave):
                self._trouble(text, is_grave)

    def _set(self, name: str, value: float) -> None:
        scale = SCALES.get(name)
        if scale is not None:
            ours = scale.to_ours(value)
            if ours is not None:
                self._ask(scale.path, ours)
        self._doubted[name] = anyio.current_time()
