"""Master limiter: nothing leaves above full scale, and below it nothing is touched.

The gain falls in the very frame that would pass the ceiling, so the limiter adds no latency (0 frames): a control is
heard as early as without it. What it costs is the wave's first rise over the ceiling, which is flattened; after it
the gain is held for as long as half a wave of 50 Hz lasts and then let go slowly, so the waves that follow are
scaled, not bent.

Owner: the kernel. Units: linear gain; ceiling 1.0 (0 dBFS) of the sample values, both channels together.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled

CEILING: Final = np.float32(1.0)
HOLD_S: Final = 0.010
RELEASE_S: Final = 0.120
_OPEN: Final = np.float32(0.99999)


@compiled
def limit(k: Any, left: Any, right: Any, count: int) -> None:
    """Limit `count` frames in place."""
    gain = k.limiter_gain
    hold = k.limiter_hold
    hold_frames = int(k.rate * HOLD_S)
    rise = np.float32(1.0 / (RELEASE_S * k.rate))
    low = k.limiter_low
    for n in range(count):
        if hold > 0:
            hold -= 1
        elif gain < np.float32(1.0):
            gain += (np.float32(1.0) - gain) * rise
            if gain > _OPEN:
                gain = np.float32(1.0)
        peak = max(abs(left[n]), abs(right[n]))
        if peak * gain > CEILING:
            gain = CEILING / peak
            hold = hold_frames
        if gain != np.float32(1.0):
            left[n] = min(CEILING, max(-CEILING, left[n] * gain))
            right[n] = min(CEILING, max(-CEILING, right[n] * gain))
        if gain < low:
            low = gain
    k.limiter_gain = gain
    k.limiter_hold = hold
    k.limiter_low = low
