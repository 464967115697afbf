"""Claim: guidance leads away from the negative prompt, and without one from the empty prompt as ever."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from gaussian_denoiser import GaussianDenoiser
from owf.core import families
from owf.core.audit.evidence.recorder import ModelPass
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.encodings import Encodings
from owf.core.model.diffusion.sample import Sampling, generate_latents
from owf.core.plan.presets import in_form, preset_plan
from owf.core.progress import SILENT


def drawn(denoiser, sampling):
    return generate_latents(denoiser, ["0", "0"], [1, 2], sampling, Batching(4))


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0, 7.5])
def test_guidance_between_two_gaussians_is_a_gaussian_around_the_guided_mean(scale):
    """Predictions are linear in the mean, so guided ones are those of the mean that guidance extrapolates to."""
    generator = torch.Generator().manual_seed(0)
    wanted, unwanted = torch.randn(2, 1, 4, 4, generator=generator, dtype=torch.float64)
    guided = unwanted + scale * (wanted - unwanted)
    both = GaussianDenoiser(torch.stack([wanted, unwanted]), 0.5)
    alone = GaussianDenoiser(guided[None], 0.5)
    found = drawn(both, Sampling(10, scale, "1"))
    # float32 between steps: ten of them, each with a relative error of about 1e-7 and factors of a few
    assert torch.allclose(found, drawn(alone, Sampling(10, 1.0)), atol=1e-4)


def test_without_a_negative_prompt_it_is_the_empty_one():
    asked: list[list[str]] = []

    class Listening(GaussianDenoiser):
        def encode_text(self, prompts):
            asked.append(list(prompts))
            return super().encode_text([prompt or "1" for prompt in prompts])

    denoiser = Listening(torch.zeros(2, 1, 4, 4), 0.5)
    for sampling in (Sampling(2, 3.0), Sampling(2, 3.0, "1"), Sampling(2, 1.0, "1")):
        drawn(denoiser, sampling)
    assert asked == [["0", "0", "", ""], ["0", "0", "1", "1"], ["0", "0"]]


def test_drawings_of_before_are_found_in_caches():
    """Caches are named by the repr of how pictures are drawn."""
    assert repr(Sampling(20, 5.0)) == "Sampling(steps=20, guidance_scale=5.0)"


def test_an_audit_draws_away_from_the_plan_s_negative():
    store = cast(Any, SimpleNamespace(measured=frozenset))
    for asked in ("tags", "sentences"):
        form = families.get("sdxl").prompt_form(asked, ["pony"])
        plan = in_form(preset_plan("quick"), form)
        passing = ModelPass(Encodings(cast(Any, None)), plan, store, Batching(1), SILENT)
        assert passing._sampling == Sampling(plan.sampling_steps, plan.guidance_scale, form.negative, plan.solver)
