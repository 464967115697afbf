"""What a first layer that reads more than latents says of the base of training."""

from collections.abc import Mapping

from ... import families
from ..module import AdapterModule


def inputs_of(module: AdapterModule) -> int | None:
    """Return the input features or channels that the factors of a module show, else one output's weights."""
    return module.outline.inputs or module.outline.fan_in


def trained_on(module: AdapterModule, family: str | None) -> str | None:
    """Return what a first layer that reads more than latents was trained on: a variant of a family's bases.

    None for layers of the usual size, and for all others.
    """
    known = families.get(family) if family is not None else None
    others: Mapping[int, str] = {}
    if (module.component, module.path) == ("unet", "conv_in"):
        others = families.OTHER_INPUTS
    elif known is not None and module.component == "transformer" and module.path in known.first_layers:
        others = dict(known.other_inputs)
    return others.get(inputs_of(module) or 0)
