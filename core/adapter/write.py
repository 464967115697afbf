"""Writing a LoRA the way every known loader reads it, with full metadata.

U-Nets have kohya's keys and one alpha for all modules: diffusers mixes up several. Transformers have diffusers' own
keys, as PEFT calls the factors, which ComfyUI reads too: kohya's name layers that are fused there and three here, whose
changes are no product of two matrices. Loaders differ in whether they read an alpha beside such keys, so that it is
multiplied into a factor.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.files import write_bytes
from ..errors import InvalidError, UsageError
from ..families import Family
from .containers.header_writer import body, with_metadata

if TYPE_CHECKING:
    from torch import Tensor

_PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}
_TRANSFORMER = "transformer"
_PEFT_ENDINGS = {
    "lora_down.weight": "lora_A.weight",
    "lora_up.weight": "lora_B.weight",
    "dora_scale": "lora_magnitude_vector",
}
"""kohya's endings -> PEFT's, where they differ."""
_SCALED = ("lora_up.weight", "hada_w1_a", "lokr_w1", "lokr_w1_a")
"""One factor of each form: the change is in proportion to it."""


@dataclass(frozen=True)
class LoraPair:
    """The trained factors of one module."""

    component: str
    """`unet`, `transformer`, `text_encoder` or `text_encoder_2`."""
    module: str
    """Dotted path of the live module, in diffusers and transformers 4 or 5 spelling."""
    down: "Tensor"
    """(rank, in) for linear layers, (rank, in, kernel) for convolutions."""
    up: "Tensor"
    """(out, rank), or (out, rank, 1, 1) for convolutions."""
    alpha: float
    """The change is alpha / rank * up @ down."""

    @property
    def rank(self) -> int:
        """Rank of the factorisation."""
        return self.down.shape[0]

    @property
    def factors(self) -> "tuple[tuple[str, Tensor], ...]":
        """Key endings and tensors, as they are written."""
        return ("lora_down.weight", self.down), ("lora_up.weight", self.up)


@dataclass(frozen=True)
class LoraFactors:
    """The trained factors of one module in another form than `LoraPair`: DoRA, LoHa, LoKr."""

    component: str
    """As in `LoraPair`."""
    module: str
    """As in `LoraPair`."""
    factors: "tuple[tuple[str, Tensor], ...]"
    """Key endings of the LyCORIS naming, such as `hada_w1_a`, and tensors."""
    alpha: float
    """The change is alpha / rank times the product of the factors."""
    rank: int
    """Rank of the factorisation."""


@dataclass(frozen=True)
class LoraCard:
    """What the header says about the file."""

    title: str
    """Name of the LoRA."""
    family: Family
    """Base family it was trained on."""
    trigger_words: tuple[str, ...] = ()
    """Words that call the concept."""
    base_model: str = ""
    """Name or file of the base checkpoint."""
    resolution: tuple[int, int] | None = None
    """Width and height of the training images; None for the family's own."""
    clip_skip: int | None = None
    """Which text-encoder layer was used; None for the last."""
    prediction_type: str | None = None
    """`epsilon`, `v_prediction` or `flow`; None for the family's own."""
    facts: tuple[tuple[str, str], ...] = ()
    """Further metadata pairs, such as `ss_learning_rate`."""


def write_lora(path: str | Path, pairs: Iterable[LoraPair | LoraFactors], card: LoraCard) -> str:
    """Write a LoRA as safetensors and return the sha256 of the file.

    The file appears at once and whole: it is written beside its destination, then renamed. The same tensors and card
    give the same bytes: the header has no date. Raises UsageError for an unknown component, a module given twice,
    factors that disagree, or nothing to write, and InvalidError for numbers that are not finite.
    """
    from safetensors.torch import save

    pairs = tuple(pairs)
    tensors = _tensors(pairs, _text_prefix(card.family))
    metadata = kohya_metadata(pairs, card)
    content = save(tensors)
    metadata["sshs_model_hash"] = sha256(body(content)).hexdigest()
    content = with_metadata(content, metadata)
    write_bytes(Path(path), content)
    return sha256(content).hexdigest()


def kohya_metadata(pairs: Iterable[LoraPair | LoraFactors], card: LoraCard) -> dict[str, str]:
    """Return the `ss_*` and `modelspec.*` texts for these factors."""
    ranks = {pair.rank for pair in pairs}
    alphas = {float(pair.rank) if pair.component == _TRANSFORMER else pair.alpha for pair in pairs}
    width, height = card.resolution or (card.family.resolution,) * 2
    modelspec = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": _first(card.family.architectures, card.family.name) + "/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": card.title,
        "modelspec.resolution": f"{width}x{height}",
        "modelspec.prediction_type": _prediction_type(card).replace("v_prediction", "v"),
    }
    if card.trigger_words:
        modelspec["modelspec.trigger_phrase"] = ", ".join(card.trigger_words)
    return modelspec | _ss_metadata(card, (width, height), ranks, alphas) | dict(card.facts)


def _ss_metadata(card: LoraCard, size: tuple[int, int], ranks: set[int], alphas: set[float]) -> dict[str, str]:
    frequency = {"1_owf": dict.fromkeys(card.trigger_words, 1)}
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(ranks.pop()) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": str(alphas.pop()) if len(alphas) == 1 else "Dynamic",
        "ss_base_model_version": _base_version(card.family),
        "ss_v2": str(card.family.name == "sd2"),
        "ss_v_parameterization": str(_prediction_type(card) == "v_prediction"),
        "ss_sd_model_name": card.base_model,
        "ss_output_name": card.title,
        "ss_resolution": f"({size[0]}, {size[1]})",
        "ss_clip_skip": str(card.clip_skip),
        "ss_tag_frequency": json.dumps(frequency) if card.trigger_words else "{}",
    }


def _prediction_type(card: LoraCard) -> str:
    return card.prediction_type or card.family.prediction_type


def _base_version(family: Family) -> str:
    known = {"sd15": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0"}
    return known.get(family.name, _first(family.base_versions, family.name))


def _first(options: tuple[str, ...], default: str) -> str:
    return options[0] if options else default


def _text_prefix(family: Family) -> str:
    return "lora_te1" if len(family.text_widths) > 1 else "lora_te"


def _tensors(pairs: Iterable[LoraPair | LoraFactors], text_prefix: str) -> "dict[str, Tensor]":
    import torch

    tensors: dict[str, Tensor] = {}
    for pair in pairs:
        _check(pair)
        stem, factors = _stem(pair, text_prefix), dict(_factors(pair))
        if any(f"{stem}.{ending}" in tensors for ending in factors):
            raise UsageError(f"{pair.component}.{pair.module} is given twice")
        tensors.update({f"{stem}.{ending}": factor.detach().cpu().contiguous() for ending, factor in factors.items()})
        if pair.component != _TRANSFORMER:
            tensors[f"{stem}.alpha"] = torch.tensor(float(pair.alpha))
        if not all(factor.isfinite().all() for factor in factors.values()):
            raise InvalidError(
                f"{pair.component}.{pair.module} changes by numbers that are not finite in {pair.factors[0][1].dtype}: "
                "the training diverged; lower its learning rate"
            )
    if not tensors:
        raise UsageError("there is nothing to write: give at least one pair of factors")
    return tensors


def _factors(pair: LoraPair | LoraFactors) -> "Iterator[tuple[str, Tensor]]":
    """Yield key endings and tensors as they are written; those of transformers with their scale."""
    if pair.component != _TRANSFORMER:
        yield from pair.factors
        return
    whole = {"lokr_w1", "lokr_w2"} <= {ending for ending, _ in pair.factors}
    scale = 1.0 if whole else pair.alpha / pair.rank  # LyCORIS does not scale two factors that are both whole
    for ending, factor in pair.factors:
        scaled = (factor.float() * scale).to(factor.dtype) if ending in _SCALED and scale != 1 else factor
        # PEFT keeps magnitudes as a vector.
        yield _PEFT_ENDINGS.get(ending, ending), scaled.flatten() if ending == "dora_scale" else scaled


def _check(pair: LoraPair | LoraFactors) -> None:
    known = (*_PREFIXES, _TRANSFORMER)
    if pair.component not in known:
        raise UsageError(f"unknown component {pair.component!r}; known are {', '.join(known)}")
    if isinstance(pair, LoraFactors):
        return
    if pair.up.ndim < 2 or pair.down.ndim < 2 or pair.up.shape[1] != pair.down.shape[0]:
        raise UsageError(f"the factors of {pair.component}.{pair.module} do not multiply")


def _stem(pair: LoraPair | LoraFactors, text_prefix: str) -> str:
    if pair.component == _TRANSFORMER:
        return f"{_TRANSFORMER}.{pair.module}"
    flat = pair.module.replace(".", "_")
    if pair.component.startswith("text_encoder"):
        flat = f"text_model_{flat.removeprefix('text_model_')}"  # transformers 5 dropped this level
    prefix = text_prefix if pair.component == "text_encoder" else _PREFIXES[pair.component]
    return f"{prefix}_{flat}"
