"""The shipped demo base: its size, its layout, and that it has learnt something."""

import json
from pathlib import Path

import numpy as np
import owf
import pytest
import torch
from demo_base.judging.classifier import classification_errors, recognised
from demo_base.judging.pictures import draw, load_demo_base
from demo_base.judging.quality import quality_table
from demo_base.world.world import CLASSES, COLORS
from owf.core.datasets.images.shipped import read_shipped
from owf.core.metrics.images.demo_network import load_network

DEMO = Path(owf.__file__).parent / "demo"


@pytest.fixture(scope="module")
def denoiser():
    return load_demo_base(DEMO / "base")


@pytest.fixture(scope="module")
def pipeline():
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(DEMO / "base", safety_checker=None, local_files_only=True)


@pytest.fixture(scope="module")
def probes():
    return np.load(DEMO / "probes.npz")


def test_the_base_fits_24_mb():
    assert sum(file.stat().st_size for file in (DEMO / "base").rglob("*") if file.is_file()) <= 24_000_000


def test_weights_are_half_precision_safetensors():
    from safetensors import safe_open

    files = list((DEMO / "base").rglob("*.safetensors"))
    assert len(files) == 4
    for file in files:
        with safe_open(file, "pt") as weights:
            kinds = {weights.get_slice(key).get_dtype() for key in weights.keys()}  # noqa: SIM118
        # Batch normalisation counts its batches in an integer.
        assert kinds <= {"F16", "I64"}


def test_architecture_is_stable_diffusion_1(pipeline):
    unet, vae, text = pipeline.unet.config, pipeline.vae.config, pipeline.text_encoder.config
    assert unet.down_block_types == ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]
    assert unet.layers_per_block == 2
    assert pipeline.vae_scale_factor == 8
    assert (unet.in_channels, vae.latent_channels, unet.sample_size) == (4, 4, 12)
    assert unet.cross_attention_dim == text.hidden_size
    assert (text.vocab_size, text.max_position_embeddings) == (49408, 77)
    schedule = pipeline.scheduler.config
    assert (schedule.beta_start, schedule.beta_end) == (0.00085, 0.012)
    assert (schedule.beta_schedule, schedule.prediction_type) == ("scaled_linear", "epsilon")


def test_text_encoder_has_the_names_of_transformers_4():
    from safetensors import safe_open

    with safe_open(DEMO / "base" / "text_encoder" / "model.safetensors", "pt") as weights:
        assert all(name.startswith("text_model.") for name in weights.keys())  # noqa: SIM118


def test_diffusers_own_pipeline_draws_with_it(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    output = pipeline("a photo of a red bag", num_inference_steps=3, generator=generator, output_type="pt")
    assert output.images.shape == (1, 3, 96, 96)
    assert output.images.isfinite().all()


def test_generation_shows_the_color_asked_for(denoiser):
    prompts = [f"a photo of a {color} bag on a white background" for color in ("red", "green", "blue")]
    pictures = draw(denoiser, prompts, seed=3)
    assert pictures.shape == (3, 3, 96, 96)
    network = load_network(DEMO / "base" / "features")
    colors = network.classify(pictures.float() / 255, "color").argmax(dim=1)
    assert [list(COLORS)[int(color)] for color in colors] == ["red", "green", "blue"]


def test_probes_are_balanced_and_described(probes):
    assert probes["images"].shape == (300, 96, 96, 3)
    assert probes["images"].dtype == np.uint8
    assert np.bincount(probes["labels"]).tolist() == [30] * 10
    assert tuple(probes["classes"]) == CLASSES
    for label, caption in zip(probes["labels"], probes["captions"], strict=True):
        assert f" {CLASSES[label]} on a" in caption


def test_classifies_held_out_pictures_far_above_chance(denoiser):
    labelled = read_shipped("demo", 96, 2)
    errors = classification_errors(denoiser, labelled, timesteps=6, loss="l2", seed=0)
    # Chance is 10 percent; of 20 guesses 8 or more are right by chance once in 2,400.
    assert recognised(errors, labelled.labels).sum() >= 8


def test_feature_network_recognises_real_pictures(probes):
    network = load_network(DEMO / "base" / "features")
    pictures = torch.from_numpy(read_shipped("demo", 96, 0).images).float() / 255
    assert network(pictures).shape == (300, 512)
    right = network.classify(pictures).argmax(dim=1) == torch.from_numpy(probes["labels"].astype(int))
    assert right.float().mean() > 0.65  # patterns and second colours hide much of what things are


def test_the_page_says_what_was_measured():
    page = Path(__file__).parents[2] / "demo" / "README.md"  # an installed package does not hold it
    results = json.loads((page.parent / "results.json").read_text())
    assert "\n".join(quality_table(results)) in page.read_text("utf-8")
