"""What a base is known by, so that its results are measured once."""

import hashlib
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ....core.progress import SILENT, Progress

_DIGESTS: "weakref.WeakKeyDictionary[torch.nn.Module, str]" = weakref.WeakKeyDictionary()
"""Module -> SHA-256 of its weights: reading gigabytes again for every audit would be slow."""
_MARKS = (  # noqa: SIM905 - as a list it would fill a screen
    "patches object_patches hook_patches forced_hooks weight_wrapper_patches injections additional_models "
    "force_cast_weights"
).split()
"""Attributes of a ModelPatcher that are empty where it leaves its model as it is."""
_CLIP_AT_BIRTH = {"object_patches": {"manual_cast_dtype": torch.float32}, "force_cast_weights": True}
"""What ComfyUI itself sets on every CLIP since December 2025 (comfy/sd.py): its text encoders compute in float32,
whatever the type of their weights. Another type there, or one without the other, was set by somebody else."""
_UNPOOLED = ("SD1ClipModel", "SDXLClipModel")
"""Text encoders whose first CLIP is asked for its hidden states alone, though it projects a pooled vector too."""


def digest_of(model: Any, clip: Any, vae: Any, progress: Progress = SILENT) -> str:
    """Return the SHA-256 over the weights of MODEL, CLIP and VAE, which must be loaded without foreign patches.

    A MODEL or CLIP with patches of any kind gets a digest that is never met again, since a patch is code.
    `progress` hears of the bytes that were read.
    """
    if any_patched(model, clip, vae):
        return hashlib.sha256(f"patched {uuid.uuid4()}".encode()).hexdigest()
    sha, modules = hashlib.sha256(b"comfy"), (model.model.diffusion_model, clip.cond_stage_model, vae.first_stage_model)
    total = sum(tensor.nbytes for module in modules if module not in _DIGESTS for _, tensor in _tensors(module))
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress.part(done, total)

    for module in modules:
        sha.update(_weights(module, advance).encode())
    sha.update(str((_settings(model), clip.layer_idx, sorted(clip.tokenizer_options.items()))).encode())
    sha.update(_noise_levels(model))
    return sha.hexdigest()


def any_patched(model: Any, clip: Any, vae: Any) -> bool:
    """Return whether a base is changed by somebody's patches: then it is another one at every audit."""
    return any(is_patched(patcher) for patcher in (model, clip.patcher, vae.patcher))


def is_patched(patcher: Any) -> bool:
    """Return whether a ModelPatcher changes its model in any way."""
    options = {name: value for name, value in patcher.model_options.items() if name != "transformer_options"}
    marks = {name: getattr(patcher, name, None) for name in _MARKS}
    if getattr(patcher, "is_clip", False) and all(marks[name] == value for name, value in _CLIP_AT_BIRTH.items()):
        marks = {name: value for name, value in marks.items() if name not in _CLIP_AT_BIRTH}
    hooks = [group for name in ("wrappers", "callbacks") for group in getattr(patcher, name, {}).values()]
    return (
        any(marks.values()) or any(hooks) or bool(options) or any(patcher.model_options["transformer_options"].values())
    )


def _settings(model: Any) -> tuple[str, ...]:
    sampling = model.get_model_object("model_sampling")
    return (*sorted(base.__name__ for base in type(sampling).__mro__), str(model.model.latent_format.scale_factor))


def _noise_levels(model: Any) -> bytes:
    """Return the bytes of the schedule: two files of equal weights may differ by a marker alone, as for zero SNR."""
    sampling = model.get_model_object("model_sampling")
    return sampling.sigmas.detach().double().cpu().numpy().tobytes() + str(getattr(sampling, "multiplier", "")).encode()


def _weights(module: torch.nn.Module, advance: Callable[[int], None]) -> str:
    if module not in _DIGESTS:
        sha = hashlib.sha256(type(module).__name__.encode())
        for name, tensor in _tensors(module):
            sha.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
            sha.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
            advance(tensor.nbytes)
        _DIGESTS[module] = sha.hexdigest()
    return _DIGESTS[module]


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    chance = _left_to_chance(module)
    return ((name, tensor) for name, tensor in sorted(module.state_dict().items()) if name != chance)


def _left_to_chance(module: torch.nn.Module) -> str | None:
    """Return the name of the projection that files of such a text encoder lack and nothing asks; None without one.

    ComfyUI makes it anyway and leaves its values to chance, so every load would be another base.
    """
    first = getattr(module, "clip_l", None)
    if first is None or (type(module).__name__ not in _UNPOOLED and getattr(first, "return_projected_pooled", True)):
        return None
    return "clip_l.transformer.text_projection.weight"
