"""HiDream-O1, a language model that draws: its denoiser is a Qwen3-VL."""

from .family import Family

FAMILY = Family(
    name="hidream_o1",
    title="HiDream-O1",
    hub_id="HiDream-ai/HiDream-O1-Image",
    prediction_type="flow",
    resolution=2048,
    markers=(
        ("language_model_layers_",),
        ("language_model_layers_", "_self_attn_"),
        ("language_model_layers_", "_mlp_"),
        ("final_layer2_linear",),
        ("x_embedder_proj1",),
    ),
    base_versions=("hidream_o1",),
    architectures=("hidream-o1",),
)
