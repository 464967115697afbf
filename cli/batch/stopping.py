"""How a signal stops a run over many LoRAs: the sample in flight is finished, and the next run goes on. No torch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.batch.here import Here
from ...core.batch.task import Workers


@contextmanager
def stoppable(workers: Workers) -> Iterator[list[int]]:
    """Return a context in which a signal lets workers finish the sample in flight; yields the signals that came.

    A second Ctrl-C waits for nothing. Work that is done in this process is stopped as ever.
    """
    caught: list[int] = []
    if isinstance(workers, Here) or threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def catch(number: int, frame: object) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt
        workers.stop()

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
