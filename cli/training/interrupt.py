"""Ctrl-C with patience: the first ends a training after its step, the second at once."""

import os
import signal
from types import FrameType, TracebackType


class Interrupt:
    """Asked to stop or not; while `patient`, the first signal only asks, otherwise it raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = self.patient = False

    def __enter__(self) -> "Interrupt":
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self.patient or self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, b"\nFinishing this step and saving; press Ctrl-C again to stop at once.\n")  # safe in a handler
