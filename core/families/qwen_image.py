"""Qwen-Image."""

from .family import EDITING, Family, Part, Pipeline
from .layers import Layer
from .variants import DE_DISTILLED, Drawing

_OWN = (
    "transformer_blocks.{n}.img_mod.1",
    "transformer_blocks.{n}.txt_mod.1",
    *(f"transformer_blocks.{{n}}.{stream}_mlp.net.{part}" for stream in ("img", "txt") for part in ("0.proj", "2")),
)
_LAYERS = tuple(Layer(name, (name,)) for name in _OWN)
"""Names of Qwen's own code are diffusers'. These no other transformer has, so that a file is told by them."""

PIPELINE = Pipeline(
    name="QwenImagePipeline",
    title="Qwen-Image",
    checkpoint="",
    network="qwen_image",
    parts=(
        Part("transformer", "diffusers", ("QwenImageTransformer2DModel",), "transformer", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKLQwenImage",), "VAE", "vae.", overflows=True),
        Part(
            "text_encoder",
            "transformers",
            ("Qwen2_5_VLForConditionalGeneration",),
            "text encoder",
            "text_encoders.qwen25_7b.transformer.",
        ),
        Part("tokenizer", "transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer")),
    ),
    layers=_LAYERS,
    lookalikes=(EDITING,),
    half="bfloat16",
)

_QWEN = "Qwen-Image"

FAMILY = Family(
    name="qwen_image",
    title="Qwen-Image",
    hub_id="Qwen/Qwen-Image",
    prediction_type="flow",
    resolution=1328,
    markers=(
        ("transformer_blocks_", "img_mod"),
        ("transformer_blocks_", "img_mlp", "add_q_proj"),
        ("transformer_blocks_", "img_mlp", "to_add_out"),
        ("transformer_blocks_40_", "_attn_to_q:3072"),
        ("transformer_blocks_", "img_mlp_net"),
    ),
    shared=(("^transformer_blocks_", "_attn_to_q:3072>3072", "!single_transformer_blocks_", "!_ff_"),),  # FLUX.1's
    base_versions=("qwen_image",),
    architectures=("qwen-image",),
    pipeline=PIPELINE,
    drawings=(
        Drawing(DE_DISTILLED, 4.0, title="a de-distilled Qwen-Image"),
        Drawing(r"lightning|turbo|\bhyper\b", 1.0, 8, "a Qwen-Image of few steps", (), (_QWEN,)),
        # These are not audited, and LoRAs name them as their bases.
        Drawing(r"\bedit (?:plus )?2511", 4.0, title="Qwen-Image-Edit-2511"),
        Drawing(r"\bedit (?:plus )?2509|\bedit plus", 4.0, title="Qwen-Image-Edit-2509"),
        Drawing(r"\bedit(?![a-z])", 4.0, title="Qwen-Image-Edit"),
        Drawing(r"qwen ?image 2512|\b2512\b", 4.0, title="Qwen-Image-2512"),
        Drawing(r"qwen ?image", 4.0, title=_QWEN),
        Drawing("", guidance_scale=4.0),
    ),
)
