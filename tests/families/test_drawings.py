"""How people draw with a base, by its names: distilled ones in few steps and without guidance."""

import pytest
from owf.core import families
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.plan.presets import preset_plan

QUICK = preset_plan("quick")
CASES = [
    ("sd15", "anything", (0.0, 0)),
    ("sdxl", "anything", (5.0, 0)),
    ("sdxl", "stabilityai/sdxl-turbo", (1.0, 8)),
    ("sdxl", "dreamshaperXL_v21TurboDPMSDE.safetensors", (1.0, 8)),
    ("sdxl", "realvisxlV50_v50LightningBakedvae.safetensors", (1.0, 8)),
    ("sdxl", "hyperrealistic XL", (5.0, 0)),
    ("sdxl", "somebody/de-turbo-xl", (5.0, 0)),
    ("sd2", "stabilityai/sd-turbo", (1.0, 8)),
    ("sd15", "dreamshaper_8LCM.safetensors", (1.0, 8)),
    ("flux", "black-forest-labs/FLUX.1-dev", (1.0, 0)),
    ("flux", "black-forest-labs/FLUX.1-schnell", (1.0, 4)),
    ("z_image", "Tongyi-MAI/Z-Image-Turbo", (1.0, 8)),
    ("z_image", "z_image_turbo_bf16", (1.0, 8)),
    ("z_image", "Tongyi-MAI/Z-Image", (6.0, 0)),
    ("z_image", "somebody's model", (1.0, 8)),
    ("z_image", "ostris/Z-Image-De-Turbo", (4.0, 0)),
    ("z_image", "z_image_deturbo_v1_bf16.safetensors", (4.0, 0)),
    ("z_image", "ZImageTurbo_de-distilled", (4.0, 0)),
    ("flux", "nyanko7/flux-dev-de-distill", (3.5, 0)),
    ("flux", "jimmycarter/LibreFLUX", (3.5, 0)),
    ("flux", "flux1-schnell-undistilled.safetensors", (3.5, 0)),
    ("flux2_klein", "black-forest-labs/FLUX.2-klein-4B", (1.0, 4)),
    ("flux2_klein", "black-forest-labs/FLUX.2-klein-base-4B", (4.0, 0)),
    ("flux2_klein_9b", "black-forest-labs/FLUX.2-klein-9B-base", (4.0, 0)),
    ("flux2_klein", "my klein", (1.0, 4)),
    ("krea2", "krea/Krea-2-Raw", (5.5, 28)),
    ("krea2", "krea/Krea-2-Turbo", (1.0, 8)),
    ("krea2", "krea2_turbo_fp8_scaled.safetensors", (1.0, 8)),
    ("krea2", "somebody's model", (5.5, 28)),
    ("krea2", "krea2_de_turbo.safetensors", (5.5, 28)),
    ("krea2", "krea2_de_distilled.safetensors", (5.5, 28)),
    ("qwen_image", "Qwen/Qwen-Image", (4.0, 0)),
    ("qwen_image", "qwen_image_lightning_8steps_bf16.safetensors", (1.0, 8)),
    ("anima", "circlestone-labs/Anima-Base-v1.0-Diffusers", (4.0, 0)),
    ("anima", "anima-turbo-v1.0.safetensors", (1.0, 10)),
]


@pytest.mark.parametrize(("family", "name", "expected"), CASES)
def test_guidance_and_steps(family, name, expected):
    usual = families.get(family).drawing([name])
    assert (usual.guidance_scale, usual.steps) == expected


def test_what_a_base_was_found_to_be_counts_more_than_its_names():
    klein, krea = families.get("flux2_klein"), families.get("krea2")
    for names in (["my klein"], ["FLUX.2-klein-4B"]):
        assert klein.drawing([*names, f"{families.DRAWN_AS}the base of FLUX.2 klein"]).guidance_scale == 4.0
    assert krea.drawing(["my model", f"{families.DRAWN_AS}Krea 2 Turbo"]).steps == 8
    assert krea.drawing(["krea2_turbo", f"{families.DRAWN_AS}something else"]).steps == 8


def test_only_bases_of_few_steps_without_guidance_are_distilled():
    krea = families.get("krea2")
    assert krea.drawing(["krea/Krea-2-Turbo"]).is_distilled
    assert not krea.drawing(["krea/Krea-2-Raw"]).is_distilled  # of 28 steps
    metrics = plan_for(AuditRequest(metrics=("kid", "distillation")), "krea2", 1024, names=("Krea-2-Raw",))[0].metrics
    assert metrics == ("kid",)


def test_plans_are_drawn_so_and_what_is_asked_for_counts_more():
    plan = plan_for(AuditRequest(), "flux2_klein", 1024, names=("FLUX.2-klein-4B",))[0]
    assert (plan.guidance_scale, plan.sampling_steps) == (1.0, 4)
    assert plan_for(AuditRequest(guidance_scale=3.0), "flux2_klein", 1024)[0].guidance_scale == 3.0
    plain = plan_for(AuditRequest(), "sd15", 512)[0]
    assert (plain.guidance_scale, plain.sampling_steps) == (QUICK.guidance_scale, QUICK.sampling_steps)
