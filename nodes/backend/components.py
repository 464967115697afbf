"""The modules of a MODEL and a CLIP under the names that LoRA files use."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def of(model: Any, clip: Any) -> dict[str, nn.Module]:
    """Return the parts of a Stable Diffusion pipeline by name; parts that ComfyUI has no such names for are left out.

    The modules are ComfyUI's own: only the tree above them is made here.
    """
    import comfy.utils

    found: dict[str, nn.Module] = {}
    names = comfy.utils.unet_to_diffusers(model.model_config.unet_config)
    if names:
        found["unet"] = renamed(model.diffusion_model, names)
    for part, name in (("clip_l", "text_encoder"), ("clip_g", "text_encoder_2")):
        encoder = getattr(clip.cond_stage_model, part, None)
        if encoder is not None:
            found[name] = encoder.transformer
    return found


def renamed(root: nn.Module, names: Mapping[str, str]) -> nn.Module:
    """Return a tree of the modules of `root` whose `weight` has an entry in `names` (new -> old parameter name)."""
    tree, ending = nn.Module(), ".weight"
    modules = dict(root.named_modules())
    for new, old in names.items():
        if new.endswith(ending) and old.removesuffix(ending) in modules:
            _graft(tree, new.removesuffix(ending).split("."), modules[old.removesuffix(ending)])
    return tree


def _graft(tree: nn.Module, path: list[str], module: nn.Module) -> None:
    *parents, leaf = path
    for name in parents:
        if name not in tree._modules:
            tree.add_module(name, nn.Module())
        tree = tree.get_submodule(name)
    tree.add_module(leaf, module)
