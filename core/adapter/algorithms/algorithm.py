"""What an algorithm is: the record at the end of its file, which is all that the reader knows of it."""

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ...errors import AdapterError
from ...registry import records
from .shapes import Outline, Shapes

if TYPE_CHECKING:
    from torch import Tensor

Factors = Mapping[str, "Tensor"]
WeightChange = Callable[["Tensor", Factors, float], "Tensor"]
"""From the base weight, the factors and the scale to what is added to the weight; all in one float type.

The result is a new tensor, which the caller may overwrite.
"""
BiasChange = Callable[["Tensor | None", "Tensor"], "Tensor"]
"""From the base's bias, None where it has none, and the file's to what is added; a new tensor."""
Norms = Mapping[str, float]
"""Frobenius norms of a module's tensors by slot."""
Ending = tuple[str, str, str]
"""How a tensor's name ends, the slot that it means, and the dialect that writes this ending ("" where several do)."""

MAGNITUDES = frozenset({"dora", "magnitude"})
"""Slots of DoRA's magnitudes, as LyCORIS and as PEFT understand them."""
BIASES = frozenset({"diff_b", "up_bias"})
"""Slots of a change of the bias, as it is and times the scale."""
ALWAYS_ALLOWED = frozenset({"alpha", *MAGNITUDES, *BIASES})
"""Slots that may accompany any algorithm."""


@dataclass(frozen=True)
class Stated:
    """What a file says of one module besides its factors."""

    numbers: Mapping[str, float]
    """Single numbers by slot, `alpha` among them where the file has one."""
    rank: int | None = None
    """Rank that the shapes show, else that of the configuration; None for none."""
    alpha: float | None = None
    """Alpha by configuration; None for none."""
    by_root: bool = False
    """Whether it was trained with alpha / sqrt(rank) (rank-stabilised) instead of alpha / rank."""


def alpha_over_rank(stated: Stated) -> float:
    """Return alpha / rank, where no alpha and alpha 0 both mean the rank; over its root if rank-stabilised.

    The file's own alpha is taken as it is: LyCORIS writes it times sqrt(rank) then.
    """
    assert stated.rank is not None
    by_root = stated.by_root and "alpha" not in stated.numbers
    alpha = stated.numbers.get("alpha", stated.alpha) or float(stated.rank)
    return alpha / (math.sqrt(stated.rank) if by_root else stated.rank)


def all_zero(factors: Set[str], zeros: Set[str]) -> bool:
    """Return whether every factor holds nothing but zeros, as where they are added up."""
    return factors <= zeros


def any_zero(factors: Set[str], zeros: Set[str]) -> bool:
    """Return whether a factor holds nothing but zeros, as where they are multiplied."""
    return bool(factors & zeros)


def joint_norm(norms: Norms, outline: Outline, scale: float) -> float:
    """Return the norm of all tensors together: of the change where they are it, else only what can be said."""
    return math.hypot(*norms.values())


def product_norm(norms: Norms, slots: tuple[str, ...], rank: int | None) -> float:
    """Return the norm expected of a product of matrices whose elements are independent; not all need be there."""
    present = [norms[slot] for slot in slots if slot in norms]
    return math.prod(present) / math.sqrt(rank or 1) ** max(len(present) - 1, 0) if present else 0.0


def spelled(*slots: str) -> tuple[Ending, ...]:
    """Return the endings of slots that every program spells as they are called here."""
    return tuple((f".{slot}", slot, "") for slot in slots)


@dataclass(frozen=True)
class Algorithm:
    """One way to write down the change of a weight."""

    name: str
    """Name in reports; that of its file."""
    marks: frozenset[str]
    """Slots that only this algorithm has."""
    outline: Callable[[Shapes], Outline]
    """Checks the factors against each other by shape; raises AdapterError when they disagree."""
    change: WeightChange
    """Computes what is added to the weight at strength 1, in any shape with its elements in order."""

    # How it is spelled
    endings: tuple[Ending, ...] = ()
    """How names of its tensors end, but for what may accompany any algorithm (`naming/names.py`)."""
    peft_type: str | None = None
    """What PEFT's configurations call it; None for what PEFT does not write."""
    peft_parameters: tuple[str, ...] = ()
    """Parameters of PEFT's layers after which a raw state dict has the adapter's name."""
    alpha_since: tuple[str, str] | None = None
    """Release of PEFT since which it is trained with its alpha, and a setting that configurations have since then."""
    extras: frozenset[str] = frozenset()
    """Further slots it may have."""
    numbers: frozenset[str] = frozenset()
    """Of its slots those that are single numbers and no factors."""
    variant: Callable[[Shapes], str] | None = None
    """Its name in reports by the shapes of the tensors, where there are variants of it."""

    # What it does to a layer
    alpha_scales: bool = False
    """Whether alpha / rank multiplies the change."""
    scale: Callable[[Stated], float] | None = None
    """What `change` needs besides the factors, where it is not what `alpha_scales` says, or 1 without it."""
    outline_at: Callable[[Shapes, float], Outline] | None = None
    """The outline by shapes and scale, where shapes do not say it all."""
    low_rank: bool = False
    """Whether the factors are thin matrices of one rank: they show it, and above the layer's own it is odd."""
    fits_vectors: bool = False
    """Whether it can change weights of one dimension, as normalisation layers have."""
    magnitude_axis: int = 0
    """Axis of the weight along which DoRA's magnitudes lie unless their shape says otherwise."""
    own_bias: str = ""
    """Slot of a bias that no other algorithm has; "" for none."""
    bias_change: BiasChange = lambda base, bias: bias.clone()
    """What its own bias adds to the layer's."""

    # What can be told without a base
    is_zero: Callable[[Set[str], Set[str]], bool] = all_zero
    """From the factors, and those that hold nothing but zeros, to whether the weight of any base stays as it is."""
    size: Callable[[Norms, Outline, float], float] = joint_norm
    """Estimates the Frobenius norm of the change from those of the tensors, the outline and the scale."""
    doubt: Callable[[Shapes], str] | None = None
    """Why factors of such shapes may mean something else, as it stands after "2 modules"; "" where they do not."""
    diffusers_converts: bool = False
    """Whether diffusers' converters of other programs' names read it."""

    @property
    def biases(self) -> frozenset[str]:
        """Return the slots of which each is a change of the bias."""
        return BIASES | {self.own_bias} if self.own_bias else BIASES

    @property
    def slots(self) -> frozenset[str]:
        """Return all slots that a module may have."""
        return self.marks | self.extras | self.biases | ALWAYS_ALLOWED

    def scale_of(self, stated: Stated) -> float:
        """Return what `change` needs besides the factors; raises AdapterError for numbers that mean nothing."""
        if self.scale is not None:
            return self.scale(stated)
        return alpha_over_rank(stated) if self.alpha_scales else 1.0


@cache
def all_algorithms() -> tuple[Algorithm, ...]:
    """Return every algorithm, sorted by name; raises ValueError when two claim the same slot as theirs alone."""
    found = records(__name__, "ALGORITHM", Algorithm, helpers=("shapes",))
    marks = [mark for algorithm in found for mark in algorithm.marks]
    if len(set(marks)) < len(marks):
        raise ValueError(f"two algorithms claim the same slot: {sorted(marks)}")
    return found


def find(slots: frozenset[str]) -> Algorithm:
    """Return the one algorithm that these slots spell; raises AdapterError for none, or a mixture."""
    # What may accompany any algorithm tells only where nothing else does.
    candidates = _marked_by(slots - ALWAYS_ALLOWED) or _marked_by(slots)
    if not candidates:
        raise AdapterError(f"no known algorithm has only {', '.join(sorted(slots))}")
    if len(candidates) > 1:
        names = " and ".join(algorithm.name for algorithm in candidates)
        raise AdapterError(f"two algorithms for one module ({names}): which one is meant is unknown")
    others = slots - candidates[0].slots
    if others:
        raise AdapterError(f"{', '.join(sorted(others))} does not belong to {candidates[0].name}")
    return candidates[0]


def _marked_by(slots: frozenset[str]) -> list[Algorithm]:
    return [algorithm for algorithm in all_algorithms() if algorithm.marks & slots]
