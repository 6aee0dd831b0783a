"""What can go wrong at the control surfaces, named for the fact; the docstring is the default message."""

from control.control import ControlError


class BadMessage(ControlError):
    """This is not a message that can be read."""

    def __init__(self, message: str | None = None, data: bytes = b"") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.data = data
        """The bytes as they came."""


class PortTaken(ControlError):
    """Another program has this port; close it, or choose another port."""


class NotAnnounced(ControlError):
    """Other programs cannot find us by themselves; type our address in there."""


class PortLost(ControlError):
    """The MIDI port is gone; plug it in again and it comes back by itself."""


class MappingRejected(ControlError):
    """The mapping file has faults; each is listed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
        """One line for each fault: file, line, key, what is wrong and what fits."""


class CannotLearn(ControlError):
    """This control cannot be moved by MIDI."""
