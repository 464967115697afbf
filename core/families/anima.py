"""Anima, and Cosmos-Predict2 of 2 billion weights, from which it was made: their layers have the same names."""

from .family import Family, Part, Pipeline
from .layers import Layer
from .prompt_form import TAGS, Child, PromptForm
from .variants import DE_DISTILLED, Drawing

_ATTENTION = (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("output_proj", "to_out.0"))
_NORMS = (("q_norm", "norm_q"), ("k_norm", "norm_k"))
_BLOCK = (
    *((f"{kind}_attn.{a}", f"attn{n}.{b}") for n, kind in ((1, "self"), (2, "cross")) for a, b in _ATTENTION + _NORMS),
    *(
        (f"adaln_modulation_{part}.{n}", f"norm{place}.linear_{n}")
        for place, part in ((1, "self_attn"), (2, "cross_attn"), (3, "mlp"))
        for n in (1, 2)
    ),
    ("mlp.layer1", "ff.net.0.proj"),
    ("mlp.layer2", "ff.net.2"),
)
"""Layers of a block in the original code, and in diffusers."""
_LAYERS = (
    *(Layer(f"blocks.{{n}}.{original}", (f"transformer_blocks.{{n}}.{live}",)) for original, live in _BLOCK),
    Layer("x_embedder.proj.1", ("patch_embed.proj",)),
    Layer("t_embedder.1.linear_1", ("time_embed.t_embedder.linear_1",)),
    Layer("t_embedder.1.linear_2", ("time_embed.t_embedder.linear_2",)),
    Layer("t_embedding_norm", ("time_embed.norm",)),
    Layer("final_layer.adaln_modulation.1", ("norm_out.linear_1",)),
    Layer("final_layer.adaln_modulation.2", ("norm_out.linear_2",)),
    Layer("final_layer.linear", ("proj_out",)),
)
"""Names of NVIDIA's code, which kohya's scripts, diffusion-pipe and ComfyUI use. Those of what reads prompts are the
same everywhere."""

PIPELINE = Pipeline(
    name="AnimaModularPipeline",
    title="Anima",
    checkpoint="",
    network="anima",
    parts=(
        Part("transformer", "diffusers", ("CosmosTransformer3DModel",), "transformer", "model.diffusion_model."),
        Part(
            "text_conditioner",
            "diffusers",
            ("AnimaTextConditioner",),
            "text conditioner",
            "llm_adapter.",
            is_inner=True,
        ),
        Part("vae", "diffusers", ("AutoencoderKLQwenImage",), "VAE", "vae.", overflows=True),
        Part(
            "text_encoder",
            "transformers",
            ("Qwen3Model",),
            "text encoder",
            "text_encoders.qwen3_06b.transformer.",
        ),
        Part("tokenizer", "transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer")),
        Part("t5_tokenizer", "transformers", ("T5TokenizerFast", "T5Tokenizer")),
    ),
    layers=_LAYERS,
    half="bfloat16",
)

_FORM = PromptForm(
    TAGS,
    "masterpiece, best quality, score_7, safe",
    "worst quality, low quality, score_1, score_2, score_3, artist name",
)
"""As its makers recommend; it was not measured which prefix suits it best. It reads sentences too."""

_TELLING = (
    *(f"{kind}_attn_{part}_proj:" for kind in ("self", "cross") for part in ("q", "k", "v", "output")),
    "mlp_layer1:",
    "mlp_layer2:",
    "adaln_modulation_",
)
"""Layers of NVIDIA's code that no other has."""
_OF_14_B = ("!:5120", "!>5120", "!^blocks_28_")
"""What only Cosmos-Predict2 of 14 billion weights has, which is wider and deeper."""

FAMILY = Family(
    name="anima",
    title="Anima",
    hub_id="circlestone-labs/Anima-Base-v1.0-Diffusers",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("^text_conditioner_",),
        *(("^blocks_", f"_{layer}", *_OF_14_B) for layer in _TELLING),
        ("^transformer_blocks_", "_attn1_to_q:2048", "_attn2_to_k:1024"),
        ("^transformer_blocks_", "_attn2_to_k:1024>2048"),
        ("^transformer_blocks_", "_norm1_linear_1:2048>256"),
    ),
    shared=(  # LTX-Video's
        ("^transformer_blocks_", "_attn1_to_q:2048>2048", "!_attn2_to_k:2048"),
        ("^transformer_blocks_", "_ff_net_0_proj:2048>8192", "!_attn2_to_k:2048"),
        ("^transformer_blocks_", "_ff_net_2:8192>2048", "!_attn2_to_k:2048"),
    ),
    base_versions=("anima",),
    architectures=("anima",),
    pipeline=PIPELINE,
    drawings=(
        Drawing(DE_DISTILLED, guidance_scale=4.0),
        Drawing(r"turbo|lightning|\bhyper\b", guidance_scale=1.0, steps=10),  # its makers say 8 to 12
        Drawing("", guidance_scale=4.0),  # 4 to 5, and 4 in diffusers' pipeline
    ),
    children=(Child("", _FORM),),
)
