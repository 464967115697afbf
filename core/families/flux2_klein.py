"""FLUX.2 klein, of 4 billion weights."""

from .family import Family, Part, Pipeline
from .flux import IMAGE, RECIPES_OF_TRANSFORMERS, SHARED_LAYERS, TEXT
from .layers import Layer
from .targets import Targets
from .variants import DE_DISTILLED, IS_DISTILLED, Drawing

_OF_FLUX_1 = (
    *(f"!^{blocks}_{number}_" for blocks in ("double_blocks", "transformer_blocks") for number in range(5, 19)),
    *("!:3072>12288", "!:3072>21504", "!:15360>3072", "!_mod_lin", "!modulation_lin", "!norm1_linear"),
)
"""What only FLUX.1, which is as wide, has: double blocks after the fifth, feed-forwards without a gate, modulation."""

_LAYERS = (
    *SHARED_LAYERS,
    Layer("double_blocks.{n}.img_mlp.0", ("transformer_blocks.{n}.ff.linear_in",)),
    Layer("double_blocks.{n}.img_mlp.2", ("transformer_blocks.{n}.ff.linear_out",)),
    Layer("double_blocks.{n}.txt_mlp.0", ("transformer_blocks.{n}.ff_context.linear_in",)),
    Layer("double_blocks.{n}.txt_mlp.2", ("transformer_blocks.{n}.ff_context.linear_out",)),
    Layer("single_blocks.{n}.linear1", ("single_transformer_blocks.{n}.attn.to_qkv_mlp_proj",)),
    Layer("single_blocks.{n}.linear2", ("single_transformer_blocks.{n}.attn.to_out",)),
    Layer("time_in.in_layer", ("time_guidance_embed.timestep_embedder.linear_1",)),
    Layer("time_in.out_layer", ("time_guidance_embed.timestep_embedder.linear_2",)),
    Layer("double_stream_modulation_img.lin", ("double_stream_modulation_img.linear",)),
    Layer("double_stream_modulation_txt.lin", ("double_stream_modulation_txt.linear",)),
    Layer("single_stream_modulation.lin", ("single_stream_modulation.linear",)),
    # diffusers with fused projections, on which it trains LoKr
    Layer("transformer_blocks.{n}.attn.to_qkv", IMAGE),
    Layer("transformer_blocks.{n}.attn.to_added_qkv", TEXT),
)
"""Names of black-forest-labs' code, which musubi-tuner, ai-toolkit and ComfyUI use."""

_TARGETS = Targets(
    # Single blocks do attention and feed-forward in the same two layers.
    attention=r"attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out|to_qkv_mlp_proj|to_out)",
    transformer=r"ff(_context)?\.linear_(in|out)",
    all="",  # modulation belongs to all blocks together, and ComfyUI knows it by no name of diffusers'
    usual="transformer",
)
"""Without choice those of musubi-tuner's lora_flux_2.py: every linear layer of the blocks."""

PIPELINE = Pipeline(
    name="Flux2KleinPipeline",
    title="FLUX.2 klein",
    checkpoint="",
    network="flux2_klein",
    parts=(
        Part("transformer", "diffusers", ("Flux2Transformer2DModel",), "transformer", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKLFlux2",), "VAE", "vae.", overflows=True),
        Part(
            "text_encoder", "transformers", ("Qwen3ForCausalLM",), "text encoder", "text_encoders.qwen3_4b.transformer."
        ),
        Part("tokenizer", "transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer")),
    ),
    layers=_LAYERS,
    half="bfloat16",
    targets=_TARGETS,
    multiple=16,
)
_BASE = "the base of FLUX.2 klein"
DRAWINGS = (
    Drawing(DE_DISTILLED, 4.0, title="a de-distilled FLUX.2 klein", settings=((IS_DISTILLED, False),)),
    Drawing(r"klein (?:\d+ ?b )?base", 4.0, title=_BASE, settings=((IS_DISTILLED, False),)),
    Drawing(r"klein", 1.0, 4, "FLUX.2 klein", ((IS_DISTILLED, True),), (_BASE, "a de-distilled FLUX.2 klein")),
    Drawing("", guidance_scale=1.0, steps=4),  # distilled
)

FAMILY = Family(
    name="flux2_klein",
    title="FLUX.2 klein 4B",
    hub_id="black-forest-labs/FLUX.2-klein-4B",
    prediction_type="flow",
    resolution=1024,
    smaller=512,
    markers=(
        ("double_blocks_", "img_mlp_0:3072>18432"),
        ("double_blocks_", "img_mlp_2:9216>3072"),
        ("double_blocks_", "txt_mlp_0:3072>18432"),
        ("double_blocks_", "txt_mlp_2:9216>3072"),
        ("single_blocks_", "linear1:3072>27648"),
        ("single_blocks_", "linear2:12288>3072"),
        ("single_transformer_blocks_", "attn_to_qkv_mlp_proj:3072"),
        ("single_transformer_blocks_", "_attn_to_out:12288>3072"),
        ("^transformer_blocks_", "_ff_linear_in:3072>18432"),
        ("^transformer_blocks_", "_ff_linear_out:9216>3072"),
    ),
    shared=(  # attention of double blocks, which looks like that of FLUX.1
        ("^double_blocks_", "_attn_qkv:3072", *_OF_FLUX_1),
        ("^double_blocks_", "_attn_proj:3072", *_OF_FLUX_1),
        ("^transformer_blocks_", "_attn_to_q:3072", *_OF_FLUX_1),
    ),
    base_versions=("flux2_klein_4b", "flux_2_klein_4b"),
    architectures=("flux-2", "flux.2"),
    pipeline=PIPELINE,
    of_its_size=("black-forest-labs/FLUX.2-klein-base-4B",),
    trains=True,
    recipes=RECIPES_OF_TRANSFORMERS,
    drawings=DRAWINGS,
)
