"""The whole forward path on fake CUDA tensors: a tensor on the wrong device or of the wrong type fails here."""

import pytest
import torch
from fake_cuda import tiny_on_fake_cuda
from owf.core.adapter import Switch, read_adapter
from owf.core.model.backends import diffusers
from owf.core.model.diffusion import classifier
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.model.diffusion.schedule import spaced_timesteps
from tiny_sd import write_tiny_lora

CUDA = torch.device("cuda")


@pytest.fixture
def lora(tmp_path):
    return write_tiny_lora(tmp_path / "a.safetensors")


@pytest.fixture(params=[torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def denoiser(request):
    with tiny_on_fake_cuda(request.param) as made:
        yield made


def check(tensor: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype, device: str = "cuda"):
    assert (tuple(tensor.shape), tensor.dtype, tensor.device.type) == (shape, dtype, device)


def test_text_and_images_are_encoded_on_the_gpu(denoiser):
    check(denoiser.encode_text(["a bag", ""]).context, (2, 77, 32), denoiser.dtype)
    check(denoiser.encode_image(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)), (2, 4, 8, 8), denoiser.dtype)


def test_errors_of_the_classifier(denoiser):
    latents = denoiser.encode_image(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    times = spaced_timesteps(4, 1000)
    noises = [torch.stack([gaussian((4, 8, 8), 0, item, t) for t in times]) for item in ("x", "y")]
    noise = torch.stack(noises).to(latents.device, latents.dtype)
    cells = [(n, k, i) for n in range(2) for i in range(4) for k in range(3)]
    classes = denoiser.encode_text(["a", "b", "c"])
    for loss in ("l1", "l2"):
        check(classifier._errors(denoiser, latents, noise, times, classes, cells, loss), (24,), torch.float32)


def test_sampling_and_decoding(denoiser, monkeypatch):
    monkeypatch.setattr(diffusers, "require_finite", lambda *_: None)  # asks for values, which fakes lack
    images, latents = generate(denoiser, ["a bag", "a coat"], [0, 1], Sampling(3, 5.0), Batching(4))
    check(images, (2, 3, 64, 64), torch.uint8, "cpu")
    check(latents, (2, 4, 8, 8), torch.float32, "cpu")


def test_predictions_of_denoiser_drift(denoiser):
    noise = gaussian((4, 8, 8), 0, "x").to(CUDA, denoiser.dtype)
    t = torch.tensor([5, 500], device=CUDA)
    x_t = denoiser.schedule.noise(noise.expand(2, 4, 8, 8), noise, t)
    check(denoiser.predict(x_t, t, denoiser.encode_text(["a bag"]).rows([0, 0])), (2, 4, 8, 8), denoiser.dtype)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")  # torch's own, on reading into a fake tensor
def test_adapter_on_and_off(lora, denoiser):
    adapter = read_adapter(lora)
    weight = denoiser.components["unet"].get_parameter("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    switch = Switch(denoiser.components, (adapter,))
    switch.on(1.0)
    changed = denoiser.components["unet"].get_parameter("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
    check(changed, (64, 64), denoiser.dtype)
    assert changed is not weight
    check(denoiser.encode_text(["a bag"]).context, (1, 77, 32), denoiser.dtype)
    switch.off()
    assert (
        denoiser.components["unet"].get_parameter("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight")
        is weight
    )


def test_a_tensor_left_on_the_cpu_is_noticed(denoiser):
    with pytest.raises(Exception, match="device"):
        denoiser.predict(torch.zeros(1, 4, 8, 8), torch.zeros(1), denoiser.encode_text([""]))
