"""Stable Diffusion XL, and what is trained from it: Pony, Illustrious, NoobAI and their like."""

from .family import Family, Part, Pipeline, Recipe
from .prompt_form import IN_TAGS, TAGS, Child, PromptForm
from .variants import FEW_STEPS, Drawing

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

_WORST = IN_TAGS.negative
CHILDREN = (
    # NoobAI comes before Illustrious, from which it was made and whose name its merges bear too.
    Child(
        "noob|nai ?xl", PromptForm(TAGS, "masterpiece, best quality, newest, absurdres, safe", f"{_WORST}, old, early")
    ),
    Child("animagine", PromptForm(TAGS, "masterpiece, best quality, very aesthetic, absurdres, safe", _WORST)),
    # "IL" is how merges abbreviate Illustrious.
    Child(
        r"illustrious|\bil ?(?:xl|v ?\d.*)?\b",
        PromptForm(TAGS, "masterpiece, best quality, absurdres, general", _WORST),
    ),
    Child(
        "pony(?!tail)|autism ?mix|score 9",
        PromptForm(TAGS, "score_9, score_8_up, score_7_up, rating_safe", "score_6, score_5, score_4, rating_explicit"),
    ),
    Child(r"kohaku|hassaku|counterfeit|anima ?pencil|\banime\b", IN_TAGS),
)
"""Those that learned from tags. As their makers recommend; which prefix suits one best was not measured."""

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
    trains=True,
    drawings=(FEW_STEPS, Drawing("", guidance_scale=5.0)),
    # The longer is that of diffusers' example of DreamBooth (examples/dreambooth/README_sdxl.md); not measured here.
    recipes=(
        ("quick", Recipe(steps=500, batch=1, rate=1e-4, accumulate=2)),
        ("standard", Recipe(steps=500, batch=1, rate=1e-4, accumulate=4)),
    ),
    children=CHILDREN,
)
