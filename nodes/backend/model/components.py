"""The modules of a MODEL and a CLIP under the names that LoRA files use."""

from collections.abc import Mapping
from typing import Any

from torch import nn

_OF_CLASSES = "class_embedding."
"""What diffusers calls a layer of models that are told a class, and ComfyUI every model's that is told anything."""


def of(model: Any, clip: Any) -> dict[str, nn.Module]:
    """Return the parts of a Stable Diffusion pipeline by name; parts that ComfyUI has no such names for are left out.

    The modules are ComfyUI's own: only the tree above them is made here.
    """
    import comfy.utils

    found: dict[str, nn.Module] = {}
    names = comfy.utils.unet_to_diffusers(model.model_config.unet_config)
    # ComfyUI's table has two names for the embedding of sizes, in no fixed order, and a module answers to one.
    names = {name: theirs for name, theirs in names.items() if not name.startswith(_OF_CLASSES)}
    if names:
        found["unet"] = renamed(model.diffusion_model, names)
    for part, name in (("clip_l", "text_encoder"), ("clip_g", "text_encoder_2")):
        encoder = getattr(clip.cond_stage_model, part, None)
        if encoder is not None:
            found[name] = encoder.transformer
    return found


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


class Alias(nn.Module):
    """A branch of the tree. Who puts another module in a leaf's place, puts it into the real network."""

    def __init__(self) -> None:
        super().__init__()
        self.homes: dict[str, tuple[nn.Module, str]] = {}

    def graft(self, path: list[str], parent: nn.Module, leaf: str) -> None:
        """Add the child `leaf` of the real module `parent` under a path of new names."""
        name, *rest = path
        if rest:
            if name not in self._modules:  # named_children() leaves out what has another name already
                self.add_module(name, Alias())
            branch = self._modules[name]
            assert isinstance(branch, Alias)
            branch.graft(rest, parent, leaf)
        else:
            self.add_module(name, parent.get_submodule(leaf))
            self.homes[name] = (parent, leaf)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self.__dict__.get("homes", {}):
            parent, leaf = self.homes[name]
            setattr(parent, leaf, value)


_PARTS = (  # noqa: SIM905 - as a list it would fill a screen
    "conv_in time_embedding down_blocks up_blocks mid_block conv_norm_out conv_out attentions resnets downsamplers "
    "upsamplers norm norm1 proj_in transformer_blocks attn1 to_q to_k to_v to_out norm2 attn2 norm3 ff proj_out conv1 "
    "time_emb_proj conv2 conv_shortcut linear_1 linear_2"
).split()


def _order(name: str) -> list[tuple[int, int]]:
    """Return the sort key of a parameter's name: numbers by value, words as diffusers defines them."""
    known = {part: place for place, part in enumerate(_PARTS)}
    return [(0, int(part)) if part.isdigit() else (1, known.get(part, len(_PARTS))) for part in name.split(".")]
