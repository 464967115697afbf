"""Flows on fake CUDA tensors in bfloat16: devices and types of what is read, predicted and drawn."""

from dataclasses import replace

import pytest
import torch
from fake_cuda import denoiser_of, made_on_fake_cuda, require_fake_cuda
from owf.core.model.backends import diffusers
from owf.core.model.backends.parts import is_kept_wide
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from tiny_flows import PARTS
from torch._subclasses.fake_tensor import FakeTensorMode

CUDA = torch.device("cuda")
WIDTHS = {"flux": 32, "z_image": 32, "flux2_klein": 96, "krea2": 12 * 32, "qwen_image": 32, "anima": 32}
"""Family -> numbers that the transformer is told of each token."""


@pytest.fixture(params=WIDTHS)
def denoiser(request, monkeypatch):
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        parts = made_on_fake_cuda(PARTS[request.param], torch.bfloat16)
        for name, part in parts.transformer.named_modules():
            if isinstance(getattr(part, "weight", None), torch.nn.Parameter) and is_kept_wide(parts.transformer, name):
                part.weight = torch.nn.Parameter(part.weight.float(), requires_grad=False)  # as it is loaded
        denoiser = denoiser_of(parts, request.param)
        if request.param == "z_image":
            for name in ("encode_text", "encode_guided"):
                monkeypatch.setattr(denoiser, name, _whole(getattr(denoiser, name)))
        yield denoiser


def _whole(encode):
    """Return what encodes prompts that fill all of their rows: how long one is, fake tensors do not know."""

    def encoded(*prompts):
        found = encode(*prompts)
        assert found.mask.device.type == "cuda"
        return replace(found, mask=torch.ones(found.mask.shape, device="meta"))

    return encoded


def check(tensor, shape, device="cuda", dtype=torch.bfloat16):
    assert (tuple(tensor.shape), tensor.dtype, tensor.device.type) == (shape, dtype, device)


def test_text_and_predictions(denoiser):
    cond = denoiser.encode_guided(["a bag", "a coat"], ["", "blurry"])
    assert len(cond) == 4 and cond.context.shape[-1] == WIDTHS[denoiser.family]
    check(cond.context, tuple(cond.context.shape))
    is_cut = denoiser.family == "z_image"
    if cond.mask is not None and not is_cut:
        check(cond.mask, tuple(cond.context.shape[:2]), dtype=torch.bool)
    if cond.pooled is not None:
        check(cond.pooled, (4, 24))
    shape = denoiser.latent_shape
    x, t = gaussian((4, *shape), 0, "x").to(CUDA, torch.bfloat16), torch.tensor([5, 500, 7, 9], device=CUDA)
    check(denoiser.predict(x, t, cond), (4, *shape))
    if not is_cut:
        check(denoiser.predict(x[:2], t[:2], cond.rows([0, 0])), (2, *shape))


def test_pictures_go_through_the_vae(denoiser, monkeypatch):
    monkeypatch.setattr(diffusers, "require_finite", lambda *_: None)  # asks for values, which fakes lack
    shape = (2, *denoiser.latent_shape)
    check(denoiser.encode_image(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)), shape)
    images, latents = generate(denoiser, ["a bag", "a coat"], [0, 1], Sampling(3, 5.0), Batching(4))
    check(images, (2, 3, 64, 64), "cpu", torch.uint8)
    check(latents, shape, "cpu", torch.float32)
