"""How a run over many LoRAs shows what its workers do."""

from typing import Any

from ...core.batch.task import Listener
from ..output.progress import progress_kind, progress_on


class OneByOne(Listener):
    """Shows the rows of one worker as the audit of one LoRA shows them."""

    def __init__(self, console: Any, option: str) -> None:
        self._console, self._option, self._shown = console, option, None

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, highlight=False, markup=False)

    def hear(self, call: str, arguments: list[Any]) -> None:
        """Show a call of the worker's progress."""
        if self._shown is None:
            self._shown = progress_on(self._console, self._option)
            self._shown.__enter__()
        getattr(self._shown, call)(*arguments)

    def end(self) -> None:
        """End what is shown of one LoRA."""
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
            self._shown = None

    def close(self) -> None:
        """End what is shown."""
        self.end()


class AtOnce(Listener):
    """Shows how many LoRAs are done, where several are under way at once; for people only."""

    def __init__(self, console: Any, option: str, total: int) -> None:
        self._shown = progress_on(console, "none" if progress_kind(option) == "json" else option)
        self._shown.__enter__()
        self._shown.total(total)
        self._shown.stage(f"Auditing {total} LoRAs")

    def end(self) -> None:
        """Count one."""
        self._shown.advance(1)

    def close(self) -> None:
        """End what is shown."""
        self._shown.__exit__(None, None, None)
