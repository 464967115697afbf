"""What is audited: something that turns the base into the tuned model and back."""

from collections.abc import Sequence
from typing import Protocol

from ..adapter import Adapter, Switch
from ..adapter.adapter import Below
from ..adapter.apply.match import Components
from ..adapter.apply.switch import attached
from ..model.memory import AS_LOADED, Keeping
from ..text import file_stem, inert
from ..verdict.report import AdapterRecord
from .adapter_record import adapter_record

BESIDE = "beside the weights, in each layer as it runs"
"""How a LoRA is applied where weights are offloaded or rounded, or stay in the eight bits of their file."""


class Change(Protocol):
    """A change of the base that can be switched on and off; off restores the base exactly."""

    is_repeatable: bool
    """Whether the same key means the same change in another run, so that samples of an interrupted one are of use."""
    reads_as_base: bool
    """Whether it leaves alone what reads prompts, so that what the base made of them counts."""
    claimed: tuple[str, ...]
    """Words by which its files call what it is to change, which is no damage; none where nothing says so."""

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
    """A LoRA file at a strength, applied to the live modules of the base: merged, or beside weights that cannot be.

    With others `below` it, all of them together are the change: off is the base without any.
    """

    is_repeatable = True

    def __init__(
        self,
        components: Components,
        adapter: Adapter,
        strength: float,
        keeping: Keeping = AS_LOADED,
        below: Sequence[Below] = (),
    ) -> None:
        self._adapter, self._strength = adapter, strength
        self._below = sorted(below, key=lambda each: each.key)  # sums of floats depend on their order
        adapters = (adapter, *(each.adapter for each in self._below))
        self.claimed = tuple(word for each in adapters for word in each.trigger_words)
        self._switch = attached(components, adapters, merged=keeping.is_plain)
        self.reads_as_base = not any(report.changes_text for report in self._switch.reports)
        self._way = "" if isinstance(self._switch, Switch) else BESIDE

    @property
    def key(self) -> tuple[str, ...]:
        """Return all files, how they are read, their strengths, and the way of applying them unless they are merged."""
        below = (each.key for each in self._below)
        return self._adapter.key, repr(float(self._strength)), *filter(None, (self._way,)), *below

    def refusal(self) -> str | None:
        """Return why one of the files does not apply to this base as a whole; None when all do."""
        adapters = (self._adapter, *(each.adapter for each in self._below))
        found = (mismatch(a, r.problems) for a, r in zip(adapters, self._switch.reports, strict=True))
        return next(filter(None, found), None)

    def record(self) -> AdapterRecord:
        """Return the file's record."""
        return adapter_record(self._adapter, self._switch.reports[0], self._strength, self._way, self._below)

    def on(self) -> None:
        """Swap the changed weights in, or let layers add their share."""
        self._switch.on(self._strength, *(each.strength for each in self._below))

    def off(self) -> None:
        """Leave the base as it was, bit for bit."""
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
