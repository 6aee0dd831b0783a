"""Travel of a fader or knob, 0 to 1, to a control's value and back.

Owner: nobody; pure.
Units: travel 0 (bottom, left) to 1 (top, right); values in the control's own unit.

    linear   value = min + travel x (max - min)
    audio    value = min + travel^2 x (max - min); half the travel of a gain fader is -12 dB
    centred  linear below and above the middle, so that the middle of the travel is exactly the middle of the range
             (0 dB, crossfader centre); where 0 lies inside the range, the middle is 0
"""

import math

from control.control import BadValue, Control, Curve, Kind, Value

OPEN_ENDED_S = 600.0
"""Range given to a control without an upper limit, such as a position in seconds."""


def limits(control: Control) -> tuple[float, float]:
    """Return the lowest and the highest value a fader can reach."""
    if control.kind is Kind.CHOICE:
        return 0.0, float(max(len(control.choices) - 1, 1))
    low = 0.0 if control.minimum is None else control.minimum
    high = low + OPEN_ENDED_S if control.maximum is None else control.maximum
    return low, high


def to_number(travel: float, low: float, high: float, curve: Curve) -> float:
    """Return the value at `travel` between `low` and `high`; `low` may be above `high`."""
    travel = min(max(travel, 0.0), 1.0)
    if curve is Curve.AUDIO:
        travel *= travel
    elif curve is Curve.CENTRED:
        middle = _middle(low, high)
        if travel <= 0.5:
            return low + (middle - low) * travel * 2
        return middle + (high - middle) * (travel * 2 - 1)
    return low + (high - low) * travel


def to_travel(number: float, low: float, high: float, curve: Curve) -> float:
    """Return the travel at which `to_number` gives `number`, clamped to 0..1."""
    if high == low:
        return 0.0
    if curve is Curve.CENTRED:
        middle = _middle(low, high)
        below = (number <= middle) == (low <= high)
        if below and middle != low:
            travel = (number - low) / (middle - low) / 2
        elif high != middle:
            travel = 0.5 + (number - middle) / (high - middle) / 2
        else:
            travel = 0.5
    else:
        travel = (number - low) / (high - low)
        if curve is Curve.AUDIO:
            travel = math.sqrt(max(travel, 0.0))
    return min(max(travel, 0.0), 1.0)


def value_at(control: Control, number: float) -> Value:
    """Return `number` as the control takes it: 0 or 1, an entry of its choices, or a float."""
    if control.kind in (Kind.TOGGLE, Kind.TRIGGER):
        return int(number >= 0.5)
    if control.kind is Kind.CHOICE:
        return control.choices[min(max(round(number), 0), len(control.choices) - 1)]
    if control.kind is Kind.TEXT:
        raise BadValue(f"{control.path} takes a text, which no fader can give")
    return float(number)


def number_of(control: Control, value: Value) -> float:
    """Return a control's value as a number: the index of a choice, 0 for a text."""
    if isinstance(value, str):
        return float(control.choices.index(value)) if value in control.choices else 0.0
    return float(value)


def _middle(low: float, high: float) -> float:
    return 0.0 if min(low, high) < 0.0 < max(low, high) else (low + high) / 2
