"""What a DAW calls our controls: profiles, read from TOML files, translate both ways.

Owner: the DAW surface. Pure but for `load`, which reads a file that comes with the program.
Units: as the registry says; `top` is what the DAW's fader says at 0 dB, where ours says 1.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from audio.units import STEMS
from control.control import ControlError
from control.daw_names import NAMES
from control.osc_codec import Argument, encode
from control.registry import FOCUSED, REGISTRY


class ProfileRejected(ControlError):
    """The profile of a DAW has a fault."""


@dataclass(frozen=True, slots=True)
class Link:
    """One control and its other name. `first` is the argument before the value, such as a track's number; `press`
    holds the addresses that mean 0 and 1 where a switch has no value."""

    path: str
    hear: str
    send: str = ""
    press: tuple[str, str] | None = None
    first: int | None = None
    top: float = 1.0

    def packet(self, value: bool | int | float | str) -> bytes | None:
        """Return what tells the DAW that the control holds `value`, None if it is not told."""
        if self.press is not None:
            return encode(self.press[int(float(value) >= 0.5)])
        if not self.send:
            return None
        number: Argument = float(value) * self.top if isinstance(value, float) else value
        return encode(self.send, *([] if self.first is None else [self.first]), number)


@dataclass(frozen=True, slots=True)
class Profile:
    """One DAW."""

    name: str
    source: str
    send_port: int
    receive_port: int
    asks: tuple[bytes, ...]
    links: tuple[Link, ...]
    _heard: dict[tuple[str, int | None], Link] = field(repr=False)

    def hear(self, address: str, args: tuple[Argument, ...]) -> tuple[str, float] | None:
        """Return the control a message of the DAW moves and its value, None for what the profile does not know."""
        numbers = [float(arg) for arg in args if isinstance(arg, bool | int | float)]
        if len(numbers) != len(args) or not numbers:
            return None
        link = self._heard.get((address, None))
        if link is None and len(numbers) > 1:
            link = self._heard.get((address, int(numbers[0])))
            numbers = numbers[1:]
        return (link.path, numbers[0] / link.top) if link is not None and len(numbers) == 1 else None


def load(name: str) -> Profile:
    """Return a profile that comes with the program. Raises ProfileRejected."""
    if name not in NAMES:
        raise ProfileRejected(f"no profile is called {name[:60]!r}; there are {', '.join(NAMES)}")
    return parse(files("control.profiles").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def parse(text: str) -> Profile:
    """Return the profile that a file describes. Raises ProfileRejected."""
    try:
        data = tomllib.loads(text)
        head = data["profile"]
        links = tuple(link for entry in data["control"] for link in _links(entry))
        asks = tuple(_asks(data.get("ask", ())))
        profile = Profile(
            str(head["name"]), str(head["source"]), int(head["send_port"]), int(head["receive_port"]), asks, links,
            {(link.hear, link.first): link for link in links},
        )  # fmt: skip
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ProfileRejected(f"the profile cannot be read: {error!r}") from error
    return profile


def _asks(entries: Any) -> Iterator[bytes]:
    for entry in entries:
        if "each" in entry:
            yield from (encode(entry["address"], int(each)) for each in entry["each"])
        else:
            yield encode(entry["address"])


def _links(entry: dict[str, Any]) -> Iterator[Link]:
    """Return the links of an entry: one for each stem where `{n}` stands for its number from 1."""
    press = (str(entry["press"][0]), str(entry["press"][1])) if "press" in entry else None
    top = float(entry.get("top", 1.0))
    for number in range(1, len(STEMS) + 1) if "{n}" in entry["path"] else (0,):
        path, hear, send = (str(entry.get(key, "")).replace("{n}", str(number)) for key in ("path", "hear", "send"))
        if path not in REGISTRY and path not in FOCUSED["1"]:
            raise ValueError(f"no control is called {path!r}")
        yield Link(path, hear, send, press, int(entry["first"][number - 1]) if "first" in entry else None, top)
