"""What is audited: something that turns the base into the tuned model and back."""

from typing import Protocol

from ..adapter import Adapter, Switch
from ..adapter.apply.match import Components
from ..text import file_stem, inert
from ..verdict.report import AdapterRecord
from .adapter_record import adapter_record


class Change(Protocol):
    """A change of the base that can be switched on and off; off restores the base exactly."""

    is_repeatable: bool
    """Whether the same key means the same change in another run, so that samples of an interrupted one are of use."""

    @property
    def key(self) -> tuple[str, ...]:
        """Return what names the change: samples of an interrupted audit are found again by it."""
        ...

    def refusal(self) -> str | None:
        """Return why a score would be meaningless, as a sentence; None when the change may be audited."""
        ...

    def record(self) -> AdapterRecord:
        """Return what the report says about it."""
        ...

    def on(self) -> None:
        """Turn the base into the tuned model."""
        ...

    def off(self) -> None:
        """Restore the base; does nothing when it is off already."""
        ...


class AdapterChange:
    """A LoRA file at a strength, applied to the live modules of the base by swapping weights."""

    is_repeatable = True

    def __init__(self, components: Components, adapter: Adapter, strength: float) -> None:
        self._adapter, self._strength = adapter, strength
        self._switch = Switch(components, (adapter,))

    @property
    def key(self) -> tuple[str, ...]:
        """Return the file, how it is read, and the strength."""
        return self._adapter.key, repr(float(self._strength))

    def refusal(self) -> str | None:
        """Return why the file does not apply to this base as a whole; None when it does."""
        return mismatch(self._adapter, self._switch.report.problems)

    def record(self) -> AdapterRecord:
        """Return the file's record."""
        return adapter_record(self._adapter, self._switch.report, self._strength)

    def on(self) -> None:
        """Swap the changed weights in."""
        self._switch.on(self._strength)

    def off(self) -> None:
        """Put the base's own weights back."""
        self._switch.off()


def mismatch(adapter: Adapter, problems: tuple[str, ...]) -> str | None:
    """Return the sentence that says why a LoRA file cannot be audited; None without problems."""
    if not problems:
        return None
    return (
        f"{inert(adapter.path.name)} did not apply to this base as a whole, so nothing was measured: "
        f"{'; '.join(problems)}."
    )


def report_stem(adapter: Adapter) -> str:
    """Return how the folder of a LoRA's report begins: its name and the hash that people know it by."""
    return f"{file_stem(adapter.path.stem)}-{adapter.hashes.autov2}"
