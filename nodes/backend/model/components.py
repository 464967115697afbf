"""The modules of a MODEL and a CLIP under the names that LoRA files use."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ....core import families
from .alias import Alias
from .transformer import in_diffusers_names, inner_parts

_OF_CLASSES = "class_embedding."
"""What diffusers calls a layer of models that are told a class, and ComfyUI every model's that is told anything."""


def of(model: Any, clip: Any, family: str) -> dict[str, nn.Module]:
    """Return the parts of a base by the names that diffusers' pipelines give them; none of what it does not have.

    A transformer of a family that is not known by diffusers' names has ComfyUI's. The modules are ComfyUI's own, and
    parts of them: only the tree above is made here.
    """
    import comfy.utils

    found: dict[str, nn.Module] = {}
    names = comfy.utils.unet_to_diffusers(model.model_config.unet_config)
    # ComfyUI's table has two names for the embedding of sizes, in no fixed order, and a module answers to one.
    names = {name: theirs for name, theirs in names.items() if not name.startswith(_OF_CLASSES)}
    pipeline = families.get(family).pipeline
    if names:
        found["unet"] = renamed(model.diffusion_model, names)
    elif pipeline is not None and pipeline.layers:
        found["transformer"] = in_diffusers_names(model.diffusion_model, pipeline)
        found |= inner_parts(model.diffusion_model, pipeline)
    else:
        found["transformer"] = model.diffusion_model
    return found | _text_encoders(clip.cond_stage_model)


_CLIPS = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
"""ComfyUI's name of a CLIP -> diffusers'."""


def _text_encoders(encoders: Any) -> dict[str, nn.Module]:
    """Return the text encoders by name; T5, or the one of another kind, is behind what there is of CLIP."""
    others = [name for name in ("t5xxl", getattr(encoders, "clip", "")) if name not in _CLIPS]
    found = {_CLIPS[name]: part for name in _CLIPS if (part := _encoder(encoders, name)) is not None}
    for part in filter(None, (_encoder(encoders, name) for name in dict.fromkeys(others))):
        found[f"text_encoder_{len(found) + 1}" if found else "text_encoder"] = part
    return found


def _encoder(encoders: Any, name: str) -> nn.Module | None:
    return getattr(getattr(encoders, name, None), "transformer", None)


def renamed(root: nn.Module, names: Mapping[str, str]) -> nn.Module:
    """Return a tree of the modules of `root` whose `weight` has an entry in `names` (new -> old parameter name).

    Modules come in the order in which diffusers defines them, so that what is drawn layer by layer is the same.
    """
    tree, ending = Alias(), ".weight"
    paths = dict(root.named_modules())
    for new in sorted((name for name in names if name.endswith(ending)), key=_order):
        old = names[new].removesuffix(ending)
        if old in paths:
            parent, _, leaf = old.rpartition(".")
            tree.graft(new.removesuffix(ending).split("."), paths[parent], leaf)
    return tree


_PARTS = (  # noqa: SIM905 - as a list it would fill a screen
    "conv_in time_embedding down_blocks up_blocks mid_block conv_norm_out conv_out attentions resnets downsamplers "
    "upsamplers norm norm1 proj_in transformer_blocks attn1 to_q to_k to_v to_out norm2 attn2 norm3 ff proj_out conv1 "
    "time_emb_proj conv2 conv_shortcut linear_1 linear_2"
).split()


def _order(name: str) -> list[tuple[int, int]]:
    """Return the sort key of a parameter's name: numbers by value, words as diffusers defines them."""
    known = {part: place for place, part in enumerate(_PARTS)}
    return [(0, int(part)) if part.isdigit() else (1, known.get(part, len(_PARTS))) for part in name.split(".")]
