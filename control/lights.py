"""Lights: what each light, ring, meter and motor fader of a device has to show for the show's values.

Owner: the device. Pure.
Units: control values as the registry says; MIDI values as they are sent.
"""

from collections.abc import Callable, Iterable

from control import travel
from control.control import Control, Kind, UnknownControl, Value
from control.feedback import from_travel
from control.layers import Layers
from control.mapping import DeviceMapping
from control.mapping_entry import Layer, Light, Shown
from control.midi_source import Source

ValueOf = Callable[[str], Value | None]


class Lights:
    """The lights of one mapping while one deck has the focus."""

    def __init__(self, mapping: DeviceMapping | None = None, focus: str = "1") -> None:
        self._lights: dict[Source, list[tuple[Light, Control]]] = {}
        self._of_path: dict[str, dict[Source, None]] = {}
        self._keys: dict[Source, list[Layer]] = {}
        self.telemetry: frozenset[str] = frozenset()
        """Paths whose values flow by themselves and are shown here: meters."""
        if mapping is None:
            return
        lines = [light for entry in mapping.entries if (light := entry.light()) is not None]
        flowing: set[str] = set()
        for light in (*mapping.lights, *lines):
            try:
                control = light.control(focus)
            except UnknownControl:
                continue
            if not control.is_readable and control.kind is not Kind.TRIGGER:
                continue
            self._lights.setdefault(light.to, []).append((light, control))
            self._of_path.setdefault(control.path, {})[light.to] = None
            if control.is_telemetry:
                flowing.add(control.path)
        for layer in mapping.layers:
            self._keys.setdefault(layer.source, []).append(layer)
        self.telemetry = frozenset(flowing)

    @property
    def targets(self) -> dict[Source, None]:
        """Everything that can be lit, in the order of the mapping: what is sent is the same every time."""
        return dict.fromkeys((*self._lights, *self._keys))

    def of(self, path: str) -> Iterable[Source]:
        """Return the targets that may look different when a control changes."""
        return self._of_path.get(path, ())

    def shown(self, target: Source, value_of: ValueOf, layers: Layers) -> Shown | None:
        """Return what a target has to show now, None if nothing is known."""
        keys = self._keys.get(target)
        if keys:
            lit = next((layer for layer in keys if layers.is_on(layer.name)), None)
            layer = lit or keys[0]
            full: Shown = target.top if layer.lit is None else layer.lit
            return full if lit else 0 if layer.dark is None else layer.dark
        lines = [line for line in self._lights.get(target, ()) if layers.is_on(line[0].layer)]
        top = max((layers.rank(light.layer) for light, _ in lines), default=-1)
        dark: Shown | None = None
        for light, control in lines:
            value = value_of(control.path)
            if value is None and control.kind is Kind.TRIGGER and light.dark is not None:
                value = 0  # what can only be pressed has a colour of its own
            if layers.rank(light.layer) != top or value is None:
                continue
            shown, is_lit = value_shown(light, control, value)
            if is_lit:
                return shown
            dark = shown if dark is None else dark
        return dark


def value_shown(light: Light, control: Control, value: Value) -> tuple[Shown, bool]:
    """Return what a light shows while its control has `value`, and whether that counts as lit."""
    number = travel.number_of(control, value)
    top = light.to.top
    lit: Shown = top if light.lit is None else light.lit
    dark: Shown = 0 if light.dark is None else light.dark
    if light.when is not None:
        least, most = light.when
        is_lit = value == least if isinstance(least, str) or isinstance(most, str) else least <= number <= most
        return (lit, True) if is_lit else (dark, False)
    if control.kind in (Kind.TOGGLE, Kind.TRIGGER) and light.steps is None:
        is_lit = (number >= 0.5) == (light.ends is None or light.ends[1] >= light.ends[0])
        return (lit, True) if is_lit else (dark, False)
    low, high = light.ends or travel.limits(control)
    place = travel.to_travel(number, low, high, light.curve or control.curve)
    if light.steps is not None:
        first, last = light.steps
        return first + round((last - first) * place), True
    return from_travel(place, top), True
