"""Stable Diffusion XL against diffusers' own pipeline: what is asked, what is drawn, and how it is read."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.plan.solvers import DPM_2M
from tiny_sdxl import POOLED, WIDTHS, pipeline_of, save_folder, tiny_xl_parts

CPU = torch.device("cpu")
PROMPTS = ["a photo of a bag", "score_9, 1girl, " + ", ".join(["long hair"] * 60)]


@pytest.fixture(scope="module")
def parts():
    return tiny_xl_parts()


@pytest.fixture(scope="module")
def denoiser(parts):
    return DiffusersDenoiser(parts, "tiny", "sdxl")


@pytest.fixture(scope="module")
def folder(parts, tmp_path_factory):
    return save_folder(parts, tmp_path_factory.mktemp("base"))


def test_sizes_are_those_of_the_architecture(denoiser):
    assert (denoiser.latent_shape, denoiser.resolution) == ((4, 8, 8), 64)
    assert list(denoiser.components) == ["unet", "text_encoder", "text_encoder_2"]
    cond = denoiser.encode_text(PROMPTS)
    assert cond.context.shape == (2, 77, sum(WIDTHS))
    assert cond.pooled is not None and cond.pooled.shape == (2, POOLED)
    assert torch.equal(cond.rows([1, 0, 1]).pooled, cond.pooled[[1, 0, 1]])


def test_prompts_are_encoded_as_by_the_pipeline(parts, denoiser):
    embeds, zeros, pooled, no_pool = pipeline_of(parts).encode_prompt(PROMPTS, device=CPU)
    cond = denoiser.encode_guided(PROMPTS, ["", ""])
    # Two prompts at once, or four: sums may be taken in another order.
    torch.testing.assert_close(cond.context, torch.cat([embeds, zeros]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cond.pooled, torch.cat([pooled, no_pool]), atol=1e-5, rtol=1e-5)
    assert not cond.context[2:].any() and not cond.pooled[2:].any()  # no prompt is nothing at all
    assert denoiser.encode_text([""]).context.any()  # and an empty one that is asked for is not


def test_a_negative_prompt_is_encoded_as_by_the_pipeline(parts, denoiser):
    _, negative, _, pooled = pipeline_of(parts).encode_prompt(["a bag"], device=CPU, negative_prompt="blurry")
    cond = denoiser.encode_guided(["a bag"], ["blurry"]).rows([1])
    torch.testing.assert_close(cond.context, negative, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cond.pooled, pooled, atol=1e-5, rtol=1e-5)


def test_a_pipeline_that_does_not_force_zeros_encodes_the_empty_prompt(parts):
    other = copy.copy(parts)
    other.index = {"force_zeros_for_empty_prompt": False}
    loaded = DiffusersDenoiser(other, "tiny", "sdxl")
    _, negative, _, pooled = pipeline_of(other).encode_prompt(["a bag"], device=CPU)
    cond = loaded.encode_guided(["a bag"], [""]).rows([1])
    torch.testing.assert_close(cond.context, negative, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cond.pooled, pooled, atol=1e-5, rtol=1e-5)
    assert loaded.digest() != DiffusersDenoiser(parts, "tiny", "sdxl").digest()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 96)])  # its own size, and a bucket of a training
def test_predictions_are_the_unets_with_the_pipelines_conditions(parts, denoiser, height, width):
    pipeline = pipeline_of(parts)
    embeds, _, pooled, _ = pipeline.encode_prompt(["a bag"], device=CPU, do_classifier_free_guidance=False)
    sizes = pipeline._get_add_time_ids((height, width), (0, 0), (height, width), torch.float32, POOLED)
    x, t = gaussian((1, 4, height // 8, width // 8), 0, "x"), torch.tensor([300])
    added = {"text_embeds": pooled, "time_ids": sizes}
    with torch.no_grad():
        expected = parts.unet(x, t, encoder_hidden_states=embeds, added_cond_kwargs=added).sample
    cond = denoiser.encode_text(["a bag"])
    torch.testing.assert_close(denoiser.predict(x, t, cond), expected, atol=0, rtol=0)
    other = denoiser.encode_text(["a coat"])
    assert not torch.equal(denoiser.predict(x, t, other), expected)


SCHEDULES = {
    "eps": {},
    "v": {"prediction_type": "v_prediction"},
    "v with zero SNR": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}


@pytest.mark.parametrize(("guidance", "negative"), [(1.0, ""), (5.0, ""), (5.0, "blurry")])
@pytest.mark.parametrize("case", list(SCHEDULES))
def test_pictures_are_those_of_diffusers_pipeline(parts, case, guidance, negative):
    from diffusers import DDIMScheduler

    ours, steps = copy.copy(parts), 5
    ours.scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,  # the step after the last is the picture itself
        timestep_spacing="trailing",
        **SCHEDULES[case],
    )
    denoiser = DiffusersDenoiser(ours, "tiny", "sdxl")
    images, latents = generate(denoiser, ["a bag"], [7], Sampling(steps, guidance, negative), Batching(4))
    noise = gaussian((4, 8, 8), 7, "sample|a bag")[None]
    settings = {"num_inference_steps": steps, "guidance_scale": guidance, "height": 64, "width": 64}
    settings["negative_prompt"] = negative or None
    pipeline: Any = pipeline_of(ours)
    expected = pipeline("a bag", latents=noise, output_type="np", **settings).images
    drawn = pipeline("a bag", latents=noise, output_type="latent", **settings).images
    torch.testing.assert_close(latents, drawn, atol=1e-3, rtol=1e-3)
    difference = images.permute(0, 2, 3, 1).numpy() - expected * 255
    assert np.abs(difference).max() <= 1


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of diffusers' solver
@pytest.mark.parametrize("steps", [12, 20])
@pytest.mark.parametrize("case", list(SCHEDULES))
def test_pictures_of_the_second_order_are_those_of_diffusers_pipeline(parts, case, steps):
    from diffusers import DPMSolverMultistepScheduler

    settings = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    ours = copy.copy(parts)
    ours.scheduler = DPMSolverMultistepScheduler(
        algorithm_type="dpmsolver++", solver_order=2, timestep_spacing="trailing", **settings, **SCHEDULES[case]
    )
    denoiser = DiffusersDenoiser(ours, "tiny", "sdxl")
    images, latents = generate(denoiser, ["a bag"], [7], Sampling(steps, 5.0, solver=DPM_2M), Batching(4))
    noise, asked = gaussian((4, 8, 8), 7, "sample|a bag")[None], {"height": 64, "width": 64, "guidance_scale": 5.0}
    pipeline: Any = pipeline_of(ours)
    drawn = pipeline("a bag", latents=noise, output_type="latent", num_inference_steps=steps, **asked).images
    expected = pipeline("a bag", latents=noise, output_type="np", num_inference_steps=steps, **asked).images
    # It takes 2^-24 for the signal of pure noise: a first step of finite length, that counts in the second.
    near = 1e-2 if "zero" in case else 1e-3
    torch.testing.assert_close(latents, drawn, atol=near, rtol=near)
    assert np.abs(images.permute(0, 2, 3, 1).numpy() - expected * 255).max() <= 1


def test_a_folder_loads_as_it_was_saved(folder, denoiser):
    loaded = load_base(choose_base(str(folder), None), CPU, torch.float32, offline=True)
    assert loaded.digest() == denoiser.digest()
    assert (loaded.resolution, loaded.latent_shape, loaded.family) == (64, (4, 8, 8), "sdxl")
