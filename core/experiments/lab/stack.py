"""Several LoRAs in the base at once, audited as one change of it."""

from collections.abc import Sequence
from dataclasses import replace

from ...adapter import Adapter, Switch
from ...adapter.apply.match import Components
from ...adapter.apply.switch import attached
from ...audit.adapter_record import adapter_record
from ...audit.change import BESIDE, mismatch
from ...model.memory import AS_LOADED, Keeping
from ...text import inert
from ...verdict.report import AdapterRecord


class StackChange:
    """LoRA files at strength 1, together: merged into the base's modules, or beside weights that cannot be."""

    is_repeatable = True

    def __init__(self, components: Components, adapters: Sequence[Adapter], keeping: Keeping = AS_LOADED) -> None:
        self._adapters = tuple(adapters)
        self.claimed = tuple(word for adapter in self._adapters for word in adapter.trigger_words)
        self._switch = attached(components, self._adapters, merged=keeping.is_plain)
        self.reads_as_base = not any(report.changes_text for report in self._switch.reports)
        self._way = "" if isinstance(self._switch, Switch) else BESIDE

    @property
    def key(self) -> tuple[str, ...]:
        """Return the files, how each is read, and the way of applying them unless they are merged.

        They add up, but sums of floats know an order.
        """
        return *(adapter.key for adapter in self._adapters), *filter(None, (self._way,))

    def refusal(self) -> str | None:
        """Return why one of the files does not apply to this base as a whole; None when all do."""
        pairs = zip(self._adapters, self._switch.reports, strict=True)
        return next(filter(None, (mismatch(adapter, report.problems) for adapter, report in pairs)), None)

    def record(self) -> AdapterRecord:
        """Return the last file's record under the names of all."""
        record = adapter_record(self._adapters[-1], self._switch.reports[-1], 1.0, self._way)
        return replace(record, name=inert(" + ".join(adapter.path.name for adapter in self._adapters), 500))

    def on(self) -> None:
        """Swap the changed weights in, or let layers add their share."""
        self._switch.on(*(1.0 for _ in self._adapters))

    def off(self) -> None:
        """Leave the base as it was, bit for bit."""
        self._switch.off()
