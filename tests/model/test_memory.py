"""Stable Diffusion 1.5 in half precision fits 8 GB: allocations of the forward path, counted on fake CUDA tensors."""

import pytest
import torch
from fake_cuda import fused_attention, require_fake_cuda
from owf.core.model.base import CONFIGS
from owf.core.train.forecast.peak_memory import PeakMemory
from torch._subclasses.fake_tensor import FakeTensorMode

GIB = 2**30


@pytest.fixture(scope="module")
def models():
    from diffusers import AutoencoderKL, UNet2DConditionModel

    config = CONFIGS / "sd15"
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.set_default_dtype(torch.float16)
        try:
            with torch.device("cuda"):
                unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(config / "unet"))
                vae = AutoencoderKL.from_config(AutoencoderKL.load_config(config / "vae"))
        finally:
            torch.set_default_dtype(torch.float32)
        assert isinstance(unet, UNet2DConditionModel) and isinstance(vae, AutoencoderKL)
        yield unet.eval(), vae.eval()


def size(module) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters())


TEXT_ENCODER = 123_060_480 * 2
"""Bytes of CLIP ViT-L/14's text model in half precision."""


def test_the_shipped_configuration_has_stable_diffusions_size(models):
    unet, vae = models
    assert sum(p.numel() for p in unet.parameters()) == 859_520_964
    assert sum(p.numel() for p in vae.parameters()) == 83_653_863


@torch.no_grad()
def test_a_batch_of_the_default_size_and_a_decoded_image_fit_8_gb(models, monkeypatch):
    from types import SimpleNamespace

    from owf.core.model.diffusion.batch import default_batching

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_attention)
    unet, vae = models
    rows = default_batching(SimpleNamespace(latent_shape=(4, 64, 64), device=torch.device("cuda"))).size
    # A LoRA's changed weights are one more copy of at most the whole UNet and text encoder.
    weights = 2 * (size(unet) + TEXT_ENCODER) + size(vae)
    half = {"device": "cuda", "dtype": torch.float16}
    with PeakMemory() as memory:
        unet(torch.zeros(rows, 4, 64, 64, **half), torch.zeros(rows, device="cuda"), torch.zeros(rows, 77, 768, **half))
    peaks = {"unet": memory.peak}
    with PeakMemory() as memory:
        vae.decode(torch.zeros(1, 4, 64, 64, **half))
    peaks["decode"] = memory.peak
    assert weights + max(peaks.values()) < 7.5 * GIB, {k: v / GIB for k, v in peaks.items()}
