"""How good a separation is: signal-to-distortion ratio, as in the Music Demixing Challenge (no fitted filter)."""

import numpy as np
import numpy.typing as npt


def sdr_db(truth: npt.NDArray[np.float32], estimate: npt.NDArray[np.float32]) -> float:
    """Energy of the truth over the energy of what the estimate gets wrong, in dB; both (2, frames)."""
    reference = truth.astype(np.float64)
    wrong = reference - estimate
    return float(10.0 * np.log10((np.sum(reference**2) + 1e-12) / (np.sum(wrong**2) + 1e-12)))
