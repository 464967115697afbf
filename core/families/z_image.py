"""Z-Image."""

from .family import EDITING, Family, Part, Pipeline
from .flux import RECIPES_OF_TRANSFORMERS
from .layers import Layer
from .targets import Targets
from .variants import DE_DISTILLED, Drawing

_BLOCKS = ("layers.{n}", "noise_refiner.{n}", "context_refiner.{n}")
_LAYERS = (
    *(Layer(f"{b}.attention.qkv", tuple(f"{b}.attention.to_{part}" for part in "qkv")) for b in _BLOCKS),
    *(Layer(f"{b}.attention.out", (f"{b}.attention.to_out.0",)) for b in _BLOCKS),
    *(Layer(f"{b}.attention.{part}_norm", (f"{b}.attention.norm_{part}",)) for b in _BLOCKS for part in "qk"),
    Layer("x_embedder", ("all_x_embedder.2-1",)),
    Layer("final_layer.linear", ("all_final_layer.2-1.linear",)),
    Layer("final_layer.adaLN_modulation.1", ("all_final_layer.2-1.adaLN_modulation.1",)),
)
"""Names as ComfyUI has them, where they are not diffusers' own."""

_ATTENTION = r"attention\.(to_[qkv]|to_out\.0)"
_FEED_FORWARD = r"feed_forward\.w[123]"
_TARGETS = Targets(
    attention=rf"layers\.\d+\.{_ATTENTION}",
    transformer=rf"layers\.\d+\.{_FEED_FORWARD}",
    all=rf"(noise|context)_refiner\.\d+\.({_ATTENTION}|{_FEED_FORWARD})|adaLN_modulation\.0",
    usual="transformer",
)
"""Without choice those of musubi-tuner's lora_zimage.py, which leaves out refiners and modulation; `all` has them."""

PIPELINE = Pipeline(
    name="ZImagePipeline",
    title="Z-Image",
    checkpoint="",
    network="z_image",
    parts=(
        Part("transformer", "diffusers", ("ZImageTransformer2DModel",), "transformer", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKL",), "VAE", "vae.", overflows=True),
        Part(
            "text_encoder",
            "transformers",
            ("Qwen3Model", "Qwen3ForCausalLM"),  # the latter has a layer more, which is not asked
            "text encoder",
            "text_encoders.qwen3_4b.transformer.",
        ),
        Part("tokenizer", "transformers", ("Qwen2TokenizerFast", "Qwen2Tokenizer")),
    ),
    layers=_LAYERS,
    lookalikes=(EDITING,),
    half="bfloat16",
    targets=_TARGETS,
    multiple=16,
)

_TURBO = "Z-Image-Turbo"

FAMILY = Family(
    name="z_image",
    title="Z-Image",
    hub_id="Tongyi-MAI/Z-Image-Turbo",
    prediction_type="flow",
    resolution=1024,
    smaller=512,
    markers=(
        ("layers_", "attention_to_q", "feed_forward_w", "!_adaln_modulation:"),
        ("layers_", "attention_to_q:3840"),
        ("layers_", "attention_to_k:3840"),
        ("layers_", "attention_to_out_0:3840"),
        ("layers_", "attention_qkv:3840"),
        ("layers_", "attention_out:3840"),
        ("layers_", "feed_forward_w1:3840"),
        ("layers_", "feed_forward_w2:10240"),
        ("refiner_", "attention_to_q:3840"),
    ),
    base_versions=("zimage", "z_image"),
    architectures=("z-image",),
    pipeline=PIPELINE,
    of_its_size=("Tongyi-MAI/Z-Image",),
    trains=True,
    recipes=RECIPES_OF_TRANSFORMERS,
    drawings=(
        # diffusers adds 5 times the difference to the prediction with the prompt, which is a scale of 6 elsewhere. With
        # De-Turbo its maker draws at 3, and with Turbo's times.
        Drawing(DE_DISTILLED, 4.0, title="Z-Image-De-Turbo", settings=(("shift", 3.0),)),
        Drawing(r"turbo", 1.0, 8, _TURBO, (("shift", 3.0),), ("Z-Image", "Z-Image-De-Turbo")),
        Drawing(r"z ?image", 6.0, title="Z-Image", settings=(("shift", 6.0),)),
        Drawing("", 1.0, 8, _TURBO),
    ),
)
