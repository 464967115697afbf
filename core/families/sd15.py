"""Stable Diffusion 1.x."""

from .family import Family, Part, Pipeline

PIPELINE = Pipeline(
    name="StableDiffusionPipeline",
    title="Stable Diffusion 1 and 2",
    checkpoint="Stable Diffusion 1",
    network="stable_diffusion",
    parts=(
        Part("unet", "diffusers", ("UNet2DConditionModel",), "UNet", "model.diffusion_model."),
        Part("vae", "diffusers", ("AutoencoderKL",), "VAE", "first_stage_model."),
        Part("text_encoder", "transformers", ("CLIPTextModel",), "text encoder", "cond_stage_model.transformer."),
        Part("tokenizer", "transformers", ("CLIPTokenizer", "CLIPTokenizerFast")),
    ),
)

FAMILY = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    hub_id="stable-diffusion-v1-5/stable-diffusion-v1-5",
    prediction_type="epsilon",
    resolution=512,
    context_width=768,
    base_versions=("sd_v1", "sd_1.5", "SD 1"),
    architectures=("stable-diffusion-v1",),
    text_widths=(("text_encoder", 768),),
    pipeline=PIPELINE,
    trains=True,
    settings=(("cross_attention_dim", 768),),
)
