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
    ("sd2", "stabilityai/sd-turbo", (1.0, 8)),
    ("sd15", "dreamshaper_8LCM.safetensors", (1.0, 8)),
    ("flux", "black-forest-labs/FLUX.1-dev", (1.0, 0)),
    ("flux", "black-forest-labs/FLUX.1-schnell", (1.0, 4)),
    ("z_image", "Tongyi-MAI/Z-Image-Turbo", (1.0, 8)),
    ("z_image", "z_image_turbo_bf16", (1.0, 8)),
    ("z_image", "Tongyi-MAI/Z-Image", (6.0, 0)),
    ("z_image", "somebody's model", (1.0, 8)),
    ("flux2_klein", "black-forest-labs/FLUX.2-klein-4B", (1.0, 4)),
    ("flux2_klein", "black-forest-labs/FLUX.2-klein-base-4B", (4.0, 0)),
    ("flux2_klein_9b", "black-forest-labs/FLUX.2-klein-9B-base", (4.0, 0)),
    ("flux2_klein", "my klein", (1.0, 4)),
    ("krea2", "krea/Krea-2-Raw", (5.5, 28)),
    ("krea2", "krea/Krea-2-Turbo", (1.0, 8)),
    ("krea2", "krea2_turbo_fp8_scaled.safetensors", (1.0, 8)),
    ("krea2", "somebody's model", (5.5, 28)),
    ("qwen_image", "Qwen/Qwen-Image", (4.0, 0)),
    ("qwen_image", "qwen_image_lightning_8steps_bf16.safetensors", (1.0, 8)),
    ("anima", "circlestone-labs/Anima-Base-v1.0-Diffusers", (4.0, 0)),
    ("anima", "anima-turbo-v1.0.safetensors", (1.0, 10)),
]


@pytest.mark.parametrize(("family", "name", "expected"), CASES)
def test_guidance_and_steps(family, name, expected):
    usual = families.get(family).drawing([name])
    assert (usual.guidance_scale, usual.steps) == expected


def test_settings_count_where_names_say_nothing():
    klein = families.get("flux2_klein")
    assert klein.drawing(["my model", families.NOT_DISTILLED]).guidance_scale == 4.0
    assert klein.drawing(["my model", families.DISTILLED]).steps == 4
    krea = families.get("krea2")
    assert krea.drawing(["my model", families.DISTILLED]).steps == 8
    assert krea.drawing(["krea2_raw_bf16.safetensors", families.DISTILLED]).steps == 28  # the surest name counts


def test_plans_are_drawn_so_and_what_is_asked_for_counts_more():
    plan = plan_for(AuditRequest(), "flux2_klein", 1024, names=("FLUX.2-klein-4B",))[0]
    assert (plan.guidance_scale, plan.sampling_steps) == (1.0, 4)
    assert plan_for(AuditRequest(guidance_scale=3.0), "flux2_klein", 1024)[0].guidance_scale == 3.0
    plain = plan_for(AuditRequest(), "sd15", 512)[0]
    assert (plain.guidance_scale, plain.sampling_steps) == (QUICK.guidance_scale, QUICK.sampling_steps)
