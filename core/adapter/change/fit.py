"""Whether a module can change a layer, from the shape of its weight alone. No torch."""

from math import prod

from ..module import AdapterModule


def shape_misfit(module: AdapterModule, shape: tuple[int, ...], has_bias: bool = True) -> str | None:
    """Return why `module` cannot change a layer with a weight of a shape, and perhaps a bias; None when it can."""
    reason = module.outline.misfit(shape)
    if len(shape) < 2 and not module.algorithm.fits_vectors:
        reason = "the base has no matrix there"
    return reason or _extras_misfit(module, list(shape), has_bias)


def _extras_misfit(module: AdapterModule, shape: list[int], has_bias: bool) -> str | None:
    sizes = {slot: prod(entry.shape) for slot, entry in module.slots.items()}
    inputs = shape[1] if len(shape) > 1 else shape[0]
    peft_side = (shape[0], inputs)[module.algorithm.magnitude_axis]
    if sizes.get("dora", shape[0]) not in (shape[0], inputs) or sizes.get("magnitude", peft_side) != peft_side:
        return f"magnitudes do not fit a weight of shape {shape}"
    if module.changes_bias and not has_bias:
        return "changes a bias that the base cannot have"
    if any(sizes[slot] != shape[0] for slot in module.algorithm.biases & sizes.keys()):
        return f"its bias does not fit {shape[0]} outputs"
    return None
