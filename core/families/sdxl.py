"""Stable Diffusion XL, and what is trained from it: Pony, Illustrious, NoobAI and their like."""

from .family import Family, Part, Pipeline

PIPELINE = Pipeline(
    name="StableDiffusionXLPipeline",
    title="Stable Diffusion XL",
    checkpoint="Stable Diffusion XL",
    network="stable_diffusion_xl",
    parts=(
        Part("unet", "diffusers", ("UNet2DConditionModel",), "UNet", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKL",), "VAE", "first_stage_model.", overflows=True),
        Part(
            "text_encoder", "transformers", ("CLIPTextModel",), "text encoder", "conditioner.embedders.0.transformer."
        ),
        Part(
            "text_encoder_2",
            "transformers",
            ("CLIPTextModelWithProjection",),
            "second text encoder",
            "conditioner.embedders.1.model.",
            is_open_clip=True,
        ),
        Part("tokenizer", "transformers", ("CLIPTokenizer", "CLIPTokenizerFast")),
        Part("tokenizer_2", "transformers", ("CLIPTokenizer", "CLIPTokenizerFast")),
    ),
)

FAMILY = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    hub_id="stabilityai/stable-diffusion-xl-base-1.0",
    prediction_type="epsilon",
    resolution=1024,
    context_width=2048,
    base_versions=("sdxl",),
    architectures=("stable-diffusion-xl",),
    text_widths=(("text_encoder", 768), ("text_encoder_2", 1280)),
    pipeline=PIPELINE,
    guidance_scale=5.0,
)
