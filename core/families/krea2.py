"""Krea 2."""

from .family import EDITING, Family, Part, Pipeline
from .layers import Layer
from .variants import DE_DISTILLED, IS_DISTILLED, Drawing

_ATTENTION = (("wq", "to_q"), ("wk", "to_k"), ("wv", "to_v"), ("wo", "to_out.0"), ("gate", "to_gate"))
_BLOCKS = (
    ("blocks.{n}", "transformer_blocks.{n}"),
    ("txtfusion.layerwise_blocks.{n}", "text_fusion.layerwise_blocks.{n}"),
    ("txtfusion.refiner_blocks.{n}", "text_fusion.refiner_blocks.{n}"),
)
"""Those of the picture, and of what fuses layers of the text encoder: all have the same layers."""
_LAYERS = (
    *(Layer(f"{a}.attn.{b}", (f"{live}.attn.{part}",)) for a, live in _BLOCKS for b, part in _ATTENTION),
    *(Layer(f"{a}.attn.qknorm.{b}norm", (f"{live}.attn.norm_{b}",)) for a, live in _BLOCKS for b in "qk"),
    *(Layer(f"{a}.mlp.{b}", (f"{live}.ff.{b}",)) for a, live in _BLOCKS for b in ("gate", "up", "down")),
    *(Layer(f"{a}.prenorm", (f"{live}.norm1",)) for a, live in _BLOCKS),
    *(Layer(f"{a}.postnorm", (f"{live}.norm2",)) for a, live in _BLOCKS),
    Layer("blocks.{n}.mod.lin", ("transformer_blocks.{n}.scale_shift_table",)),
    Layer("first", ("img_in",)),
    Layer("tmlp.0", ("time_embed.linear_1",)),
    Layer("tmlp.2", ("time_embed.linear_2",)),
    Layer("tproj.1", ("time_mod_proj",)),
    Layer("txtmlp.0", ("txt_in.norm",)),
    Layer("txtmlp.1", ("txt_in.linear_1",)),
    Layer("txtmlp.3", ("txt_in.linear_2",)),
    Layer("txtfusion.projector", ("text_fusion.projector",)),
    Layer("last.norm", ("final_layer.norm",)),
    Layer("last.linear", ("final_layer.linear",)),
    Layer("last.modulation.lin", ("final_layer.scale_shift_table",)),
)
"""Names of Krea's own code, which musubi-tuner, ai-toolkit and ComfyUI use."""

PIPELINE = Pipeline(
    name="Krea2Pipeline",
    title="Krea 2",
    checkpoint="",
    network="krea2",
    parts=(
        Part("transformer", "diffusers", ("Krea2Transformer2DModel",), "transformer", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKLQwenImage",), "VAE", "vae.", overflows=True),
        Part(
            "text_encoder",
            "transformers",
            ("Qwen3VLModel", "Qwen3VLForConditionalGeneration"),
            "text encoder",
            "text_encoders.qwen3vl_4b.transformer.",
        ),
        Part("tokenizer", "transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer")),
    ),
    layers=_LAYERS,
    lookalikes=(EDITING,),
    half="bfloat16",
)

FAMILY = Family(
    name="krea2",
    title="Krea 2",
    hub_id="krea/Krea-2-Raw",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("txtfusion_",),
        ("text_fusion_",),
        ("^blocks_", "_attn_wq:"),
        ("^blocks_", "_attn_wk:"),
        ("^blocks_", "_attn_wv:"),
        ("^blocks_", "_attn_wo:"),
        ("^blocks_", "_mlp_gate:6144"),
        ("^blocks_", "_mlp_up:6144"),
        ("^blocks_", "_mlp_down:16384"),
        ("^transformer_blocks_", "_attn_to_gate:"),
        ("^transformer_blocks_", "_attn_to_k:6144>1536"),
        ("^transformer_blocks_", "_attn_to_v:6144>1536"),
        ("^transformer_blocks_", "_ff_gate:"),
        ("^transformer_blocks_", "_ff_up:"),
        ("^transformer_blocks_", "_ff_down:"),
        ("^transformer_blocks_8_", "_attn_to_q:6144>6144"),  # FLUX.2-dev, as wide, has no block 8 of this name
    ),
    shared=(("^transformer_blocks_", "_attn_to_q:6144>6144", "!_add_q_proj:", "!single_transformer_blocks_"),),
    base_versions=("krea2", "krea_2"),
    architectures=("krea-2", "krea2"),
    pipeline=PIPELINE,
    of_its_size=("krea/Krea-2-Turbo",),
    drawings=(
        # Krea adds 4.5 times the difference to the prediction with the prompt, which is a scale of 5.5 elsewhere.
        Drawing(DE_DISTILLED, 5.5, 28, "a de-distilled Krea 2", ((IS_DISTILLED, False),)),
        Drawing(r"\braw\b", 5.5, 28, "Krea 2 Raw", ((IS_DISTILLED, False),)),
        Drawing(
            r"turbo|\btdm\b", 1.0, 8, "Krea 2 Turbo", ((IS_DISTILLED, True),), ("Krea 2 Raw", "a de-distilled Krea 2")
        ),
        Drawing("", guidance_scale=5.5, steps=28),
    ),
)
