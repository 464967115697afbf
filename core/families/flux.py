"""FLUX.1 and its relatives with the same blocks."""

from .family import EDITING, Family, Lookalike, Part, Pipeline, Recipe
from .layers import Layer
from .targets import Targets
from .variants import DE_DISTILLED, Drawing

IMAGE = tuple(f"transformer_blocks.{{n}}.attn.to_{part}" for part in "qkv")
TEXT = tuple(f"transformer_blocks.{{n}}.attn.add_{part}_proj" for part in "qkv")
"""What the fused projections of picture and of prompt are made of: query, key, value."""
_SINGLE = tuple(f"single_transformer_blocks.{{n}}.attn.to_{part}" for part in "qkv")
_NORMS = (("query_norm", "q"), ("key_norm", "k"))
SHARED_LAYERS = (
    Layer("double_blocks.{n}.img_attn.qkv", IMAGE),
    Layer("double_blocks.{n}.txt_attn.qkv", TEXT),
    Layer("double_blocks.{n}.img_attn.proj", ("transformer_blocks.{n}.attn.to_out.0",)),
    Layer("double_blocks.{n}.txt_attn.proj", ("transformer_blocks.{n}.attn.to_add_out",)),
    *(Layer(f"double_blocks.{{n}}.img_attn.norm.{a}", (f"transformer_blocks.{{n}}.attn.norm_{b}",)) for a, b in _NORMS),
    *(
        Layer(f"double_blocks.{{n}}.txt_attn.norm.{a}", (f"transformer_blocks.{{n}}.attn.norm_added_{b}",))
        for a, b in _NORMS
    ),
    *(Layer(f"single_blocks.{{n}}.norm.{a}", (f"single_transformer_blocks.{{n}}.attn.norm_{b}",)) for a, b in _NORMS),
    Layer("img_in", ("x_embedder",)),
    Layer("txt_in", ("context_embedder",)),
    Layer("final_layer.linear", ("proj_out",)),
    Layer("final_layer.adaLN_modulation.1", ("norm_out.linear/1", "norm_out.linear/0")),  # shift before scale
)
"""Those that FLUX.2 calls the same, in its own code and in diffusers."""


def _split(fused: str, live: tuple[str, ...]) -> tuple[Layer, ...]:
    """Return the parts of a fused layer as layers, each called by its number behind the whole one's name."""
    return tuple(Layer(f"{fused}.{number}", (part,)) for number, part in enumerate(live))


_LAYERS = (
    *SHARED_LAYERS,
    Layer("double_blocks.{n}.img_mlp.0", ("transformer_blocks.{n}.ff.net.0.proj",)),
    Layer("double_blocks.{n}.img_mlp.2", ("transformer_blocks.{n}.ff.net.2",)),
    Layer("double_blocks.{n}.txt_mlp.0", ("transformer_blocks.{n}.ff_context.net.0.proj",)),
    Layer("double_blocks.{n}.txt_mlp.2", ("transformer_blocks.{n}.ff_context.net.2",)),
    Layer("double_blocks.{n}.img_mod.lin", ("transformer_blocks.{n}.norm1.linear",)),
    Layer("double_blocks.{n}.txt_mod.lin", ("transformer_blocks.{n}.norm1_context.linear",)),
    Layer("single_blocks.{n}.linear1", (*_SINGLE, "single_transformer_blocks.{n}.proj_mlp")),
    Layer("single_blocks.{n}.linear2", ("single_transformer_blocks.{n}.proj_out",)),
    Layer("single_blocks.{n}.modulation.lin", ("single_transformer_blocks.{n}.norm.linear",)),
    Layer("time_in.in_layer", ("time_text_embed.timestep_embedder.linear_1",)),
    Layer("time_in.out_layer", ("time_text_embed.timestep_embedder.linear_2",)),
    Layer("vector_in.in_layer", ("time_text_embed.text_embedder.linear_1",)),
    Layer("vector_in.out_layer", ("time_text_embed.text_embedder.linear_2",)),
    Layer("guidance_in.in_layer", ("time_text_embed.guidance_embedder.linear_1",)),
    Layer("guidance_in.out_layer", ("time_text_embed.guidance_embedder.linear_2",)),
    # The Open Model Initiative's, which OneTrainer writes: parts of fused layers by their number
    *_split("double_blocks.{n}.img_attn.qkv", IMAGE),
    *_split("double_blocks.{n}.txt_attn.qkv", TEXT),
    *_split("single_blocks.{n}.linear1", (*_SINGLE, "single_transformer_blocks.{n}.proj_mlp")),
    Layer("img_in.proj", ("x_embedder",)),
    # XLabs, of whose names "processor" is no level
    Layer("double_blocks.{n}.qkv_lora1", IMAGE),
    Layer("double_blocks.{n}.qkv_lora2", TEXT),
    Layer("double_blocks.{n}.proj_lora1", ("transformer_blocks.{n}.attn.to_out.0",)),
    Layer("double_blocks.{n}.proj_lora2", ("transformer_blocks.{n}.attn.to_add_out",)),
    Layer("single_blocks.{n}.qkv", _SINGLE),  # qkv_lora and proj_lora there: what ends in _lora ends before it
    Layer("single_blocks.{n}.proj", ("single_transformer_blocks.{n}.proj_out",)),
)
"""Names of black-forest-labs' code, which kohya's scripts, ai-toolkit and ComfyUI use."""

_TARGETS = Targets(
    # attn's of single blocks are those of both texts and pictures; their output is part of `proj_out`.
    attention=r"attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)",
    transformer=r"ff(_context)?\.net\.(0\.proj|2)|single_transformer_blocks\.\d+\.proj_(mlp|out)",
    all=r"transformer_blocks\.\d+\.norm1(_context)?\.linear|single_transformer_blocks\.\d+\.norm\.linear",
    usual="transformer",
)
"""Without choice those of diffusers' example (examples/dreambooth/train_dreambooth_lora_flux.py) and the feed-forwards
of single blocks, which kohya's lora_flux.py trains too; `all` is kohya's choice, modulation included."""

PIPELINE = Pipeline(
    name="FluxPipeline",
    title="FLUX.1",
    checkpoint="",
    network="flux",
    parts=(
        Part("transformer", "diffusers", ("FluxTransformer2DModel",), "transformer", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKL",), "VAE", "vae.", overflows=True),
        Part("text_encoder", "transformers", ("CLIPTextModel",), "CLIP", "text_encoders.clip_l.transformer."),
        Part("text_encoder_2", "transformers", ("T5EncoderModel",), "T5", "text_encoders.t5xxl.transformer."),
        Part("tokenizer", "transformers", ("CLIPTokenizer", "CLIPTokenizerFast")),
        Part("tokenizer_2", "transformers", ("T5TokenizerFast", "T5Tokenizer")),
    ),
    layers=_LAYERS,
    lookalikes=(Lookalike(r"\bkontext", EDITING.what),),
    half="bfloat16",
    targets=_TARGETS,
    multiple=16,
)

RECIPES_OF_TRANSFORMERS = (
    ("quick", Recipe(steps=500, batch=1, rate=1e-4, accumulate=2, bank_prompts=64)),
    ("standard", Recipe(steps=500, batch=1, rate=1e-4, accumulate=4, bank_prompts=200)),
)
"""Those of diffusers' examples of DreamBooth for FLUX.1, Z-Image and FLUX.2 alike (examples/dreambooth/README_flux.md,
README_z_image.md, README_flux2.md); `quick` takes half of their rows. kohya's scripts and musubi-tuner recommend the
same rate. The bank is a part of the one that ships, because a picture takes such a base many seconds. Not measured."""

FAMILY = Family(
    name="flux",
    title="FLUX.1",
    hub_id="black-forest-labs/FLUX.1-dev",
    prediction_type="flow",
    resolution=1024,
    smaller=512,
    markers=(
        ("double_blocks_", "single_blocks_"),
        ("double_blocks_", "img_attn"),
        ("double_blocks_", "txt_attn"),
        ("double_blocks_", "img_mlp_0:3072>12288"),
        ("double_blocks_", "img_mlp_2:12288>3072"),
        ("double_blocks_", "txt_mlp_0:3072>12288"),
        ("double_blocks_", "txt_mlp_2:12288>3072"),
        ("double_blocks_", "_lora1:"),
        ("double_blocks_", "_lora2:"),
        ("single_blocks_", "linear1"),
        ("single_transformer_blocks_", "!joint_transformer_blocks_", "!token_refiner"),
        ("^transformer_blocks_", "_attn_to_q:3072"),
    ),
    base_versions=("flux1", "flux"),
    architectures=("flux-1", "flux.1"),
    first_layers=("img_in", "img_in_proj", "x_embedder"),
    other_inputs=(
        (128, "a FLUX.1 that follows a depth map or edges: it is a control LoRA"),
        (384, "a FLUX.1 that fills in pictures"),
    ),
    pipeline=PIPELINE,
    of_its_size=("black-forest-labs/FLUX.1-schnell",),
    trains=True,
    recipes=RECIPES_OF_TRANSFORMERS,
    drawings=(
        # These were trained until guidance of two predictions works, which their makers set to 3 to 4.
        Drawing(rf"{DE_DISTILLED}|\b(?:libre|open) ?flux", 3.5, title="a de-distilled FLUX.1"),
        Drawing(r"\bkontext", 1.0, title="FLUX.1-Kontext-dev"),  # not audited, and LoRAs name it as their base
        Drawing(r"\bschnell", 1.0, 4, "FLUX.1-schnell", (("guidance_embeds", False),), ("a de-distilled FLUX.1",)),
        # Its guidance is told to the network.
        Drawing(r"\bdev\b", 1.0, 0, "FLUX.1-dev", (("guidance_embeds", True),), ("a de-distilled FLUX.1",)),
        Drawing("", guidance_scale=1.0),
    ),
)
