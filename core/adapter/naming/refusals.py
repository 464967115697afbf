"""Files that hold weights but no LoRA: recognised by their names, and named in the refusal."""

import re
from collections import Counter
from collections.abc import Collection
from functools import cache

from ...errors import AdapterError
from ...families import Layer, Layers, flat, pipelines
from .prefixes import TRANSFORMER, WHOLE_PATHS

_KINDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a ControlNet-LLLite", ("lllite_",), "load it as a ControlNet"),
    (
        "an IP-Adapter",
        ("ip_adapter.", "image_proj.", "ip-adapter", "image_proj_model."),
        "load it as an IP-Adapter",
    ),
    (
        "a ControlNet",
        ("control_model.", "controlnet_", "controlnet_cond_embedding.", "input_hint_block."),
        "",
    ),
    ("a T2I-Adapter", ("adapter.body.", "body.0."), ""),
    ("a whole checkpoint", ("model.diffusion_model.", "first_stage_model.", "cond_stage_model."), ""),
    ("a whole checkpoint", ("conditioner.embedders.", "model_ema."), ""),
    (
        "a VAE",
        ("encoder.down_blocks.", "decoder.up_blocks.", "encoder.down.", "decoder.up.", "quant_conv."),
        "",
    ),
)
_EMBEDDINGS = frozenset({"emb_params", "clip_l", "clip_g", "string_to_param.*", "t5xxl"})
_WHOLE = "audit the LoRA file itself, or pass this file as the base"


def refuse_other_kinds(names: Collection[str], usable: int) -> None:
    """Raise AdapterError that names what a file without (or with hardly any) LoRA modules is.

    `names` are all tensor names and `usable` counts those that belong to a module. Does nothing for files
    that are mostly LoRA, whatever else is bundled with them.
    """
    if usable * 2 > len(names):
        return
    if not names:
        raise AdapterError("the file has no tensors, so it changes nothing")
    _refuse_embedding(names)
    _refuse_transformer(names, usable)
    for kind, beginnings, advice in _KINDS:
        hits = sum(name.startswith(beginnings) for name in names)
        if hits and (hits * 4 >= len(names) or usable == 0):
            raise AdapterError(f"{kind}, not a LoRA: {advice or _WHOLE}")
    if usable == 0:
        _refuse_plain_weights(names)
        raise AdapterError("no tensor name belongs to a known LoRA format, so nothing would be applied")


def _refuse_embedding(names: Collection[str]) -> None:
    parts = {name.rpartition("/")[2] for name in names}
    if parts & _EMBEDDINGS or (len(names) == 1 and "." not in next(iter(names))):
        raise AdapterError("a textual inversion (an embedding), not a LoRA: it changes no weight")


_MOST = 0.8
"""Least share of a file's tensors with names of a transformer's layers, before it is taken for one: quantisers leave
scales beside weights."""
_KNOWN = 0.5
"""Least share of layers that are known by name, before names that look like factors are taken for such: Krea 2 has
layers called up and down."""


def _refuse_transformer(names: Collection[str], usable: int) -> None:
    """Raise AdapterError for a transformer alone in a file, as bases are kept; with its family where names tell."""
    modules = [flat(_LEAF.sub("", _BEFORE.sub("", name, count=1))) for name in names if _LEAF.search(name)]
    if sum(module.startswith((*TRANSFORMER, *WHOLE_PATHS)) for module in modules) < _MOST * len(names):
        return
    whose = [owners for owners in map(_owners, set(modules)) if owners]
    if usable and len(whose) < _KNOWN * len(set(modules)):
        return
    alone, all_ = (Counter(title for owners in whose if len(owners) <= most for title in owners) for most in (1, 99))
    title = max(all_, key=lambda title: (alone[title], all_[title]), default="")
    named = f", by the names of its layers of {title}" if title else ""
    raise AdapterError(f"a whole transformer{named}, not a LoRA: {_WHOLE}")


_BEFORE = re.compile(r"(?:model\.)?diffusion_model\.|net\.|transformer\.")
_LEAF = re.compile(
    r"\.(?:weight|bias|scale|scale_weight|scale_input|weight_scale|input_scale|weight_scale_2|comfy_quant)$"
)
"""Parameters of layers, and what is stored beside those of eight bits."""


@cache
def _codes() -> tuple[tuple[str, tuple[Layers, Layers]], ...]:
    """Return pairs of a pipeline's title and the names of its transformer's layers, original and diffusers'."""
    known = [(pipeline.title, pipeline.layers) for pipeline in pipelines() if pipeline.layers]
    live = {title: {name.partition("/")[0] for layer in layers for name in layer.live} for title, layers in known}
    return tuple((title, (Layers(layers), Layers(Layer(n, (n,)) for n in live[title]))) for title, layers in known)


def _owners(module: str) -> list[str]:
    """Return the titles of the pipelines whose transformers have a layer of such a name."""
    return [title for title, codes in _codes() if any(code.parts(module) for code in codes)]


def _refuse_plain_weights(names: Collection[str]) -> None:
    plain = sum(name.endswith((".weight", ".bias")) for name in names)
    unet = any(name.startswith(("down_blocks.", "up_blocks.", "input_blocks.", "unet.")) for name in names)
    if unet and plain * 2 > len(names) and not any("lora" in name.lower() for name in names):
        raise AdapterError(f"a whole U-Net, not a LoRA: {_WHOLE}")
