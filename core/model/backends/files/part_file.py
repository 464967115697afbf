"""A text encoder or VAE in a file of its own, as ComfyUI keeps them: whether it is that of a base, and its weights."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ....errors import Setting, UsageError
from ....families import Part
from ....foreign import foreign
from ....text import inert
from ..parts import in_dtype, require_finite_weights
from .folder import empty_part
from .scaled import is_beside, require_known_formats, values
from .text_encoders import holds_text_encoder, load_text_encoder
from .vae_names import in_diffusers_names
from .weight_files import opened, require_floats

_PACKED = "U8"
"""Type of weights of which two or more share a byte, so that their shapes are not those of the layers."""

Shape = tuple[int, ...] | None
"""Of a weight; None where it does not say that of its layer."""


def fits(path: Path, part: Part, empty: nn.Module) -> bool:
    """Return whether a file holds just the weights of a part, by their names and shapes; none of them is read.

    `empty` is the part without weights. A file that cannot be opened holds nothing.
    """
    try:
        shapes = _shapes(path)
    except UsageError:
        return False
    if part.library == "transformers":
        return holds_text_encoder(shapes, empty)
    names = in_diffusers_names(shapes)
    asked = {name: tuple(value.shape) for name, value in empty.state_dict().items()}
    held = {names[name]: shape for name, shape in shapes.items()}
    return (
        len(held) == len(shapes)
        and _required(empty) <= held.keys() <= asked.keys()
        and all(shape is None or _squeezed(shape, asked[name]) == asked[name] for name, shape in held.items())
    )


def is_read(path: Path) -> bool:
    """Return whether the types and formats of a file's weights are ones that are read."""
    try:
        require_known_formats(path)
        require_floats([path])
    except UsageError:
        return False
    return True


def load_part(path: Path, part: Part, folder: Path, dtype: torch.dtype) -> nn.Module:
    """Return a part from a file of its own, built by the configuration in a diffusers folder of it.

    Raises UsageError unless the file's weights are exactly those that the configuration asks for.
    """
    require_known_formats(path)
    require_floats([path])
    return load_part_of(path, replace(part, prefix=""), folder, dtype)


def load_part_of(path: Path, part: Part, folder: Path, dtype: torch.dtype) -> nn.Module:
    """Return the same of a file that has other parts too, each under its prefix."""
    if part.library == "transformers":
        return load_text_encoder(path, part, folder, dtype, as_stored=True).eval()
    return _load_vae(path, part, folder, dtype).eval()


def _load_vae(path: Path, part: Part, folder: Path, dtype: torch.dtype) -> nn.Module:
    model = empty_part(part, folder)
    live = model.state_dict()
    with opened(path) as file:
        found = {name[len(part.prefix) :]: value for name, value in values(path, file, part.prefix, torch.float32)}
    names, held = in_diffusers_names(found), dict[str, torch.Tensor]()
    for name, value in found.items():
        there = live.get(names[name])
        if there is None or _squeezed(tuple(value.shape), tuple(there.shape)) != tuple(there.shape):
            raise _unfit(path, part, folder, f"{inert(name, 120)} {list(value.shape)} has no place in it")
        if names[name] in held:
            raise _unfit(path, part, folder, f"{names[name]} is there twice, once as {inert(name, 120)}")
        held[names[name]] = value.reshape(there.shape).to(dtype if there.is_floating_point() else there.dtype)
    missing = _required(model) - held.keys()
    if missing:
        raise _unfit(path, part, folder, f"{len(missing)} of its weights are not in the file, such as {min(missing)}")
    counters = {name: torch.zeros(live[name].shape, dtype=live[name].dtype) for name in live.keys() - held.keys()}
    with foreign(f"{path} cannot be loaded as a {part.title}"):
        model.load_state_dict(held | counters, strict=True, assign=True)
    require_finite_weights(model, dtype, f"{path}, {part.title}")
    return in_dtype(model, dtype)


def _unfit(path: Path, part: Part, folder: Path, what: str) -> UsageError:
    said = f"{path} does not hold the {part.title} that {folder / 'config.json'} describes: {what}."
    return UsageError(said, Setting("base"))


def _required(model: nn.Module) -> set[str]:
    """Return the names of a model's weights, without whole numbers that training counted by and nothing asks for."""
    return {name for name, value in model.state_dict().items() if value.is_floating_point()}


def _squeezed(shape: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a layer that is a convolution over one pixel there, and none here."""
    ones = len(shape) - len(like)
    return shape[: len(like)] if ones > 0 and set(shape[len(like) :]) == {1} else shape


def _shapes(path: Path) -> Mapping[str, Shape]:
    with opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys() if not is_beside(name)}  # noqa: SIM118 - no dict
        return {n: None if part.get_dtype() == _PACKED else tuple(part.get_shape()) for n, part in parts.items()}
