"""A transformer's weights under the names of its original code, which ComfyUI has too."""

import torch
from owf.core.families import Layers, layers_of

DIALECTS = (
    "lora",
    "to_qkv",
    "to_added_qkv",
    "qkv.",
    "linear1.",
    "img_in.proj",
    "single_blocks.{n}.qkv",
    "single_blocks.{n}.proj",
)
"""Parts of names that only LoRA files have."""


NORMS = ("query_norm", "key_norm", "qnorm", "knorm", "prenorm", "postnorm", "txtmlp.0", "last.norm")
"""How names of norms end whose weights the original code calls their scale."""


def names_in_a_file(parts):
    """Return the weights of a base's transformer as a file has them, with what its original code counts to it."""
    conditioner = getattr(parts, "text_conditioner", None)
    more = {} if conditioner is None else conditioner.state_dict()
    return {**original_names(parts.transformer), **{f"llm_adapter.{name}": value for name, value in more.items()}}


def original_names(transformer):
    """Return a transformer's weights as its original code has them: fused, turned, and under its names."""
    state = dict(transformer.state_dict())
    layers = layers_of(type(transformer).__name__)
    made, used = {}, set()
    for layer in layers:
        for number in range(4):
            original = layer.original.replace("{n}", str(number))
            parts = Layers([layer]).parts(original.replace(".", "_"))
            if any(word in layer.original for word in DIALECTS):
                continue  # dialects of files, and no names of the code
            for leaf in ("_weight", "_bias", ""):
                keys = [next((k for k in state if k.replace(".", "_") == f"{p.path}{leaf}"), None) for p in parts]
                if None in keys:
                    continue
                rows = [
                    state[k] if p.half is None else state[k].chunk(2)[p.half] for k, p in zip(keys, parts, strict=True)
                ]
                end = leaf.replace("_", ".")
                made[f"{original}{'.scale' if original.endswith(NORMS) else end}"] = torch.cat(rows).contiguous()
                if original.endswith(".mod.lin"):  # a vector there, and a table here
                    made[original] = made[original].flatten()
                used |= set(keys)
    return {**made, **{name: value for name, value in state.items() if name not in used}}
