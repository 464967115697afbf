"""One changed module of a LoRA file: its factors found, checked by shape, none of them read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ..errors import AdapterError
from .algorithms import Algorithm, Outline, Shapes, Stated, find
from .algorithms.algorithm import MAGNITUDES
from .containers.scalars import scalar
from .containers.source import Bytes, Entry, Source

ALPHA_EXTREME = 1000.0
"""Alpha beyond this many times the rank is reported: no trainer writes it."""
AGAIN = "again "
"""Begins the slots of tensors whose slot is taken."""


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
    """What `algorithm.change` needs besides the factors, such as alpha / rank."""
    slots: Mapping[str, Entry]
    """The module's tensors by what they are."""
    source: Source
    """Where the tensors are read from."""
    configured_scale: float | None = None
    """The scale that the configuration says beside the file's alpha, which is not used; None where it says none."""
    bias_missing: bool = False
    """Whether the layer's own bias, where it has one, was trained too; it is not among the tensors."""
    up_exchanged: bool = False
    """Whether the halves of the rows of `up`, and of nothing else, stand the other way round than the layer's."""

    @property
    def is_dora(self) -> bool:
        """Return whether the changed weight is renormalised to learned magnitudes."""
        return not MAGNITUDES.isdisjoint(self.slots)

    @property
    def changes_bias(self) -> bool:
        """Return whether the layer's bias is changed too."""
        return not self.algorithm.biases.isdisjoint(self.slots)

    @property
    def factors(self) -> Mapping[str, Entry]:
        """Return its tensors but for single numbers: factors, magnitudes and biases, by slot."""
        numbers = self.algorithm.numbers | {"alpha"}
        return {slot: entry for slot, entry in self.slots.items() if slot not in numbers}

    @property
    def shapes(self) -> Shapes:
        """Return the shapes of its tensors by slot."""
        return {slot: entry.shape for slot, entry in self.slots.items()}

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
        """Return the algorithm's full name, variants included, such as `lora dora` or `boft`."""
        name = self.algorithm.variant(self.shapes) if self.algorithm.variant else self.algorithm.name
        return f"{name} dora" if self.is_dora else name


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
    root_in_alpha: bool = False
    """Whether alphas in the file are those of alpha / rank all the same, as LyCORIS writes them."""


def build_module(
    place: tuple[str, str, str], slots: Mapping[str, Entry], source: Source, read: Bytes, scaling: Scaling
) -> AdapterModule:
    """Return the module with these slots; `place` is component, flattened path and stem, `read` maps `source`.

    Raises AdapterError for incomplete, contradictory, empty or implausibly large factors, for integer
    weights and for alphas that are not one finite number.
    """
    if any(slot.startswith("tlora") for slot in slots):
        raise AdapterError("T-LoRA is not supported: its weights need a decomposition of the base's")
    if any(slot.startswith(AGAIN) for slot in slots):
        raise AdapterError("a tensor is there more than once, as where one file holds several adapters")
    algorithm = find(frozenset(slots))
    _require_one_of_each(algorithm, slots)
    _require_as_configured(algorithm, slots, scaling)
    shapes = {slot: entry.shape for slot, entry in slots.items()}
    outline = algorithm.outline(shapes)
    single = {slot: slots[slot] for slot in ("alpha", *algorithm.numbers) if slot in slots}
    _check_types({slot: entry for slot, entry in slots.items() if slot not in single})
    _check_magnitudes(shapes, outline)
    if algorithm.low_rank and scaling.rank not in (None, outline.rank):
        raise AdapterError(f"its configuration says rank {scaling.rank}, its factors have {outline.rank}")
    numbers = {slot: _number(slot, entry, read) for slot, entry in single.items()}
    scale = algorithm.scale_of(Stated(numbers, outline.rank or scaling.rank, scaling.alpha, scaling.by_root))
    if algorithm.outline_at is not None:
        outline = algorithm.outline_at(shapes, scale)
    alpha = numbers.get("alpha", scaling.alpha)
    configured = _configured_scale(algorithm, numbers, outline.rank or scaling.rank, scaling)
    return AdapterModule(*place, algorithm, outline, alpha, scale, slots, source, configured, scaling.whole_bias)


def _configured_scale(
    algorithm: Algorithm, numbers: Mapping[str, float], rank: int | None, scaling: Scaling
) -> float | None:
    """Return the scale that the configuration says beside the file's alpha; None where it says none."""
    alpha = scaling.alpha
    if alpha is None and scaling.by_root and not scaling.root_in_alpha:
        alpha = numbers.get("alpha")  # of which it says that the root divides it
    if alpha is None or "alpha" not in numbers or not algorithm.alpha_scales:
        return None
    return algorithm.scale_of(Stated({}, rank, alpha, scaling.by_root))


def _require_as_configured(algorithm: Algorithm, slots: Mapping[str, Entry], scaling: Scaling) -> None:
    """Raise AdapterError where the tensors are not what the configuration beside them says."""
    if scaling.algorithms and algorithm.name not in scaling.algorithms:
        raise AdapterError(f"its configuration says {min(scaling.algorithms)}, its tensors are {algorithm.name}")
    if scaling.dora and not slots.keys() & MAGNITUDES:
        raise AdapterError("its configuration says DoRA, but the magnitudes are missing")
    if scaling.bias and "up_bias" not in slots:
        raise AdapterError("its configuration says lora_bias, but the bias is missing")


def _require_one_of_each(algorithm: Algorithm, slots: Mapping[str, Entry]) -> None:
    """Raise AdapterError for two tensors that mean the same, of which one would go unread."""
    for alike in (MAGNITUDES, algorithm.biases):
        both = sorted(alike & slots.keys())
        if len(both) > 1:
            raise AdapterError(f"{' and '.join(both)} for one module: which one is meant is unknown")


def _check_types(slots: Mapping[str, Entry]) -> None:
    integers = [slot for slot, entry in slots.items() if not entry.is_float]
    if integers:
        dtype = slots[integers[0]].dtype
        raise AdapterError(f"{', '.join(sorted(integers))} has integer type {dtype}, weights must be floating point")


def _check_magnitudes(shapes: Mapping[str, tuple[int, ...]], outline: Outline) -> None:
    """Raise AdapterError for DoRA magnitudes of which there is neither one per output nor one per input."""
    if outline.out is None or outline.fan_in is None:
        return
    for slot in MAGNITUDES & shapes.keys():
        count = prod(shapes[slot])
        if sum(side > 1 for side in shapes[slot]) > 1:
            raise AdapterError(f"magnitudes have shape {list(shapes[slot])}, one row of them is needed")
        by_input = count == outline.inputs if outline.inputs else count > 0 and outline.fan_in % count == 0
        if count != outline.out and count != outline.fan_in and not by_input:
            raise AdapterError(f"{count} magnitudes do not fit {outline.out} outputs")


def _number(slot: str, entry: Entry, read: Bytes) -> float:
    try:
        number = scalar(entry, read)
    except AdapterError as error:
        raise AdapterError(f"{slot} {error}") from None
    if not math.isfinite(number):
        raise AdapterError(f"{slot} is {number}")
    return number
