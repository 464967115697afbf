"""A v-model of Stable Diffusion XL with and without its markers: read as v, read as epsilon, and found out."""

import dataclasses
import shutil
from types import SimpleNamespace

import pytest
import torch
from audits import audit
from ldm_checkpoint import xl_tensors
from owf.core.adapter import read_adapter
from owf.core.audit.audit import AuditSetting
from owf.core.model import base
from owf.core.model.base import choose_base, load_base
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.plan.presets import preset_plan
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from safetensors.torch import save_file
from tiny_sdxl import kohya, lora_factors, tiny_xl_parts


class KnownPicture(torch.nn.Module):
    """In the place of a UNet: the v of latents that are one picture and a little noise, in closed form.

    What a network trained on such pictures with zero terminal SNR would answer; random weights know nothing.
    """

    def __init__(self, unet, schedule):
        super().__init__()
        self.config, self.device, self.dtype, self._schedule = unet.config, unet.device, unet.dtype, schedule
        self._picture, self._spread = gaussian((4, 8, 8), 0, "the picture"), 0.2

    def forward(self, x_t, t, encoder_hidden_states, added_cond_kwargs):
        assert len(added_cond_kwargs["text_embeds"]) == len(added_cond_kwargs["time_ids"]) == len(x_t)
        signal, sigma = self._schedule.factors(t, x_t)
        rest = (x_t - signal * self._picture) / (signal**2 * self._spread**2 + sigma**2)
        x0 = self._picture + signal * self._spread**2 * rest  # means given x_t, of both
        return SimpleNamespace(sample=signal * sigma * rest - sigma * x0)


@pytest.fixture
def load(tmp_path, monkeypatch):
    parts, config = tiny_xl_parts(), tmp_path / "configs" / "sdxl"
    shutil.copytree(base.CONFIGS / "sdxl", config)
    for name in ("unet", "vae"):
        getattr(parts, name).save_config(config / name)
    for name in ("text_encoder", "text_encoder_2"):
        getattr(parts, name).config.save_pretrained(config / name)
    monkeypatch.setattr(base, "CONFIGS", tmp_path / "configs")
    tensors = xl_tensors(parts)

    def loaded(*markers):
        file = tmp_path / "xl.safetensors"
        save_file({**tensors, **dict.fromkeys(markers, torch.tensor([]))}, file)
        return load_base(choose_base(str(file), None), torch.device("cpu"), torch.float32, offline=True)

    return loaded


def judged(denoiser, folder, lora):
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, metrics=("denoiser_drift",), prompts=plan.prompts[:8], guidance_scale=5.0)
    setting = AuditSetting(folder, folder, default_policy(), SILENT, Batching(16), {}, None)
    return audit(denoiser, read_adapter(lora), 1.0, plan, setting).verdict


def test_a_v_model_without_its_markers_is_invalid_and_named(load, tmp_path):
    right, wrong = load("v_pred", "ztsnr"), load()
    assert (right.schedule.prediction_type, float(right.schedule.signal[-1])) == ("v_prediction", 0)
    assert (wrong.schedule.prediction_type, float(wrong.schedule.signal[-1]) > 0) == ("epsilon", True)
    lora = tmp_path / "lora.safetensors"
    save_file({k: v.contiguous() for k, v in kohya(lora_factors(tiny_xl_parts())).items()}, lora)
    for denoiser in (right, wrong):
        denoiser._network.denoiser = KnownPicture(denoiser.components["unet"], right.schedule)
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    verdict = judged(wrong, tmp_path / "wrong", lora)
    assert (verdict.decision, verdict.exit_code) == ("INVALID", 4)
    assert "Read as v-prediction, it does" in verdict.reasons[0]
    verdict = judged(right, tmp_path / "right", lora)
    assert not any("trivial predictor" in reason for reason in verdict.reasons)
