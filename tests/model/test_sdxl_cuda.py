"""Stable Diffusion XL on fake CUDA tensors in half precision: devices and types, the VAE's among them."""

import pytest
import torch
from fake_cuda import denoiser_of, made_on_fake_cuda, require_fake_cuda
from owf.core import families
from owf.core.model.backends import diffusers
from owf.core.model.backends.parts import dtype_of
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from tiny_sdxl import tiny_xl_parts
from torch._subclasses.fake_tensor import FakeTensorMode

CUDA = torch.device("cuda")


@pytest.fixture(params=[torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def denoiser(request):
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        parts = made_on_fake_cuda(tiny_xl_parts, request.param)
        if request.param == torch.float16:  # as it is loaded
            parts.vae = made_on_fake_cuda(tiny_xl_parts, torch.float32).vae
        yield denoiser_of(parts, "sdxl")


def check(tensor, shape, dtype, device="cuda"):
    assert (tuple(tensor.shape), tensor.dtype, tensor.device.type) == (shape, dtype, device)


def test_text_and_predictions(denoiser):
    cond = denoiser.encode_guided(["a bag", "a coat"], ["", "blurry"])
    check(cond.context, (4, 77, 80), denoiser.dtype)
    check(cond.pooled, (4, 40), denoiser.dtype)
    x, t = gaussian((4, 4, 8, 8), 0, "x").to(CUDA, denoiser.dtype), torch.tensor([5, 500, 7, 9], device=CUDA)
    check(denoiser.predict(x, t, cond), (4, 4, 8, 8), denoiser.dtype)
    check(denoiser.predict(x[:2], t[:2], cond.rows([0, 0])), (2, 4, 8, 8), denoiser.dtype)


def test_pictures_go_through_a_vae_that_does_not_overflow(denoiser, monkeypatch):
    monkeypatch.setattr(diffusers, "require_finite", lambda *_: None)  # asks for values, which fakes lack
    wide = torch.float32 if denoiser.dtype == torch.float16 else denoiser.dtype
    check(denoiser.encode_image(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)), (2, 4, 8, 8), wide)
    images, latents = generate(denoiser, ["a bag", "a coat"], [0, 1], Sampling(3, 5.0), Batching(4))
    check(images, (2, 3, 64, 64), torch.uint8, "cpu")
    check(latents, (2, 4, 8, 8), torch.float32, "cpu")


@pytest.mark.parametrize(
    ("family", "name", "config", "dtype", "expected"),
    [
        ("sdxl", "vae", {"force_upcast": True}, torch.float16, torch.float32),
        ("sdxl", "vae", {}, torch.float16, torch.float32),  # what diffusers takes where nothing is said
        ("sdxl", "vae", {"force_upcast": False}, torch.float16, torch.float16),  # the VAE that was mended
        ("sdxl", "vae", {}, torch.bfloat16, torch.bfloat16),  # its range is that of float32
        ("sdxl", "unet", {}, torch.float16, torch.float16),
        ("sd15", "vae", {}, torch.float16, torch.float16),
    ],
)
def test_only_a_vae_that_overflows_runs_in_float32(family, name, config, dtype, expected):
    pipeline = families.get(family).pipeline
    assert pipeline is not None
    (part,) = (part for part in pipeline.parts if part.name == name)
    assert dtype_of(part, config, dtype) == expected
