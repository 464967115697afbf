"""Flows over the latents of a VAE that codes videos, on fake CUDA tensors in bfloat16: devices and types."""

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
WIDTHS = {"krea2": 12 * 32, "qwen_image": 32, "anima": 32}
"""Family -> numbers that the transformer is told of each token."""


@pytest.fixture(params=WIDTHS)
def denoiser(request):
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        parts = made_on_fake_cuda(PARTS[request.param], torch.bfloat16)
        for name, part in parts.transformer.named_modules():
            if isinstance(getattr(part, "weight", None), torch.nn.Parameter) and is_kept_wide(parts.transformer, name):
                part.weight = torch.nn.Parameter(part.weight.float(), requires_grad=False)  # as it is loaded
        yield denoiser_of(parts, request.param)


def check(tensor, shape, device="cuda", dtype=torch.bfloat16):
    assert (tuple(tensor.shape), tensor.dtype, tensor.device.type) == (shape, dtype, device)


def test_text_and_predictions(denoiser):
    cond = denoiser.encode_guided(["a bag", "a coat"], ["", "blurry"])
    assert len(cond) == 4 and cond.context.shape[-1] == WIDTHS[denoiser.family]
    check(cond.context, tuple(cond.context.shape))
    check(cond.mask, tuple(cond.context.shape[:2]), dtype=torch.bool)
    x, t = gaussian((4, 4, 8, 8), 0, "x").to(CUDA, torch.bfloat16), torch.tensor([5, 500, 7, 9], device=CUDA)
    check(denoiser.predict(x, t, cond), (4, 4, 8, 8))
    check(denoiser.predict(x[:2], t[:2], cond.rows([0, 0])), (2, 4, 8, 8))


def test_pictures_go_through_the_vae(denoiser, monkeypatch):
    monkeypatch.setattr(diffusers, "require_finite", lambda *_: None)  # asks for values, which fakes lack
    check(denoiser.encode_image(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)), (2, 4, 8, 8))
    images, latents = generate(denoiser, ["a bag", "a coat"], [0, 1], Sampling(3, 5.0), Batching(4))
    check(images, (2, 3, 64, 64), "cpu", torch.uint8)
    check(latents, (2, 4, 8, 8), "cpu", torch.float32)
