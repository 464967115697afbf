"""How much of a file takes effect in a base, how large its change is, and whether that may be scored."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...text import counted, inert
from ..adapter import Adapter
from ..blocks import ModuleNorms, block_of, kind_of
from ..change.delta import Delta
from ..change.weights import read_weight
from .coverage import Coverage, Unapplied
from .match import MatchedModule, Matching, deltas, match_modules
from .places import Components

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MatchReport:
    """How much of a LoRA file took effect: a LoRA that did not apply must never read as harmless."""

    takes_effect: Coverage
    """What of the file takes effect in the base, and what does not."""
    unexpected: str | None
    """The problem of tensors that are not understood but name a module of file or base; None without any."""
    delta_norm: float
    """Frobenius norm of the whole change of the weights at strength 1; NaN when it could not be computed."""
    base_norm: float
    """Frobenius norm of the weights that it changes."""
    not_finite: tuple[str, ...]
    """Modules whose changed weights contain NaN or infinity."""
    broken: tuple[Unapplied, ...]
    """Modules of the file that are damaged or contradictory."""
    changes_text: bool
    """Whether it changes what reads prompts: see `Matching`."""
    norms: tuple[ModuleNorms, ...] = ()
    """Size of the change of every module that was changed, biases included; empty when it was not computed."""

    @property
    def matched(self) -> int:
        """Return the number of modules of the base that were changed."""
        return self.takes_effect.modules

    @property
    def unmatched(self) -> tuple[Unapplied, ...]:
        """Return the modules and tensors of the file that changed nothing, with reasons."""
        return self.takes_effect.left_out

    @property
    def relative_change(self) -> float:
        """Return the norm of the change relative to that of the weights it changes."""
        return self.delta_norm / self.base_norm if self.base_norm else 0.0

    @property
    def coverage(self) -> str:
        """Return the sentence that every report shows."""
        return self.takes_effect.sentence("applied to")

    @property
    def problems(self) -> tuple[str, ...]:
        """Return why a score would be meaningless; empty when the file may be audited."""
        if self.matched == 0:
            return (f"no module of the file fits this base{self._reasons()}",)
        found = []
        if self.not_finite:
            found.append(f"NaN or infinity in {counted(len(self.not_finite), 'module')}, such as {self.not_finite[0]}")
        if self.broken:
            first = self.broken[0]
            found.append(f"{counted(len(self.broken), 'broken module')}, such as {first.name}: {first.reason}")
        found += filter(None, (self.takes_effect.problem() or self.unexpected,))
        if self.delta_norm == 0:
            found.append("the file changes no weight: its delta is exactly zero")
        return tuple(found)

    def _reasons(self) -> str:
        common = Counter(item.reason for item in self.unmatched).most_common(2)
        return ": " + "; ".join(f"{reason} ({count})" for reason, count in common) if common else ""


def match(adapter: Adapter, components: Components) -> MatchReport:
    """Return how `adapter` fits `components` and how large its change is; the base stays as it is.

    Every change is computed once, one module at a time, because a zero or broken change shows in no name
    or shape. Costs one merge; memory beyond the file is that of the largest module.
    """
    return report_of(match_modules(adapter, components))


def report_of(matching: Matching) -> MatchReport:
    """Return how large the change of a matching is, computed once."""
    builder = ReportBuilder(matching)
    for pair, change in deltas(matching):
        builder.add(pair, change)
    return builder.report()


class ReportBuilder:
    """Sums the changes of one matching into its report."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._matched: list[MatchedModule] = []
        self._changes: list[torch.Tensor] = []
        self._bases: list[torch.Tensor] = []

    def add(self, pair: MatchedModule, change: Delta) -> None:
        """Count the change of one module; an overflow of half precision counts as infinite."""
        import torch

        weight = read_weight(pair.owner)
        norm = torch.linalg.vector_norm(change.weight)
        if change.bias is not None:
            norm = torch.hypot(norm, torch.linalg.vector_norm(change.bias))
        if weight.dtype == torch.float16:
            peak = (weight + change.weight).abs().amax()
            norm = torch.where(peak > torch.finfo(torch.float16).max, torch.inf, norm)
        self._matched.append(pair)
        self._changes.append(norm)
        self._bases.append(torch.linalg.vector_norm(weight, dtype=norm.dtype))

    def report(self) -> MatchReport:
        """Return the report; waits for the device."""
        matched = self._matched
        fake = _is_fake(self._changes)
        changes = [] if fake else [float(norm) for norm in self._changes]
        bases = [] if fake else [float(norm) for norm in self._bases]
        bad = [pair for pair, norm in zip(matched, changes, strict=False) if not math.isfinite(norm)]
        matching = self._matching
        takes_effect = matching.takes_effect
        return MatchReport(
            takes_effect=takes_effect,
            unexpected=matching.unexpected,
            delta_norm=math.nan if fake else math.hypot(*changes),
            base_norm=math.nan if fake else math.hypot(*bases),
            not_finite=tuple(inert(pair.module.stem) for pair in bad),
            broken=takes_effect.left_out[: len(matching.adapter.broken)],
            changes_text=matching.changes_text,
            norms=tuple(_norms(*sizes) for sizes in zip(matched, changes, bases, strict=False)),
        )


def _norms(pair: MatchedModule, change: float, base: float) -> ModuleNorms:
    return ModuleNorms(block_of(pair.module), kind_of(pair.module), change, base)


def _is_fake(tensors: "list[torch.Tensor]") -> bool:
    """Return whether the tensors have no values, as under FakeTensorMode."""
    from torch._subclasses.fake_tensor import FakeTensor

    return any(isinstance(tensor, FakeTensor) for tensor in tensors)
