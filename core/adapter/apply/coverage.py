"""How much of a file takes effect, and when what does not is too much for a score.

What is not understood is never harmless: a damaged model must not pass because half of its LoRA went unread.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...text import counted, inert
from ..adapter import Adapter
from ..containers.source import Entry
from ..module import AdapterModule
from .unexpected import is_a_scale, shown

MAX_LEFT_OUT = 0.01
"""Share of a file, by tensors and by bytes, that may take no effect before a score would mean something else.

Sound files stay far below it: they hold stray tensors by the piece, such as one of a block that another release of
the base has. A limit of 0 would refuse those.
"""
_NAMED = 3
"""Reasons that the sentence gives, the most frequent first; more would hide the numbers before them."""
TWICE = "another module of the file changes the same layer"
"""Why a module takes no effect that is, by another name, a part of one before it, or all of it."""


@dataclass(frozen=True)
class Unapplied:
    """A module or single tensor of a file that takes no effect."""

    name: str
    """As the file spells it, inert."""
    reason: str
    """Why not."""
    tensors: int
    """How many tensors it has."""
    size: int
    """Their bytes."""


@dataclass(frozen=True)
class Coverage:
    """How much of a file takes effect. Tensors that are known to change no weight count nowhere."""

    modules: int
    """Modules that take effect."""
    tensors: int
    """Their tensors."""
    size: int
    """Their bytes."""
    left_out: tuple[Unapplied, ...]
    """Everything else."""

    @property
    def all_tensors(self) -> int:
        """Return the number of tensors in the file."""
        return self.tensors + sum(item.tensors for item in self.left_out)

    @property
    def tensor_share(self) -> float:
        """Return the share of the tensors that take effect, 0 to 1."""
        return self.tensors / self.all_tensors if self.all_tensors else 1.0

    @property
    def byte_share(self) -> float:
        """Return the share of the bytes that take effect, 0 to 1."""
        whole = self.size + sum(item.size for item in self.left_out)
        return self.size / whole if whole else 1.0

    def sentence(self, verb: str) -> str:
        """Return the sentence that every report shows, such as "630 of 630 keys, 100 % of the bytes, ..."."""
        return (
            f"{self.tensors:,} of {self.all_tensors:,} keys, {_percent(self.byte_share)} of the bytes, "
            f"{verb} {counted(self.modules, 'module')}"
        )

    def problem(self) -> str | None:
        """Return why a score would be meaningless; None where little enough is left out."""
        if min(self.tensor_share, self.byte_share) >= 1 - MAX_LEFT_OUT:
            return None
        reasons = Counter[str]()
        for item in self.left_out:
            reasons[item.reason] += item.tensors
        first = {item.reason: item.name for item in reversed(self.left_out)}
        listed = "; ".join(
            f"{reason} ({counted(count, 'tensor')}, such as {first[reason]})"
            for reason, count in reasons.most_common(_NAMED)
        )
        return (
            f"{self.all_tensors - self.tensors:,} of {self.all_tensors:,} tensors ({_percent(1 - self.tensor_share)}), "
            f"{_percent(1 - self.byte_share)} of the bytes, would take no effect, above the limit of "
            f"{_percent(MAX_LEFT_OUT)} of either: {listed}"
        )


def misfit_problem(wrong: Mapping[str, str]) -> str | None:
    """Return the problem of modules that layers of a base cannot be changed by, the first named; None without any.

    `wrong` has the reason by the name in the file. One is too many: what is known of its layer's change is not all.
    """
    if not wrong:
        return None
    stem, reason = next(iter(wrong.items()))
    return (
        f"{counted(len(wrong), 'module')} of the base cannot be changed as the file says: {inert(stem, 120)} ({reason})"
    )


def left_out_of_file(adapter: Adapter) -> tuple[Unapplied, ...]:
    """Return what of a file takes no effect on any base: broken, named twice or not understood."""
    broken = (Unapplied(inert(item.stem), inert(item.reason), item.keys, item.size) for item in adapter.broken)
    twice = (
        Unapplied(inert(second.stem), "a second account of a module", len(second.slots), second.size)
        for _, second in adapter.twice
    )
    unknown = (
        Unapplied(shown(item.name), "not understood", *((0, 0) if _is_a_note(item) else (1, item.size)))
        for item in adapter.unknown
    )
    return (*broken, *twice, *unknown)


_LARGEST_NOTE = 4096
"""Bytes of whole numbers that are believed to be positions: those of 77 tokens are 616. Quantised weights are more."""


def _is_a_note(entry: Entry) -> bool:
    """Return whether a tensor that is not understood is of the kind that training leaves: a counter, or positions.

    Among few tensors one such is more than the limit, and says nothing of the rest. Counters are whole numbers: what
    is none may multiply something, whatever it is called.
    """
    return not entry.is_float and entry.size <= _LARGEST_NOTE and not is_a_scale(entry.name)


def coverage_of_file(adapter: Adapter, misplaced: Sequence[tuple[AdapterModule, str]] = ()) -> Coverage:
    """Return how much of a file is understood, whatever base it will meet.

    Of `misplaced` modules it is known, with a reason, that their base has no such layer.
    """
    without = {module.name for module, _ in misplaced}
    modules = [module for module in adapter.modules if module.name not in without]
    lost = (Unapplied(inert(m.stem), reason, len(m.slots), m.size) for m, reason in misplaced)
    tensors, size = sum(len(module.slots) for module in modules), sum(module.size for module in modules)
    return Coverage(len(modules), tensors, size, (*left_out_of_file(adapter), *lost))


def _percent(share: float) -> str:
    """Return a share in percent that never reads 100 or 0 unless it is."""
    if 0.9995 < share < 1:
        return "99.9 %"
    return f"{100 * share:.3g} %" if share == 0 or share >= 0.0005 else "less than 0.1 %"
