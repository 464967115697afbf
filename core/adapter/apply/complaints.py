"""What a user should know before trusting a score of a file: one sentence each, inert."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ...text import counted, inert
from ..algorithms.lora import RANDOM_RANKS
from ..containers.source import Source
from ..contents import Contents
from ..module import ALPHA_EXTREME, AdapterModule
from ..naming.stated.metadata import Training
from .scales import about_scales, stated_alphas
from .unexpected import shown

_UNBOUNDED = 2**62
"""Stands for the full rank of a change that its shapes do not bound."""


def complaints(contents: Contents) -> tuple[str, ...]:
    """Return what is odd about the modules of a file, worst first."""
    modules = contents.modules
    return (
        *_about_names(contents),
        *_about_ranks(modules),
        *_about_alphas(modules),
        *about_scales(modules),
        *_about_readings(modules),
        *_about_unused(contents),
    )


def about_training(stated: Training) -> tuple[str, ...]:
    """Return what the stated way of training makes uncertain."""
    if "dylora" in stated.network_args.lower() and stated.network.startswith("lycoris"):
        return (f"a LyCORIS DyLoRA: {RANDOM_RANKS}",)
    return ()


_OF_NOTHING = hashlib.sha256().hexdigest()
_SHA256 = re.compile(r"(?:0x)?([0-9a-f]{64})")


def hash_mismatch(source: Source, weights: str | None) -> tuple[str, ...]:
    """Return the sentence for a file whose `sshs_model_hash` is not the hash of its weights.

    What is no sha256 cannot be compared, and the hash of nothing is what some writers put in every file.
    """
    claimed = _SHA256.fullmatch(source.metadata.get("sshs_model_hash", "").strip().lower())
    if claimed is None or weights is None or claimed[1] in (weights, _OF_NOTHING):
        return ()
    return ("sshs_model_hash in the metadata is not the hash of these weights",)


def _about_names(contents: Contents) -> Iterator[str]:
    if contents.twice:
        first, second = (inert(module.stem, 80) for module in contents.twice[0])
        others = f" (of {len(contents.twice)} such modules)" if len(contents.twice) > 1 else ""
        yield f"module named twice, the second is not applied: {first} and {second}{others}"


def _about_ranks(modules: Sequence[AdapterModule]) -> Iterator[str]:
    over = [module for module in modules if module.outline.rank and module.outline.rank > _full_rank(module)]
    if over:
        worst = over[0]
        yield f"rank {worst.outline.rank} exceeds the full rank {_full_rank(worst)} of {inert(worst.stem, 80)}"


def _full_rank(module: AdapterModule) -> int:
    """Return the rank that the layer itself can have; unknown sides do not limit it."""
    sides = [side for side in (module.outline.out, module.outline.fan_in) if side is not None]
    return min(sides) if module.algorithm.low_rank and len(sides) == 2 else _UNBOUNDED


def _about_alphas(modules: Sequence[AdapterModule]) -> Iterator[str]:
    scaled = [module for module in modules if module.algorithm.alpha_scales and module.outline.rank]
    without = [module for module in scaled if module.alpha is None]
    unsaid = {source for source in {module.source for module in without} if not stated_alphas(source.metadata)}
    notes = (
        (
            sum(_disagrees(module) for module in scaled),
            "the alpha in the tensors and that of the configuration disagree; that in the tensors is used",
        ),
        (
            sum(module.alpha == 0 for module in scaled),
            "alpha 0, read as alpha = rank, as trainers mean it; some programs multiply by 0",
        ),
        (
            sum(module.scale < 0 for module in scaled),
            "negative alpha, which subtracts what was trained",
        ),
        (
            sum(abs(module.scale) > ALPHA_EXTREME for module in scaled),
            f"alpha beyond {ALPHA_EXTREME:g} times the rank",
        ),
        (
            len(without) if 0 < len(without) < len(scaled) else 0,
            f"without an alpha, which the other {len(scaled) - len(without)} have, read as alpha = rank",
        ),
        (
            sum(module.source in unsaid and _is_peft(module) for module in without),
            "no alpha in tensors or metadata, read as alpha = rank, which need not be so",
        ),
    )
    return (f"{counted(count, 'module')}: {text}" for count, text in notes if count)


def _disagrees(module: AdapterModule) -> bool:
    stated = module.configured_scale
    return stated is not None and not math.isclose(stated, module.scale, rel_tol=1e-2)  # alphas may be in bfloat16


def _is_peft(module: AdapterModule) -> bool:
    return any(".lora_A." in entry.name for entry in module.slots.values())


def _about_readings(modules: Sequence[AdapterModule]) -> Iterator[str]:
    doubts = Counter(module.algorithm.doubt(module.shapes) for module in modules if module.algorithm.doubt)
    yield from (f"{counted(count, 'module')} {doubt}" for doubt, count in doubts.items() if doubt)
    # LyCORIS' presets can train some layers as DoRA and others not, so that this need not be a loss.
    kinds = {module.algorithm.name for module in modules if module.is_dora}
    could = [module.is_dora for module in modules if module.algorithm.name in kinds]
    if not all(could):
        yield f"{sum(could)} of {len(could)} modules have DoRA magnitudes: the others may have lost theirs"


def _about_unused(contents: Contents) -> Iterator[str]:
    again = sum(entry.name.endswith("alpha") for entry in contents.bundled)
    if len(contents.bundled) > again:
        yield f"{counted(len(contents.bundled) - again, 'bundled embedding tensor')} not applied"
    if again:
        yield f"{counted(again, 'alpha')} said twice, with the same value"
    if contents.unknown:
        name = shown(contents.unknown[0].name)
        yield f"{counted(len(contents.unknown), 'tensor')} not understood, such as {name}"
