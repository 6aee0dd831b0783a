"""The two programs that can run an `.onnx` file here: OpenVINO, else ONNX Runtime. Imported when a model is loaded.

Owner: `pipeline.engines.onnx`, which lets one thread in at a time.
Units: float32 arrays; the shapes are those of htdemucs, see there.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.engines import spectrogram
from pipeline.engines.base import Cancelled
from pipeline.engines.sharing import POLL_S
from pipeline.errors import ModelFailed

SEGMENT: Final = 343_980
"""Frames that htdemucs hears at once: 7.8 s."""

SOURCES: Final = ("drums", "bass", "other", "vocals")
"""What it answers with, in its order."""

_WAVE: Final = "input"
_SPECTRUM: Final = "onnx::ReduceMean_1"

Array = npt.NDArray[np.float32]


class Runtime(Protocol):
    """A compiled model. One call at a time."""

    def run(self, wave: Array, spectrum: Array, cancelled: Cancelled) -> tuple[Array, Array] | None:
        """Give (spectra, waves) for a wave and its spectrogram; None when cancelled. Raises ModelFailed."""


class OpenVino:
    """OpenVINO on the CPU, in bf16 where the processor computes in it: three times the speed, no loss in SDR."""

    def __init__(self, file: Path, precision: str, threads: int) -> None:
        import openvino

        core = openvino.Core()
        if precision == "auto":
            precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        compiled = core.compile_model(
            core.read_model(file),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
            },
        )
        self._spectra, self._waves = _outputs([tuple(port.shape) for port in compiled.outputs])
        self._request = compiled.create_infer_request()

    def run(self, wave: Array, spectrum: Array, cancelled: Cancelled) -> tuple[Array, Array] | None:
        request = self._request
        try:
            request.start_async({_WAVE: wave, _SPECTRUM: spectrum}, share_inputs=True)
            while not request.wait_for(int(POLL_S * 1000)):
                if cancelled():
                    request.cancel()
                    with suppress(RuntimeError):  # that is how a cancelled request answers
                        request.wait()
                    return None
        except RuntimeError as error:
            raise ModelFailed(f"OpenVINO failed: {str(error)[:300]}") from error
        spectra = np.array(request.get_output_tensor(self._spectra).data)
        return spectra, np.array(request.get_output_tensor(self._waves).data)


class OnnxRuntime:
    """ONNX Runtime: arena off (it grew to 5.5 GB), no spinning threads (they fight with everything else)."""

    def __init__(self, file: Path, precision: str, threads: int) -> None:
        import onnxruntime

        wanted = onnxruntime.SessionOptions()
        wanted.intra_op_num_threads = threads
        wanted.inter_op_num_threads = 1
        wanted.enable_cpu_mem_arena = False
        wanted.enable_mem_pattern = False
        wanted.log_severity_level = 3
        wanted.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(file), wanted, providers=["CPUExecutionProvider"])
        self._outputs = [port.name for port in self._session.get_outputs()]
        self._spectra, self._waves = _outputs([tuple(port.shape) for port in self._session.get_outputs()])
        self._run_options = onnxruntime.RunOptions

    def run(self, wave: Array, spectrum: Array, cancelled: Cancelled) -> tuple[Array, Array] | None:
        asked = self._run_options()
        answer: list[Any] = []

        def work() -> None:
            try:
                answer.append(self._session.run(self._outputs, {_WAVE: wave, _SPECTRUM: spectrum}, asked))
            except Exception as error:  # handed to the waiting thread
                answer.append(error)

        thread = threading.Thread(target=work, name="onnxruntime", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(POLL_S)
            if thread.is_alive() and cancelled():
                asked.terminate = True
                thread.join()
                return None
        if isinstance(answer[0], Exception):
            raise ModelFailed(f"ONNX Runtime failed: {str(answer[0])[:300]}") from answer[0]
        return answer[0][self._spectra], answer[0][self._waves]


RUNTIMES: Final[Mapping[str, Callable[[Path, str, int], Runtime]]] = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}
"""Runtimes by package name, the faster one first: (file, precision, threads) gives a compiled model."""


def _outputs(shapes: list[tuple[int, ...]]) -> tuple[int, int]:
    """Which output holds spectra and which waves, told by their shapes. Raises ValueError for another model."""
    steps = spectrogram.steps(SEGMENT)
    spectra, waves = (1, len(SOURCES), 4, spectrogram.BINS, steps), (1, len(SOURCES), 2, SEGMENT)
    return shapes.index(spectra), shapes.index(waves)
