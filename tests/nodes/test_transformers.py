"""ComfyUI's transformers by diffusers' names, without ComfyUI: which parts there are, and that they are its own."""

from owf.core import families
from owf.nodes.backend.model.transformer import in_diffusers_names, inner_parts
from torch import nn


def _network(*names: str) -> nn.Module:
    """Return a network of layers by their dotted names."""
    root = nn.Module()
    for name in names:
        *path, leaf = name.split(".")
        place = root
        for part in path:
            if part not in place._modules:
                place.add_module(part, nn.Module())
            place = place.get_submodule(part)
        place.add_module(leaf, nn.Linear(2, 2))
    return root


def test_what_diffusers_counts_apart_is_a_part_of_its_own():
    """A LoRA for Anima's conditioner is looked up there, and not among the layers of the transformer."""
    network = _network("blocks.0.self_attn.q_proj", "llm_adapter.blocks.0.self_attn.q_proj", "llm_adapter.out_proj")
    pipeline = families.get("anima").pipeline
    assert pipeline is not None
    tree, parts = in_diffusers_names(network, pipeline), inner_parts(network, pipeline)
    layers = {name for name, part in tree.named_modules() if isinstance(part, nn.Linear)}
    assert layers == {"transformer_blocks.0.attn1.to_q"} and parts == {"text_conditioner": network.llm_adapter}


def test_most_have_no_such_part():
    pipeline = families.get("krea2").pipeline
    assert pipeline is not None and inner_parts(_network("blocks.0.attn.wq"), pipeline) == {}
