"""An audit of Stable Diffusion XL: strength 0 is the base to the last bit, strength 1 is measured, from any host."""

import dataclasses
import json

import pytest
from audits import audit
from owf.cli.audit import main
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.base import BaseChoice, choose_base
from owf.core.model.diffusion.batch import Batching
from owf.core.plan import presets
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from safetensors.torch import save_file
from tiny_sdxl import LAYERS, kohya, lora_factors, save_folder, tiny_xl_parts


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    path = tmp_path_factory.mktemp("lora") / "lora.safetensors"
    save_file({k: v.contiguous() for k, v in kohya(lora_factors(tiny_xl_parts())).items()}, path)
    return path


def test_strength_zero_has_no_drift_and_strength_one_has(lora, tmp_path):
    denoiser = DiffusersDenoiser(tiny_xl_parts(), "tiny", "sdxl")
    plan = presets.preset_plan("quick")
    plan = dataclasses.replace(
        plan, metrics=("denoiser_drift", "color"), prompts=plan.prompts[:3], images_per_prompt=1, sampling_steps=3
    )

    def drifts(strength):
        folder = tmp_path / str(strength)
        folder.mkdir()
        setting = AuditSetting(folder, tmp_path, default_policy(), SILENT, Batching(16), {}, None)
        report = audit(denoiser, read_adapter(lora), strength, plan, setting)
        assert report.adapter.matched == sum(map(len, LAYERS.values()))
        found = {
            name: [estimate.value for estimate in measured.estimates.values()]
            for name, measured in report.measurements.items()
        }
        return found["denoiser_drift"], found["color"]

    for found in drifts(0.0):
        assert found and not any(found), found
    for found in drifts(1.0):
        assert any(found), found


def test_the_command_line_audits_it_in_its_own_language(lora, tmp_path, monkeypatch):
    short = dataclasses.replace(presets.quick_plan(), sampling_steps=3)
    short = dataclasses.replace(short, prompts=short.prompts[:4])
    monkeypatch.setitem(presets.PRESETS, "quick", lambda: short)
    folder = save_folder(tiny_xl_parts(), tmp_path / "tinyPonyXL")
    out = tmp_path / "out"
    arguments = [lora, "--base", folder, "--metrics", "denoiser_drift", "--offline", "--progress", "none"]
    code = main([*map(str, arguments), "--out", str(out), "--cache", str(tmp_path / "cache")])
    assert code in (0, 1, 3)
    (file,) = out.glob("*/report.json")
    report = json.loads(file.read_text())
    assert (report["base"]["name"], report["base"]["family"]) == ("tinyPonyXL", "sdxl")
    plan = report["plan"]
    assert plan["guidance_scale"] == 5.0  # what people draw with, not the preset's
    assert (plan["prompt_form"], plan["negative"][:7]) == ("tags", "score_6")
    assert all(prompt["text"].startswith("score_9, ") for prompt in plan["prompts"])
    assert report["adapter"]["matched"] == sum(map(len, LAYERS.values()))


def test_a_lora_of_sdxl_looks_up_its_own_base(tmp_path, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(f'[bases]\nsdxl = "{tmp_path}"\n')
    assert choose_base(None, "sdxl") == BaseChoice(str(tmp_path), "folder")
    (tmp_path / "config.toml").write_text("")
    assert choose_base(None, "sdxl") == BaseChoice("stabilityai/stable-diffusion-xl-base-1.0", "hub")


def test_the_guidance_that_is_asked_for_counts_most():
    guidance = lambda asked, family: plan_for(AuditRequest(guidance_scale=asked), family, 64)[0].guidance_scale  # noqa: E731
    assert [guidance(0.0, "sdxl"), guidance(6.0, "sdxl"), guidance(0.0, "sd15")] == [5.0, 6.0, 7.5]
