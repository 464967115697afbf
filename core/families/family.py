"""What is known of a family of base models, and how its LoRA files are told apart."""

from dataclasses import dataclass
from functools import cache

from ..errors import UsageError
from ..registry import records

RECIPES = ("quick", "standard")
"""Names of recipes, the shorter training first."""


@dataclass(frozen=True)
class Recipe:
    """Length and speed of a training that learns five pictures on a base."""

    steps: int
    """Optimizer steps."""
    batch: int
    """Concept rows of one UNet batch."""
    rate: float
    """Learning rate of AdamW."""


@dataclass(frozen=True)
class Family:
    """One family of base models that share an architecture."""

    name: str
    """Short name used in settings and reports, such as `sd15`; that of its file."""
    title: str
    """Name for people."""
    hub_id: str | None
    """Hugging Face repository of the usual base model; None where there is none."""
    prediction_type: str
    """What the denoiser predicts by default: `epsilon`, `v_prediction` or `flow`."""
    resolution: int
    """Side of the training images in pixels."""
    context_width: int | None = None
    """Width of the text features entering the cross-attention of a U-Net; None for transformers."""
    markers: tuple[tuple[str, ...], ...] = ()
    """Alternatives of parts of `path:inputs` (dots as underscores) that together only this family has.

    A part after `!` must be absent.
    """
    base_versions: tuple[str, ...] = ()
    """Beginnings of `ss_base_model_version` in its LoRA files."""
    architectures: tuple[str, ...] = ()
    """Beginnings of `modelspec.architecture` in its LoRA files."""
    text_widths: tuple[tuple[str, int], ...] = ()
    """Pairs of component and hidden width of its text encoders."""
    recipes: tuple[tuple[str, Recipe], ...] = ()
    """Pairs of a name in `RECIPES` and the training that it stands for; none where nobody knows one."""


@cache
def all_families() -> tuple[Family, ...]:
    """Return every family, sorted by name."""
    return records(__name__, "FAMILY", Family)


def get(name: str) -> Family:
    """Return the family called `name`; raises UsageError that lists the known names."""
    for family in all_families():
        if family.name == name:
            return family
    known = ", ".join(family.name for family in all_families())
    raise UsageError(f"unknown base family {name!r}; choose one of: {known}")
