"""One changed module of a LoRA file: its factors found, checked by shape, none of them read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..errors import AdapterError
from .algorithms import Algorithm, Outline, find
from .algorithms.ia3 import outline_of
from .containers.scalars import scalar
from .containers.source import Bytes, Entry, Source

ALPHA_EXTREME = 1000.0
"""Alpha beyond this many times the rank is reported: no trainer writes it."""
AGAIN = "again "
"""Begins the slots of tensors whose slot is taken."""
_MAGNITUDES = frozenset({"dora", "magnitude"})
_BIASES = frozenset({"diff_b", "b_norm", "up_bias", "custom_bias"})


@dataclass(frozen=True)
class AdapterModule:
    """How one module of the base is changed."""

    component: str
    """Part of the pipeline: `unet`, `transformer`, `text_encoder`, `text_encoder_2` ..."""
    path: str
    """Flattened path inside the component (see `names`)."""
    stem: str
    """The module as the file spells it; untrusted, show it through `inert`."""
    algorithm: Algorithm
    """How the factors make the change."""
    outline: Outline
    """What the factors' shapes say about the layer."""
    alpha: float | None
    """The file's alpha, None where it has none."""
    scale: float
    """What `algorithm.change` needs: alpha / rank, for OFT the norm bound, for (IA)^3 the axis."""
    slots: Mapping[str, Entry]
    """The module's tensors by what they are."""
    source: Source
    """Where the tensors are read from."""
    bias_missing: bool = False
    """Whether the layer's own bias, where it has one, was trained too; it is not among the tensors."""

    @property
    def is_dora(self) -> bool:
        """Return whether the changed weight is renormalised to learned magnitudes."""
        return not _MAGNITUDES.isdisjoint(self.slots)

    @property
    def size(self) -> int:
        """Return the bytes of its tensors."""
        return sum(entry.size for entry in self.slots.values())

    @property
    def name(self) -> str:
        """Return component and path, the module's name in reports."""
        return f"{self.component}.{self.path}"

    @property
    def method(self) -> str:
        """Return the algorithm's full name, variants included, such as `dora` or `boft`."""
        if self.algorithm.name == "oft":
            return "boft" if len(self.slots["oft_blocks"].shape) == 4 else "diag-oft"
        base = "locon" if self.algorithm.name == "lora" and self._has_kernel() else self.algorithm.name
        if "mid" in self.slots or any(slot in self.slots for slot in ("hada_t1", "lokr_t2", "bm")):
            base += " tucker"
        return f"{base} dora" if self.is_dora else base

    def _has_kernel(self) -> bool:
        return "mid" in self.slots or prod(self.slots["down"].shape[2:]) > 1


@dataclass(frozen=True)
class BrokenModule:
    """A module of the file that cannot be used."""

    stem: str
    """The module as the file spells it; untrusted, show it through `inert`."""
    reason: str
    """What is wrong with it."""
    keys: int
    """How many tensors it has."""
    size: int
    """Their bytes."""


@dataclass(frozen=True)
class Scaling:
    """Where a module's alpha comes from when the file has no alpha tensor."""

    alpha: float | None
    """Alpha by configuration; None for none."""
    by_root: bool
    """Whether it was trained with alpha / sqrt(rank) (rank-stabilised LoRA) instead of alpha / rank."""
    rank: int | None
    """Rank by configuration, for factors whose shapes do not show it; None for none."""
    dora: bool = False
    """Whether the configuration says that there are magnitudes."""
    bias: bool = False
    """Whether the configuration says that the change has a bias."""
    algorithms: frozenset[str] = frozenset()
    """What the configuration says that the tensors are; empty where it does not."""
    whole_bias: bool = False
    """Whether the configuration says that the layer's own bias was trained, where it has one."""


def build_module(
    place: tuple[str, str, str], slots: Mapping[str, Entry], source: Source, read: Bytes, scaling: Scaling
) -> AdapterModule:
    """Return the module with these slots; `place` is component, flattened path and stem, `read` maps `source`.

    Raises AdapterError for incomplete, contradictory, empty or implausibly large factors, for integer
    weights and for alphas that are not one finite number.
    """
    if any(slot.startswith("tlora") for slot in slots):
        raise AdapterError("T-LoRA is not supported: its weights need a decomposition of the base's")
    _require_one_of_each(slots)
    algorithm = find(frozenset(slots))
    _require_as_configured(algorithm, slots, scaling)
    shapes = {slot: entry.shape for slot, entry in slots.items()}
    outline = algorithm.outline(shapes)
    _check_types(slots)
    _check_magnitudes(shapes, outline)
    if algorithm.alpha_scales and algorithm.name != "lokr" and scaling.rank not in (None, outline.rank):
        raise AdapterError(f"its configuration says rank {scaling.rank}, its factors have {outline.rank}")
    alpha = _alpha(slots, read)
    scale = _scale(algorithm, outline.rank, alpha, scaling, slots)
    if algorithm.name == "ia3":
        scale = scalar(slots["on_input"], read)
        if scale not in (0, 1):
            raise AdapterError(f"on_input is {scale}, 0 or 1 is needed")
        outline = outline_of(shapes, bool(scale))
    alpha = scaling.alpha if alpha is None else alpha
    return AdapterModule(*place, algorithm, outline, alpha, scale, slots, source, scaling.whole_bias)


def _require_as_configured(algorithm: Algorithm, slots: Mapping[str, Entry], scaling: Scaling) -> None:
    """Raise AdapterError where the tensors are not what the configuration beside them says."""
    if scaling.algorithms and algorithm.name not in scaling.algorithms:
        raise AdapterError(f"its configuration says {min(scaling.algorithms)}, its tensors are {algorithm.name}")
    if scaling.dora and not slots.keys() & _MAGNITUDES:
        raise AdapterError("its configuration says DoRA, but the magnitudes are missing")
    if scaling.bias and "up_bias" not in slots:
        raise AdapterError("its configuration says lora_bias, but the bias is missing")


def _require_one_of_each(slots: Mapping[str, Entry]) -> None:
    """Raise AdapterError for two tensors that mean the same, of which one would go unread."""
    if any(slot.startswith(AGAIN) for slot in slots):
        raise AdapterError("a tensor is there more than once, as where one file holds several adapters")
    for alike in (_MAGNITUDES, _BIASES):
        both = sorted(alike & slots.keys())
        if len(both) > 1:
            raise AdapterError(f"{' and '.join(both)} for one module: which one is meant is unknown")


def _check_types(slots: Mapping[str, Entry]) -> None:
    integers = [slot for slot, entry in slots.items() if not entry.is_float and slot not in ("alpha", "on_input")]
    if integers:
        dtype = slots[integers[0]].dtype
        raise AdapterError(f"{', '.join(sorted(integers))} has integer type {dtype}, weights must be floating point")


def _check_magnitudes(shapes: Mapping[str, tuple[int, ...]], outline: Outline) -> None:
    """Raise AdapterError for DoRA magnitudes of which there is neither one per output nor one per input."""
    if outline.out is None or outline.fan_in is None:
        return
    for slot in _MAGNITUDES & shapes.keys():
        count = prod(shapes[slot])
        if sum(side > 1 for side in shapes[slot]) > 1:
            raise AdapterError(f"magnitudes have shape {list(shapes[slot])}, one row of them is needed")
        by_input = count == outline.inputs if outline.inputs else count > 0 and outline.fan_in % count == 0
        if count != outline.out and count != outline.fan_in and not by_input:
            raise AdapterError(f"{count} magnitudes do not fit {outline.out} outputs")


def _alpha(slots: Mapping[str, Entry], read: Bytes) -> float | None:
    if "alpha" not in slots:
        return None
    try:
        alpha = scalar(slots["alpha"], read)
    except AdapterError as error:
        raise AdapterError(f"alpha {error}") from None
    if not math.isfinite(alpha):
        raise AdapterError(f"alpha is {alpha}")
    return alpha


def _scale(
    algorithm: Algorithm, rank: int | None, alpha: float | None, scaling: Scaling, slots: Mapping[str, Entry]
) -> float:
    """Return alpha / rank, where no alpha and alpha 0 both mean the rank; the bare bound for OFT."""
    if algorithm.name == "oft":
        return alpha or 0.0
    rank = rank or scaling.rank
    if not algorithm.alpha_scales:
        return 1.0
    if rank is None:  # a whole LoKr of rank r, whose alpha LyCORIS makes r, or r sqrt(r) for a scale of sqrt(r)
        return alpha ** (1 / 3) if scaling.by_root and alpha and alpha > 0 else 1.0
    by_root = scaling.by_root and ("alpha" not in slots or algorithm.alpha_hides_root)
    alpha = (scaling.alpha if alpha is None else alpha) or float(rank)
    return alpha / (math.sqrt(rank) if by_root else rank)
