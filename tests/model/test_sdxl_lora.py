"""LoRAs of Stable Diffusion XL in every dialect: the network that diffusers makes of them, and the base when off."""

import pytest
import torch
from ldm_checkpoint import xl_module_name
from owf.core.adapter import applied, read_adapter
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from safetensors.torch import save_file
from tiny_sdxl import LAYERS, comfy, kohya, lora_factors, old_diffusers, peft, pipeline_of, tiny_xl_parts

DIALECTS = {
    "kohya": kohya,
    "kohya with sgm names": lambda factors: kohya(factors, xl_module_name),
    "diffusers PEFT": peft,
    "diffusers 0.18 to 0.21": old_diffusers,
    "ComfyUI": lambda factors: comfy(factors, xl_module_name),
}


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(tiny_xl_parts(), "tiny", "sdxl")


@pytest.fixture
def lora(tmp_path):
    def write(dialect, components=tuple(LAYERS)):
        factors = {place: pair for place, pair in lora_factors(tiny_xl_parts()).items() if place[0] in components}
        path = tmp_path / "lora.safetensors"
        save_file({k: v.contiguous() for k, v in DIALECTS[dialect](factors).items()}, path)
        return path

    return write


def answers(denoiser):
    cond = denoiser.encode_text(["a photo of a bag", "1girl, solo"])
    x, t = gaussian((2, 4, 8, 8), 0, "x"), torch.tensor([300, 700])
    return cond.context, cond.pooled, denoiser.predict(x, t, cond)


# With transformers 5, diffusers 0.42 leaves attention of text encoders out of kohya's files ("UNEXPECTED" in its log),
# so there its U-Net is compared. That each dialect is the same change, text encoders included, is the next claim.
@pytest.mark.parametrize(
    ("dialect", "components"),
    [("kohya", ("unet",)), ("kohya with sgm names", ("unet",)), ("diffusers PEFT", tuple(LAYERS))],
)
def test_the_network_is_the_one_that_diffusers_makes(denoiser, lora, dialect, components):
    parts, path = tiny_xl_parts(), lora(dialect, components)
    pipeline = pipeline_of(parts)
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="x")
    assert set(pipeline.get_list_adapters()) == set(components)
    pipeline.fuse_lora(components=list(components), lora_scale=0.7)
    expected, before = answers(DiffusersDenoiser(parts, "fused", "sdxl")), answers(denoiser)
    with applied(denoiser.components, read_adapter(path), 0.7) as match:
        assert match.matched == sum(len(LAYERS[component]) for component in components)
        assert not match.problems
        found = answers(denoiser)
    changes = [float((ours - base).abs().max()) for ours, base in zip(found, before, strict=True)]
    assert [change > 1e-2 for change in changes] == ["text_encoder" in components, "text_encoder_2" in components, True]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_every_dialect_is_the_same_change(denoiser, lora, dialect):
    with applied(denoiser.components, read_adapter(lora("kohya")), 1.0):
        expected = answers(denoiser)
    adapter = read_adapter(lora(dialect))
    with applied(denoiser.components, adapter, 1.0) as match:
        assert match.matched == sum(map(len, LAYERS.values()))
        found = answers(denoiser)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_off_is_bit_exact_and_strength_zero_is_the_base(denoiser, lora):
    adapter, sampling = read_adapter(lora("kohya")), Sampling(2, 5.0)
    draw = lambda: generate(denoiser, ["a bag"], [0], sampling, Batching(4))[1].numpy().tobytes()  # noqa: E731
    before = draw()
    with applied(denoiser.components, adapter, 1.0):
        assert draw() != before
    assert draw() == before
    with applied(denoiser.components, adapter, 0.0):
        assert draw() == before
