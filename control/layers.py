"""Layers: shift keys, modes and pages, which change what the same knobs and pads mean.

Owner: the device that listens. Pure.
Units: none.

Lines without a layer always hold; a layer that is on hides the lines of its sources below it, source by source. Of
several layers that are on, the one declared last is on top.
"""

from collections.abc import Iterable

from control.mapping_entry import Layer, LayerKind
from control.midi_source import Source


class Layers:
    """Which layers of one device are on."""

    def __init__(self, layers: Iterable[Layer] = ()) -> None:
        self._layers = tuple(layers)
        self._ranks = {layer.name: rank for rank, layer in enumerate(self._layers)}
        self._on = {layer.name for layer in self._layers if layer.start}
        self._keys = {layer.source for layer in self._layers}

    @property
    def keys(self) -> Iterable[Layer]:
        """Every layer that is declared."""
        return self._layers

    @property
    def on(self) -> frozenset[str]:
        """The names of those that are on."""
        return frozenset(self._on)

    def is_on(self, name: str) -> bool:
        """Return whether lines of this layer may hold; "" are lines without a layer."""
        return not name or name in self._on

    def rank(self, name: str) -> int:
        """Return how high a layer lies; lines without one lie at -1."""
        return self._ranks.get(name, -1)

    def is_key(self, source: Source) -> bool:
        """Return whether a source turns layers on and off."""
        return source in self._keys

    def hear(self, source: Source, pressed: bool) -> bool:
        """Note that a key went down or came up; return whether that turned a layer on or off."""
        before = frozenset(self._on)
        for layer in self._layers:
            if layer.source != source:
                continue
            if layer.kind is LayerKind.HOLD:
                (self._on.add if pressed else self._on.discard)(layer.name)
            elif pressed and layer.kind is LayerKind.TOGGLE:
                self._on ^= {layer.name}
            elif pressed:
                self._turn_to(layer)
        return self._on != before

    def show(self, name: str) -> bool:
        """Turn to the page of this name, whatever the case of its letters; return whether that changed anything."""
        page = next(
            (one for one in self._layers if one.kind is LayerKind.PAGE and one.name.casefold() == name.casefold()), None
        )
        if page is None or page.name in self._on:
            return False
        self._turn_to(page)
        return True

    def take_over(self, other: "Layers") -> None:
        """Have on what is on in another set of layers, as far as it is declared here."""
        pages = {layer.group for layer in self._layers if layer.kind is LayerKind.PAGE and layer.name in other.on}
        self._on = {name for name in self._on if not self._is_page_of(name, pages)}
        self._on |= {name for name in other.on if name in self._ranks}

    def _is_page_of(self, name: str, groups: set[str]) -> bool:
        layer = self._layers[self._ranks[name]]
        return layer.kind is LayerKind.PAGE and layer.group in groups

    def _turn_to(self, page: Layer) -> None:
        was_on = page.name in self._on
        pages = [one for one in self._layers if one.kind is LayerKind.PAGE and one.group == page.group]
        self._on -= {one.name for one in pages}
        first = next((one for one in pages if one.start), None)
        turned = first if was_on else page
        if turned is not None:
            self._on.add(turned.name)
