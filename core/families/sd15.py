"""Stable Diffusion 1.x."""

from .family import Family, Part, Pipeline, Recipe
from .prompt_form import IN_TAGS, Child
from .variants import FEW_STEPS

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
    learns_words=True,
)

# Merges of NovelAI's model, which read its prompts at the penultimate layer: people draw with them with clip skip 2.
ANIME = Child(
    r"novel ?ai|\bnai\b|anime ?full|\banything v?\d|counterfeit|abyss ?orange|\baom ?\d|meina|pastel ?mix|any ?lora"
    "|dark ?sushi|mistoon|hassaku",
    IN_TAGS,
    clip_skip=2,
)
"""Those that learned from tags, by the names of the best known."""

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
    drawings=(FEW_STEPS,),
    # Usual for DreamBooth-LoRA on a few pictures; not measured here.
    recipes=(("quick", Recipe(steps=500, batch=1, rate=2e-4)), ("standard", Recipe(steps=1000, batch=1, rate=1e-4))),
    settings=(("cross_attention_dim", 768),),
    children=(ANIME,),
    skips_layers=True,
)
