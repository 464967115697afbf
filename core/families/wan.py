"""Wan 2.x video models. Those of Wan 2.2 with 14 billion weights are two networks; see `adapter/naming/halves.py`."""

from .family import Family
from .layers import Layer

_ATTENTION = (
    ("q", "to_q"),
    ("k", "to_k"),
    ("v", "to_v"),
    ("o", "to_out.0"),
    ("norm_q", "norm_q"),
    ("norm_k", "norm_k"),
    ("k_img", "add_k_proj"),
    ("v_img", "add_v_proj"),
    ("norm_k_img", "norm_added_k"),
)
_BLOCK = (
    *((f"{kind}_attn.{a}", f"attn{n}.{b}") for n, kind in ((1, "self"), (2, "cross")) for a, b in _ATTENTION),
    ("ffn.0", "ffn.net.0.proj"),
    ("ffn.2", "ffn.net.2"),
    ("norm3", "norm2"),  # the only one with a weight, which the original code counts last
    ("before_proj", "proj_in"),
    ("after_proj", "proj_out"),
)
"""Layers of a block in the original code, and in diffusers."""
_EMBEDDER = "condition_embedder"
_LAYERS = (
    *(Layer(f"{row}.{{n}}.{a}", (f"{row}.{{n}}.{b}",)) for row in ("blocks", "vace_blocks") for a, b in _BLOCK),
    Layer("time_embedding.0", (f"{_EMBEDDER}.time_embedder.linear_1",)),
    Layer("time_embedding.2", (f"{_EMBEDDER}.time_embedder.linear_2",)),
    Layer("time_projection.1", (f"{_EMBEDDER}.time_proj",)),
    Layer("text_embedding.0", (f"{_EMBEDDER}.text_embedder.linear_1",)),
    Layer("text_embedding.2", (f"{_EMBEDDER}.text_embedder.linear_2",)),
    Layer("img_emb.proj.0", (f"{_EMBEDDER}.image_embedder.norm1",)),
    Layer("img_emb.proj.1", (f"{_EMBEDDER}.image_embedder.ff.net.0.proj",)),
    Layer("img_emb.proj.3", (f"{_EMBEDDER}.image_embedder.ff.net.2",)),
    Layer("img_emb.proj.4", (f"{_EMBEDDER}.image_embedder.norm2",)),
    Layer("head.head", ("proj_out",)),
)
"""Names of Wan's own code, which musubi-tuner, ai-toolkit, diffusion-pipe and ComfyUI use."""

FAMILY = Family(
    name="wan",
    title="Wan",
    hub_id="Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    prediction_type="flow",
    resolution=480,
    markers=(
        ("^blocks_", "_self_attn_q:"),
        ("^blocks_", "_self_attn_k:"),
        ("^blocks_", "_cross_attn_q:"),
        ("^blocks_", "_cross_attn_k:"),
        ("^blocks_", "_ffn_0:"),
        ("^blocks_", "_ffn_2:"),
        ("^blocks_", "_attn1_to_q:"),
        ("^blocks_", "_attn2_to_q:"),
        ("^blocks_", "_ffn_net_"),
    ),
    architectures=("wan",),
    base_versions=("wan",),
    first_layers=("patch_embedding",),
    other_inputs=((36, "a Wan that begins with a picture"),),
    layers=_LAYERS,
)
